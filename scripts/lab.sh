#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A lab: three etcd nodes, each in its own network namespace and on its own ext4 image, connected by a switch in a further
# namespace. Leaves the host's network alone. See usage() below.
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

usage() {
	cat <<'END'
usage: scripts/lab.sh COMMAND [--instance N]      N is 0 to 255; default $EVAL_INSTANCE, else 0

  up       builds the lab, on whatever an earlier one left, and waits until it is ready
  down     removes all of it; safe to repeat
  reset    the same as up: every lab starts fresh
  ready    exit 0 if all three nodes are healthy and follow one leader
  revive   starts nodes again that have ended, as their service manager would, and tells which ever did and why
  leader   prints the leader's name
  put      one write through the leader, or else through its successor; gives up after about 0.9 s
  load     writes 10 times a second until it is killed
  status   a table of the nodes

Namespaces evlabN-n1, -n2, -n3 (10.77.N.1 to .3), evlabN-client (10.77.N.100), evlabN-sw (the switch). Data
directories /run/evlab/N/n1 …, logs /run/evlab/N/n1.log …, disk images /var/lib/evlab/N/n1.img ….
END
}

die() {
	echo "lab: $*" >&2
	exit 1
}

wrong_usage() {
	echo "lab: $*" >&2
	usage >&2
	exit 2
}

nodes=(n1 n2 n3)
disk_size=512M
# etcd's defaults: if the leader is cut off, writes fail for 1 to 2 s, until a new leader is elected.
heartbeat_ms=100
election_ms=1000

command=
instance=${EVAL_INSTANCE:-0}
while (($#)); do
	case $1 in
	--instance) (($# > 1)) || wrong_usage "--instance needs a number"; instance=$2; shift ;;
	--instance=*) instance=${1#*=} ;;
	-h | --help) usage; exit 0 ;;
	-*) wrong_usage "unknown option $1" ;;
	*) [[ -z $command ]] || wrong_usage "one command at a time, not '$command $1'"; command=$1 ;;
	esac
	shift
done
[[ $instance =~ ^(0|[1-9][0-9]{0,2})$ && $instance -le 255 ]] ||
	wrong_usage "instance must be 0 to 255, not '$instance'"

prefix=evlab$instance
# These run in the client's namespace. Enter it here, before bash reads the rest of this file, because put runs often.
if [[ $command =~ ^(put|leader|load|status)$ && ! /proc/self/ns/net -ef /run/netns/$prefix-client ]]; then
	[[ -e /run/netns/$prefix-client ]] || die "instance $instance is not up"
	exec nsenter --net="/run/netns/$prefix-client" -- "$0" "$command" --instance "$instance"
fi
run=/run/evlab/$instance
disks=/var/lib/evlab/$instance
lock=/run/evlab/$instance.lock

address() {
	[[ $1 == client ]] && echo "10.77.$instance.100" || echo "10.77.$instance.${1#n}"
}

# --- Talking to the nodes -------------------------------------------------------------------------------------
# By etcd's JSON gateway: curl starts in a few milliseconds, etcdctl takes ten times as long.

# http SECONDS CURL_ARGUMENT…
http() {
	local seconds=$1
	shift
	nsenter --net="/run/netns/$prefix-client" -- \
		curl -q --noproxy '*' --silent --max-time "$seconds" "$@"
}

# Sends one request to all nodes in parallel. Prints the answers as they arrive, sometimes several on a line.
ask_all() {
	local seconds=$1 path=$2 urls=() node
	shift 2
	for node in "${nodes[@]}"; do
		urls+=("http://$(address "$node"):2379$path")
	done
	http "$seconds" --parallel --no-progress-meter --write-out '\n' "$@" "${urls[@]}"
}

# post NODE PATH BODY: sends the request; the answer comes on descriptor 4. Call it in the client's namespace, in a child, because
# a connect that is never answered would block without a timeout. Bash itself speaks HTTP: this runs many times a second, starting
# curl with its 33 libraries takes longer than the rest, and would take the processors from the election of a leader.
post() {
	exec 2>/dev/null 4<>"/dev/tcp/10.77.$instance.${1#n}/2379" &&
		printf 'POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s' "$2" "${#3}" "$3" >&4
}

# status_of NODE: prints the term that the node is in and the id of the leader that it follows; nothing if it follows none. Call it
# as post.
status_of() {
	local answer='' leader
	post "$1" /v3/maintenance/status '{}' || return
	read -r -d '' answer <&4
	[[ $answer =~ \"leader\":\"([1-9][0-9]*)\" ]] || return
	leader=${BASH_REMATCH[1]}
	[[ $answer =~ \"raftTerm\":\"([0-9]+)\" ]] && echo "${BASH_REMATCH[1]} $leader"
}

# find_leader MILLISECONDS: asks all nodes at the same time and sets $found to the leader's name. Trusts the answer with the
# highest term: a leader that was cut off still claims to lead for a while, in an older term.
find_leader() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000)) fds=() pids=() fd i left term leader best=0 id='' member name
	for i in "${!nodes[@]}"; do
		exec {fd}< <(status_of "${nodes[i]}")
		fds+=("$fd") pids+=("$!")
	done
	for i in "${!fds[@]}"; do
		left=$((deadline - ${EPOCHREALTIME/./}))
		printf -v left '%d.%06d' $((left > 0 ? left / 1000000 : 0)) $((left > 1 ? left % 1000000 : 1))
		fd=${fds[i]}
		if read -r -t "$left" term leader <&"$fd" && ((term > best)); then
			best=$term id=$leader
		fi
		kill "${pids[i]}" 2>/dev/null
		exec {fd}<&-
	done
	while read -r member name; do
		[[ $member == "$id" ]] && found=$name && return
	done 2>/dev/null <"$run/members"
	return 1
}

is_up() { [[ -e $run/n1.pid && -e /run/netns/$prefix-client ]]; }

# etcd's /health makes a read that needs a quorum and a leader, and fails on any alarm.
is_ready() {
	local healthy
	is_up || return 1
	healthy=$(ask_all 0.9 /health | grep -o '"health":"true"' | wc -l)
	[[ $healthy == "${#nodes[@]}" ]]
}

# Sets $known to the leader last known; empty if none.
read_known() {
	read -r known 2>/dev/null <"$run/leader"
	[[ ${known:-} =~ ^n[1-3]$ ]] || known=
}

# forget_leader NODE: forgets it, unless another write has recorded a new leader since.
forget_leader() {
	local known
	read_known
	[[ $known != "$1" ]] || : >"$run/leader"
}

# write_to NODE SECONDS: call it in the client's namespace.
write_to() {
	local status='' writer
	exec 3< <(
		post "$1" /v3/kv/put '{"key":"cHV0","value":"bGFi"}' || exit
		read -r status <&4
		echo "$status"
	)
	writer=$!
	read -r -t "$2" status <&3 || kill "$writer" 2>/dev/null
	exec 3<&-
	[[ $status == HTTP/1.?" 200 "* ]]
}

# Writes as clients of a Raft store do (TiKV's, for example): to the leader last known and, if it does not answer, to the
# leader that the nodes follow now. A write through a follower would show the follower's delays, through a random node a mix.
# 0.5 s suffices for a leader delayed by 150 ms each way; the three steps fit in 0.9 s. A leader that does not answer is
# forgotten at once, so that the next write does not wait for it even if this one times out.
cmd_put() {
	local known found=''
	read_known
	if [[ -n $known ]]; then
		write_to "$known" 0.5 && return 0
		forget_leader "$known"
	fi
	find_leader $((${#known} ? 100 : 400)) || { echo "lab: no leader" >&2; return 1; }
	[[ $found != "$known" ]] || { echo "lab: $found, the leader, did not answer" >&2; return 1; }
	echo "$found" >"$run/leader"
	write_to "$found" 0.3 || { echo "lab: neither ${known:-a leader} nor $found took the write" >&2; return 1; }
}

cmd_leader() {
	local found=''
	find_leader 500 || die "no leader"
	echo "$found" >"$run/leader" # so that the next put goes to the leader that the caller now knows
	echo "$found"
}

# One curl makes a hundred writes, which keeps the load cheap. curl dies with this shell; the check of $PPID covers a shell
# that died before setpriv requested the signal.
cmd_load() {
	local found='' curl_pid=''
	trap '[[ -z $curl_pid ]] || kill "$curl_pid" 2>/dev/null; exit 0' TERM INT HUP
	is_up || die "instance $instance is not up"
	while is_up; do
		[[ -n $found ]] || find_leader 300 || { sleep 0.2; continue; }
		# shellcheck disable=SC2016 # its own parameters
		setpriv --pdeathsig KILL sh -c '[ "$PPID" = "$1" ] && shift && exec "$@"' sh $$ \
			curl -q --noproxy '*' --silent --fail --fail-early --max-time 1 --rate 10/s --output /dev/null \
			--data '{"key":"bG9hZA==","value":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3"}' \
			"http://10.77.$instance.${found#n}:2379/v3/kv/put?[1-100]" &
		curl_pid=$!
		wait "$curl_pid" || found=
		curl_pid=
	done
}

cmd_status() {
	local node found='' answer pid health role format='%-5s %-13s %-8s %-8s %-9s %5s %8s %9s %5s\n'
	is_up || die "instance $instance is not up"
	find_leader 500
	# shellcheck disable=SC2059 # one format for all lines
	printf "$format" NODE ADDRESS PID HEALTH ROLE TERM INDEX DB_BYTES DISK
	for node in "${nodes[@]}"; do
		pid=$(node_pid "$node") || pid=gone
		answer=$(http 0.5 --data '{}' "http://$(address "$node"):2379/v3/maintenance/status" |
			jq -r '"\(.raftTerm) \(.raftIndex) \(.dbSize)"')
		http 1 "http://$(address "$node"):2379/health" | grep -q '"health":"true"' && health=ok || health=failing
		[[ $node == "$found" ]] && role=leader || role=follower
		# shellcheck disable=SC2059,SC2086 # three columns in $answer
		printf "$format" "$node" "$(address "$node")" "$pid" "$health" "$role" ${answer:-- - -} \
			"$(df --output=pcent "$run/$node" | tail -n 1)"
	done
}

# --- Up -------------------------------------------------------------------------------------------------------

network_up() {
	local node
	printf "netns add $prefix-%s\n" sw client "${nodes[@]}" | ip -batch - || return 1
	{
		echo "link add switch type bridge"
		echo "link set switch up"
		for node in client "${nodes[@]}"; do
			echo "link add $node type veth peer name eth0 netns $prefix-$node"
			echo "link set $node master switch up"
		done
	} | ip -netns "$prefix-sw" -batch - || return 1
	for node in client "${nodes[@]}"; do
		printf '%s\n' "link set lo up" "link set eth0 up" "addr add $(address "$node")/24 dev eth0" |
			ip -netns "$prefix-$node" -batch - || return 1
	done
}

# -m 0: no blocks reserved for root, so that all free space is what df calls available.
disk_up() {
	mkdir -p "$run/$1" && truncate -s "$disk_size" "$disks/$1.img" &&
		mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,lazy_journal_init=1 "$disks/$1.img" &&
		mount -o loop,nodev,nosuid "$disks/$1.img" "$run/$1"
}

close_descriptors() {
	local fd
	for fd in /proc/self/fd/*; do
		[[ ${fd##*/} -le 2 ]] || eval "exec ${fd##*/}>&-"
	done
}

# Starts etcd as a full daemon: the caller of reset may wait until its pipes are closed, or kill its own session.
etcd_up() {
	local address
	address=$(address "$1")
	(
		close_descriptors
		cd / && exec env -i PATH="$PATH" ETCD_UNSUPPORTED_ARCH="$(dpkg --print-architecture)" \
			setsid nsenter --net="/run/netns/$prefix-$1" -- etcd --name "$1" --data-dir "$run/$1/etcd" \
			--listen-peer-urls "http://$address:2380" --initial-advertise-peer-urls "http://$address:2380" \
			--listen-client-urls "http://$address:2379" --advertise-client-urls "http://$address:2379" \
			--initial-cluster "$2" --initial-cluster-state new --initial-cluster-token "$3" \
			--heartbeat-interval "$heartbeat_ms" --election-timeout "$election_ms" --pre-vote \
			--max-wals 2 --max-snapshots 2 --snapshot-count 10000 \
			--auto-compaction-mode revision --auto-compaction-retention 1000 --logger zap
	) </dev/null >>"$run/$1.log" 2>&1 &
	echo $! >"$run/$1.pid"
}

why_ended() {
	sed -nE 's/.*"level":"(fatal|panic)".*"error":"([^"]*)".*/\2/p' "$run/$1.log" | tail -n 1 | grep . || echo "killed?"
}

# Prints every end so far, not only new ones, because a caller that repeats this until the nodes are healthy keeps only the
# last output.
cmd_revive() {
	local node
	is_up || die "instance $instance is not up"
	for node in "${nodes[@]}"; do
		[[ -z $(node_pid "$node") ]] || continue
		echo "$node ended: $(why_ended "$node")" >>"$run/ended"
		# The node reads the cluster's members from its disk.
		etcd_up "$node" "$node=http://$(address "$node"):2380" revived
	done
	[[ ! -e $run/ended ]] || cat "$run/ended"
}

# Nodes start one after the other, which is fastest: a starting node asks each peer for its members, and waits a second for
# a peer that listens but does not serve yet.
serves_peers() { http 0.2 --output /dev/null "http://$(address "$1"):2380/version"; }

# wait_for WHAT CONDITION…
wait_for() {
	local what=$1 deadline=$((${EPOCHREALTIME/./} + 15000000))
	shift
	until "$@"; do
		if ((${EPOCHREALTIME/./} > deadline)); then
			tail -n 3 "$run"/*.log >&2
			die "instance $instance: waited 15 s for $what; logs are in $run"
		fi
		sleep 0.01
	done
}

# Records the members' names by id, because a status gives only the leader's id. Ids stay the same while the lab lives.
remember_members() {
	http 1 --data '{}' "http://$(address n1):2379/v3/cluster/member/list" |
		jq -r '.members[] | .ID + " " + .name' >"$run/members"
	[[ $(wc -l <"$run/members") == "${#nodes[@]}" ]]
}

cmd_up() {
	local node cluster='' token=$prefix-$EPOCHREALTIME jobs=()
	take_lock
	remove_all
	mkdir -p "$run" "$disks" || die "cannot create $run and $disks"
	for node in "${nodes[@]}"; do
		disk_up "$node" &
		jobs+=($!)
		cluster+=,$node=http://$(address "$node"):2380
	done
	network_up || die "cannot make the network of instance $instance"
	for node in "${jobs[@]}"; do
		wait "$node" || die "cannot make the disks of instance $instance"
	done
	for node in "${nodes[@]}"; do
		etcd_up "$node" "${cluster#,}" "$token"
		wait_for "$node to start" serves_peers "$node"
	done
	wait_for "all nodes to be healthy" is_ready
	remember_members || die "instance $instance is healthy, but does not list its members"
	"$0" leader --instance "$instance" >/dev/null
}

# --- Down -----------------------------------------------------------------------------------------------------

# Prints the pid of the node's etcd. Checks that the recorded pid is still that etcd, because pids are reused.
node_pid() {
	local pid
	read -r pid <"$run/$1.pid" && [[ $(readlink "/proc/$pid/exe") == */etcd ]] &&
		[[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *" $run/$1/etcd "* ]] && echo "$pid"
} 2>/dev/null

# Prints the pids of etcd, by its pid file because its namespace may have lost its name, and of all processes in the lab's
# namespaces.
lab_pids() {
	local name
	for name in "${nodes[@]}"; do
		node_pid "$name"
	done
	for name in sw client "${nodes[@]}"; do
		[[ -e /run/netns/$prefix-$name ]] && ip netns pids "$prefix-$name" 2>/dev/null
	done
}

is_gone() {
	local state
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[[ -z $state || $state == Z ]]
}

# Kills etcd at once, because its data is deleted too. Other processes, such as a fault's worker, get a second to exit cleanly.
end_processes() {
	local pid pids signal deadline=$((${EPOCHREALTIME/./} + 1000000))
	mapfile -t pids < <(lab_pids | sort -un | grep -vxE "$$|$PPID|$BASHPID")
	for pid in "${pids[@]}"; do
		[[ $(readlink "/proc/$pid/exe") == */etcd ]] && signal=KILL || signal=TERM
		kill "-$signal" "$pid" 2>/dev/null
	done
	for pid in "${pids[@]}"; do
		until is_gone "$pid"; do
			((${EPOCHREALTIME/./} < deadline)) || kill -KILL "$pid" 2>/dev/null
			sleep 0.01
		done
	done
}

# mount -o loop frees the loop device with the last use of the file system. A loop device without a mount is left from a lab
# that was killed during up.
remove_disk() {
	local mount=$run/$1 image=$disks/$1.img device file tries=0
	while mountpoint -q "$mount"; do
		umount "$mount" 2>/dev/null && continue
		((++tries < 100)) || die "cannot unmount $mount: something uses it (see fuser -vm $mount)"
		sleep 0.02
	done
	while read -r device file _; do
		[[ $file != "$image" ]] || losetup --detach "$device"
	done < <(losetup --list --noheadings --output NAME,BACK-FILE)
}

remove_all() {
	local name
	end_processes
	for name in "${nodes[@]}"; do
		remove_disk "$name"
	done
	for name in sw client "${nodes[@]}"; do
		[[ ! -e /run/netns/$prefix-$name ]] || ip netns delete "$prefix-$name" || die "cannot delete $prefix-$name"
	done
	rm -rf --one-file-system "$run" "$disks"
}

# down deletes the lock's file, so after waiting, check that the locked file still has that name.
take_lock() {
	mkdir -p /run/evlab || die "cannot create /run/evlab"
	while :; do
		exec 9>"$lock" || die "cannot write $lock"
		flock -w 30 9 || die "another lab.sh has been at work on instance $instance for 30 s"
		[[ ! /proc/self/fd/9 -ef $lock ]] || return 0
	done
}

cmd_down() {
	[[ -d /run/evlab || -d $disks ]] || ip netns list | grep -q "^$prefix-" || return 0
	take_lock
	remove_all
	rm -f "$lock"
	rmdir /run/evlab /var/lib/evlab 2>/dev/null
	return 0
}

[[ -n $command ]] || wrong_usage "a command is missing"
[[ $EUID == 0 ]] || die "needs root (namespaces, mounts)"
for tool in etcd curl jq ip nsenter mkfs.ext4 losetup flock; do
	command -v "$tool" >/dev/null || die "$tool is missing: run scripts/install-deps.sh"
done
case $command in
up | reset) cmd_up ;;
ready) is_ready ;;
down | leader | put | load | status | revive) "cmd_$command" ;;
*) wrong_usage "unknown command '$command'" ;;
esac

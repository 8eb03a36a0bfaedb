#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: has filters, which differ most from the links of this host; net/match runs the programs on all kernels
# time limit: 200 s
# network_partition with real traffic: exactly the right pairs, one direction, established flows, engines, protected ports.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

nodes=(n1 n2 n3 n4)
cut() { inject "$1" network_partition --for 60s --netns "$(ns "$2")" "${@:3}"; }

# Prints what a node does not reach by ping and TCP, as "n1>n2 ping4".
unreached_from() {
	local from=$1 to addresses=()
	local -A names=()
	for to in "${nodes[@]}"; do
		[[ $to != "$from" ]] || continue
		addresses+=("$(address4 "$to")" "$(address6 "$to")")
		names[$(address4 "$to")]="$from>$to %s4" names[$(address6 "$to")]="$from>$to %s6"
	done
	{
		in_ns "$from" fping -r 0 -t 2000 -u "${addresses[@]}" 2>/dev/null | sed 's/^/ping /' &
		in_ns "$from" "$traffic" reach -t 2000 -p 7000 "${addresses[@]}" | sed -n 's/^\(.*\) no$/tcp \1/p' &
		wait
	} | while read -r how to; do
		# shellcheck disable=SC2059 # a format of our own
		printf "${names[$to]}\n" "$how"
	done
}

unreached() {
	local node
	for node in "${nodes[@]}"; do
		unreached_from "$node" &
	done | sort
	wait
}

# pairs A B…: prints what `unreached` should print if A is cut from each B, in both directions.
pairs() {
	local a=$1 b kind
	shift
	for b; do
		for kind in ping4 ping6 tcp4 tcp6; do
			echo "$a>$b $kind"
			echo "$b>$a $kind"
		done
	done | sort
}

peers() {
	local node
	for node; do
		printf '%s\n' --peer "$(address4 "$node")" --peer "$(address6 "$node")"
	done
}

# exchange N2_ADDRESS N1_ADDRESS: sends 20 datagrams in each direction; sets $out to those that n2 got, $in to n1's.
exchange() {
	local out_before in_before
	out_before=$(datagrams_at n2 7001)
	in_before=$(datagrams_at n1 7001)
	in_ns n1 "$traffic" datagrams -p 7001 -n 20 -i 2000 "$1" &
	in_ns n2 "$traffic" datagrams -p 7001 -n 20 -i 2000 "$2" &
	wait %% %-
	# Each node sends itself a mark by its loopback, because a mark from the other node could be cut too. Datagrams that
	# have not arrived before the mark will not arrive; the sleep covers those queued on another processor.
	sleep 0.1
	for node in n1 n2; do
		marks=$(marks_at $node)
		in_ns $node "$traffic" datagrams -p 7001 -n 1 -s 200 "$([[ $node == n2 ]] && echo "$1" || echo "$2")"
		wait_for 5 has_mark $node
	done
	out=$(($(datagrams_at n2 7001) - out_before - 1))
	in=$(($(datagrams_at n1 7001) - in_before - 1))
}
marks_at() { served "$1" | grep -c '^udp 7001 200 '; }
has_mark() { (($(marks_at "$1") > marks)); }
has_stalled() {
	local count
	count=$(flow_count "$1")
	sleep 0.3 # 30 of its echoes
	[[ $(flow_count "$1") == "$count" ]]
}

make_nodes 4
spawn_in n2 "$traffic" serve 2222
check_eq "before: every node reaches every other" "$(unreached)" ""

# --- Exact pairs ----------------------------------------------------------------------------------------------
for engine in tc xdp; do
	mapfile -t list < <(peers n2 n3)
	cut whole n1 "${list[@]}" --engine "$engine"
	check_eq "$engine: n1 is cut from n2 and n3, and nothing else is" "$(unreached)" "$(pairs n1 n2 n3)"
	revert whole
	check_eq "$engine: SIGINT ends it with 130" "$inject_status" 130
	check_eq "$engine: engine in the evidence" "$(evidence whole .engine)" "$engine"
	check_number "$engine: packets were counted on their way out" "$(evidence whole .devices[0].egress.hit) >= 8"
	check_number "$engine: packets were counted on their way in" "$(evidence whole .devices[0].ingress.hit) >= 8"
	check_number "$engine: others were seen and passed" "$(evidence whole '.seen - .hit') >= 8"
	check_eq "$engine: after revert no pair is blocked" "$(unreached)" ""
done

# --- Two faults at once ---------------------------------------------------------------------------------------
mapfile -t list < <(peers n2)
cut first n1 "${list[@]}"
mapfile -t list < <(peers n3)
cut second n1 "${list[@]}" --allow stacked
check_eq "two faults: both cut" "$(unreached)" "$(pairs n1 n2 n3)"
revert first
check_eq "two faults: the second survives the removal of the first" "$(unreached)" "$(pairs n1 n3)"
revert second
check_eq "two faults: none left" "$(unreached)" ""

# --- One way --------------------------------------------------------------------------------------------------
for direction in in out; do
	mapfile -t list < <(peers n2)
	cut oneway n1 "${list[@]}" --direction "$direction"
	for kind in 4 6; do
		exchange "$("address$kind" n2)" "$("address$kind" n1)"
		wanted="20 0"
		[[ $direction == out ]] && wanted="0 20"
		check_eq "direction $direction, IPv$kind: only that direction is lost" "$out $in" "$wanted"
	done
	revert oneway
	other=ingress
	[[ $direction == in ]] && other=egress
	check_eq "direction $direction: nothing was cut the other way" "$(evidence oneway .devices[0].$other.hit)" 0
	check_number "direction $direction: what was lost is counted" "$(evidence oneway .hit) >= 40"
done
mapfile -t list < <(peers n2)
cut oneway n1 "${list[@]}" --direction in --engine xdp
exchange "$(address4 n2)" "$(address4 n1)"
check_eq "xdp, direction in: only that direction is lost" "$out $in" "20 0"
revert oneway
check_fails "xdp drops on the way in only" 2 "$eval_bin" inject network_partition --for 1s --netns "$(ns n1)" \
	"${list[@]}" --direction out --engine xdp
check_eq "… and says so" "$output" "eval: error: engine: xdp drops on the way in only, but direction is out; use tc"

# --- Established flows ----------------------------------------------------------------------------------------
start_flow cutflow n1 "$(address4 n2)"
start_flow cutflow6 n2 "$(address6 n1)"
start_flow otherflow n1 "$(address4 n3)"
before_repeats=$(counter n1 TcpRetransSegs)
cut stall n1 "${list[@]}"
# Wait until packets in flight have arrived.
wait_for 5 has_stalled cutflow
wait_for 5 has_stalled cutflow6
before=$(flow_count cutflow) before6=$(flow_count cutflow6) before_other=$(flow_count otherflow)
wait_for 5 flow_passed otherflow $((before_other + 50)) # half a second of it
check_eq "established flows stall" "$(flow_count cutflow) $(flow_count cutflow6)" "$before $before6"
check_number "an established flow of another pair goes on" "$(flow_count otherflow) >= $((before_other + 50))"
# Retransmits are dropped without an error, so that the sender does not see congestion of its own device.
check_number "the stalled flow is repeated" "$(counter n1 TcpRetransSegs) > $before_repeats"
check_eq "no repeat is refused locally" "$(counter n1 TcpExtTCPRetransFail)" 0
revert stall
check "after revert the flow goes on" wait_for 10 flow_passed cutflow $((before + 20))
check "after revert the IPv6 flow from the other side goes on" wait_for 10 flow_passed cutflow6 $((before6 + 20))
check_eq "no flow was reset" "$(flow_is_closed cutflow || flow_is_closed cutflow6 || flow_is_closed otherflow; echo $?)" 1

# --- Ports and protection -------------------------------------------------------------------------------------
# Another program runs on the same hook; before tcx (6.6) with priority 1, which eval would take.
other_goes_on() {
	local before=$seen
	other_ask
	check_number "another program on $1 goes on $2: it has seen $before, then $seen" "$seen > $before"
}
other_goes_on_after() {
	other_ask
	in_ns n1 ping -n -q -c 1 -W 1 "$(address4 n2)" >/dev/null
	other_goes_on "$1" "after it"
	other_end
}
tcp_reached() { in_ns "$1" "$traffic" reach -t 500 -p "$3" "$2" | grep -c yes; }
other_start egress 0 1 || exit 1
cut port n1 --peer "$(address4 n2):7001"
other_ask
check_eq "peer with a port: that port is cut" "$(tcp_reached n1 "$(address4 n2)" 7001)" 0
check_eq "peer with a port: its other ports are not" "$(tcp_reached n1 "$(address4 n2)" 7000)" 1
check_eq "peer with a port: our own same port is not" "$(tcp_reached n2 "$(address4 n1)" 7001)" 1
check "peer with a port: ping passes" in_ns n1 ping -n -c 1 -W 1 "$(address4 n2)"
other_goes_on egress "beside a partition"
revert port
other_goes_on_after egress

other_start ingress 0 1 || exit 1
cut all n1 "${list[@]}"
other_ask
check_eq "protect: tcp/22 of the target by default" "$(tcp_reached n2 "$(address4 n1)" 22)" 1
check_eq "protect: tcp/22 of the peer by default" "$(tcp_reached n1 "$(address6 n2)" 22)" 1
check_eq "protect: other ports are cut" "$(tcp_reached n2 "$(address4 n1)" 7000)" 0
other_goes_on ingress "beside a partition"
revert all
other_goes_on_after ingress
cut all n1 "${list[@]}" --protect tcp/7001
check_eq "protect: a port of choice" "$(tcp_reached n2 "$(address4 n1)" 7001)" 1
check_eq "protect: tcp/22 stays protected beside it" "$(tcp_reached n2 "$(address4 n1)" 22)" 1
revert all

# --- Neighbours -----------------------------------------------------------------------------------------------
cut neighbours n1 "${list[@]}"
for node in n1 n3 n4; do
	in_ns "$node" ip neigh flush all
done
check_eq "ARP and neighbour discovery of other pairs work anew" "$(unreached)" "$(pairs n1 n2)"
# Neighbour discovery passes between the cut pair too, because protected ports need it.
check_eq "protect: tcp/22 of a peer whose neighbour entry is gone, IPv6" "$(tcp_reached n1 "$(address6 n2)" 22)" 1
revert neighbours
all_reached() { [[ -z $(unreached) ]]; }
check "and between the pair after revert, once the kernel asks again" wait_for 10 all_reached

# --- VLAN 0: a tag that only carries a priority -----------------------------------------------------------------
other_node=n2 other_start tag || not_ok "n2's packets have tags"
check "VLAN 0: is there" wait_for 5 in_ns n1 ping -n -c 1 -W 1 "$(address4 n2)"
for engine in tc xdp; do
	cut tagged n1 "${list[@]}" --direction in --engine $engine
	check_eq "VLAN 0, $engine: is cut" "$(rtts n1 "$(address4 n2)" 3)$(rtts n1 "$(address6 n2)" 3)" ""
	check_eq "VLAN 0, $engine: ssh is not" "$(tcp_reached n1 "$(address4 n2)" 22)" 1
	revert tagged
done
other_end

# --- A device that runs an XDP program already ----------------------------------------------------------------
other_start xdp || not_ok "another XDP program is there"
check_fails "engine xdp refuses where another XDP program runs" 1 "$eval_bin" inject network_partition --for 1s \
	--netns "$(ns n1)" "${list[@]}" --engine xdp
check_eq "… and names the way out" "$output" \
	"eval: error: eth0 already runs an XDP program, which is left alone: use engine: tc"
in_ns n1 ping -n -c 1 -W 1 "$(address4 n2)" >/dev/null
other_ask
check_number "the other XDP program goes on" "$seen > 0"
other_end
check "nothing is left" wait_for 3 nothing_left_in n1

# --- sshd -----------------------------------------------------------------------------------------------------
# A real sshd on port 2222 in the target's namespace, since the user of eval may have logged in there.
ssh-keygen -q -t ed25519 -N '' -f "$work/host_key" && ssh-keygen -q -t ed25519 -N '' -f "$work/key"
mkdir -p /run/sshd
spawn_in n1 /usr/sbin/sshd -D -e -f /dev/null -p 2222 -h "$work/host_key" -o PidFile=none -o StrictModes=no \
	-o UsePAM=no -o PermitRootLogin=prohibit-password -o AuthorizedKeysFile="$work/key.pub"
ssh_n1() {
	in_ns n2 ssh -F /dev/null -i "$work/key" -p 2222 -o BatchMode=yes -o ConnectTimeout="$(patience 10)" -o LogLevel=ERROR \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$(address4 n1)" "$@"
}
# session_answers [SECONDS]: true if the session echoes a line in time; the login takes longest.
session_answers() {
	echo "$RANDOM" >&"${session[1]}"
	read -r -t "$(patience "${1:-3}")" _ <&"${session[0]}"
}
check "sshd runs on a port of its own" wait_for 5 ssh_n1 true
coproc session { ssh_n1 cat; }
# shellcheck disable=SC2154 # coproc sets it, and unsets it at the end
session_pid=$session_PID
check "a session of sshd is there" session_answers 10
cut ssh n1 "${list[@]}" --protect tcp/22
check_eq "sshd's port: other ports are cut" "$(tcp_reached n2 "$(address4 n1)" 7000)" 0
check "sshd's port: the established session goes on" session_answers
check "sshd's port: a new session works" ssh_n1 true
check_eq "sshd's port: the peer's same port is cut" "$(tcp_reached n1 "$(address4 n2)" 2222)" 0
revert ssh
[[ -z ${session[1]:-} ]] || eval "exec ${session[1]}>&-"
wait_for 10 is_over "$session_pid"
end_pids "$session_pid"
done_testing

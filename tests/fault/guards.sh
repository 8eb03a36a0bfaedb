#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 90 s
# not in guests: it tests refusals and abort_if, which do not depend on the kernel
# Safeguards: abort_if, the emergency stop, the database's disk, the default gateway, and the ssh session of the user who runs
# eval.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 n3=10.99.0.3/24 || exit 1

db() { sqlite3 -cmd '.timeout 5000' "$work/$1.db" "$2"; }
# campaign NAME ABORT_IF: writes two trials that cut n1 off for a minute, unless something ends the fault.
campaign() {
	cat >"$work/$1.yaml" <<END
trials_per_combination: 2
defaults: {warmup_seconds: 0.2, duration_seconds: 60, recovery_seconds: 10, abort_if: {exec: "$2", timeout_seconds: 2}}
subjects:
  - name: pair
    reset: "rm -f $work/alarm $work/calm; sleep 0.2"
    nodes:
      - {name: n1, address: 10.99.0.1, netns: $(ns n1)}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2)}
    workload: "nsenter --net=/run/netns/$(ns n1) ping -q -i 0.05 10.99.0.2"
chaos_types: [{type: network_partition, target: n1}]
END
}
start() {
	# Empty the file here, not in the child: events of the previous run must not be read as this one's.
	: >"$work/out"
	"$eval_bin" run campaign "$work/$1.yaml" --db "$work/$1.db" --json >"$work/out" 2>"$work/err" </dev/null &
	coordinator=$!
	test_pids+=("$coordinator")
}
bites() { (($(grep -c first_effect "$work/out") >= $1)); }
reaches() { in_ns n1 ping -n -c 1 -W 0.1 10.99.0.2; }
# normal_within NAME MILLISECONDS: checks how soon packets pass again.
normal_within() {
	local began
	began=$(now_ms)
	wait_for 10 reaches
	check_number "$1" "$(now_ms) - $began <= $2 * ${EVAL_TIME_FACTOR:-1}"
}
end_of() { status=0; wait "$1" 2>/dev/null || status=$?; }

# --- abort_if -------------------------------------------------------------------------------------------------

campaign abort "cat $work/alarm"
start abort
check "abort_if: the chaos bites" wait_for 15 bites 1
check_fails "abort_if: as long as it does not exit 0 the chaos lasts" 1 reaches
echo "99 % of the requests fail" >"$work/alarm"
normal_within "abort_if: exit 0 ends the chaos" 2000
check "abort_if: the campaign goes on" wait_for 15 bites 2
check_eq "abort_if: the trial failed, with what the command said" \
	"$(db abort "SELECT status || '|' || error_stage || '|' || error_text FROM trials WHERE id LIKE '%-1'")" \
	"failed|hold|stopped by abort_if (exit 0: 99 % of the requests fail)"
check_eq "abort_if: evidence and command are recorded" "$(db abort "SELECT chaos_reverted_at NOTNULL,
	json_extract(evidence, '\$.hit') > 0, commands_json LIKE '%abort_if%' FROM trials WHERE id LIKE '%-1'")" "1|1|1"
kill -INT $coordinator
end_of $coordinator

# An abort_if that hangs ends the chaos, and is killed.
campaign blind "echo \$\$ >$work/watch; test ! -e $work/calm || sleep 300; exit 1"
start blind
check "a blind abort_if: the chaos bites" wait_for 15 bites 1
touch "$work/calm"
normal_within "a blind abort_if ends the chaos" 4000
in_second() { [[ $(db blind "SELECT status FROM trials WHERE id LIKE '%-1'") == failed ]]; }
check "a blind abort_if: the trial ends" wait_for 10 in_second
check_match "a blind abort_if: the reason" "$(db blind "SELECT error_text FROM trials WHERE id LIKE '%-1'")" \
	"^stopped because abort_if failed: timed out after 2"
check "a blind abort_if: it is dead" is_over "$(cat "$work/watch")"
kill -INT $coordinator
end_of $coordinator
check_eq "a blind abort_if: interrupted" "$status" 130

# unable NAME ABORT_IF ERE: an abort_if that is killed or does not exist fails the trial.
unable() {
	campaign unable "$2"
	rm -f "$work"/unable.db*
	check_fails "an abort_if that $1: the trial ends" 1 "$eval_bin" run campaign "$work/unable.yaml" --db "$work/unable.db" --only '*-1'
	check_match "an abort_if that $1: the reason" "$(db unable "SELECT status, error_text FROM trials WHERE id LIKE '%-1'")" \
		"^failed.stopped because abort_if failed: $3"
}
# shellcheck disable=SC2016 # its own shell's
unable "is killed" 'kill -KILL $$' "signal 9"
unable "is not there" "$work/nothing" "exit 127"

# --- The database's own disk ----------------------------------------------------------------------------------

mkdir -p "$work/disk"
mount -t tmpfs -o size=64M tmpfs "$work/disk" && mkdir "$work/disk/data" || exit 1
on_cleanup umount "$work/disk"
for allow in gateway shared_fs; do
	cat >"$work/shared.yaml" <<END
allow: [$allow]
trials_per_combination: 1
defaults: {warmup_seconds: 0, duration_seconds: 0.2, recovery_seconds: 10}
subjects: [{name: one, reset: "true", nodes: [{name: n1, address: 10.99.0.1, netns: $(ns n1), data_dir: "$work/disk/data"}]}]
chaos_types: [{type: disk_pressure, target: n1, params: {fill_percent: 10, engine: fill}}]
END
	"$eval_bin" run campaign "$work/shared.yaml" --db "$work/disk/$allow.db" --fresh >"$work/out" 2>&1
	[[ $allow == gateway ]] && check_match "filling the database's disk: refused" \
		"$(db "disk/$allow" 'SELECT status, error_stage, error_text FROM trials')" "^failed.inject.*allow: \[shared_fs\]"
done
check_eq "filling the database's disk: done when asked for" "$(db disk/shared_fs 'SELECT status, verdict FROM trials')" "completed|pass"

# --- The emergency stop ---------------------------------------------------------------------------------------

campaign stop "false"
start stop
check "cleanup --now: the chaos bites" wait_for 15 bites 1
# From another session, without a terminal, an environment or the campaign's folder.
check "cleanup --now: from anywhere" env -i setsid sh -c "cd / && '$eval_bin' cleanup --now"
# Tries, not milliseconds: on a slow host, a ping's own processes take longer than the fault.
reaches_soon() { reaches || reaches || reaches; }
check "cleanup --now: the chaos has ended" reaches_soon
failed() { [[ $(db stop "SELECT status FROM trials WHERE id LIKE '%-1'") == failed ]]; }
check "cleanup --now: the trial failed" wait_for 10 failed
check_match "cleanup --now: the trial says why" "$(db stop "SELECT error_text FROM trials WHERE id LIKE '%-1'")" "cleanup --now"
kill -INT $coordinator
end_of $coordinator
check "cleanup --now: nothing is left" wait_for 3 nothing_left_in n1
# An emergency stop does not wait for a reader of its output.
mkfifo "$work/unread"
exec 9<>"$work/unread"
head -c 65536 /dev/zero >&9
inject unheard network_partition --for 60s --netns "$(ns n1)" --peer 10.99.0.2
check "cleanup --now, output and errors are full: ends" timeout "$(patience 20)" sh -c "exec '$eval_bin' cleanup --now >&9 2>&9"
inject_end unheard
check_match "cleanup --now, output and errors are full: the fault has ended" "$(cat "$work/unheard.err")" "cleanup --now"
exec 9>&-
# A stop during a hold that is so short that the lease is not renewed in it.
campaign late "$eval_bin cleanup --now; false"
sed -i 's/duration_seconds: 60/duration_seconds: 0.4/' "$work/late.yaml"
"$eval_bin" run campaign "$work/late.yaml" --db "$work/late.db" >"$work/out" 2>&1
check_match "cleanup --now: also at the end of the hold" \
	"$(db late "SELECT status, error_stage, error_text FROM trials WHERE id LIKE '%-1'")" "^failed.hold.*stopped from outside.*cleanup --now"

# --- The default gateway --------------------------------------------------------------------------------------

ip -n "$(ns n3)" route add default via 10.99.0.1
# eval runs inside n3, so that n3 is its host namespace.
cut_gateway() { in_ns n3 timeout 30 "$eval_bin" inject network_partition --for 0.2s --peer 10.99.0.1 "$@"; }
check_fails "the default gateway as a peer: refused" 2 cut_gateway
check_match "the default gateway as a peer: says how to insist" "$output" "10.99.0.1 is this host's default gateway.*allow: \[gateway\]"
check_eq "the default gateway as a peer: nothing was touched" "$(fault_count)" 0
cut_gateway --allow gateway >"$work/insisted" 2>&1
check_match "the default gateway as a peer: allowed when asked for" "$(cat "$work/insisted")" "reverted"
in_ns n3 ip route replace default nexthop via 10.99.0.2 nexthop via 10.99.0.1
check_fails "one of two default gateways: refused" 2 cut_gateway
in_ns n3 ip route del default
in_ns n3 ip -6 addr add fd99::3/64 dev eth0 nodad
in_ns n3 ip -6 route add default via fd99::1
check_fails "the default gateway as a peer: IPv6 as well" 2 in_ns n3 "$eval_bin" inject network_partition --for 0.2s --peer fd99::1

# --- A user who logged in by ssh ------------------------------------------------------------------------------

name="ssh, sudo and tmux"
if ! type sshd sudo tmux ssh-keygen >/dev/null 2>&1; then
	skip "$name" "no sshd, sudo or tmux here"
	done_testing
	exit 0
fi
ssh-keygen -q -t ed25519 -N '' -f "$work/host_key" && ssh-keygen -q -t ed25519 -N '' -f "$work/key"
mkdir -p /run/sshd
spawn_in n1 "$(type -P sshd)" -D -e -f /dev/null -p 2222 -h "$work/host_key" -o PidFile=none -o StrictModes=no \
	-o UsePAM=no -o PermitRootLogin=prohibit-password -o AuthorizedKeysFile="$work/key.pub"
ssh_n1() {
	in_ns n2 ssh -F /dev/null -i "$work/key" -p 2222 -o BatchMode=yes -o ConnectTimeout="$(patience 10)" -o LogLevel=ERROR \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@10.99.0.1 "$@"
}
session_answers() {
	echo "$RANDOM" >&"${session[1]}"
	read -r -t "$(patience 10)" _ <&"${session[0]}"
}
check "$name: sshd runs on a port of its own" wait_for 5 ssh_n1 true
coproc session { ssh_n1 cat; }
# shellcheck disable=SC2154 # coproc sets it, and unsets it at the end
session_pid=$session_PID
check "$name: a session is there" session_answers
# cuts_off NAME COMMAND: runs COMMAND in an ssh session; its fault cuts off the session's client, but the session goes on.
cuts_off() {
	name=$1
	rm -f "$work/inner" "$work/environment"
	ssh_n1 "$2" &
	test_pids+=("$!")
	check "$name: a partition from inside the session" wait_for 10 injected
	check_eq "$name: sudo took SSH_CONNECTION away" "$(grep -c SSH_ "$work/environment")" 0
	check_fails "$name: the client is cut off" 1 reaches
	check "$name: the session goes on" session_answers
	check "$name: a new one works" ssh_n1 true
	check "$name: and can stop it" ssh_n1 "$eval_bin cleanup --now"
	normal_within "$name: the partition has ended" 200
	wait "${test_pids[-1]}" 2>/dev/null
}
injected() { grep -q injected "$work/inner"; }
cat >"$work/cut" <<END
env >$work/environment
exec $eval_bin inject network_partition --for 60s --peer 10.99.0.2 --protect tcp/9 --json >$work/inner 2>&1
END
cuts_off "ssh and sudo" "sudo -n sh $work/cut"
# tmux's server is not a child of this test, so end_pids cannot end it.
on_cleanup tmux -S "$work/tmux" kill-server
cuts_off "ssh, tmux and sudo" "tmux -S $work/tmux new -d 'sudo -n sh $work/cut'"
[[ -z ${session[1]:-} ]] || eval "exec ${session[1]}>&-"
wait_for 10 is_over "$session_pid"
end_pids "$session_pid"

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 400 s
# not in guests: it tests processes and pipes, which do not depend on the kernel
# No process waits for a stopped one: SIGSTOP of worker, guard, coordinator and commands in each phase, in eight concurrent
# campaigns, one per phase; and an inject whose output is not read.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
phases=(reset ready warmup inject hold revert recover check)
members=()
for i in 0 1 2 3 4 5 6 7; do
	members+=("a$i=10.99.0.1$i/24" "b$i=10.99.0.2$i/24")
done
make_switch sw "${members[@]}" || exit 1
declare -A number coordinators workers stopped statuses
for i in "${!phases[@]}"; do
	number[${phases[i]}]=$i
done

# campaign NAME PHASE HOLD [LINE…]: writes one trial that stays in PHASE until $work/NAME.go exists; LINEs go to the subject.
campaign() {
	local name=$1 phase=$2 hold=$3 i=${number[$2]} stay=$2 go=$work/$1.go
	shift 3
	# No command can hold these phases: warmup, inject and hold take their time; for the others, ready waits in recover.
	case $phase in
	warmup | inject | hold) stay=none ;;
	revert | recover | check) stay=recover hold=1 ;;
	esac
	cat >"$work/$name.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: 1, duration_seconds: $hold, recovery_seconds: 300, retries: 0}
subjects:
  - name: $name
    reset: "test \$EVAL_PHASE != $stay || until test -e $go; do sleep 0.1; done"
    ready: {exec: "test \$EVAL_PHASE != $stay || until test -e $go; do sleep 0.1; done", timeout_seconds: 300}
    nodes:
      - {name: a, address: 10.99.0.1$i, netns: $(ns a"$i")}
      - {name: b, address: 10.99.0.2$i, netns: $(ns b"$i")}
$(printf '    %s\n' "$@")
chaos_types: [{type: network_partition, target: a}]
END
}
load() {
	echo "workload: \"setsid sleep 300 & echo \$! >$work/$1.daemon; exec nsenter --net=/run/netns/$(ns a"${number[$2]}") ping -q -i 0.05 10.99.0.2${number[$2]}\""
}
db() { sqlite3 -cmd '.timeout 5000' "$work/$1.db" "$2"; }
start() {
	local name=$1
	shift
	rm -f "$work/$name.out"
	"$eval_bin" run campaign "$work/$name.yaml" --db "$work/$name.db" --json "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
	coordinators[$name]=$!
	test_pids+=("$!")
}
child() {
	local pid
	# shellcheck disable=SC2013 # words
	for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]] && echo "$pid"
	done
}
gets_to() {
	if [[ $2 == hold ]]; then
		grep -q first_effect "$work/$1.out"
	else
		grep -q "\"phase\":\"$2\"" "$work/$1.out"
	fi
}
end_of() {
	local status=0
	wait_for "${2:-40}" is_over "${coordinators[$1]}" || diag "$1 does not end" "$(cat "$work/$1.out" "$work/$1.err")"
	is_running "${coordinators[$1]}" || wait "${coordinators[$1]}" 2>/dev/null || status=$?
	statuses[$1]=$status
}
# stop_in_each_phase WHAT HOLD PROCESS: starts a campaign WHAT-PHASE per phase, and stops its PROCESS once it is in that phase.
# Sets $workers and $stopped to the pids. A short phase, and with it the campaign, may already be over.
stop_in_each_phase() {
	local phase name
	for phase in "${phases[@]}"; do
		name=$1-$phase
		campaign "$name" "$phase" "$2" "$(load "$name" "$phase")"
		start "$name"
		[[ $phase != check ]] || { wait_for 40 gets_to "$name" recover && touch "$work/$name.go"; }
		wait_for 40 gets_to "$name" "$phase" || not_ok "$1 in $phase: gets there" "$(cat "$work/$name".{out,err})"
		workers[$phase]=$(child "${coordinators[$name]}" eval-trial)
		stopped[$phase]=$(child "${coordinators[$name]}" "$3")
		[[ $3 != eval ]] || stopped[$phase]=${coordinators[$name]}
		if [[ -n ${stopped[$phase]} ]] && kill -STOP "${stopped[$phase]}" 2>/dev/null; then
			wait_for 2 grep -q '^State:.*[TZ] ' "/proc/${stopped[$phase]}/status"
		fi
		# Send SIGINT now: a worker that stays stopped is killed after 10 s.
		[[ $3 != eval-trial ]] || kill -INT "${coordinators[$name]}" 2>/dev/null
	done
}
release_all() {
	local phase
	for phase in "${phases[@]}"; do
		touch "$work/$1-$phase.go"
	done
}

# --- A worker that stays stopped (checked at the end) -------------------------------------------------------

make_switch away c0=10.98.0.1/24 d0=10.98.0.2/24 || exit 1
cat >"$work/left.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: 0, duration_seconds: 60, recovery_seconds: 5, retries: 0}
subjects:
  - name: left
    reset: "true"
    nodes: [{name: a, address: 10.98.0.1, netns: $(ns c0)}, {name: b, address: 10.98.0.2, netns: $(ns d0)}]
    workload: "exec nsenter --net=/run/netns/$(ns c0) ping -q -i 0.05 10.98.0.2"
chaos_types: [{type: network_partition, target: a}]
END
start left
wait_for 20 gets_to left hold || not_ok "a worker that stays stopped: the chaos bites" "$(cat "$work"/left.{out,err})"
kill -STOP "$(child "${coordinators[left]}" eval-trial)"

# Ignores that worker's fault, which may still exist, inert.
only_left_is_left() { [[ -z $(our_faults | jq -r "select(.netns != \"$(ns c0)\")") ]]; }

# --- The guard ------------------------------------------------------------------------------------------------

stop_in_each_phase guard 1 eval-guard
release_all guard
for phase in "${phases[@]}"; do
	name=guard-$phase
	end_of "$name"
	check_eq "guard stopped in $phase: the campaign ends as without" \
		"${statuses[$name]} $(db "$name" 'SELECT status, verdict FROM trials')" "0 completed|pass"
	check "guard stopped in $phase: it has ended, too" is_over "${stopped[$phase]:-0}"
done

# --- The worker -----------------------------------------------------------------------------------------------

stop_in_each_phase worker 60 eval-trial
began=$(now_ms)
for phase in "${phases[@]}"; do
	end_of "worker-$phase"
done
# Below 10 s, after which the coordinator would kill them.
check_number "workers stopped, Ctrl+C: the end of the last takes $(($(now_ms) - began)) ms" "$(($(now_ms) - began)) <= 8000"
for phase in "${phases[@]}"; do
	name=worker-$phase
	check_match "worker stopped in $phase, Ctrl+C: interrupted by the signal, not killed" \
		"${statuses[$name]} $(db "$name" "SELECT status, ifnull(error_text, '') FROM trials")" \
		"^(130 interrupted\|stopped by a signal$|0 completed)"
done
check "workers stopped, Ctrl+C: no fault is left" wait_for 5 only_left_is_left

# --- The coordinator ------------------------------------------------------------------------------------------

stop_in_each_phase coordinator 1 eval
release_all coordinator
for phase in "${phases[@]}"; do
	# The worker's messages wait in the socket and in its outbox.
	check "coordinator stopped in $phase: the worker does its work to the end" wait_for 40 is_over "${workers[$phase]:-0}"
	kill -CONT "${coordinators[coordinator-$phase]}" 2>/dev/null
done
for phase in "${phases[@]}"; do
	name=coordinator-$phase
	end_of "$name"
	check_eq "coordinator stopped in $phase: the record is whole when it goes on" \
		"${statuses[$name]} $(db "$name" "SELECT status, verdict, (SELECT count(DISTINCT phase) FROM events WHERE kind = 'phase') FROM trials")" \
		"0 completed|pass|8"
done

# --- Guard and coordinator ------------------------------------------------------------------------------------

campaign both hold 60 "$(load both hold)"
start both
wait_for 20 gets_to both hold || not_ok "guard stopped, coordinator killed: the chaos bites" "$(cat "$work"/both.{out,err})"
guard=$(child "${coordinators[both]}" eval-guard) worker=$(child "${coordinators[both]}" eval-trial)
kill -STOP "$guard"
kill -KILL "${coordinators[both]}"
end_of both
check "guard stopped, coordinator killed: the guard goes on to its end" wait_for 10 is_over "$guard"
check "guard stopped, coordinator killed: the worker is dead" wait_for 3 is_over "$worker"
check "guard stopped, coordinator killed: so is the workload's daemon" wait_for 3 is_over "$(cat "$work/both.daemon")"
check "guard stopped, coordinator killed: no fault is left" wait_for 5 only_left_is_left
start both --resume
check "guard stopped, coordinator killed: it can be resumed" wait_for 20 gets_to both hold
kill -INT "${coordinators[both]}"
end_of both

# --- Commands: the shell stops itself ------------------------------------------------------------------------

# shellcheck disable=SC2016 # the command's
stop='{exec: "kill -STOP $$", timeout_seconds: 1}'
ping_of() { echo "exec nsenter --net=/run/netns/$(ns a"${number[$1]}") ping -q -i 0.05 10.99.0.2${number[$1]}"; }
campaign stop-reset reset 2
sed -i "s/^    reset: .*/    reset: $stop/" "$work/stop-reset.yaml"
campaign stop-ready warmup 2
sed -i "s/^    ready: .*/    ready: $stop/" "$work/stop-ready.yaml"
# shellcheck disable=SC2016
campaign stop-workload inject 2 'workload: "kill -STOP $$"'
# shellcheck disable=SC2016
campaign stop-probe hold 2 "workload: \"$(ping_of hold)\"" 'probes: [{name: p, exec: "test $EVAL_PHASE != hold || kill -STOP $$", every_ms: 100, timeout_ms: 300}]'
campaign stop-abort revert 1 "workload: \"$(ping_of revert)\""
sed -i "s/^defaults: {.*/defaults: {warmup_seconds: 0.1, duration_seconds: 20, recovery_seconds: 5, abort_if: $stop}/" "$work/stop-abort.yaml"
for name in stop-{reset,ready,workload,probe,abort}; do
	touch "$work/$name.go"
	start "$name"
done
for name in stop-{reset,ready,workload,probe,abort}; do
	end_of "$name"
done
row() { echo "${statuses[$1]} $(db "$1" "SELECT status, ifnull(error_stage, ''), ifnull(error_text, '') FROM trials")"; }
check_match "reset is stopped: failed at its timeout" "$(row stop-reset)" "^1 failed\|reset\|.*timed out"
check_match "ready is stopped: failed at its timeout" "$(row stop-ready)" "^1 failed\|ready\|.*timed out"
check_match "the workload is stopped: it is killed at the end" "$(row stop-workload)" "^[01] (completed|void)"
check_match "probes are stopped: bad samples" "$(row stop-probe)" "^[01] completed"
check_number "probes are stopped: they timed out" "$(db stop-probe "SELECT count(*) FROM samples WHERE phase = 'hold' AND NOT ok") > 0"
check_match "abort_if is stopped: the chaos ends" "$(row stop-abort)" "^1 failed\|hold\|stopped.*timed out"

# --- A reader that does not read -----------------------------------------------------------------------------

mkfifo "$work/unread"
exec 9<>"$work/unread"
head -c 65536 /dev/zero >&9
# ours_is_old: true if the fault is still live more than a lease (2 s) after its start.
ours_is_old() { our_faults | jq -e 'select(.live and .seconds_left < 3)'; }
"$eval_bin" inject network_partition --for 6s --netns "$(ns a0)" --peer 10.99.0.20 >&9 2>&9 </dev/null &
injected=$!
test_pids+=("$injected")
check "inject, output and errors are full: it lives on" wait_for 10 ours_is_old
check "inject, output and errors are full: it ends at its time" wait_for 15 is_over "$injected"
"$eval_bin" inject latency --min-ms 5 --max-ms 5 --for 60s --netns "$(ns a0)" --peer 10.99.0.20 --json >&9 2>&9 </dev/null &
injected=$!
test_pids+=("$injected")
live() { our_faults | jq -e .live; }
wait_for 10 live
kill -STOP "$injected"
# The hooks are still attached, but the lease is over.
lapsed() { our_faults | jq -e '.live | not'; }
check "inject is stopped: the fault ends with its lease" wait_for 5 lapsed
kill -CONT "$injected"
kill -INT "$injected"
check "inject, output and errors are full: Ctrl+C ends it" wait_for 10 is_over "$injected"
check "cleanup, output and errors are full: ends" timeout "$(patience 20)" \
	bash -c "'$eval_bin' cleanup $(db both 'SELECT id FROM campaigns') --db '$work/both.db' >&9 2>&9"
exec 9>&-

# --- The worker that stayed stopped ---------------------------------------------------------------------------

end_of left
check_match "a worker that stays stopped is killed, and the campaign ends" \
	"${statuses[left]} $(db left "SELECT status, error_stage, error_text FROM trials")" \
	"^1 failed\|hold\|the worker was stopped \(SIGSTOP\)"
check "a worker that stays stopped: nothing is left" wait_for 3 nothing_left_in c0

done_testing

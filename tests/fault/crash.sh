#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: tests filters in a guest; this host tests tcx
# SIGKILL of the guard under chaos, alone and together with a worker or the coordinator. (kill.sh kills the coordinator and the
# worker in every phase.)
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 || exit 1
cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)

# Long enough that a busy guest can kill within the hold.
hold=2
! is_emulated || hold=10
cat >"$work/crash.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: 0.2, duration_seconds: $hold, recovery_seconds: 20, retries: 0}
subjects:
  - name: pair
    reset: "true"
    nodes:
      - {name: n1, address: 10.99.0.1, netns: $(ns n1)}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2)}
    workload: "setsid sleep 300 & echo \$! >$work/daemon; exec nsenter --net=/run/netns/$(ns n1) ping -q -i 0.05 10.99.0.2"
chaos_types: [{type: network_partition, target: n1}]
END
db() { sqlite3 -cmd '.timeout 5000' "$work/crash.db" "$1"; }
start() {
	rm -f "$work/out" "$work/daemon"
	"$eval_bin" run campaign "$work/crash.yaml" --db "$work/crash.db" --json "$@" >"$work/out" 2>"$work/err" </dev/null &
	coordinator=$!
	test_pids+=("$coordinator")
}
begin() {
	rm -f "$work"/crash.db*
	start
	# Do everything that takes time first, so that the fault is still live at the kill.
	nsenter --net="/run/netns/$(ns n1)" ping -n -O -D -i 0.01 -W 1 10.99.0.2 >"$work/watch" 2>&1 &
	watcher=$!
	test_pids+=("$watcher")
	wait_for 15 has_children "$coordinator" || not_ok "$1: worker and guard are there" "$(cat "$work/out" "$work/err")"
	wait_for 15 bites || not_ok "$1: the chaos bites" "$(cat "$work/out" "$work/err")"
}
bites() { [[ $(<"$work/out") == *first_effect* ]]; }
# normal_after SINCE: prints the number of pings lost until the first later one was answered; nothing if none was. Not the time,
# which a busy host distorts.
normal_after() {
	awk -v since="$1" '
		{ at = substr($1, 2) + 0 }
		/no answer yet/ && at > since { lost++ }
		match($0, / time=[0-9.]+ ms/) && at - substr($0, RSTART + 6) / 1000 > since { print lost + 0; exit }' "$work/watch"
}
is_normal() { [[ -n $(normal_after "$1") ]]; }
# check_normal NAME SINCE: checks that traffic is normal again soon enough.
check_normal() {
	wait_for 5 is_normal "$2"
	end_pids "$watcher"
	lost=$(normal_after "$2")
	check_number "$1: traffic is normal again after ${lost:=99999} lost pings of 10 ms each" "$lost * 10 <= 200 * ${EVAL_TIME_FACTOR:-1}"
}
end_of() { status=0; wait "$1" 2>/dev/null || status=$?; }
cgroup_of() { [[ -z $cgroups ]] || find "$cgroups" -maxdepth 1 -name "eval-$1-*"; }
nothing_left() { nothing_left_in n1 && is_over "$(cat "$work/daemon")" && [[ -z $(cgroup_of "$coordinator") ]]; }

begin "the guard"
end_pids "$watcher"
kill -KILL "$guard"
end_of "$coordinator"
check_eq "the guard: the campaign does not need it to end well" "$status $(db 'SELECT status FROM trials')" "0 completed"
check "the guard: nothing is left" wait_for 3 nothing_left

begin "guard and worker"
since=$EPOCHREALTIME
kill -KILL "$guard" "$worker"
check_normal "guard and worker" "$since"
end_of "$coordinator"
check_eq "guard and worker: the trial failed, the campaign ended" "$status $(db 'SELECT status, error_text FROM trials')" \
	"1 failed|the worker died of signal 9 (Killed)"
check "guard and worker: nothing is left" wait_for 3 nothing_left

begin "guard and coordinator"
since=$EPOCHREALTIME
kill -KILL "$guard" "$coordinator"
check_normal "guard and coordinator" "$since"
end_of "$coordinator"
check "guard and coordinator: the worker is dead" wait_for 3 is_over "$worker"
# Without tcx, filters outlive guard and coordinator, inert, until the next command of eval.
has_tcx || "$eval_bin" list --db "$work/crash.db" >/dev/null
check "guard and coordinator: no fault is left" wait_for 3 nothing_left_in n1
# No process is left to kill the workload's daemon: the next run or cleanup does it.
first=$coordinator daemon=$(cat "$work/daemon")
start --resume
if [[ -n $cgroups ]]; then
	wait_for 10 grep -q '"phase":"reset"' "$work/out"
	check "guard and coordinator: the next run begins without what they left" is_over "$daemon"
	check_eq "guard and coordinator: and without its cgroup" "$(cgroup_of "$first")" ""
else
	kill -KILL "$daemon"
fi
end_of "$coordinator"
check_eq "guard and coordinator: resumed" "$status $(db "SELECT group_concat(status) FROM attempts")" "0 interrupted,completed"
check "guard and coordinator: nothing is left" wait_for 3 nothing_left

done_testing

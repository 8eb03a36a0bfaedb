#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 240 s
# gate: 5.10 6.12: one kernel for each way to attach is enough
# SIGKILL of the coordinator, of a worker and of both, in every phase of a trial: traffic is normal again within 200 ms, and
# nothing is left within 3 s (emulated: 1 s, 5 s).
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 || exit 1
normal_ms=200 gone_seconds=3
is_emulated && normal_ms=1000 gone_seconds=5
cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)

# write PHASE CHAOS: writes a campaign of one trial that stays in PHASE.
write() {
	local seconds=0 hold=0.2 every_ms=100
	[[ $1 == warmup ]] && seconds=30
	[[ $1 == hold || $1 == inject ]] && hold=30
	# Ten pings a second, each a process and a second of an emulated processor, would be all that it does.
	is_emulated && every_ms=500
	# Some good samples in a row end the phase recover, so take them slowly.
	[[ $1 == recover ]] && every_ms=1000
	cat >"$work/kill.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: $seconds, duration_seconds: $hold, recovery_seconds: 30, retries: 0}
subjects:
  - name: pair
    reset: "test $1 != reset || { echo \$\$ >$work/load; sleep 300; }"
    ready: {exec: "test \$EVAL_PHASE != $1 || { echo \$\$ >$work/load; sleep 300; }", timeout_seconds: 60}
    nodes:
      - {name: n1, address: 10.99.0.1, netns: $(ns n1)}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2)}
    workload: "setsid sleep 300 & echo \$! >>$work/load; nsenter --net=/run/netns/$(ns n1) ping -q -i 0.05 10.99.0.2"
    probes: [{name: ping, exec: "nsenter --net=/run/netns/$(ns n1) ping -c 1 -W 1 -q 10.99.0.2", every_ms: $every_ms, timeout_ms: 1000}]
chaos_types:
  - {type: $2, target: n1$([[ $2 != latency ]] || echo ", params: {min_ms: 400, max_ms: 400}")}
END
}

in_phase() { [[ $(<"$work/out") == *"\"phase\":\"$1\""* ]]; }

loads_over() {
	local pid
	while read -r pid; do
		is_over "$pid" || return 1
	done < <(cat "$work/load" 2>/dev/null)
}
nothing_left() {
	nothing_left_in n1 && loads_over && is_over "$guard" && is_over "$worker" &&
		[[ -z $(find "$cgroups" -maxdepth 1 -name "eval-$coordinator-*") ]]
}

# round VICTIM PHASE CHAOS: kills VICTIM in PHASE, and checks.
round() {
	local name="$1 in $2 ($3)" killed looked delay status=0
	rm -f "$work/load" "$work/out" "$work"/kill.db*
	write "$2" "$3"
	"$eval_bin" run campaign "$work/kill.yaml" --db "$work/kill.db" --json >"$work/out" 2>"$work/err" </dev/null &
	coordinator=$!
	test_pids+=("$coordinator")
	wait_for 15 in_phase "$2" || { not_ok "$name: gets there" "$(cat "$work/out" "$work/err")"; return; }
	has_children $coordinator
	# Wait until the fault has taken effect.
	if [[ $2 == hold ]]; then
		wait_for 5 grep -q first_effect "$work/out" || not_ok "$name: the chaos bites" "$(cat "$work/out")"
	fi
	watch_mark w
	killed=$(now_ms)
	case $1 in
	coordinator) kill -KILL $coordinator ;;
	worker) kill -KILL "$worker" ;;
	both) kill -KILL $coordinator "$worker" ;;
	esac
	wait_for 5 is_normal_after w
	delay=$(normal_after w)
	check_number "$name: traffic is normal after ${delay:=5000} ms" "$delay <= $normal_ms"
	wait "$coordinator" 2>/dev/null || status=$?
	# The check that finds nothing must start in time; its own duration does not count, as it is long in a guest.
	until looked=$(now_ms) && nothing_left >/dev/null 2>&1 || ((looked - killed > gone_seconds * 1000)); do
		sleep 0.02
	done
	if ((looked - killed <= gone_seconds * 1000)); then
		ok "$name: nothing is left"
	else
		not_ok "$name: nothing is left" "load: $(cat "$work/load" 2>&1)" "lines: $(lines_in n1)" "$(our_faults)" \
			"guard $guard: $(is_running "$guard" && echo runs)" "$(find "$cgroups" -maxdepth 1 -name "eval-$coordinator-*")"
	fi
	[[ $1 == worker ]] || return
	# Without the phase, as the trial may have reached the next one before the signal.
	check_eq "$name: the trial failed, the campaign ended" \
		"$status $(sqlite3 "$work/kill.db" "SELECT status, error_text FROM trials")" \
		"1 failed|the worker died of signal 9 (Killed)"
}

kinds=(latency network_partition)
rounds=0
watch_start w
# Emulated guests skip reset and ready, which do not depend on the kernel.
phases=(warmup inject hold revert recover)
is_emulated || phases=(reset ready "${phases[@]}")
for phase in "${phases[@]}"; do
	for victim in coordinator worker both; do
		# revert may be over before the signal, and then the trial does not fail.
		[[ $victim$phase == workerrevert ]] && continue
		round "$victim" "$phase" "${kinds[rounds++ % 2]}"
	done
done
watch_end w
done_testing

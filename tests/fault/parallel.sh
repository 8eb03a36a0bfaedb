#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 600 s
# alone: eight trials at once keep both processors busy, and each has times to keep
# not in guests: it tests the coordinator, and takes long
# 200 trials (or EVAL_PARALLEL_TRIALS), eight at a time, with failures in every phase: each trial has exactly one final row with
# the right status, and descriptors and memory do not grow.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
total=${EVAL_PARALLEL_TRIALS:-200}
lanes=8
members=() lost=()
for ((i = 0; i < lanes; i++)); do
	members+=("a$i=10.99.0.1$i/24" "b$i=10.99.0.2$i/24")
	lost+=("c$i")
done
make_switch sw "${members[@]}" || exit 1
make_ns "${lost[@]}" || exit 1
for ((i = 0; i < lanes; i++)); do
	ip -n "$(ns "c$i")" addr add "10.99.0.3$i/32" dev lo || exit 1
done
prefix=/run/netns/et$test_id

# The index modulo 13 decides what goes wrong in a trial. Kind 10's target has no route to its peers; kind 11's workload kills
# the worker in revert, while a latency fault delivers the packets that it holds.
cat >"$work/suffer" <<'END'
index=${EVAL_TRIAL##*-}
index=${index#"${index%%[1-9]*}"}
kind=$((${index:-0} % 13))
END
cat >"$work/parallel.yaml" <<END
trials_per_combination: $((total / 2))
parallel: $lanes
defaults: {warmup_seconds: 1.5, duration_seconds: 1, recovery_seconds: 0.5, retries: 0}
subjects:
  - name: pair
    instances: $lanes
    reset: |
      . $work/suffer
      # Two on one instance at a time would meet here.
      mkdir $work/busy.\$EVAL_INSTANCE || exit 9
      rmdir $work/busy.\$EVAL_INSTANCE
      test \$kind != 1
    ready: {exec: ". $work/suffer; test \$kind != 2 && { test \$kind != 3 || test \$EVAL_PHASE = ready; }", timeout_seconds: 0.3}
    roles: ". $work/suffer; test \$kind != 4 || exit 1; test \$kind = 10 && echo c || echo a"
    nodes:
      - {name: a, address: "10.99.0.1{instance}", netns: "et$test_id-a{instance}"}
      - {name: b, address: "10.99.0.2{instance}", netns: "et$test_id-b{instance}"}
      - {name: c, address: "10.99.0.3{instance}", netns: "et$test_id-c{instance}"}
    workload: |
      . $work/suffer
      test \$kind != 5 || exit 1
      test \$kind != 6 || { sleep 0.1; kill -KILL \$PPID; }
      setsid sleep 300.$$ &
      test \$kind != 11 || { until grep -q "\$EVAL_TRIAL: revert" $work/out; do sleep 0.02; done; kill -KILL \$PPID; } &
      test \$kind = 7 || exec nsenter --net=$prefix-a\$EVAL_INSTANCE ping -q -i 0.02 10.99.0.2\$EVAL_INSTANCE
      exec sleep 300
    probes: [{name: p, exec: ". $work/suffer; test \$kind != 8", every_ms: 100, timeout_ms: 1000}]
chaos_types:
  - {type: network_partition, target: leader, name: cut, abort_if: ". $work/suffer; test \$kind = 9 && echo enough"}
  - {type: latency, target: leader, name: slow, params: {min_ms: 600, max_ms: 600}, abort_if: ". $work/suffer; test \$kind = 9 && echo enough"}
END

db() { sqlite3 -cmd '.timeout 5000' "$work/parallel.db" "$1"; }
# size_of PID: prints "DESCRIPTORS RESIDENT_KIB".
size_of() { echo "$(find "/proc/$1/fd" -mindepth 1 | wc -l) $(awk '/^VmRSS/ { print $2 }' "/proc/$1/status")"; }
# Prints the number of ended trials, then size_of the coordinator and of the guard.
measure() {
	echo "$(db "SELECT count(*) FROM trials WHERE status IN ('completed', 'failed', 'void')")" \
		"$(size_of "$coordinator")" "$(size_of "$guard")"
}
find_guard() { guard=$(pgrep -P "$coordinator" -x eval-guard); }
# Prints the nodes' links and namespace ids: while a line's private namespace exists, the node's namespace has an id for it.
printf '%s\n' 'link show' 'netns list-id' >"$work/ip.batch"
known_namespaces() {
	local name
	for name in "${members[@]%%=*}" "${lost[@]}"; do
		ip -n "et$test_id-$name" -oneline -batch "$work/ip.batch" | sed "s/^/$name: /"
	done
	printf '%s\n' "$prefix"-*
}

before=$(known_namespaces)
began=$(now_ms)
"$eval_bin" run campaign "$work/parallel.yaml" --db "$work/parallel.db" >"$work/out" 2>"$work/err" </dev/null &
coordinator=$!
test_pids+=("$coordinator")
wait_for 10 find_guard
while is_running "$coordinator"; do
	measure >>"$work/figures" 2>/dev/null
	sleep 1
done
status=0
wait "$coordinator" || status=$?
diag "$total trials at $lanes took $((($(now_ms) - began) / 1000)) s; ended; descriptors, resident KiB; the guard's:" \
	"$(awk 'NF == 5' "$work/figures" | awk '{ l[NR] = $0 } END { s = NR > 8 ? int(NR / 8) : 1; for (i = 1; i <= NR; i += s) print l[i]; print l[NR] }')"

check_eq "exit status" "$status" 1
((status == 1)) || diag "$(tail -n 5 "$work/err")"
check_eq "every trial has a final status" "$(db "SELECT count(*), sum(status IN ('completed', 'failed', 'void')) FROM trials")" "$total|$total"
check_eq "every trial has exactly one final row" "$(db "SELECT count(*), count(DISTINCT trial_id), max(attempt) FROM attempts
	WHERE status IN ('completed', 'failed', 'void')")" "$total|$total|1"
check_eq "one trial at a time on each instance" "$(db "SELECT count(*) FROM trials a JOIN trials b ON a.instance = b.instance AND
	a.id < b.id AND a.started_at_monotonic_ns < b.ended_at_monotonic_ns AND b.started_at_monotonic_ns < a.ended_at_monotonic_ns")" 0
check_eq "all instances at once" "$(db 'SELECT count(DISTINCT instance) FROM trials')" "$lanes"

# outcome KIND STATUS STAGE_GLOB TEXT_GLOB WHAT: checks all trials of that kind.
outcome() {
	local of right
	of=$(db "SELECT count(*) FROM trials WHERE trial_index % 13 = $1")
	right=$(db "SELECT count(*) FROM trials WHERE trial_index % 13 = $1 AND status = '$2' AND coalesce(error_stage, '') GLOB '$3'
		AND coalesce(error_text, '') GLOB '$4'")
	check_eq "what goes wrong: $5: $of $2" "$right" "$of"
	((right == of)) || diag "$(db "SELECT count(*), status, error_stage, error_text FROM trials WHERE trial_index % 13 = $1 GROUP BY 2, 3, 4")"
}
outcome 0 completed '' '' "nothing"
outcome 12 completed '' '' "nothing"
outcome 1 failed reset 'reset failed: exit 1' "reset"
outcome 2 failed ready 'not ready in time*' "ready"
outcome 3 completed '' '' "it does not recover (a verdict, no error)"
outcome 4 failed warmup 'roles failed*' "roles"
outcome 5 failed warmup 'the workload failed before any chaos*' "the workload"
outcome 6 failed '*' 'the worker died of signal 9*' "the worker is killed"
outcome 7 void check 'the evidence shows no hit*' "no traffic"
outcome 8 void warmup '*' "unhealthy before the chaos"
outcome 9 failed hold 'stopped by abort_if (exit 0: enough)' "abort_if"
outcome 10 failed inject 'no route to peer *' "no route in inject"
outcome 11 failed '*' 'the worker died of signal 9*' "the worker is killed in revert or later"
check_number "what goes wrong: the worker is killed in revert" \
	"$(db "SELECT count(*) FROM trials WHERE trial_index % 13 = 11 AND error_stage = 'revert'") > 0"
check_eq "verdict of what does not recover" "$(db "SELECT DISTINCT verdict FROM trials WHERE trial_index % 13 = 3 AND status = 'completed'")" fail

# Ignores the first quarter, which fills caches; then compares the first third with the last.
awk -v total="$total" 'NF == 5 && $1 >= total / 4' "$work/figures" >"$work/later"
# growth COLUMN: prints the mean growth from the first third to the last.
growth() {
	awk -v column="$1" '
		{ v[NR] = $column }
		END {
			part = int(NR / 3)
			for (i = 1; i <= part; i++) grown += (v[NR - part + i] - v[i]) / part
			print part ? int(grown + 0.5) : "none"
		}' "$work/later"
}
check_number "descriptors do not grow (from third to third $(growth 2))" "$(growth 2) <= $lanes"
# SQLite's page cache grows to 2 MiB over the first 200 trials; only longer runs distinguish it from a leak.
check_number "memory does not grow (from third to third $(growth 3) KiB)" "$(growth 3) <= ($total < 800 ? 2048 : 256)"
check_number "the guard's descriptors do not grow ($(growth 4))" "$(growth 4) <= $lanes"
check_number "the guard's memory does not grow ($(growth 5) KiB)" "$(growth 5) <= 256"
nothing_left() {
	nothing_live && ! pgrep -f "^sleep 300.$$\$" >/dev/null &&
		[[ -z $(find "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)" -maxdepth 1 -name "eval-$coordinator-*") ]]
}
check "no fault, process or cgroup is left" wait_for 5 nothing_left
unchanged() { [[ $(known_namespaces) == "$before" ]]; }
check "no network namespace or device is left" wait_for 5 unchanged
unchanged || diag "$(diff <(echo "$before") <(known_namespaces))"

done_testing

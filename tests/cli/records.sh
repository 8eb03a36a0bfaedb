#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What a trial records of its samples and of its workload: the phases agree with the summary, errors are counted by their text,
# and a workload that dies under chaos is the trial's reason.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
nodes="nodes: [{name: n1, address: 10.99.0.1, netns: $(ns n1)}, {name: n2, address: 10.99.0.2, netns: $(ns n2)}]"
# Each sample of the probe `slow` takes longer than the time between two, so that some are under way at each phase's edge.
cat >"$work/trials.yaml" <<END
defaults: {warmup_seconds: 1, duration_seconds: 2, recovery_seconds: 20}
subjects:
  - name: lab
    reset: "true"
    workload: "exec ip netns exec $(ns n1) ping -n -i 0.002 10.99.0.2 >/dev/null"
    probes:
      - {name: slow, exec: "sleep 0.2", every_ms: 100, timeout_ms: 20000}
      - name: mixed
        exec: 'test "\$EVAL_PHASE" != hold || { n=\$((1\$(date +%N) % 2)); echo "kind \$n"; echo detail; echo "last \$n" >&2; exit 4; }'
        every_ms: 100
        timeout_ms: 5000
    $nodes
trials_per_combination: 3
chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2}}]
END
db=$work/trials.db
sql() { sqlite3 "$db" "$1"; }
check "three trials" "$eval_bin" run campaign "$work/trials.yaml" --db "$db" --quiet
check_eq "no effect before the injection" "$(sql "SELECT count(*), sum(first_effect_at_monotonic_ns >= chaos_injected_at_monotonic_ns AND
	first_effect_at >= chaos_injected_at) FROM trials WHERE status = 'completed'")" "3|3"
# The summary by the phase that each sample was recorded with.
for window in before/warmup during/hold after/recover; do
	check_eq "samples and summary agree: ${window#*/}" "$(sql "SELECT trials.id, probe, count(*), sum(ok) FROM samples JOIN trials ON
		trials.id = trial_id WHERE phase = '${window#*/}' GROUP BY trials.id, probe ORDER BY 1, 2")" \
		"$(sql "SELECT trials.id, key, json_extract(value, '\$.${window%/*}.count'), json_extract(value, '\$.${window%/*}.good')
			FROM trials, json_each(summary, '\$.probes') ORDER BY 1, 2")"
done
check_eq "each figure is that of the samples, by a script of its own" "$(/usr/bin/python3 "$top/tests/tools/summary.py" "$db")" ""
check_eq "a sample that ends under chaos belongs to it" "$(sql "SELECT count(*) FROM samples JOIN trials ON trials.id = trial_id
	WHERE (phase = 'warmup') != (started_at_ns + latency_ns < chaos_injected_at_monotonic_ns)")" 0
check_eq "errors by their text, with the output of the last one" \
	"$(sql "SELECT DISTINCT json_extract(error.value, '\$.text') || ': ' || replace(json_extract(error.value, '\$.output'), char(10), ',')
		FROM trials, json_each(summary, '\$.probes.mixed.errors') AS error WHERE json_extract(error.value, '\$.text') LIKE 'exit %' ORDER BY 1")" \
	$'exit 4: last 0: kind 0,detail,last 0,\nexit 4: last 1: kind 1,detail,last 1,'
check_eq "… each of them" "$(sql "SELECT sum(json_extract(error.value, '\$.count')) FROM trials, json_each(summary, '\$.probes.mixed.errors') AS error")" \
	"$(sql "SELECT count(*) FROM samples WHERE probe = 'mixed' AND NOT ok")"
check_eq "no errors, none told" "$(sql "SELECT DISTINCT json_extract(summary, '\$.probes.slow.errors') FROM trials")" "[]"
check_match "show prints them" "$("$eval_bin" show latency-1 --db "$db")" $'\n +[0-9]+ times: exit 4: last [01]\n'
check_eq "what was taken is recorded" "$(sql "SELECT DISTINCT json_extract(params_asked, '\$.line'), json_extract(params_effective, '\$.line') IN ('fq', 'tap'),
	json_extract(params_effective, '\$.devices[0]'), json_extract(params_effective, '\$.peers[0]') FROM trials")" "auto|1|eth0|10.99.0.2"
check_eq "an attempt says the same as its trial" "$(sql "SELECT count(*) FROM attempts JOIN trials ON trials.id = trial_id AND
	attempts.expectations IS NOT trials.expectations")" 0

# --- A device with another's text for a name ------------------------------------------------------------------

if in_ns n1 ip link add $'d\xff' type veth peer name far0 2>/dev/null; then
	in_ns n1 ip link set $'d\xff' up
	in_ns n1 ip link set far0 up
	in_ns n1 ip addr add 10.98.0.1/24 dev $'d\xff'
	spawn_in n1 ping -n -i 0.02 10.98.0.2
	"$eval_bin" inject network_partition --for 1s --netns "$(ns n1)" --dev $'d\xff' --peer 10.98.0.2 --direction out --json >"$work/odd" 2>"$work/odd.err"
	check_eq "a device's name is not UTF-8: the evidence is kept" "$(jq -c 'select(.event == "reverted") | .evidence | [(.seen > 0), .devices[0].device]' "$work/odd")" \
		"[true,\"d�\"]"
fi

# --- A workload that dies -------------------------------------------------------------------------------------

sed 's|workload: .*|workload: "sleep 1.5; echo the load gave up; exit 7"|; s/trials_per_combination: 3/trials_per_combination: 1/; s/duration_seconds: 2/duration_seconds: 20/' \
	"$work/trials.yaml" >"$work/dies.yaml"
db=$work/dies.db
before=$SECONDS
check_fails "a workload dies under chaos: exit 1" 1 "$eval_bin" run campaign "$work/dies.yaml" --db "$db"
check_match "… the table says why" "$output" "failed in hold: the workload failed under chaos: exit 7: the load gave up"
check_number "… the trial ends at once" "$((SECONDS - before)) < 15"
check_eq "… and is recorded" "$(sql 'SELECT status, error_stage, error_text FROM trials')" \
	"failed|hold|the workload failed under chaos: exit 7: the load gave up"
sed -i 's/exit 7/exit 0/; s/duration_seconds: 20/duration_seconds: 2/' "$work/dies.yaml"
db=$work/ends.db
"$eval_bin" run campaign "$work/dies.yaml" --db "$db" --quiet >/dev/null 2>&1
check_eq "a workload that ends well is no reason" "$(sql 'SELECT error_text FROM trials WHERE error_stage IS NOT NULL AND error_text LIKE "%workload%"')" ""
# --- Each probe by itself -------------------------------------------------------------------------------------
cat >"$work/two.yaml" <<END
include_baseline: true
defaults: {warmup_seconds: 0.5, duration_seconds: 2, recovery_seconds: 5, expect: {availability_min: 0.5}}
subjects:
  - name: lab
    reset: "true"
    workload: "exec ip netns exec $(ns n1) ping -n -i 0.01 10.99.0.2 >/dev/null"
    probes:
      - {name: put, exec: 'test "\$EVAL_PHASE" = warmup || test "\$EVAL_PHASE" = recover', every_ms: 200, timeout_ms: 5000}
      - {name: get, exec: "true", every_ms: 50, timeout_ms: 5000}
    $nodes
chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2}}]
END
check_fails "two probes, one dead in the hold: exit 1" 1 "$eval_bin" run campaign "$work/two.yaml" --db "$work/two.db" --quiet --only '*-latency-*'
# A sample that started before the injection and ended after it may be good, and counts.
check_eq "… the trial fails by that one" "$(sqlite3 "$work/two.db" "SELECT verdict, json_extract(value, '\$.probe'), json_extract(value, '\$.measured') < 0.25
	FROM trials, json_each(expectations) WHERE json_extract(value, '\$.verdict') = 'fail'")" "fail|put|1"
check_eq "… of which no sample was good that started under the fault" "$(sqlite3 "$work/two.db" "SELECT count(*), sum(ok) FROM samples JOIN trials ON id = trial_id
	WHERE probe = 'put' AND started_at_ns > chaos_injected_at_monotonic_ns + 100000000 AND scheduled_ns < chaos_reverted_at_monotonic_ns - 100000000" | sed 's/^[1-9][0-9]*|/some|/')" "some|0"
check_match "… and show says so" "$("$eval_bin" show --db "$work/two.db" "$(sqlite3 "$work/two.db" "SELECT id FROM trials WHERE verdict = 'fail'")")" \
	"fail +availability of put [0-9.]+ % \([0-9.]+–[0-9.]+ of [0-9]+ samples\), expected at least 50 %"

# --- On a terminal --------------------------------------------------------------------------------------------

# on_terminal LOCALE TERM: what a terminal of 80 columns gets of one trial.
on_terminal() {
	LC_ALL=$1 TERM=$2 script -qec "stty cols 80; $eval_bin run campaign $work/two.yaml --db $work/live.db --fresh --only '*-latency-*'" \
		/dev/null </dev/null | tr -d '\r'
}
# Live lines, without codes.
live() { printf '%s' "$screen" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -E '^  trial-|^    (put|get) |^[0-9]+ of [0-9]+ trials'; }
screen=$(on_terminal C.UTF-8 xterm)
check_match "live: the latency of each probe" "$(live)" 'put ok [0-9.]+ ms (▁|▂|▃|▄|▅|▆|▇|█)+, get ok [0-9.]+ ms (▁|▂|▃|▄|▅|▆|▇|█)+'
check_match "… a bad sample is marked" "$(live)" 'put failing [0-9.]+ ms (▁|▂|▃|▄|▅|▆|▇|█)*×'
check_match "… and the kernel's hits" "$(live)" ', hits [1-9][0-9]* (▁|▂|▃|▄|▅|▆|▇|█)+'
check_number "… no line is wrapped" "$(live | LC_ALL=C.UTF-8 wc -L) < 80"
screen=$(on_terminal C xterm)
check_match "live: ASCII without UTF-8" "$(live)" 'put failing [0-9.]+ ms [-_.:=+*#]*x.*hits [1-9]'
check_eq "… and nothing else" "$(live | grep -c '[^ -~]')" 0
screen=$(on_terminal C dumb)
check_eq "a dumb terminal gets lines, and no codes" "$(grep -c 'hold for 2 s' <<<"$screen") $(grep -c $'\033' <<<"$screen")" "1 0"

done_testing

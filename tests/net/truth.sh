#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# alone: it compares recorded times with the truth, within 5 % and 100 ms
# not in guests: an emulated processor is later than that
# A known truth: between two nodes connections take a fraction of a millisecond, then 30 ms longer, or none works, from one
# moment to another. What eval records and says of it, over three repetitions and a baseline, is that; and a script of the tests
# computes the same from the samples.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
spawn_in n2 "$top/tests/tools/web.py" "$(address4 n2)" 8080
ready=$work/spawn.$((${#test_pids[@]} - 1))
wait_for 10 grep -q ready "$ready" || exit 1
cat >"$work/truth.yaml" <<END
defaults: {warmup_seconds: 1, duration_seconds: 2, recovery_seconds: 5}
subjects:
  - name: pair
    reset: "true"
    nodes: [{name: n1, address: $(address4 n1), netns: $(ns n1)}, {name: n2, address: $(address4 n2), netns: $(ns n2)}]
    probes:
      - {name: connect, tcp: "$(address4 n2):8080", node: n1, every_ms: 10, timeout_ms: 200}
      - {name: get, http: "http://$(address4 n2):8080/", node: n1, every_ms: 50, timeout_ms: 400}
trials_per_combination: 3
include_baseline: true
chaos_types:
  - {type: latency, target: n1, params: {min_ms: 30, max_ms: 30}, expect: {p50_ms_max: 20, probes: {get: {p50_ms_max: 300}}}}
  - {type: network_partition, target: n1, expect: {availability_min: 0.5}}
END
db=$work/truth.db
sql() { sqlite3 "$db" "$1"; }
check_fails "nine trials, of which six miss what is expected: exit 1" 1 "$eval_bin" run campaign "$work/truth.yaml" --db "$db" --quiet
check_eq "all are completed" "$(sql "SELECT chaos, verdict, count(*) FROM trials WHERE status = 'completed' GROUP BY 1 ORDER BY 1" | paste -sd' ')" \
	"baseline|pass|3 latency|fail|3 network_partition|fail|3"

# each CHAOS SQL: a value of each of the trials, on one line.
each() { sql "SELECT $2 FROM trials WHERE chaos = '$1' ORDER BY trial_index" | paste -sd' '; }
# all_within NAME "VALUE…" WANTED MARGIN
all_within() {
	local value bad=()
	for value in $2; do
		is_true "($value) >= ($3) - ($4) && ($value) <= ($3) + ($4)" || bad+=("$value")
	done
	[[ -n $2 ]] || bad=(none)
	check_eq "$1: $2" "${bad[*]}" ""
}
is_true() { awk "BEGIN { exit !($1) }"; }
figure() { echo "json_extract(summary, '\$.probes.$1.$2')"; }

for window in before during after; do
	all_within "baseline, $window: below 5 ms" "$(each baseline "$(figure connect $window.p50_ms)")" 2.5 2.5
done
base=$(sql "SELECT avg($(figure connect before.p50_ms)) FROM trials")
# A connection is one packet that is delayed and one that is not; a request one more.
all_within "latency: p50 of connections, the 30 ms and the base of $base, within 5 %" "$(each latency "$(figure connect during.p50_ms)")" "30 + $base" 1.5
all_within "latency: p99, within 100 ms" "$(each latency "$(figure connect during.p99_ms)")" "80 + $base" 50
all_within "latency: before, it is the base" "$(each latency "$(figure connect before.p50_ms)")" "$base" 1.5
all_within "latency: after, too" "$(each latency "$(figure connect after.p50_ms)")" "$base" 1.5
all_within "latency: requests cost it twice" "$(each latency "$(figure get during.p50_ms) - $(figure get before.p50_ms)")" 60 3
all_within "latency: nothing was lost" "$(each latency "$(figure connect during.availability)")" 1 0
all_within "latency: it lasted 2 s" "$(each latency "(chaos_reverted_at_monotonic_ns - chaos_injected_at_monotonic_ns) / 1e9")" 2 0.1
# moment CHAOS min|max CONDITION COLUMN: seconds from the column to the first or last sample for which the condition holds.
moment() {
	each "$1" "(SELECT $2(scheduled_ns) - $4 FROM samples WHERE trial_id = trials.id AND probe = 'connect' AND $3) / 1e9"
}
all_within "latency: the first slow sample is of the injection" "$(moment latency min 'latency_ns > 15e6' chaos_injected_at_monotonic_ns)" 0 0.1
all_within "latency: the last one of the revert" "$(moment latency max 'latency_ns > 15e6' chaos_reverted_at_monotonic_ns)" 0 0.1
all_within "partition: nothing works" "$(each network_partition "$(figure connect during.availability)")" 0 0.02
all_within "partition: an outage of 2 s" "$(each network_partition "$(figure connect during.outage_seconds)")" 2 0.1
all_within "partition: it begins with the injection" "$(each network_partition "$(figure connect first_bad_seconds)")" 0 0.1
all_within "partition: the first bad sample is of the injection" "$(moment network_partition min 'NOT ok' chaos_injected_at_monotonic_ns)" 0 0.1
all_within "partition: the last one of the revert" "$(moment network_partition max 'NOT ok' chaos_reverted_at_monotonic_ns)" 0 0.1
# Five good samples in a row, the fifth of them 40 ms after the first; requests come every 50 ms.
all_within "partition: recovered with the fifth good sample" "$(each network_partition "json_extract(summary, '\$.recovery_seconds')")" 0.225 0.1

check_eq "each figure is that of the samples, by a script of its own" "$(/usr/bin/python3 "$top/tests/tools/summary.py" "$db")" ""
id=$(sql "SELECT id FROM campaigns")
"$eval_bin" compare "$id" --db "$db" --json >"$work/compare.json"
shift_of() { # CHAOS METRIC
	jq -r "[.. | objects | select(.chaos? == \"$1\" and .probe? == \"connect\" and .metric? == \"$2\") | .shift] | @tsv" "$work/compare.json"
}
all_within "compare: the shift of p50 against the baseline" "$(shift_of latency p50_ms)" 30 1.5
all_within "compare: the shift of the outage" "$(shift_of network_partition outage_seconds)" 2 0.1
all_within "compare: the shift of the availability" "$(shift_of network_partition availability)" -1 0.02
check_eq "compare: three and three claim nothing" "$(jq '[.. | objects | .p? | numbers] | length' "$work/compare.json")" 0
done_testing

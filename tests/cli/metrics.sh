#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Metrics of a known truth, by Prometheus' own library and in the workload's output: values, rates, restarts, the kernel's
# hits, and what is expected of them.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
there=$(address4 n2)
db=$work/metrics.db
sql() { sqlite3 "$db" "$1"; }
serves() { grep -q ready "$work/$1"; }
# serve FILE PORT: the server, once in a shell that starts it again when it ends.
cat >"$work/serve" <<END
#!/bin/bash
while :; do "$top/tests/tools/metrics.py" "$there" 9100 "$work" 20000; rm -f "$work/stop"; done
END
chmod +x "$work/serve"
spawn_in n2 "$work/serve"
ln -s "$work/spawn.$((${#test_pids[@]} - 1))" "$work/server"
wait_for 20 serves server || exit 1

nodes="nodes: [{name: n1, address: $(address4 n1), netns: $(ns n1)}, {name: n2, address: $there, netns: $(ns n2)}]"
wanted='work_total{kind="write"}'
cat >"$work/truth.yaml" <<END
defaults: {warmup_seconds: 5, duration_seconds: 6, recovery_seconds: 3, retries: 0}
subjects:
  - name: lab
    reset: "rm -f '$work/slow'"
    workload: "echo tps: 99; while :; do if [ -e '$work/slow' ]; then echo tps: 20, more tps: 1; else echo tps: 50; fi; sleep 0.2; done"
    probes: [{name: ping, tcp: "$there:9100", node: n1, every_ms: 100}]
    metrics:
      - name: store
        url: http://$there:9100/metrics
        node: n1
        series: ['$wanted', 'depth{queue=~"i."}', 'none_such', process_start_time_seconds]
      - {name: closed, url: "http://$there:9/metrics", node: n1, series: up}
      - {name: tps, workload: 'tps: ([0-9.]+)'}
    $nodes
chaos_types:
  - type: latency
    target: n1
    params: {min_ms: 10, max_ms: 10}
    abort_if: "touch '$work/slow'; false"
    expect:
      metrics:
        - {series: '$wanted', min: 20, max: 30, change_max: 0.2}
        - {series: 'depth{queue=~"i."}', source: store, max: 10}
        - {series: tps, change_max: 0.9}
        - {series: none_such, min: 1}
END
check "the file is valid" "$eval_bin" validate "$work/truth.yaml"
check_fails "a trial whose metrics change too much: exit 1" 1 "$eval_bin" run campaign "$work/truth.yaml" --db "$db" --quiet --no-check
check_eq "it fails, for the change" "$(sql "SELECT status, verdict FROM trials")" "completed|fail"
"$eval_bin" show --db "$db" "$(sql "SELECT id FROM campaigns")" 1 >"$work/shown"
"$eval_bin" show --db "$db" "$(sql "SELECT id FROM campaigns")" 1 --json >"$work/trial.json"
figure() { jq -r --arg series "$2" ".summary.metrics.$1.series[\$series].$3" "$work/trial.json"; }
check_number "before: 100 a second" "$(figure store "$wanted" before.mean) >= 95 && $(figure store "$wanted" before.mean) <= 105"
# abort_if makes it slow within a second.
check_number "during: the least 40 a second" "$(figure store "$wanted" during.min) >= 38 && $(figure store "$wanted" during.min) <= 42"
check_eq "a gauge" "$(figure store 'depth{queue=~"i."}' before.max) $(figure store 'depth{queue=~"i."}' during.max)" "3 9"
check_eq "of each line the first match" "$(figure tps tps before.max) $(figure tps tps during.min)" "99 20"
check_eq "a series that is not there" "$(figure store none_such kind)" null
check_match "a source that cannot be reached" "$(jq -r '.summary.metrics.closed.errors[0].text' "$work/trial.json")" "^cannot connect"
check_match "show: a table" "$(cat "$work/shown")" 'work_total\{kind="write"\} \(per second\)'
check_match "show: what failed" "$(cat "$work/shown")" 'change of work_total\{kind="write"\} of store [0-9.]+ % \(from [0-9.]+ to [0-9.]+\), expected at most 20 %'
check_match "the campaign's effects" "$("$eval_bin" show --db "$db" "$(sql "SELECT id FROM campaigns")")" \
	'latency, store: work_total\{kind="write"\} a second: (100|9[0-9]\.?[0-9]*|10[0-9]\.?[0-9]*) before, (39|[45][0-9])\.?[0-9]* during the fault'
check_eq "expectations, by their verdict" "$(jq -r '[.expectations[] | "\(.name) \(.verdict)"] | sort | join(", ")' "$work/trial.json")" \
	"metric_change_max fail, metric_change_max pass, metric_max fail, metric_max pass, metric_min inconclusive, metric_min pass"
check_eq "they are asked once a second at most" "$(sql "SELECT count(*) FROM (SELECT at_ns - lag(at_ns) OVER (ORDER BY at_ns) AS gap
	FROM metrics WHERE series = 'process_start_time_seconds') WHERE gap < 900000000")" 0
check_eq "each value has its phase" "$(sql "SELECT group_concat(DISTINCT phase) FROM (SELECT phase FROM metrics WHERE source = 'tps' ORDER BY at_ns)")" \
	"warmup,hold,recover"

# --- The kernel's hits -------------------------------------------------------------------------------------------------
# Each row is a rate since the row before, the first since the injection.
counted=$(sql "SELECT round(sum(value * (at_ns - since) / 1e9)) FROM (SELECT value, at_ns, coalesce(lag(at_ns) OVER (ORDER BY at_ns),
	(SELECT chaos_injected_at_monotonic_ns FROM trials)) AS since FROM metrics WHERE source = 'kernel')")
check_eq "hits over time come to the hits of the evidence" "${counted%.*}" "$(sql "SELECT json_extract(evidence, '$.hit') FROM trials")"
check_number "in steps of half a second" "$(sql "SELECT count(*) FROM metrics WHERE source = 'kernel' AND series = 'n1'") >= 10"
"$eval_bin" report --db "$db" "$(sql "SELECT id FROM campaigns")" --csv-metrics "$work/metrics.csv"
"$eval_bin" report --db "$db" "$(sql "SELECT id FROM campaigns")" --openmetrics "$work/metrics.om"
check_eq "report --openmetrics, by a strict parser" "$(/usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
found = {f.name: f.samples for f in text_string_to_metric_families(open(sys.argv[1]).read())}
print({s.labels["kind"] for s in found["eval_metric_mean"] if s.labels["series"] == sys.argv[2]})' "$work/metrics.om" "$wanted")" "{'rate'}"
check_eq "… and by promtool" "$(promtool check metrics <"$work/metrics.om" 2>&1; echo $?)" 0
check_eq "report --csv-metrics has all of them" "$(($(wc -l <"$work/metrics.csv") - 1))" "$(sql "SELECT count(*) FROM metrics")"

# --- A restart ---------------------------------------------------------------------------------------------------------
cat >"$work/restart.yaml" <<END
defaults: {warmup_seconds: 0, duration_seconds: 7, recovery_seconds: 1, retries: 0}
subjects:
  - name: lab
    reset: "rm -f '$work/slow'"
    workload: "sleep 2.5; touch '$work/stop'; sleep 60"
    metrics: [{name: store, url: "http://$there:9100/metrics", node: n1, timeout_ms: 900, series: '$wanted'}]
    $nodes
include_baseline: true
chaos_types: []
END
"$eval_bin" run campaign "$work/restart.yaml" --db "$db" --quiet --no-check
check_eq "a baseline whose subject restarts" "$?" 0
restarted="trial_id LIKE '%baseline%' AND source = 'store'"
check_number "rates go on after the restart" "$(sql "SELECT count(*) FROM metrics WHERE $restarted") >= 3"
check_eq "no rate is negative or above the truth" "$(sql "SELECT count(*) FROM metrics WHERE $restarted AND (value < 0 OR value > 115)")" 0
done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 300 s
# not in guests: it tests how results are written, on one host
# eval report and eval compare: formats that other programs read, hostile text in them, comparisons with the baseline.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 || exit 1
n1=$(ns n1)
db=$work/report.db
export EVAL_DB=$db

cat >"$work/report.yaml" <<END
include_baseline: true
trials_per_combination: 5
parallel: 2
defaults: {warmup_seconds: 0.2, duration_seconds: 2, recovery_seconds: 5}
subjects:
  - name: lab
    instances: 2
    reset: "true"
    nodes: [{name: n1, netns: $n1, address: 10.99.0.1}, {name: n2, address: 10.99.0.2}]
    workload: "exec ip netns exec $n1 ping -n -i 0.01 10.99.0.2 >/dev/null"
    probes:
      - {name: ping, exec: "ip netns exec $n1 ping -n -c 1 -W 10 10.99.0.2 >/dev/null", every_ms: 100, timeout_ms: 20000}
chaos_types:
  - {type: latency, name: slow, target: n1, allow: [stacked], params: {min_ms: 500, max_ms: 500}, expect: {p50_ms_max: 200}}
END
sed -i '/allow:/s/ allow: \[stacked\],//; /^parallel/d; s/instances: 2/instances: 1/' "$work/report.yaml"
check_fails "a campaign with a baseline, slower than expected: exit 1" 1 "$eval_bin" run campaign "$work/report.yaml"
check_match "the end names each with value and limit" "$output" 'p50 of ping [0-9.]+ ms \([0-9–.]+ of [0-9]+ samples\), expected at most 200 ms'
check_match "… says what the chaos did, over its trials" "$output" 'Effects.*slow, ping: [0-9]+.* available, p50 .*; 0 of 5 passed'
check_match "… and what stands out, last" "$output" $'Findings\n  slow: ping is [0-9]+ times slower: p50 5[0-9][0-9] ms.* \\(before [0-9.]+ m?s'
check_match "… compares with the baseline" "$output" 'Baseline against chaos'
check_match "… and claims what it can show" "$output" 'p50 +[0-9.]+ ms +[0-9.]+ m?s +\+[0-9.]+ m?s \(.*p 0\.0[0-9]+: worse'
check_match "… and says how to run them again" "$output" "5 trials did not pass; this runs just them again:"
id=$(sqlite3 "$db" 'SELECT id FROM campaigns')

check_eq "each figure is that of the samples, by a script of its own" "$(/usr/bin/python3 "$top/tests/tools/summary.py" "$db")" ""

# --- Formats --------------------------------------------------------------------------------------------------

mkdir "$work/out"
check "all formats at once" "$eval_bin" report "$id" --json "$work/out/r.json" --csv "$work/out/r.csv" \
	--csv-samples "$work/out/s.csv" --junit "$work/out/r.xml" --markdown "$work/out/r.md" \
	--openmetrics "$work/out/r.om" --annotations "$work/out/r.an"
by_schema() {
	/usr/bin/python3 -c 'import json, sys, jsonschema
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))' "$1" "$top/docs/report.schema.json"
}
check "JSON follows its schema" by_schema "$work/out/r.json"
check_eq "JSON has it all" "$(jq -c '[.format, (.trials | length), (.comparisons | map(select(.metric == "p50_ms"))[0].result)]' \
	"$work/out/r.json")" '[1,10,"worse"]'
csv() { /usr/bin/python3 -c 'import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
print(eval(sys.argv[2]))' "$@"; }
check_eq "CSV: a row for each trial and probe" "$(csv "$work/out/r.csv" 'len(rows), {r["probe"] for r in rows}')" "(10, {'ping'})"
check_eq "CSV: figures as recorded" "$(csv "$work/out/r.csv" '[float(r["during_p50_ms"]) > 450 for r in rows if r["chaos"] == "slow"]')" \
	"[True, True, True, True, True]"
check_eq "CSV of samples: all of them" "$(csv "$work/out/s.csv" 'len(rows)')" "$(sqlite3 "$db" 'SELECT count(*) FROM samples')"
xpath() { xmllint --xpath "string($2)" "$1"; }
check "JUnit: by its schema" xmllint --noout --schema "$top/tests/data/junit.xsd" "$work/out/r.xml"
check_eq "JUnit: suites, cases, failures" "$(xpath "$work/out/r.xml" 'concat(count(//testsuite), " ", count(//testcase), " ", count(//failure), " ", /testsuites/@failures, " ", //testsuite[@name="slow"]/@tests)')" \
	"2 10 5 5 5"
check_match "JUnit: why" "$(xpath "$work/out/r.xml" '(//failure)[1]/@message')" '^p50 of ping [0-9.]+ ms .*expected at most 200 ms$'
check_match "Markdown: a table with all trials" "$(<"$work/out/r.md")" "^## $id.*\| trial-lab-slow-02 \| completed \| fail \| ping \|"
om() { /usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
found = {f.name: f.samples for f in text_string_to_metric_families(open(sys.argv[1]).read())}
print(eval(sys.argv[2]))' "$@"; }
check_eq "OpenMetrics: a strict parser reads it" "$(om "$work/out/r.om" 'len(found["eval_trial_passed"]), sum(s.value for s in found["eval_trial_passed"])')" \
	"(10, 5)"
check_eq "OpenMetrics: promtool has nothing to say" "$(promtool check metrics <"$work/out/r.om" 2>&1; echo $?)" 0
check_eq "OpenMetrics: base units" "$(om "$work/out/r.om" '{s.value > 0.45 for s in found["eval_probe_latency_seconds"] if s.labels["chaos"] == "slow" and s.labels["phase"] == "during" and s.labels["percentile"] == "50"}')" \
	"{True}"
check_eq "annotations: a region for each fault" "$(jq -c '[length, all(.timeEnd - .time > 1400 and .timeEnd - .time < 20000)]' "$work/out/r.an")" "[5,true]"
check_eq "to standard output" "$("$eval_bin" report "$id" --csv - | wc -l)" 11

# --- The page -------------------------------------------------------------------------------------------------

# dom FILE: prints the page as the browser has it; what it said on its console is in $work/console.
dom() {
	timeout 100 chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$work/chromium" --enable-logging=stderr \
		--dump-dom "file://$1" 2>"$work/chromium.err"
	grep CONSOLE "$work/chromium.err" >"$work/console"
	true
}
# tests/cli/page.sh looks at it.
check "a page" "$eval_bin" report "$id" --html "$work/out/r.html"
dom "$work/out/r.html" >"$work/dom"
check_eq "the browser has nothing to say" "$(<"$work/console")" ""
check_eq "a figure for each trial" "$(grep -o '<figure data-plot' "$work/dom" | wc -l)" 10
check_eq "each says what it shows" "$(grep -cE 'Median latency:.*ping</span> [^,]* before, [^,]* (under the fault|in place of a fault),' "$work/dom")" 10
check_match "findings in words" "$(<"$work/dom")" '<strong>slow</strong> \(latency\): ping is [0-9.]+ times slower: p50 .*; 0 of 5 passed'
check_match "… and what the comparison claims" "$(<"$work/dom")" 'p50_ms \+[0-9]+ % against the baseline: worse'

# --- Hostile text ---------------------------------------------------------------------------------------------

cp "$db" "$work/hostile.db"
sqlite3 "$work/hostile.db" "UPDATE trials SET status = 'failed', error_stage = 'ready',
	error_text = '=1+1|\"</failure><script>alert(1)</script>' || char(27, 7, 10) || '| x | **b** \`c\` [l](javascript:1)', chaos = '=cmd'
	WHERE chaos = 'slow'"
check "formats with hostile text" "$eval_bin" report "$id" --db "$work/hostile.db" --json "$work/out/h.json" --csv "$work/out/h.csv" \
	--junit "$work/out/h.xml" --markdown "$work/out/h.md" --openmetrics "$work/out/h.om" --html "$work/out/h.html"
dom "$work/out/h.html" >"$work/dom"
check_eq "page: no script but its own two, nothing on the console" "$(grep -c '<script' "$work/dom")$(<"$work/console")" 2
check "JSON: still by its schema" by_schema "$work/out/h.json"
check_eq "CSV: no formula" "$(csv "$work/out/h.csv" '{r["chaos"] for r in rows if r["status"] == "failed"}')" "{\"'=cmd\"}"
check "JUnit: hostile text, by its schema" xmllint --noout --schema "$top/tests/data/junit.xsd" "$work/out/h.xml"
check_eq "JUnit: text stays text" "$(xpath "$work/out/h.xml" 'concat(count(//script), " ", count(//error))')" "0 5"
check_eq "Markdown: no HTML, no cell of its own" "$(grep -c '<script\|javascript:\|[^0-9];\*\*b' "$work/out/h.md")" 0
check_eq "OpenMetrics: promtool still has nothing to say" "$(promtool check metrics <"$work/out/h.om" 2>&1; echo $?)" 0
check_eq "OpenMetrics: still read" "$(om "$work/out/h.om" 'len(found["eval_trial_passed"])')" 10
check_eq "no control characters" "$(cat "$work"/out/h.{json,xml,md,html} | LC_ALL=C tr -d '\n\t' | LC_ALL=C grep -c '[[:cntrl:]]')" 0

# --- What cannot be written ------------------------------------------------------------------------------------

check_fails "an unknown campaign: exit 2" 2 "$eval_bin" report nothing --csv "$work/out/none"
check_match "… named" "$output" "no campaign 'nothing' in database .*; 'eval list' shows what there is"
check_fails "an id with a wrong letter: exit 2" 2 "$eval_bin" report "${id%?}x" --csv "$work/out/none"
check_match "… the nearest is named" "$output" "did you mean '$id'\\?"
check_fails "the last digits, one of them wrong: exit 2" 2 "$eval_bin" show "x${id: -7}"
check_match "… the nearest is named, too" "$output" "did you mean '${id: -8}'\\?"
check_fails "a trial's id with a wrong letter: exit 2" 2 "$eval_bin" show "$id" trial-lab-slov-02
check_match "… its nearest is named" "$output" "did you mean 'trial-lab-slow-02'\\?"
check_fails "no format: exit 2" 2 "$eval_bin" report "$id"
check_match "… says so" "$output" "which format\?"
check_fails "a folder that is not there: exit 2" 2 "$eval_bin" report "$id" --csv "$work/nowhere/r.csv"
check_match "… names the file" "$output" "cannot write $work/nowhere/r.csv.part: No such file or directory"
check_fails "a full disk: exit 3" 3 "$eval_bin" report "$id" --csv /dev/full
mkdir "$work/small" && mount -t tmpfs -o size=16k tmpfs "$work/small" || exit 1
on_cleanup umount "$work/small"
echo old >"$work/small/s.csv"
check_fails "a disk that fills: exit 3" 3 "$eval_bin" report "$id" --csv-samples "$work/small/s.csv"
check_eq "… the old file stays, nothing else" "$(cat "$work"/small/*)" old
sqlite3 "$work/hostile.db" "UPDATE campaigns SET status = 'interrupted'"
check "a campaign that has not ended" "$eval_bin" report "$id" --db "$work/hostile.db" --json "$work/out/p.json"
check_eq "… is marked" "$(jq .partial "$work/out/p.json")" true

# --- eval compare ----------------------------------------------------------------------------------------------

check_fails "compare --fail-on-worse, with the baseline: exit 1" 1 "$eval_bin" compare "$id" --fail-on-worse
check_match "… says what" "$output" "lab, slow, ping: 5 and 5 trials"
check "a campaign with itself: nothing is worse" "$eval_bin" compare "$id" "$id" --fail-on-worse
check_match "--plan-power" "$("$eval_bin" compare "$id" "$id" --plan-power)" 'not shown; needs [0-9]+ each'
check_eq "compare --json" "$("$eval_bin" compare "$id" --json | jq -c '[.format, .with_baseline, (.comparisons[] | select(.metric == "p50_ms") | [.a.trials, .b.trials, .result])]')" \
	'[1,true,[5,5,"worse"]]'
sqlite3 "$work/hostile.db" "UPDATE trials SET status = 'failed' WHERE id IN (SELECT id FROM trials WHERE baseline LIMIT 2);
	UPDATE trials SET status = 'completed' WHERE NOT baseline"
said=$("$eval_bin" compare "$id" --db "$work/hostile.db")
check_match "a failed baseline is said" "$said" "2 of 5 baseline trials did not complete, and are left out"
check_match "3 and 5 trials: ratios only" "$said" 'ratio [0-9.]+ \([0-9.]+ to [0-9.]+\)'
check_fails "… nothing is claimed" 1 grep -q worse <<<"$said"
for columns in 60 80 100 120; do
	for other in "" "$id"; do
		shown=$(script -qec "stty cols $columns; $eval_bin compare $id $other --plan-power" /dev/null | tr -d '\r')
		check_number "compare: no line is wrapped by a terminal of $columns columns" "$(wc -L <<<"$shown") <= $columns"
		check_eq "… it says the same" "$(tr -s ' \n' ' ' <<<"$shown")" "$("$eval_bin" compare "$id" ${other:+"$other"} --plan-power | tr -s ' \n' ' ')"
	done
done
check_fails "--min-effect: not a number" 2 "$eval_bin" compare "$id" --min-effect ten

# --- Again ------------------------------------------------------------------------------------------------------

check_fails "--rerun GLOB: exit 1, for the others failed" 1 "$eval_bin" run campaign "$work/report.yaml" --rerun '*-slow-*02' --resume="$id" --quiet
check_eq "… one trial has a second attempt" "$(sqlite3 "$db" "SELECT group_concat(attempt) FROM trials WHERE chaos = 'slow' ORDER BY id" | tr ',' '\n' | sort | tr -d '\n')" 11112
check_fails "--rerun failed" 1 "$eval_bin" run campaign "$work/report.yaml" --rerun failed --resume="$id" --quiet
check_eq "… all that did not pass, and no baseline" "$(sqlite3 "$db" "SELECT sum(attempt), sum(attempt) FILTER (WHERE baseline) FROM trials")" "16|5"

done_testing

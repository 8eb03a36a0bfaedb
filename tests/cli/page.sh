#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 300 s
# not in guests: it tests how results are written, on one host
# eval report --html: the page as people see it, by a browser: with and without scripts, light and dark, small and large, by
# keyboard, in print; and how large it gets. tests/tools/page.mjs looks.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 || exit 1
n1=$(ns n1)
db=$work/page.db
export EVAL_DB=$db

cat >"$work/page.yaml" <<END
name: two nodes
include_baseline: true
defaults: {warmup_seconds: 2, duration_seconds: 4, recovery_seconds: 8}
subjects:
  - name: lab
    reset: "true"
    nodes: [{name: n1, netns: $n1, address: 10.99.0.1}, {name: n2, address: 10.99.0.2}]
    workload: "exec ip netns exec $n1 ping -n -i 0.01 10.99.0.2 >/dev/null"
    probes:
      - {name: ping, exec: "ip netns exec $n1 ping -n -c 1 -W 1 10.99.0.2 >/dev/null", every_ms: 50, timeout_ms: 3000}
chaos_types:
  - {type: latency, name: slow, target: n1, params: {min_ms: 400, max_ms: 600}}
  - {type: network_partition, name: cut, target: n1, expect: {availability_min: 0.9}}
END
check_fails "a campaign that fails, as one node is cut off: exit 1" 1 "$eval_bin" run campaign "$work/page.yaml" --quiet
id=$(sqlite3 "$db" 'SELECT id FROM campaigns')
# A metric of the user's and an event, with hostile text; the tests of metrics make real ones.
sqlite3 "$db" "INSERT INTO metrics (campaign_id, trial_id, attempt, source, series, at_ns, value, kind, phase)
	WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 19)
	SELECT campaign_id, id, attempt, 'tikv', 'pending <b>tasks</b>', healthy_at_monotonic_ns + n * 300000000, n * n, 'gauge', 'hold'
	FROM trials, n WHERE chaos = 'slow';
	INSERT INTO events (campaign_id, trial_id, attempt, at, monotonic_ns, phase, kind, text)
	SELECT campaign_id, id, attempt, ended_at, chaos_injected_at_monotonic_ns + 1000000000, 'hold', 'loss', '<script>alert(1)</script>'' x'
	FROM trials WHERE chaos = 'cut'"

mkdir "$work/out"
page=$work/out/page.html
check "a page" "$eval_bin" report "$id" --html "$page"
check_eq "it refers to nothing" "$(grep -cE '(src|href)=|url\(|@import' "$page")" 0
check_match "it lets in nothing but its own styles and scripts" "$(<"$page")" \
	"Content-Security-Policy. content=.default-src 'none'; style-src( 'sha256-[A-Za-z0-9+/=]{44}'){2}; script-src( 'sha256-[A-Za-z0-9+/=]{44}'){2}; base-uri"
check_match "it has the licence of what is inside" "$(<"$page")" "The MIT License.*Leon Sorokin"
if ! timeout 200 node "$top/tests/tools/page.mjs" "$page" "$work/out" >"$work/seen" 2>"$work/seen.err"; then
	not_ok "a browser that looks at it" "$(tail -n 20 "$work/seen.err")"
	done_testing
	exit 1
fi
ok "a browser that looks at it"
# Screenshots for people: $EVAL_PAGES has them afterwards.
[[ -z ${EVAL_PAGES:-} ]] || { mkdir -p "$EVAL_PAGES" && cp "$work/out"/*.{html,png,pdf} "$EVAL_PAGES"; }
seen() { jq -r "$1" "$work/seen"; }

# --- The browser's verdict -------------------------------------------------------------------------------------

check_eq "nothing on the console" "$(seen '.console[]')" ""
check_eq "no request" "$(seen '.requests[]')" ""
check_eq "axe-core, light: no violation" "$(seen '.violations_light[]')" ""
check_eq "axe-core, dark and narrow: no violation" "$(seen '.violations_dark[]')" ""
check_eq "at 400, 1000 and 1600 pixels, with and without scripts: nothing scrolls sideways" "$(seen '.scrolls[]')" ""

# --- What is drawn, in pixels: the trials are baseline, slow and cut -------------------------------------------

for scheme in light dark; do
	check_eq "$scheme: each trial's curve, the fault of two, hits of two" \
		"$(seen ".charts_$scheme | map([.curve > 100, .fault > 20000, .hits > 50]) | @json")" \
		'[[true,false,false],[true,true,true],[true,true,true]]'
done
check_eq "without scripts: the same, drawn by eval" \
	"$(seen '.plain.charts | map([.curve > 60, .fault > 20000, .hits > 50]) | @json')" '[[true,false,false],[true,true,true],[true,true,true]]'
check_eq "… and nothing that needs scripts" "$(seen .plain.plots)" 0
said=$(seen .plain.text)
check_match "… findings in words, the worst first" "$said" 'cut \(network_partition\): ping stops for [0-9.]+ s, in 1 of 1 trial, is available [0-9.]+ %.*; 0 of 1 passed.*slow \(latency\): ping is [0-9.]+ times slower: p50 [0-9]+ ms \(before [0-9.]+ ms\)'
check_match "… what each fault did" "$said" \
	'ping [0-9.]+ ms before, [0-9]+ ms under the fault, [0-9.]+ ms after, [0-9]+ of [0-9]+ samples bad. Recovered'
check_match "… and how many samples were bad" "$said" ' under the fault, [0-9.]+ ms after, (7[0-9]|8[0-9]) of 1[0-9]+ samples bad'
check_match "… parameters in effect" "$said" 'latency on n1, engine [a-z]+, with .*min_ms 400, max_ms 600'
check_match "… events, with text as text" "$said" '[0-9.]+ s: first hit in the kernel.*s: <script>alert\(1\)</script>'
check_match "… how to reproduce it" "$said" 'eval run campaign .*/page.yaml'
check_eq "print: drawings and tables, no canvas" "$(seen '.print | [([.drawings, .tables | all] | all), (.plots | any)] | @json')" '[true,false]'
check_number "… as PDF" "$(seen .print.pdf) > 20000"

# --- By hand ---------------------------------------------------------------------------------------------------

check_match "a chart says how to read it" "$(seen .keys.before)" 'by keyboard: arrows'
check_match "the right arrow reads the first point" "$(seen .keys.ArrowRight)" '^0\.[0-9]+ s, warm-up: ping [0-9.]+ ms \('
check_match "End reads the last" "$(seen .keys.End)" '^[0-9.]+ s, after: ping'
check_match "+ shows less" "$(seen '.keys["+"]')" 'Shown: [0-9.]+ s to [0-9.]+ s'
check_eq "0 shows all" "$(seen '.keys["0"] | contains("Shown")')" false
check_match "the pointer reads" "$(seen .pointer)" ' s, no fault: ping [0-9.]+ ms \('

# --- Many trials -----------------------------------------------------------------------------------------------

# grow TRIALS SAMPLES: many.db, with so many copies of the two trials with a fault.
grow() {
	local columns
	rm -f "$work/many.db"*
	sqlite3 "$db" ".backup $work/many.db"
	columns=$(sqlite3 "$db" "SELECT group_concat(name) FROM pragma_table_info('trials') WHERE name NOT IN ('id', 'trial_index')")
	sqlite3 "$work/many.db" "CREATE TEMP TABLE old AS SELECT * FROM trials WHERE NOT baseline;
		CREATE TEMP TABLE hits AS SELECT * FROM metrics WHERE source = 'kernel';
		DELETE FROM samples; DELETE FROM metrics; DELETE FROM events WHERE trial_id IS NOT NULL; DELETE FROM attempts; DELETE FROM trials;
		INSERT INTO trials (id, trial_index, $columns)
			WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $1)
			SELECT id || '-' || n, n, $columns FROM n CROSS JOIN old WHERE old.rowid = 1 + n % 2;
		INSERT INTO metrics SELECT t.campaign_id, t.id, t.attempt, source, series, at_ns, value, kind, hits.phase
			FROM trials t CROSS JOIN hits WHERE t.id LIKE hits.trial_id || '-%';
		INSERT INTO samples WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < $2 - 1)
			SELECT campaign_id, id, attempt, 'ping', healthy_at_monotonic_ns + n * (ended_at_monotonic_ns - healthy_at_monotonic_ns) / $2,
			healthy_at_monotonic_ns, 1000000 + abs(random() % 100000000), n % 50 <> 0, NULL, 'hold' FROM trials CROSS JOIN n"
}
# cost: of the report with many trials: bytes, seconds of processor time, MiB of memory.
cost() {
	/usr/bin/python3 -c 'import os, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(os.path.getsize(sys.argv[-1]), "%.2f" % (used.ru_utime + used.ru_stime), used.ru_maxrss // 1024)' \
		"$eval_bin" report "$id" --db "$work/many.db" --html "$work/out/many.html"
}
grow 100 1000
sqlite3 "$work/many.db" "UPDATE trials SET summary = json_set(summary, '\$.probes.put', json_extract(summary, '\$.probes.ping'));
	INSERT INTO samples SELECT campaign_id, trial_id, attempt, 'put', scheduled_ns, started_at_ns, latency_ns * 2, ok, error, phase FROM samples"
read -r bytes _ < <(cost)
check_number "100 trials with two probes: below 600 KB" "${bytes:-999999} < 600000"
diag "$bytes bytes"
grow 1000 1000
read -r bytes seconds megabytes < <(cost)
check_number "1,000 trials of 1,000 samples: at most 5 s" "${seconds:-99} <= 5"
check_number "… and 200 MB" "${megabytes:-999} <= 200"
diag "$bytes bytes, $seconds s, $megabytes MiB"

done_testing

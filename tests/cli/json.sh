#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck disable=SC2016 # backquotes of Markdown
# docs/json.md and docs/database.md name the keys and columns that there are, and no others.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
cat >"$work/json.yaml" <<END
defaults: {warmup_seconds: 0.3, duration_seconds: 1, recovery_seconds: 5}
subjects:
  - name: lab
    reset: "true"
    probes: [{name: connect, exec: "ping -n -c 1 -W 1 $(address4 n2)", node: n1, every_ms: 100}]
    workload: "while echo tps: 5; do sleep 0.1; done"
    metrics: [{name: tps, workload: 'tps: ([0-9]+)'}]
    nodes: [{name: n1, address: $(address4 n1), netns: $(ns n1)}, {name: n2, address: $(address4 n2), netns: $(ns n2)}]
include_baseline: true
cooldown_seconds: 0.2
chaos_types:
  - type: latency
    target: n1
    params: {min_ms: 1, max_ms: 1}
    expect: {availability_min: 0.5, p50_ms_max: 1000, p90_ms_max: 1000, p99_ms_max: 1000, outage_max_seconds: 9, errors_max: 9,
      recover_within_seconds: 5, probes: {connect: {errors_max: 8}}, checks: [{exec: "true"}], metrics: [{series: tps, min: 1}]}
END
db=$work/json.db
"$eval_bin" run campaign "$work/json.yaml" --db "$db" --json >"$work/run"
check_eq "a campaign" "$?" 0
id=$(sqlite3 "$db" "SELECT id FROM campaigns")

# names FILE SECTION [TABLE]: what stands in backquotes in the first column of the section's table number TABLE, or of all.
names() {
	awk -v section="## $2" -v wanted="${3:-0}" '
		$0 == section { on = 1; next }
		/^## / { on = 0 }
		on && /^\|---/ { table++; next }
		on && /^\| `/ && (!wanted || table == wanted) { split($0, cells, "|"); print cells[2] }' "$top/docs/$1" | grep -o '`[^`]*`' | tr -d '`' | sort -u
}
# columns TABLE
columns() { sqlite3 "$db" "SELECT name FROM pragma_table_info('$1') ORDER BY 1"; }
for table in campaigns trials attempts samples metrics events; do
	check_eq "docs/database.md: the columns of $table" "$(names database.md $table)" "$(columns $table | sort)"
done
check_eq "docs/database.md: no other table" "$(grep '^## ' "$top/docs/database.md" | cut -c4- | sort | xargs)" \
	"$(sqlite3 "$db" "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1" | xargs)"
check_match "docs/database.md: the schema's number" "$(grep -o 'is its schema, [0-9]*' "$top/docs/database.md")" ", $(sqlite3 "$db" 'PRAGMA user_version')\$"

# keys FILTER: the keys of all objects that the filter gives, without `format`.
keys() { jq -s -r "[.[] | $1 | keys] | add | unique | .[] | select(. != \"format\")" | sort -u; }
as_json() { sed 's/^campaign_id$/campaign/; s/^trial_id$/trial/' | sort -u; }
check_eq "list" "$("$eval_bin" list --json --db "$db" | keys .)" "$(names json.md 'eval list --json')"
"$eval_bin" show "$id" --json --db "$db" >"$work/show"
check_eq "show CAMPAIGN" "$(keys . <"$work/show")" "$({ columns campaigns; names json.md 'eval show CAMPAIGN --json'; } | as_json)"
check_eq "show CAMPAIGN: trials" "$(keys '.trials[]' <"$work/show")" "$(columns trials | as_json)"
check_eq "show CAMPAIGN: events" "$(keys '.events[]' <"$work/show")" "$(columns events | as_json)"
check_eq "list: a campaign" "$("$eval_bin" list --json --db "$db" | keys '.campaigns[]')" \
	"$({ columns campaigns | grep -vxE 'config|config_text|features|summary'; echo alive; echo trials; } | as_json)"
"$eval_bin" show "$id" 1 --json --db "$db" >"$work/trial"
check_eq "show TRIAL" "$(keys . <"$work/trial")" "$({ columns trials; names json.md 'eval show CAMPAIGN TRIAL --json'; } | as_json)"
check_eq "show TRIAL: attempts" "$(keys '.attempts[]' <"$work/trial")" "$(columns attempts | as_json)"
check_eq "show TRIAL: samples" "$(keys '.samples[]' <"$work/trial")" "$(columns samples | grep -vxE 'campaign_id|trial_id')"
check_eq "show TRIAL: metrics" "$(keys '.metrics[]' <"$work/trial")" "$(columns metrics | grep -vxE 'campaign_id|trial_id')"
# Rows "| `PATH`… | always | sometimes |": [] in a path stands for each.
while IFS='|' read -r _ path always sometimes _; do
	always=$(grep -o '`[^`]*`' <<<"$always" | tr -d '`' | sort)
	sometimes=$(grep -o '`[^`]*`' <<<"$sometimes" | tr -d '`')
	for one in $(grep -o '`[^`]*`' <<<"$path" | tr -d '`' | grep -v '^params_effective$'); do
		found=$(jq -r "[.trials[].${one//[]/[]?} | select(. != null)] | (map(keys) | add | unique | .[]), (reduce (.[] | keys) as \$k (null; if . then . - (. - \$k) else \$k end) | map(\"=\" + .) | .[])" "$work/show")
		check_eq "docs/json.md: $one: always" "$(comm -23 <(echo "$always") <(grep '^=' <<<"$found" | cut -c2- | sort))" ""
		check_eq "docs/json.md: $one: no others" "$(grep -v '^=' <<<"$found" | grep -vxF -e "$always" -e "$sometimes")" ""
	done
done < <(sed -n '/^## Columns that hold JSON/,$p' "$top/docs/json.md" | grep '^| `')
"$eval_bin" compare "$id" --json --db "$db" >"$work/compare"
check_eq "compare" "$(keys . <"$work/compare")" "$(names json.md 'eval compare --json' 1)"
check_eq "compare: a comparison" "$(keys '.comparisons[]' <"$work/compare")" "$(names json.md 'eval compare --json' 2)"
"$eval_bin" run campaign "$work/json.yaml" --dry-run --json >"$work/plan"
check_eq "the plan" "$(keys . <"$work/plan")" "$(names json.md 'eval run campaign --dry-run --json' 1)"
check_eq "the plan: a trial" "$(keys '.trials[]' <"$work/plan")" "$(names json.md 'eval run campaign --dry-run --json' 2)"

# rows SECTION FILE: checks each event of the section's table, and that there is no other.
rows() {
	local event listed
	check_eq "$1: events" "$(jq -r .event "$2" | sort -u)" "$(names json.md "$1")"
	while read -r event; do
		listed=$(awk -v section="## $1" -v row="| \`$event\` |" '$0 == section { on = 1; next } /^## / { on = 0 } on && index($0, row) == 1' "$top/docs/json.md" |
			cut -d'|' -f3 | sed 's/: .*//' | grep -o '`[^`]*`' | tr -d '`' | grep -vx names | sort)
		check_eq "$1: $event" "$(keys "select(.event == \"$event\") | del(.event, .at, .trial)" <"$2")" "$listed"
	done < <(names json.md "$1")
}
rows "eval run campaign --json" "$work/run"
check_match "samples: the hits so far, twice a second in a hold of one" \
	"$(jq -s -c '[.[] | select(.event == "samples" and .hits != null) | .hits] | [length >= 1, length <= 4, . == sort, last > 0]' "$work/run")" \
	'^\[true,true,true,true\]$'
spawn_in n1 ping -n -i 0.05 "$(address4 n2)"
inject by_hand latency --for 60s --netns "$(ns n1)" --peer "$(address4 n2)" --min-ms 1 --max-ms 1
mkdir "$work/disk" && mount -t tmpfs -o size=32M tmpfs "$work/disk" || exit 1
on_cleanup umount "$work/disk"
inject disk disk_pressure --for 60s --engine fill --fill-percent 1 --data-dir "$work/disk"
"$eval_bin" bpf-status --json >"$work/status"
revert disk
revert by_hand
rows "eval inject --json" "$work/by_hand.out"
check_eq "bpf-status" "$(keys . <"$work/status")" "$(names json.md 'eval bpf-status --json' 1)"
check_eq "bpf-status: a network fault" "$(keys ".faults[] | select(.netns == \"$(ns n1)\")" <"$work/status")" \
	"$(names json.md 'eval bpf-status --json' 2 | grep -vxE 'disk|notes|over')"
check_eq "bpf-status: a disk fault" "$(keys ".faults[] | select(.disk.data_dirs == \"$work/disk\")" <"$work/status")" \
	"$(names json.md 'eval bpf-status --json' 2 | grep -vxE 'protect|ingress|egress')"
done_testing

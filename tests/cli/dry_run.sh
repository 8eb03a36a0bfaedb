#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# eval run campaign --dry-run: it shows the trials that the same command without it would run, and leaves nothing behind.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root

db=$work/lab.db
# A random network, because concurrent campaigns with the same settings exclude each other.
cat >"$work/lab.yaml" <<END
include_baseline: true
trials_per_combination: 4
defaults: {warmup_seconds: 0, duration_seconds: 0, recovery_seconds: 1}
chaos_types: []
subjects:
  - name: one
    reset: "test -e $work/mended || test \$EVAL_TRIAL != trial-one-baseline-2"
    nodes: [{name: n1, address: 10.$((RANDOM % 200 + 20)).$((RANDOM % 250)).1}]
END
run() { "$eval_bin" run campaign "$work/lab.yaml" --db "$db" "$@"; }
# would_run [OPTION…]: sets $planned to "COUNT of TOTAL, parallel N: INDEX…", by the JSON; the text has the same trials.
would_run() {
	local json
	json=$(run --dry-run --json "$@") || return
	check_eq "$*: text and JSON agree" "$(run --dry-run "$@" | grep -c ^trial-)" "$(jq '.trials | length' <<<"$json")"
	planned=$(jq -r '"\(.trials | length) of \(.trial_count), parallel \(.parallel): \([.trials[].index] | join(" "))"' <<<"$json")
}

would_run
check_eq "all" "$planned" "4 of 4, parallel 1: 1 2 3 4"
would_run --only '*-[34]' --parallel 2
check_eq "only those" "$planned" "2 of 4, parallel 2: 3 4"
check_match "says how many of how many" "$(run --dry-run --only '*-[34]')" ": 2 of 4 trials, parallel 1"
check_fails "no such trial" 2 run --dry-run --only 'trial-two-*'
check_fails "nothing to resume" 2 run --dry-run --resume
check_fails "nothing to run again" 2 run --dry-run --retry-failed
check_fails "leaves no database" 1 test -e "$db"
check_eq "64 bits are text, and the campaign is called so" \
	"$(run --dry-run --json | jq -c '[.format, (.campaign | startswith("campaign-")), .label, (.trials[0].seed | type)]')" '[1,true,null,"string"]'

cp "$eval_bin" "$work/eval" && chmod 755 "$work" "$work/eval" && chmod 644 "$work/lab.yaml"
status=0
out=$(setpriv --reuid 65534 --clear-groups "$work/eval" run campaign "$work/lab.yaml" --db "$db" --dry-run 2>&1) || status=$?
check_eq "needs no root" "$status" 0
check_match "the plan" "$out" "trial-one-baseline-4"
check_fails "touches nothing" 1 test -e "$db"

check_fails "three trials run, one fails" 1 run --only '*-[123]' --quiet
records() { sqlite3 "$db" .dump | sha256sum; }
before=$(records)
would_run --resume
check_eq "what a resume would run" "$planned" "1 of 4, parallel 1: 4"
would_run --resume --only '*-[123]'
check_eq "what a resume would run of these" "$planned" "0 of 4, parallel 1: "
would_run --retry-failed
check_eq "what failed, too" "$planned" "2 of 4, parallel 1: 2 4"
seed=$(run --dry-run --resume --json | jq -r .seed)
check_eq "with the recorded seed" "$seed" "$(sqlite3 "$db" 'SELECT seed FROM campaigns')"
sqlite3 "$db" "UPDATE trials SET status = 'running' WHERE trial_index = 3"
before_death=$(records)
would_run --resume
check_eq "a trial whose run died" "$planned" "2 of 4, parallel 1: 3 4"
check_eq "… is not touched" "$(records)" "$before_death"
sqlite3 "$db" "UPDATE trials SET status = 'completed' WHERE trial_index = 3"
check_eq "the records are as before" "$(records)" "$before"
touch "$work/mended"
check "a resume" run --retry-failed --quiet
would_run --retry-failed
check_eq "nothing is left" "$planned" "0 of 4, parallel 1: "
done_testing

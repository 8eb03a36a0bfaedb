#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: sid: one kernel is enough, as the test does not depend on the kernel
# time limit: 90 s
# The wall clock jumps an hour forward and back throughout a campaign: eval neither waits nor measures by it.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
[[ -n ${EVAL_GUEST:-} ]] || skip_all "it sets the clock, which a host's other users need"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
make_nodes 2
db() { sqlite3 -cmd '.timeout 5000' "$work/clock.db" "$1"; }
uptime_s() { cut -d . -f 1 /proc/uptime; }
booted=$(($(date +%s) - $(uptime_s)))
set_right() { date -s "@$((booted + $(uptime_s)))"; }
on_cleanup set_right

# Sets the clock an hour forward and back in turn, every second; prints the number of jumps when it ends.
keep_stepping() {
	local steps=0 jump=3600 running=true
	trap 'running=false' TERM
	while $running || ((jump < 0)); do
		date -s "@$(($(date +%s) + jump))" >/dev/null || exit 1
		jump=$((-jump))
		((++steps))
		sleep 1
	done
	echo "$steps"
}

write() {
	cat >"$work/clock.yaml" <<END
trials_per_combination: 1
include_baseline: true
defaults: {warmup_seconds: 1, duration_seconds: 4, recovery_seconds: $(patience 30), retries: 0, abort_if: {exec: "false", timeout_seconds: 30}}
subjects:
  - name: pair
    reset: "true"
    nodes:
      - {name: n1, address: 10.99.0.1, netns: $(ns n1)}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2)}
    workload: "exec nsenter --net=/run/netns/$(ns n1) $traffic flow -n 1000000 10.99.0.2"
    probes: [{name: reach, exec: "nsenter --net=/run/netns/$(ns n1) $traffic reach -t 1000 10.99.0.2 | grep -q yes", every_ms: 1000, timeout_ms: 5000}]
chaos_types:
  - {type: latency, target: n1, params: {min_ms: 100, max_ms: 100}}
  - {type: network_partition, target: n1}
END
}

write
keep_stepping >"$work/steps" &
stepper=$!
test_pids+=("$stepper")
began=$(uptime_s)
check "the campaign ends well" "$eval_bin" run campaign "$work/clock.yaml" --db "$work/clock.db"
took=$(($(uptime_s) - began))
kill -TERM "$stepper"
wait "$stepper"
check_number "the clock jumped $(cat "$work/steps") times in $took s" "$(cat "$work/steps") > 10"
check_eq "trials" "$(db 'SELECT group_concat(chaos || " " || status || " " || verdict) FROM trials')" \
	"baseline completed pass,latency completed pass,network_partition completed pass"
span() { db "SELECT round(min($2 - $1) / 1e9, 2) || ' ' || round(max($2 - $1) / 1e9, 2) FROM trials"; }
read -r least most < <(span chaos_injected_at_monotonic_ns chaos_reverted_at_monotonic_ns)
check_number "chaos held for 4 s: $least to $most s" "$least >= 4 && $most < 4 + $(patience 1)"
check_eq "moments stand in their order" "$(db "SELECT count(*) FROM trials WHERE NOT (baseline OR
	(started_at_monotonic_ns < healthy_at_monotonic_ns AND healthy_at_monotonic_ns < chaos_injected_at_monotonic_ns AND
	chaos_injected_at_monotonic_ns <= first_effect_at_monotonic_ns AND first_effect_at_monotonic_ns < chaos_reverted_at_monotonic_ns AND
	chaos_reverted_at_monotonic_ns < recovered_at_monotonic_ns AND recovered_at_monotonic_ns <= ended_at_monotonic_ns))")" 0
check_eq "samples took what they may take" "$(db "SELECT count(*) > 10, min(latency_ns) > 0, max(latency_ns) < 10e9,
	min(started_at_ns >= scheduled_ns) FROM samples")" "1|1|1|1"
check_eq "the delay was 100 ms all along" "$(db "SELECT json_extract(value, '\$.egress.applied.mean_us'),
	json_extract(value, '\$.egress.line.line_dropped'), json_extract(value, '\$.egress.line.late_max_us') < 1e6
	FROM trials, json_each(evidence, '\$.devices') WHERE chaos = 'latency'")" "100000.0|0|1"

# --- Which campaign is the newest -----------------------------------------------------------------------------

sed -i 's/^chaos_types:.*/chaos_types: []/; /{type:/d; s/combination: 1/combination: 2/; s/\(warmup\|duration\)_seconds: [0-9]*/\1_seconds: 0.1/g' \
	"$work/clock.yaml"
half() { "$eval_bin" run campaign "$work/clock.yaml" --db "$work/clock.db" --fresh --only '*-1' >/dev/null 2>&1; }
newest() { "$eval_bin" list --db "$work/clock.db" --json | jq -r '.campaigns[0].id'; }
half
first=$(newest)
date -s "@$(($(date +%s) - 7200))" >/dev/null
half
second=$(newest)
check_number "the clock is set back: the newest campaign comes first all the same" "\"$second\" < \"$first\""
check "--resume goes on with the newest" "$eval_bin" run campaign "$work/clock.yaml" --db "$work/clock.db" --resume
check_eq "which is complete now, and the other is not" "$(db "SELECT group_concat(status) FROM trials WHERE
	campaign_id IN ('$first', '$second') GROUP BY campaign_id ORDER BY campaign_id")" $'completed,completed\ncompleted,planned'

done_testing

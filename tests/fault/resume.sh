#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 180 s
# not in guests: it tests the records; chaos_monkey.sh resumes campaigns there
# Campaigns that are killed in each phase, killed six times, or stopped by signals, and resumed. Each trial is final exactly
# once.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 || exit 1

db() { sqlite3 -cmd '.timeout 5000' "$work/$1.db" "$2"; }
pair="    nodes:
      - {name: n1, address: 10.99.0.1, netns: $(ns n1)}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2)}
    workload: \"nsenter --net=/run/netns/$(ns n1) ping -q -i 0.02 10.99.0.2\"
    probes: [{name: ping, exec: \"nsenter --net=/run/netns/$(ns n1) ping -c 1 -W 1 -q 10.99.0.2\", every_ms: 50, timeout_ms: 500}]"

# start NAME [OPTION…]: runs a campaign in the background; pid in $coordinator, events in $work/NAME.out.
start() {
	local name=$1
	shift
	# Otherwise a wait for an event may find one of the previous run.
	rm -f "$work/$name.out"
	"$eval_bin" run campaign "$work/$name.yaml" --db "$work/$name.db" --json "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
	coordinator=$!
	test_pids+=("$coordinator")
}
end_of() { status=0; wait "$1" 2>/dev/null || status=$?; }

# --- In each phase --------------------------------------------------------------------------------------------

# The command of the phase in $work/where hangs until $work/go exists.
cat >"$work/phases.yaml" <<END
trials_per_combination: 1
include_baseline: true
defaults: {warmup_seconds: 0.3, duration_seconds: 0.3, recovery_seconds: 20}
subjects:
  - name: pair
    reset: "test -e $work/go || test \$(cat $work/where) != reset || sleep 300"
    ready: {exec: "test -e $work/go || test \$EVAL_PHASE != \$(cat $work/where) || sleep 300", timeout_seconds: 20}
$pair
chaos_types:
  - {type: network_partition, target: n1}
END

for phase in reset ready warmup inject hold revert recover check; do
	rm -f "$work"/phases.db* "$work/go"
	echo $phase >"$work/where"
	start phases --only '*-2'
	wait_for 15 grep -q "\"phase\":\"$phase\"" "$work/phases.out" || not_ok "$phase: gets there" "$(cat "$work/phases.out")"
	kill -KILL $coordinator 2>/dev/null
	end_of $coordinator
	before=$(db phases "SELECT status FROM trials WHERE id LIKE '%-2'")
	touch "$work/go"
	start phases --resume
	end_of $coordinator
	check_eq "killed in $phase: the resumed campaign ends" "$status" 0
	((!status)) || diag "$(cat "$work/phases.err" "$work/phases.out")"
	check_eq "killed in $phase: each trial is final once" "$(db phases "SELECT count(*), sum(status = 'completed') FROM
		attempts WHERE status IN ('completed', 'failed', 'void')")" "2|2"
	check_eq "killed in $phase: what had run is kept" "$(db phases "SELECT attempt FROM trials WHERE id LIKE '%-2'")" \
		"$([[ $before == running ]] && echo 2 || echo 1)"
done

# --- Twelve trials, six kills ---------------------------------------------------------------------------------

cat >"$work/six.yaml" <<END
trials_per_combination: 4
parallel: 1
include_baseline: true
defaults: {warmup_seconds: 0.2, duration_seconds: 0.3, recovery_seconds: 10}
subjects:
  - name: pair
    reset: "true"
    ready: "true"
$pair
chaos_types:
  - {type: latency, target: n1, params: {min_ms: 20, max_ms: 40}}
  - {type: network_partition, target: random}
END

final() { db six "SELECT count(*) FROM trials WHERE status IN ('completed', 'failed', 'void')"; }
phases_seen() { (($(grep -c '"event":"phase"' "$work/six.out") >= $1)); }

# Kills each run within its second trial, so that six runs cannot complete all twelve trials.
begin=$(date +%s)
for kill in 1 2 3 4 5 6; do
	resume=(--resume)
	((kill > 1)) || resume=()
	start six "${resume[@]}"
	wait_for 20 phases_seen $((5 + kill)) || not_ok "kill $kill: the campaign goes on" "$(cat "$work/six.err" "$work/six.out")"
	kill -KILL $coordinator 2>/dev/null
	end_of $coordinator
	check_eq "kill $kill: the coordinator is dead" "$status" 137
done
check_number "six kills: some trials are final, some are not" "3 <= $(final) && $(final) < 12"
start six --resume
end_of $coordinator
check_eq "six kills: the campaign ends" "$status" 0
check_eq "six kills: every trial is completed" "$(db six 'SELECT group_concat(DISTINCT status), count(*) FROM trials')" "completed|12"
check_eq "six kills: each exactly once" "$(db six "SELECT count(*), count(DISTINCT trial_id) FROM attempts WHERE status = 'completed'")" "12|12"
check_eq "six kills: the rest was interrupted" "$(db six "SELECT count(*) <= 6 FROM attempts WHERE status != 'completed'")" 1
check_eq "six kills: attempts are numbered" "$(db six "SELECT count(*) FROM trials WHERE attempt != (SELECT count(*) FROM
	attempts WHERE attempts.trial_id = trials.id)")" 0
check_eq "six kills: one campaign, one seed" "$(db six 'SELECT count(*), count(DISTINCT seed) FROM campaigns')" "1|1"
check_eq "six kills: no sample counts twice" "$(db six "SELECT count(*) FROM (SELECT 1 FROM samples GROUP BY trial_id,
	attempt, probe, scheduled_ns HAVING count(*) > 1)")" 0
check "six kills: nothing is left" wait_for 3 nothing_left_in n1
diag "six kills and the rest took $(($(date +%s) - begin)) s"

# --- Signals under chaos --------------------------------------------------------------------------------------

cat >"$work/stop.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: 0.2, duration_seconds: 30, recovery_seconds: 10}
subjects:
  - name: pair
    reset: "true"
$pair
chaos_types:
  - {type: network_partition, target: n1}
END

watch_start stop
start stop
wait_for 10 grep -q first_effect "$work/stop.out"
watch_mark stop
kill -INT $coordinator
wait_for 5 is_normal_after stop
check_number "interrupt: inert at once" "$(normal_after stop) <= 150 * ${EVAL_TIME_FACTOR:-1}"
kill -INT $coordinator
end_of $coordinator
check_eq "interrupt: exit status" "$status" 130
check_eq "interrupt: recorded, with what the chaos did" "$(db stop "SELECT status, chaos_reverted_at NOTNULL,
	json_extract(evidence, '\$.hit') > 0 FROM trials")" "interrupted|1|1"
check_match "interrupt: says how to go on" "$(cat "$work/stop.err")" "eval run campaign .* --resume="
check "interrupt: nothing is left" nothing_left_in n1

# A stopped worker's fault ends, because its lease is not renewed.
start stop --fresh
wait_for 10 grep -q first_effect "$work/stop.out"
read -ra children <"/proc/$coordinator/task/$coordinator/children"
for worker in "${children[@]}"; do
	[[ $(cat "/proc/$worker/comm") == eval-trial ]] && break
done
watch_mark stop
kill -STOP "$worker"
wait_for 5 is_normal_after stop
check_number "a stopped worker lets go within its lease" "$(normal_after stop) <= 2000 + 300 * ${EVAL_TIME_FACTOR:-1}"
watch_end stop
kill -CONT "$worker"
kill -TERM $coordinator
end_of $coordinator
check_eq "terminate: exit status" "$status" 130

# After Ctrl+Z the stopped coordinator records nothing, but its worker ends the chaos at its time.
sed 's/duration_seconds: 30/duration_seconds: 2/; s/name: pair/name: paused/' "$work/stop.yaml" >"$work/paused.yaml"
watch_start paused
# set -m gives the campaign its own process group: a terminal signals the whole group, including workers.
set -m
start paused
set +m
wait_for 10 grep -q first_effect "$work/paused.out"
kill -TSTP -- -"$coordinator"
watch_mark paused
check "Ctrl+Z: it stops" wait_for 2 grep -q '^State:.*stopped' "/proc/$coordinator/status"
wait_for 5 is_normal_after paused
check_number "Ctrl+Z: the chaos ends at its time" "$(normal_after paused) <= 2000 + 300 * ${EVAL_TIME_FACTOR:-1}"
watch_end paused
kill -CONT -- -"$coordinator"
end_of $coordinator
check_eq "Ctrl+Z, fg: it goes on to its end" "$status, $(db paused 'SELECT status, verdict FROM trials')" "0, completed|pass"

done_testing

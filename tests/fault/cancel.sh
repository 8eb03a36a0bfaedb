#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# alone: it checks that faults end within 50 ms
# time limit: 150 s
# not in guests: it tests the coordinator; kill.sh covers its faults on other kernels
# Stops campaigns with four concurrent trials, in each phase and in the cooldown: by SIGINT, SIGTERM or SIGHUP, by two signals,
# by closing the terminal. Faults are inert within 50 ms, none becomes live later, children end, and the rows are right.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
members=()
for i in 0 1 2 3; do
	members+=("a$i=10.99.0.1$i/24" "b$i=10.99.0.2$i/24")
done
make_switch sw "${members[@]}" || exit 1
prefix=/run/netns/et$test_id
mkdir "$work/pids"

# campaign PHASE: writes eight trials, of which the first four stay in PHASE, or in the next phase if PHASE cannot be held.
campaign() {
	local warmup=0.5 hold=0.5 stay=$1
	[[ $1 != warmup ]] || warmup=60
	[[ $1 != hold && $1 != inject ]] || hold=60
	[[ $1 != revert ]] || stay=recover
	cat >"$work/cancel.yaml" <<END
trials_per_combination: 4
parallel: 4
defaults: {warmup_seconds: $warmup, duration_seconds: $hold, recovery_seconds: 60, retries: 0}
subjects:
  - name: pair
    instances: 4
    reset: "test \$EVAL_PHASE != $stay || test -e $work/go || { sleep 300 & touch $work/pids/\$! $work/pids/\$\$; wait; }"
    ready: {exec: "test \$EVAL_PHASE != $stay || test -e $work/go || { sleep 300 & touch $work/pids/\$! $work/pids/\$\$; wait; }", timeout_seconds: 60}
    nodes:
      - {name: a, address: "10.99.0.1{instance}", netns: "et$test_id-a{instance}"}
      - {name: b, address: "10.99.0.2{instance}", netns: "et$test_id-b{instance}"}
    workload: "setsid sleep 300 & touch $work/pids/\$! $work/pids/\$\$; exec nsenter --net=$prefix-a\$EVAL_INSTANCE ping -q -i 0.05 10.99.0.2\$EVAL_INSTANCE"
    probes: [{name: ping, exec: "nsenter --net=$prefix-a\$EVAL_INSTANCE ping -c 1 -W 1 -q 10.99.0.2\$EVAL_INSTANCE", every_ms: 100, timeout_ms: 1000}]
chaos_types:
  - {type: network_partition, target: a}
  - {type: latency, target: a, params: {min_ms: 300, max_ms: 300}}
END
	rm -rf "$work"/pids/* "$work/go" "$work"/cancel.db*
}

db() { sqlite3 -cmd '.timeout 5000' "$work/cancel.db" "$1"; }
start() {
	rm -f "$work/out"
	"$eval_bin" run campaign "$work/cancel.yaml" --db "$work/cancel.db" --json "$@" >"$work/out" 2>"$work/err" </dev/null &
	coordinator=$!
	test_pids+=("$coordinator")
}
end_of() { status=0; wait "$1" 2>/dev/null || status=$?; }
# all_in PHASE: true if all four trials are in PHASE; for short phases, if the first one is.
all_in() {
	local wanted=4
	[[ ! $1 =~ ^(inject|revert|check)$ ]] || wanted=1
	(($(grep -c "\"event\":\"phase\".*\"phase\":\"$1\"" "$work/out") >= wanted)) && { [[ $1 != hold ]] || all_bite; }
}
all_bite() { (($(grep -c first_effect "$work/out") >= 4)); }
family() { cat "/proc/$coordinator/task/$coordinator/children"; }
all_over() {
	local pid
	for pid in $family $(ls "$work/pids"); do
		is_over "$pid" || return 1
	done
}

# Pings all pairs, to see when the last fault ended.
watch_pairs() {
	watchers=()
	for i in 0 1 2 3; do
		nsenter --net="$prefix-a$i" ping -n -D -O -i 0.005 -W 1 "10.99.0.2$i" >"$work/watch$i" 2>&1 &
		watchers+=("$!")
	done
}
end_watch() {
	end_pids "${watchers[@]}"
}
# normal_after_all SINCE: milliseconds until no ping is lost or delayed any more: the send time of the first ping after the last
# such ping, in the slowest pair; of pings that were sent since then, because those before come late, and all at once when the
# line ends. Prints nothing if a pair has no normal ping.
normal_after_all() {
	for i in 0 1 2 3; do
		sed -n 's/^\[\([0-9.]*\)\].* icmp_seq=\([0-9]*\) .* time=\([0-9.]*\) ms.*/\1 \2 \3/p' "$work/watch$i" | awk -v since="$1" '
			{ sent = $1 - $3 / 1000 }
			sent <= since || $3 >= 50 { next }
			{ at[$2] = sent; if (!first || $2 < first) first = $2; if ($2 > last) last = $2 }
			END {
				if (!first) exit
				until = at[first]
				for (seq = first; seq <= last; seq++)
					if (!(seq in at)) missing = 1
					else if (missing) { until = at[seq]; missing = 0 }
				printf "%.1f\n", (until - since) * 1000
			}'
	done | sort -g | sed -n 4p
}
is_normal() { [[ -n $(normal_after_all "$1") ]]; }
# tries SINCE MILLISECONDS: the largest number of pings that a pair sent in that time; at most one per 5 ms. A busy host sends
# fewer, and then, to catch up, many at once.
tries() {
	for i in 0 1 2 3; do
		sed -n 's/^\[\([0-9.]*\)\].* icmp_seq=\([0-9]*\).*/\1 \2/p' "$work/watch$i" | awk -v since="$1" -v ms="$2" '
			$1 <= since { first = $2 }
			$1 <= since + ms / 1000 { last = $2 }
			END { n = last - first; most = ms / 5; print (n > most ? most : n) }'
	done | sort -g | tail -n 1
}

# --- In each phase --------------------------------------------------------------------------------------------

signals=(INT TERM HUP)
rounds=0
for phase in reset ready warmup inject hold revert recover check; do
	signal=${signals[rounds++ % 3]}
	name="$signal in $phase"
	campaign $phase
	start
	check "$name: trials are there" wait_for 20 all_in $phase
	family=$(family)
	began=$(now_ms)
	kill -"$signal" "$coordinator"
	end_of "$coordinator"
	check_eq "$name: exit status" "$status" 130
	check_number "$name: the end takes $(($(now_ms) - began)) ms" "$(($(now_ms) - began)) <= 3000 * ${EVAL_TIME_FACTOR:-1}"
	check "$name: children and theirs are gone" wait_for 3 all_over
	rows=$(db "SELECT group_concat(n || ' ' || status, ', ') FROM (SELECT count(*) n, status FROM trials GROUP BY status)")
	attempts=$(db "SELECT count(*), group_concat(DISTINCT status), (SELECT status || exit_code FROM campaigns) FROM attempts")
	if [[ $phase == check ]]; then
		# Some trials may have ended, and others started, before the signal.
		check_match "$name: rows" "$rows" "^([1-4] completed, )?[1-4] interrupted(, [1-4] planned)?$"
		check_match "$name: attempts and campaign" "$attempts" "^[4-8]\|(completed,)?interrupted(,completed)?\|interrupted130$"
	else
		check_eq "$name: rows" "$rows" "4 interrupted, 4 planned"
		check_eq "$name: attempts and campaign" "$attempts" "4|interrupted|interrupted130"
	fi
	check_match "$name: prints what resumes" "$(cat "$work/err")" "eval run campaign $work/cancel.yaml --resume=campaign-"
	check "$name: no fault is left" wait_for 3 nothing_live
done
touch "$work/go"
start --resume
end_of "$coordinator"
check_eq "resumed: all are completed, each once" "$status $(db "SELECT count(*), count(DISTINCT trial_id) FROM attempts WHERE
	status = 'completed'")" "0 8|8"
((!status)) || diag "$(db "SELECT id, status, verdict, error_stage, error_text FROM trials WHERE status != 'completed' OR verdict != 'pass'")"

# --- Faults are inert at once ---------------------------------------------------------------------------------

# A fault that is being attached when the signal arrives must not become live.
for phase in inject hold; do
	delays=() recorded=() late=() late_record=()
	campaign $phase
	for round in 1 2 3; do
		start --fresh
		watch_pairs
		wait_for 20 all_in $phase || not_ok "inert at once: round $round gets to $phase" "$(cat "$work/out" "$work/err")"
		since=$EPOCHREALTIME
		kill -INT "$coordinator"
		((round == 1)) || kill -INT "$coordinator"
		end_of "$coordinator"
		# Wait for a normal ping from now, so that all earlier pings are in the log.
		wait_for 5 is_normal "$EPOCHREALTIME"
		end_watch
		delay=$(normal_after_all "$since")
		delays+=("${delay:-9999}")
		late+=("$(tries "$since" "${delay:-9999}")")
		stopped=$(db "SELECT round((julianday(max(chaos_reverted_at)) - 2440587.5) * 86400000 - $since * 1000, 1) FROM trials
			WHERE campaign_id = (SELECT max(id) FROM campaigns)")
		recorded+=("${stopped:-never live}")
		[[ -z $stopped ]] || late_record+=("$(tries "$since" "$stopped")")
		check_eq "inert at once: round $round in $phase: exit status" "$status" 130
	done
	diag "signal in $phase: all four pairs are normal after ${delays[*]} ms; stopped by the records after ${recorded[*]} ms"
	diag "pings that were sent until then: ${late[*]}, ${late_record[*]:-never live}"
	mapfile -t late < <(printf '%s\n' "${late[@]}" | sort -n)
	# Tolerates one slow round of the three, as the host may be busy.
	check_number "inert within 50 ms, or 10 pings of 5 ms, of the signal in $phase" "${late[1]} <= 10 && ${late[2]} <= 40"
	check_number "… and stopped by the records" "$(printf '%s\n' "${late_record[@]:-0}" | sort -n | tail -n 1) <= 10"
done

# --- A terminal that closes -----------------------------------------------------------------------------------

# Nobody types: a pipe that is open for writing, too.
mkfifo "$work/typed"
exec {typed_fd}<>"$work/typed"
start_on_terminal() {
	rm -f "$work/coordinator"
	script -qc "echo \$\$ >$work/coordinator; exec $eval_bin run campaign $work/cancel.yaml --db $work/cancel.db --fresh" \
		"$work/screen" <&"$typed_fd" >/dev/null 2>&1 &
	test_pids+=("$!")
	wait_for 5 test -s "$work/coordinator"
	coordinator=$(cat "$work/coordinator")
}
# Looks at the running campaign only: the previous one has reached hold, too, and is the newest until this one is recorded.
in_hold() { [[ $(db "SELECT count(*) FROM events WHERE phase = 'hold' AND campaign_id = (SELECT id FROM campaigns WHERE status = 'running')") -ge 4 ]]; }
sleep 1.1 # for a new id, which has the start in seconds
start_on_terminal
check "a closed terminal: four trials hold" wait_for 20 in_hold
family=$(family)
kill -KILL "$(awk '{ print $4 }' "/proc/$coordinator/stat")"
check "a closed terminal: the campaign ends" wait_for 5 is_over "$coordinator"
check "a closed terminal: children and theirs are gone" wait_for 3 all_over
check_eq "a closed terminal: rows" "$(db "SELECT group_concat(DISTINCT status) FROM trials WHERE attempt > 0 AND
	campaign_id = (SELECT max(id) FROM campaigns)")" interrupted
check "a closed terminal: no fault is left" wait_for 3 nothing_live

# --- Cooldown -------------------------------------------------------------------------------------------------

campaign none
sed -i -e 's/^parallel: 4/parallel: 1\ncooldown_seconds: 60/' "$work/cancel.yaml"
start
first_done() { grep -q trial_end "$work/out"; }
check "in the cooldown: the first trial ends" wait_for 20 first_done
began=$(now_ms)
kill -TERM "$coordinator"
end_of "$coordinator"
check_eq "in the cooldown: exit status" "$status" 130
check_number "in the cooldown: ends at once" "$(now_ms) - $began <= 1000 * ${EVAL_TIME_FACTOR:-1}"
check_eq "in the cooldown: rows" "$(db "SELECT group_concat(n || ' ' || status, ', ') FROM
	(SELECT count(*) n, status FROM trials GROUP BY status)")" "1 completed, 7 planned"

done_testing

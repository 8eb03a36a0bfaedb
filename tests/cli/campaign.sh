#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 180 s
# eval run and eval cleanup without chaos: phases, failures, order, options, signals, resume.
# shellcheck disable=SC2016 # the commands' own variables
source "$(dirname "$0")/../lib/lib.sh"
need_root
unset EVAL_DB
eval_bin=${EVAL_UNDER_TEST:-$eval_bin}

# campaign NAME [REPETITIONS]: writes $work/NAME.yaml: baseline trials, by default without durations, of the subjects in
# $work/in.yaml.
campaign() {
	{
		echo "trials_per_combination: ${2:-1}"
		echo "include_baseline: true"
		echo "chaos_types: []"
		grep -q '^defaults:' "$work/in.yaml" || echo "defaults: {warmup_seconds: 0, duration_seconds: 0, recovery_seconds: 1}"
		cat "$work/in.yaml"
	} >"$work/$1.yaml"
}

# write NAME REPETITIONS <SUBJECTS: the same, with the subjects from standard input.
write() {
	local name=$1 repetitions=$2
	shift 2
	cat >"$work/in.yaml"
	campaign "$name" "$repetitions"
}

# run NAME [OPTION…]: runs NAME.yaml; output in $out, exit status in $status.
run() {
	local name=$1
	shift
	status=0
	out=$("$eval_bin" run campaign "$work/$name.yaml" --db "$work/$name.db" "$@" 2>&1 </dev/null) || status=$?
}

# start NAME [OPTION…]: runs NAME.yaml in the background; pid in $spawned, output in $work/NAME.out.
start() {
	local name=$1
	shift
	rm -f "$work/$name.out"
	"$eval_bin" run campaign "$work/$name.yaml" --db "$work/$name.db" "$@" >"$work/$name.out" 2>&1 </dev/null &
	spawned=$!
	test_pids+=("$spawned")
}

sql() { sqlite3 -cmd '.timeout 5000' "$work/$1.db" "$2"; }
trials() { sql "$1" "SELECT group_concat(status || '/' || verdict, ' ') FROM trials"; }
sql_is() { [[ $(sql "$1" "$2") == "$3" ]]; }
in_phase() { sql_is "$1" "SELECT count(*) > 0 FROM events WHERE phase = '$2'" 1; }
end_of() { status=0; wait "$1" || status=$?; }

# A random network, because concurrent campaigns with the same settings exclude each other.
net=10.$((RANDOM % 200 + 20)).$((RANDOM % 250))
nodes="nodes: [{name: n1, address: $net.1}]"

# --- A trial's phases -----------------------------------------------------------------------------------------

write plain 2 <<END
subjects:
  - {name: one, reset: "env", ready: "true", cleanup: "echo \$EVAL_INSTANCE >>$work/cleaned", workload: "true", $nodes}
END
run plain
check_eq "plain: exit status" "$status" 0
check_eq "plain: rows" "$(trials plain)" "completed/pass completed/pass"
check_match "plain: table" "$out" "trial-one-baseline-1 +completed +pass"
check_eq "plain: phases" "$(sql plain "SELECT group_concat(phase, ' ') FROM events WHERE kind = 'phase' AND
	trial_id = 'trial-one-baseline-1'")" "reset ready warmup hold recover check"
check_eq "plain: commands" "$(sql plain "SELECT group_concat(json_extract(value, '\$.name') ||
	coalesce(json_extract(value, '\$.exit_code'), 0), ' ') FROM trials, json_each(commands_json) WHERE trials.id = 'trial-one-baseline-1'")" \
	"reset0 ready0 ready0 workload0"
environment=$(sql plain "SELECT json_extract(commands_json, '\$[0].output') FROM trials LIMIT 1")
for wanted in EVAL_INSTANCE=0 EVAL_CAMPAIGN=campaign- EVAL_TRIAL=trial-one-baseline-1 EVAL_SUBJECT=one EVAL_PHASE=reset; do
	check_match "plain: environment has $wanted" "$environment" "$wanted"
done
check_eq "plain: cleanup ran once" "$(cat "$work/cleaned")" 0
check_eq "plain: times in order" "$(sql plain "SELECT count(*) FROM trials WHERE started_at_monotonic_ns <=
	healthy_at_monotonic_ns AND healthy_at_monotonic_ns <= recovered_at_monotonic_ns AND
	recovered_at_monotonic_ns <= ended_at_monotonic_ns AND started_at <= ended_at AND chaos_injected_at IS NULL")" 2
check_eq "plain: campaign" "$(sql plain 'SELECT status, exit_code, ended_at NOTNULL FROM campaigns')" "completed|0|1"
check_eq "plain: database is private" "$(stat -c %a "$work/plain.db")" 600
run plain --quiet
check_eq "again: a finished campaign is no obstacle" "$status" 0
check_eq "again: quiet prints the table alone" "$(head -n 2 <<<"$out" | tail -n 1 | cut -c 1-5)" "trial"

write fails 1 <<END
subjects:
  - {name: bad, reset: "echo out of luck; exit 3", ready: "true", $nodes}
  - {name: never, reset: "true", ready: {exec: "echo not yet; false", timeout_seconds: 0.3}, $nodes}
  - {name: crash, reset: "kill -SEGV \$PPID; sleep 5", $nodes}
  - {name: load, reset: "true", workload: "echo no load >&2; exit 7", $nodes}
  - {name: good, reset: "true", $nodes}
defaults: {warmup_seconds: 2, duration_seconds: 0, recovery_seconds: 1}
END
run fails
check_eq "failures: exit status" "$status" 1
check_eq "failures: the campaign goes on" "$(sql fails "SELECT group_concat(subject || ' ' || status || ' ' ||
	coalesce(error_stage, '-'), ', ') FROM trials")" \
	"bad failed reset, never failed ready, crash failed reset, load failed warmup, good completed -"
check_match "failures: reset's words" "$(sql fails "SELECT error_text FROM trials WHERE subject = 'bad'")" \
	"reset failed: exit 3: out of luck"
check_eq "failures: reset was retried once" "$(sql fails "SELECT count(*) FROM trials, json_each(commands_json)
	WHERE subject = 'bad'")" 2
check_match "failures: ready's words" "$(sql fails "SELECT error_text FROM trials WHERE subject = 'never'")" \
	"not ready in time, after [0-9]+ tries: exit 1: not yet"
check_match "failures: the crash's signal" "$(sql fails "SELECT error_text FROM trials WHERE subject = 'crash'")" \
	"signal 11"
check_match "failures: the workload's words" "$(sql fails "SELECT error_text FROM trials WHERE subject = 'load'")" \
	"exit 7: no load"
check_eq "failures: each attempt has its row" "$(sql fails "SELECT count(*) FROM attempts JOIN trials ON
	attempts.trial_id = trials.id AND attempts.status = trials.status AND attempts.attempt = 1")" 5

write verdicts 1 <<END
defaults: {warmup_seconds: 0.3, duration_seconds: 0.5, recovery_seconds: 0.5}
subjects:
  - {name: down, reset: "true", ready: "test ! -e $work/down", workload: "touch $work/down", $nodes}
  - {name: dark, reset: "true", $nodes, probes: [{name: p, exec: "echo cannot; false", every_ms: 100, timeout_ms: 5000}],
     expect: {availability_min: 0.9}}
  - {name: slow, reset: "true", $nodes, probes: [{name: p, exec: "sleep 30", every_ms: 100, timeout_ms: 300}]}
  - {name: fine, reset: "true", $nodes, probes: [{name: p, exec: "true", every_ms: 50, timeout_ms: 1000}],
     expect: {p50_ms_max: 900}}
END
run verdicts
check_eq "verdicts: exit status" "$status" 1
check_eq "verdicts: rows" "$(trials verdicts)" "completed/fail completed/fail completed/fail completed/pass"
check_eq "verdicts: did not recover" "$(sql verdicts "SELECT recovered_at ISNULL FROM trials WHERE subject = 'down'")" 1
check_eq "verdicts: expectation missed" "$(sql verdicts "SELECT json_extract(expectations, '\$[0].name'),
	json_extract(expectations, '\$[0].measured'), json_extract(expectations, '\$[0].verdict') FROM trials
	WHERE subject = 'dark'")" "availability_min|0.0|fail"
check_eq "verdicts: samples tell why" "$(sql verdicts "SELECT DISTINCT ok, error FROM samples WHERE trial_id LIKE
	'trial-dark-%'")" "0|exit 1: cannot"
check_match "verdicts: samples time out" "$(sql verdicts "SELECT DISTINCT ok, substr(error, 1, 9) FROM samples WHERE
	trial_id LIKE 'trial-slow-%'")" "^0.timed out$"
check_number "verdicts: slow samples do not hold back others" "$(sql verdicts "SELECT count(*) FROM samples WHERE
	trial_id LIKE 'trial-slow-%'") >= 8"
check_eq "verdicts: samples on schedule" "$(sql verdicts "SELECT DISTINCT (scheduled_ns - lag) / 1000000 FROM (SELECT
	scheduled_ns, lag(scheduled_ns) OVER (ORDER BY scheduled_ns) AS lag FROM samples WHERE
	trial_id LIKE 'trial-fine-%') WHERE lag NOTNULL")" 50

# --- Processes that commands leave, and their output ----------------------------------------------------------

write leaves 1 <<END
defaults: {warmup_seconds: 0.3, duration_seconds: 1, recovery_seconds: 1}
subjects:
  - name: daemons
    reset: "sleep 300 & echo \$! >$work/daemon; (for i in 1 2 3 4 5; do sleep 0.1; echo tick; done; touch $work/lives) & true"
    workload: "setsid sleep 300 & echo \$! >$work/load; sleep 300"
    $nodes
  - {name: chatty, reset: "head -c 300000 /dev/zero | tr '\\\\0' x; printf '\\\\377\\\\001end'", $nodes}
END
on_cleanup sh -c "kill \$(cat $work/daemon)"
began=$(now_ms)
run leaves
check_eq "leftovers: exit status" "$status" 0
((!status)) || diag "$out"
check_number "leftovers: a daemon that holds the output does not block" "$(now_ms) - $began < 8000"
check "leftovers: what reset started lives on" is_running "$(cat "$work/daemon")"
check "leftovers: its output is read" wait_for 5 test -e "$work/lives"
check_eq "leftovers: it holds nothing of ours" \
	"$(find "/proc/$(cat "$work/daemon")/fd" -lname '*eval*' -o -lname '*.db*' -o -lname '*socket*')" ""
check "leftovers: what the workload started is dead" is_over "$(cat "$work/load")"
length=$(sql leaves "SELECT length(json_extract(commands_json, '\$[0].output')) FROM trials WHERE subject = 'chatty'")
check_number "output: bounded" "65000 < $length && $length < 66000"
check_match "output: its end is kept" "$(sql leaves "SELECT substr(json_extract(commands_json, '\$[0].output'), -5)
	FROM trials WHERE subject = 'chatty'")" "end$"

# Without cgroup v2: in mount namespaces where it is unmounted, or mounted read-only.
cat >"$work/no.sh" <<'END'
for mount in $(awk '$3 == "cgroup2" { print $2 }' /proc/mounts); do umount -l "$mount" || exit 9; done
exec "$@"
END
cat >"$work/read-only.sh" <<'END'
for mount in $(awk '$3 == "cgroup2" { print $2 }' /proc/mounts); do mount -o remount,bind,ro "$mount" || exit 9; done
exec "$@"
END
cat >"$work/in.yaml" <<END
defaults: {warmup_seconds: 0.3, duration_seconds: 0, recovery_seconds: 1}
subjects:
  - name: daemons
    reset: "true"
    workload: "setsid sleep 300 & echo \$! >$work/bare; sleep 300"
    $nodes
END
campaign bare
sed 's/duration_seconds: 0,/duration_seconds: 30,/' "$work/bare.yaml" >"$work/crash.yaml"
for how in no read-only; do
	rm -f "$work/bare"
	check "$how cgroup v2: the campaign runs" \
		unshare -m sh "$work/$how.sh" "$eval_bin" run campaign "$work/bare.yaml" --db "$work/bare-$how.db"
	check "$how cgroup v2: what the workload started is dead" wait_for 3 is_over "$(cat "$work/bare")"
	rm -f "$work/bare"
	unshare -m sh "$work/$how.sh" "$eval_bin" run campaign "$work/crash.yaml" --db "$work/crash-$how.db" >/dev/null 2>&1 &
	bare=$!
	wait_for 10 test -s "$work/bare"
	kill -KILL $bare
	wait $bare 2>/dev/null
	check "$how cgroup v2: after a crash, too" wait_for 3 is_over "$(cat "$work/bare")"
done

# --- Order ----------------------------------------------------------------------------------------------------

write lanes 3 <<END
defaults: {warmup_seconds: 0.2, duration_seconds: 0.2, recovery_seconds: 1}
subjects:
  - {name: two, instances: 2, reset: "true", cleanup: "echo \$EVAL_INSTANCE >>$work/instances", nodes: [{name: n1, address: "$net.{instance}"}]}
  - {name: single, reset: "true", $nodes}
END
run lanes --parallel 4
check_eq "lanes: exit status" "$status" 0
check_eq "lanes: one trial at a time on each instance" "$(sql lanes "SELECT count(*) FROM trials a JOIN trials b ON
	a.id < b.id AND a.subject = b.subject AND a.instance = b.instance AND
	a.started_at_monotonic_ns < b.ended_at_monotonic_ns AND b.started_at_monotonic_ns < a.ended_at_monotonic_ns")" 0
check_eq "lanes: both instances at once" "$(sql lanes "SELECT count(*) > 0 FROM trials a JOIN trials b ON
	a.subject = 'two' AND b.subject = 'two' AND a.instance = 0 AND b.instance = 1 AND
	a.started_at_monotonic_ns < b.ended_at_monotonic_ns AND b.started_at_monotonic_ns < a.ended_at_monotonic_ns")" 1
check_eq "lanes: cleanup of each instance" "$(sort "$work/instances" | tr '\n' ' ')" "0 1 "

write pause 2 <<END
cooldown_seconds: 0.7
subjects: [{name: one, reset: "true", $nodes}]
END
run pause
check_number "cooldown: between trials" "$(sql pause "SELECT max(started_at_monotonic_ns) - min(ended_at_monotonic_ns)
	FROM trials") >= 700000000"

# --- Options --------------------------------------------------------------------------------------------------

write options 4 <<END
subjects: [{name: one, reset: "true", $nodes}]
END
cp "$eval_bin" "$work/eval" && chmod 755 "$work" "$work/eval" && chmod 644 "$work/options.yaml"
check_fails "without root" 3 setpriv --reuid 65534 --clear-groups "$work/eval" run campaign "$work/options.yaml" --db "$work/none.db"
check_match "without root: says so" "$output" "root"
check_fails "database not writable" 3 "$eval_bin" run campaign "$work/options.yaml" --db /proc/eval.db
check_fails "no such file" 2 "$eval_bin" run campaign "$work/nothing.yaml"
check_fails "no file" 2 "$eval_bin" run campaign
check_fails "run what" 2 "$eval_bin" run plan "$work/options.yaml"
check_fails "parallel 0" 2 "$eval_bin" run campaign "$work/options.yaml" --parallel 0
check_fails "fresh and resume" 2 "$eval_bin" run campaign "$work/options.yaml" --fresh --resume
check_fails "only: no such trial" 2 "$eval_bin" run campaign "$work/options.yaml" --db "$work/none.db" --only 'trial-two-*'
check_fails "nothing to resume" 2 "$eval_bin" run campaign "$work/options.yaml" --db "$work/none.db" --resume
check_fails "nothing to run again" 2 "$eval_bin" run campaign "$work/options.yaml" --db "$work/none.db" --retry-failed
check_fails "what is refused leaves no database" 1 test -e "$work/none.db"
run options --only '*-[12]' --json
check_eq "only: exit status" "$status" 0
check_eq "only: the others stay planned" "$(trials options)" "completed/pass completed/pass planned/none planned/none"
check_eq "json: every line parses" "$(grep -v '^eval: ' <<<"$out" | jq -r .event | sort | uniq -c | tr -s ' \n' ' ')" \
	" 1 campaign_end 1 campaign_start 2 command 12 phase 2 trial_end 2 trial_start "
check_match "only: says how to run the others" "$out" "2 trials are left.*--resume=campaign-[^ ]* --db $work/options.db$"
check_eq "only: the campaign is not completed" "$(sql options 'SELECT status, exit_code FROM campaigns')" "interrupted|0"
started=$(sql options 'SELECT started_at FROM campaigns')
run options
check_eq "unfinished: refused" "$status" 2
check_match "unfinished: says how to go on" "$out" "unfinished .*--resume.*--fresh"
run options --resume
check_eq "resume: exit status" "$status" 0
check_eq "resume: runs the rest" "$(trials options)" "completed/pass completed/pass completed/pass completed/pass"
check_eq "resume: it started when it started first" "$(sql options "SELECT started_at, status, (SELECT count(*) FROM events
	WHERE kind IN ('started', 'resumed')) FROM campaigns")" "$started|completed|2"
check_eq "resume: each once" "$(sql options 'SELECT count(*), max(attempt) FROM attempts')" "4|1"

# typed ANSWER [OPTION…]: runs asked.yaml on a terminal, with the screen in $out. Keys come from a FIFO that stays open, because
# script(1) would end the terminal at the end of its input.
mkfifo "$work/keys"
exec {keys}<>"$work/keys"
typed() {
	status=0
	printf '%s\n' "$1" >&"$keys"
	shift
	out=$(timeout 60 script -qec "$eval_bin run campaign $work/asked.yaml --db $work/asked.db $*" /dev/null <&"$keys") || status=$?
}
write asked 3 <<END
subjects: [{name: one, reset: "true", $nodes}]
END
run asked --only '*-1'
typed ''
check_eq "on a terminal: quits by default" "$status $(sql asked 'SELECT count(*) FROM campaigns')" "2 1"
check_match "on a terminal: asks" "$out" "unfinished \(.*Go on with it \(y\), start anew \(fresh\), or quit \(N\)\?"
typed what
check_eq "on a terminal: quits where it does not understand" "$status $(sql asked 'SELECT count(*) FROM campaigns')" "2 1"
typed y --only "'*-2'"
check_eq "on a terminal: yes goes on" "$status $(trials asked)" "0 completed/pass completed/pass planned/none"
typed fresh --only "'*-1'"
check_eq "on a terminal: fresh is a campaign of its own" "$status $(sql asked 'SELECT count(*) FROM campaigns')" "0 2"
exec {keys}>&-

write flaky 3 <<END
subjects: [{name: one, reset: "test -e $work/mended || test \$EVAL_TRIAL != trial-one-baseline-2", $nodes}]
END
run flaky
check_eq "retry: first" "$status $(trials flaky)" "1 completed/pass failed/none completed/pass"
touch "$work/mended"
run flaky --retry-failed
check_eq "retry: again" "$status $(trials flaky)" "0 completed/pass completed/pass completed/pass"
check_eq "retry: only what failed, both attempts kept" \
	"$(sql flaky "SELECT group_concat(trial_id || attempt || status, ' ') FROM (SELECT * FROM attempts ORDER BY trial_id, attempt)")" \
	"trial-one-baseline-11completed trial-one-baseline-21failed trial-one-baseline-22completed trial-one-baseline-31completed"
check_eq "retry: events tell the attempt" "$(sql flaky "SELECT group_concat(DISTINCT attempt) FROM events WHERE
	trial_id = 'trial-one-baseline-2' AND kind = 'phase'")" "1,2"
check_eq "retry: the error is forgotten" "$(sql flaky 'SELECT count(*) FROM trials WHERE error_text NOTNULL')" 0

# --- Signals --------------------------------------------------------------------------------------------------

write stop 3 <<END
defaults: {warmup_seconds: 0, duration_seconds: 0.3, recovery_seconds: 1}
subjects:
  - name: one
    reset: "test \$EVAL_TRIAL != trial-one-baseline-2 || test -e $work/go || exec sleep 300"
    cleanup: touch $work/stop-cleaned
    workload: "echo \$\$ >$work/stop-load; exec sleep 300"
    $nodes
END
SUDO_UID=1000 start stop --only '*-[123]' --parallel 1
check "stop: one trial ends" wait_for 10 sql_is stop "SELECT status FROM trials WHERE id = 'trial-one-baseline-1'" completed
check "stop: the second runs" wait_for 10 sql_is stop "SELECT status FROM trials WHERE id = 'trial-one-baseline-2'" running
check_fails "stop: one run at a time" 2 "$eval_bin" run campaign "$work/stop.yaml" --db "$work/stop.db" --fresh
check_match "stop: names the other" "$output" "already running .*$spawned"
kill -INT "$spawned"
kill -INT "$spawned"
end_of "$spawned"
check_eq "stop: exit status" "$status" 130
check_match "stop: prints what resumes" "$(cat "$work/stop.out")" \
	"sudo /[^ ]*eval run campaign $work/stop.yaml --resume=campaign-[^ ]* --only '\*-\[123\]' --parallel 1 --db $work/stop.db"
check_eq "stop: rows" "$(trials stop)" "completed/pass interrupted/none planned/none"
check_eq "stop: campaign" "$(sql stop 'SELECT status, exit_code FROM campaigns')" "interrupted|130"
check_fails "stop: no cleanup" 1 test -e "$work/stop-cleaned"
sed -i.bak 's/duration_seconds: 0.3/duration_seconds: 0.4/' "$work/stop.yaml"
run stop --resume
check_eq "changed: refused" "$status" 2
check_match "changed: says what" "$out" "duration_seconds: 0.3.* -> 0.4"
mv "$work/stop.yaml.bak" "$work/stop.yaml"
touch "$work/go"
eval "$(grep -o 'eval run campaign .*' "$work/stop.out" | sed "s|^eval|$eval_bin|")" >"$work/resumed.out" 2>&1
check_eq "stop: the printed command resumes" "$?" 0
check_eq "stop: rows after" "$(trials stop)" "completed/pass completed/pass completed/pass"
check_eq "stop: attempts" "$(sql stop 'SELECT group_concat(attempt) FROM trials')" "1,2,1"
check "stop: cleanup at the end" test -e "$work/stop-cleaned"

write hup 1 <<END
defaults: {warmup_seconds: 0, duration_seconds: 0.5, recovery_seconds: 1}
subjects: [{name: one, reset: "true", $nodes}]
END
(trap '' HUP; exec "$eval_bin" run campaign "$work/hup.yaml" --db "$work/hup.db" >"$work/hup.out" 2>&1) &
hup=$!
wait_for 10 in_phase hup hold || wait_for 1 sql_is hup "SELECT status FROM trials" running
kill -HUP $hup
end_of $hup
check_eq "nohup stays in force" "$status" 0
start stop --fresh
check "hangup: running" wait_for 10 sql_is stop "SELECT count(*) FROM campaigns" 2
kill -HUP "$spawned"
end_of "$spawned"
check_eq "hangup stops" "$status" 130

write dirty 1 <<END
subjects:
  - {name: two, instances: 2, reset: "true", nodes: [{name: n1, address: "$net.{instance}"}],
     cleanup: "test -e $work/calm && exit; echo \$\$ >$work/dirty-cleanup; exec sleep 300"}
  - {name: three, reset: "true", nodes: [{name: n1, address: $net.9}], cleanup: "touch $work/three-cleaned"}
END
start dirty
check "stop in cleanup: gets there" wait_for 10 test -s "$work/dirty-cleanup"
check_eq "stop in cleanup: no transaction is open meanwhile" "$(sqlite3 -cmd '.timeout 0' "$work/dirty.db" 'BEGIN IMMEDIATE; ROLLBACK' 2>&1)" ""
kill -INT "$spawned"
end_of "$spawned"
check_eq "stop in cleanup: exit status" "$status" 130
check_match "stop in cleanup: names the first" "$(cat "$work/dirty.out")" "cleanup of two \(instance 0\) did not run to its end"
check_match "stop in cleanup: names one not begun" "$(cat "$work/dirty.out")" "cleanup of three \(instance 0\) did not run to its end"
check_eq "stop in cleanup: rows" "$(sql dirty 'SELECT status, exit_code FROM campaigns') $(trials dirty)" \
	"interrupted|130 completed/pass completed/pass"
touch "$work/calm"
check "stop in cleanup: the printed command" sh -c "$(grep -o 'eval cleanup .*' "$work/dirty.out" | sed "s|^eval|$eval_bin|")"
check "stop in cleanup: cleans up" test -e "$work/three-cleaned"

# Another program holds a transaction for longer than one try of eval waits.
write busy 2 <<END
subjects: [{name: one, reset: "test -e $work/locked || { touch $work/lock; while ! test -e $work/locked; do sleep 0.05; done; }", $nodes}]
END
start busy
check "locked database: the trial runs" wait_for 10 test -e "$work/lock"
(
	echo 'BEGIN IMMEDIATE;'
	echo ".shell touch $work/locked"
	wait_for 20 grep -q 'retrying for' "$work/busy.out"
	echo 'ROLLBACK;'
) | sqlite3 -cmd '.timeout 5000' "$work/busy.db"
end_of "$spawned"
check_eq "locked database: the campaign waits" "$status $(trials busy)" "0 completed/pass completed/pass"
check_match "locked database: says so" "$(cat "$work/busy.out")" "locked by another process.*retrying for up to 180 s"
check_eq "locked database: nothing is lost" "$(sql busy "SELECT count(*), count(DISTINCT trial_id || phase) FROM events
	WHERE kind = 'phase'")" "12|12"

# After Ctrl+C eval waits only 10 s for a locked database.
write held 1 <<END
subjects: [{name: one, reset: "touch $work/held; sleep 60", $nodes}]
END
start held
check "locked database: another trial runs" wait_for 10 test -e "$work/held"
(
	echo 'BEGIN IMMEDIATE;'
	echo ".shell touch $work/holds"
	wait_for 60 test -e "$work/let-go"
	echo 'ROLLBACK;'
) | sqlite3 -cmd '.timeout 5000' "$work/held.db" &
locker=$!
check "locked database: it is" wait_for 10 test -e "$work/holds"
kill -INT "$spawned"
check "locked database: after Ctrl+C it gives up" wait_for 30 is_over "$spawned"
end_of "$spawned"
touch "$work/let-go"
wait "$locker"
check_match "locked database: after Ctrl+C it says so" "$status $(cat "$work/held.out")" "^3 .*given up after 1[0-9] s.*--resume="

# eval starts with blocked signals, as under some supervisors.
write blocked 1 <<END
subjects: [{name: one, reset: "touch $work/blocked; sleep 60", $nodes}]
END
spawn env --block-signal=INT,TERM,HUP "$eval_bin" run campaign "$work/blocked.yaml" --db "$work/blocked.db"
check "blocked signals: the trial runs" wait_for 10 test -e "$work/blocked"
kill -TERM "$spawned"
check "blocked signals: they are heard" wait_for 10 is_over "$spawned"
end_of "$spawned"
check_eq "blocked signals: exit status and row" "$status $(sql blocked 'SELECT status FROM trials')" "130 interrupted"

# The campaign is recorded as running before its first trial: strace delays the guard's clone by 2 s. With -D the pid is eval's.
write early 1 <<END
subjects: [{name: one, reset: "true", $nodes}]
END
spawn strace -D -qq -o "$work/early.trace" -e trace=clone -e inject=clone:delay_enter=2000000:when=1 \
	"$eval_bin" run campaign "$work/early.yaml" --db "$work/early.db"
is_recorded() { [[ $(sql early 'SELECT status FROM campaigns') == running ]]; }
check "stop before the first trial: the campaign is recorded" wait_for 10 is_recorded
kill -INT "$spawned"
end_of "$spawned"
check_eq "stop before the first trial: exit status and rows" "$status $(sql early 'SELECT status FROM campaigns') $(trials early)" \
	"130 interrupted planned/none"
check_match "stop before the first trial: prints what resumes" "$(cat "$work/spawn.$((${#test_pids[@]} - 1))")" \
	"eval run campaign $work/early.yaml --resume="

write gone 1 <<END
defaults: {warmup_seconds: 0, duration_seconds: 5, recovery_seconds: 1}
subjects:
  - {name: one, reset: "true", $nodes, probes: [{name: p, exec: "true", every_ms: 100, timeout_ms: 1000}],
     workload: "echo \$\$ >$work/gone-load; exec sleep 300"}
END
start gone
wait_for 10 test -s "$work/gone-load"
rm -f "$work/gone.db"
end_of "$spawned"
check_eq "lost database: exit status" "$status" 3
check_match "lost database: says so" "$(cat "$work/gone.out")" "faults are inert: database $work/gone.db is gone"
check "lost database: nothing runs on" is_over "$(cat "$work/gone-load")"

# --- After a crash --------------------------------------------------------------------------------------------

write crash 2 <<END
defaults: {warmup_seconds: 0, duration_seconds: 30, recovery_seconds: 1}
subjects:
  - {name: one, reset: "true", $nodes, cleanup: "touch $work/crash-cleaned",
     workload: "setsid sleep 300 & echo \$! >$work/crash-load; exec sleep 300"}
END
start crash
wait_for 10 test -s "$work/crash-load"
kill -KILL "$spawned"
end_of "$spawned"
check "crash: the guard kills the workload" wait_for 3 is_over "$(cat "$work/crash-load")"
check_eq "crash: the row still says running" "$(trials crash)" "running/none planned/none"
check_fails "cleanup: no such campaign" 2 "$eval_bin" cleanup nosuch --db "$work/crash.db"
id=$(sql crash 'SELECT id FROM campaigns')
check "cleanup: runs" "$eval_bin" cleanup "$id" --db "$work/crash.db"
check_eq "cleanup: the dead trial is interrupted" "$(trials crash)" "interrupted/none planned/none"
check "cleanup: the subject's own" test -e "$work/crash-cleaned"
rm -f "$work/crash-cleaned" "$work/crash-load"
sed 's/duration_seconds: 30/duration_seconds: 31/' "$work/crash.yaml" >"$work/other.yaml"
echo 'broken: [' >"$work/crash.yaml"
start other
wait_for 10 test -s "$work/crash-load"
check_fails "cleanup: another campaign uses the subject" 1 "$eval_bin" cleanup "$id" --db "$work/crash.db"
check_match "cleanup: says which" "$output" "subject 'one' is in use .*$spawned"
check_fails "cleanup: of a campaign that runs" 1 "$eval_bin" cleanup campaign --db "$work/other.db"
check_match "cleanup: without an ID one that runs is left alone, if not what tests beside this one left" \
	"$("$eval_bin" cleanup --db "$work/other.db" 2>&1) $?" "^(killed what [0-9]+ dead workers? left)? 0$"
check_fails "cleanup: nothing was cleaned up meanwhile" 1 test -e "$work/crash-cleaned"
kill -INT "$spawned"
end_of "$spawned"
check_fails "cleanup: the file is broken by now" 1 "$eval_bin" cleanup "$id" --db "$work/crash.db"
check_fails "cleanup: nothing of the record is run" 1 test -e "$work/crash-cleaned"
check "cleanup: as it was recorded" "$eval_bin" cleanup "$id" --recorded --db "$work/crash.db"
check "cleanup: the subject's own of the record" test -e "$work/crash-cleaned"
check "cleanup: again" "$eval_bin" cleanup "$id" --recorded --db "$work/crash.db"
check "cleanup: without an ID" "$eval_bin" cleanup --db "$work/crash.db"
check "cleanup: without a database" "$eval_bin" cleanup --db "$work/nothing.db"
check_fails "cleanup: needs root" 3 setpriv --reuid 65534 --clear-groups "$work/eval" cleanup
check "cleanup: emergency stop" "$eval_bin" cleanup --now --help
check_eq "nothing is left: cgroups" "$(find "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)" -maxdepth 1 -name "eval-$spawned-*")" ""
check_eq "nothing is left: locks" "$(find /run/eval -name 'campaign-*' -exec grep -l "$work" {} +)" ""

done_testing

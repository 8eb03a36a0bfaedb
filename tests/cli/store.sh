#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# eval list and eval show: their output for a recorded campaign, and their messages for databases that they cannot read.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
unset EVAL_DB
export TZ=Pacific/Auckland COLUMNS=80

db=$work/eval.db
campaign='campaign-20261123T215643Z-3fd12c05'
sqlite3 "$db" <"$top/tests/data/store/campaign.sql" || exit 1
sqlite3 "$db" 'PRAGMA journal_mode = WAL' >/dev/null

list() { "$eval_bin" list --db "$db" "$@"; }
show() { "$eval_bin" show --db "$db" "$@"; }
# says NAME STATUS REGEX COMMAND…: checks for that exit status, no standard output and one matching line on standard error.
says() {
	local name=$1 status=0 wanted=$2 regex=$3
	shift 3
	"$@" >"$work/out" 2>"$work/err" || status=$?
	if [[ $status == "$wanted" && ! -s $work/out && $(wc -l <"$work/err") == 1 && $(<"$work/err") =~ $regex ]]; then
		ok "$name"
	else
		not_ok "$name" "exit status $status, not $wanted" "$(<"$work/out")" "$(<"$work/err")" "wanted: $regex"
	fi
}

# --- Campaigns and trials ----------------------------------------------------------------------------------------
check_match 'list: a line a campaign' "$(list)" \
	"$campaign +raft-network +2026-11-23T21:43:23Z +interrupted +5 +completed 3, failed 1, planned 1; verdict fail 1"
check_eq 'list --json: counts by status' "$(list --json | jq -c '[.campaigns[] | [.id, .trials.completed, .trials.total]]')" \
	"[[\"$campaign\",3,5]]"
check_eq 'EVAL_DB names the database' "$(EVAL_DB=$db "$eval_bin" list)" "$(list)"
check_match 'show: the header' "$(show "$campaign")" $'config hash +3fd12c05aa8a[0-9a-f]+\n.*seed +7\n +host +lab1\n'
check_match 'show: a trial in the table' "$(show "$campaign")" \
	$'\ntrial-etcd-lab-slow-leader-0002 +completed +pass +put +100 % +100 % +100 % +2.1 ms 103 ms 2.3 ms +<100 103 ms 2.4 ms +1.30 s +1234\n'
check_match 'show: a failed trial has its reason below' "$(show "$campaign")" \
	$'slow-leader-0004 +failed [^\n]+\n    failed in ready: .scripts/lab.sh ready. did not exit 0 within 30 s\n'
check_match 'show: a missed expectation too' "$(show "$campaign")" $'    availability 84.67 %, expected at least 90 %\n'
check_number 'show: the table fits 140 columns' \
	"$(show "$campaign" | sed -n '/availability/,$p' | awk '{ if (length > most) most = length } END { print most }') <= 140"
check_eq 'show: no colour where no terminal is' "$(show "$campaign" | grep -c $'\033')" 0
# on_columns COLUMNS COMMAND…: what a terminal of that width gets, without the codes of colours.
on_columns() { TERM=xterm script -qec "stty cols $1; $eval_bin ${*:2} --db ${on_db:-$db} 2>/dev/null" /dev/null | tr -d '\r' | sed 's/\x1b\[[0-9;]*m//g'; }
longest() { LC_ALL=C.UTF-8 wc -L; }
for columns in 60 80 100 120 160; do
	check_number "show: no line is wrapped by a terminal of $columns columns, but for commands, paths and the hash" \
		"$(on_columns $columns show "$campaign" | grep -vE 'eval |/|config hash' | longest) <= $columns"
	check_match "… each trial is there, with what failed" "$(on_columns $columns show "$campaign")" "failed"
done
# coloured TERM [VARIABLE=VALUE]: how many lines of show have codes.
coloured() { script -qec "env TERM=$1 ${2:-} $eval_bin show --db $db $campaign" /dev/null | grep -c $'\033'; }
check_match 'show: colour on a terminal' "$(TERM=xterm script -qec "$eval_bin show --db $db $campaign" /dev/null)" $'\033\\[31mfailed'
check_number 'show: colour though NO_COLOR is empty' "$(coloured xterm NO_COLOR=) > 0"
check_eq 'show: no colour with NO_COLOR, nor on a dumb terminal' "$(coloured xterm NO_COLOR=1) $(coloured dumb)" "0 0"

cp "$db" "$work/labels.db"
sqlite3 "$work/labels.db" "UPDATE campaigns SET label = replace(hex(zeroblob(50)), '00', 'äö')"
for columns in 60 80 100 120; do
	for on_db in "$db" "$work/labels.db"; do
		check_number "list: no line is wrapped by a terminal of $columns columns" "$(on_columns $columns list | longest) <= $columns"
		check_match "… it has the whole id, the status and the numbers" "$(on_columns $columns list)" \
			$'\n'"$campaign .* interrupted.*completed 3, failed 1, planned 1; verdict fail 1"
	done
done
unset on_db
check_eq 'list: a wide terminal gets what a file gets' "$(on_columns 200 list)" "$(list 2>/dev/null)"
check_match 'list: a file gets the whole label' "$("$eval_bin" list --db "$work/labels.db")" "  (äö){50}  2026"
check_eq 'show --json: all of it' \
	"$(show "$campaign" --json | jq -c '[.id, (.trials | length), .trial_counts.failed, (.events | length)]')" \
	"[\"$campaign\",5,1,5]"
check_eq 'a seed of 64 bits is exact' "$(show "$campaign" --json | jq -r '.trials[0].seed')" 18446744073709551615

check_eq 'JSON: 64 bits are text, one name for one thing' \
	"$(show "$campaign" --json | jq -c '[.format, (.seed | type), (.started_at_monotonic_ns | type), .trials[0].campaign]')" \
	"[1,\"string\",\"string\",\"$campaign\"]"

# --- A run that died ---------------------------------------------------------------------------------------------
cp "$db" "$work/dead.db"
# holder HOST PID START: who is recorded to run the campaign, in this boot.
holder() {
	sqlite3 "$work/dead.db" "UPDATE campaigns SET status = 'running', host = '$1', boot_id = '$(</proc/sys/kernel/random/boot_id)',
		holder_pid = $2, holder_start_ticks = $3" ".exit"
}
dead_status() { "$eval_bin" list --db "$work/dead.db" | awk 'NR == 2 { print $4 }'; }
sqlite3 "$work/dead.db" 'ALTER TABLE campaigns ADD COLUMN holder_start_ticks INTEGER'
holder "$(uname -n)" $$ "$(cut -d ' ' -f 22 /proc/$$/stat)"
check_eq 'it runs' "$(dead_status)" running
check_eq 'it runs: says no more' "$("$eval_bin" show "$campaign" --db "$work/dead.db" | grep -c 'no longer runs')" 0
holder elsewhere $$ 1
check_eq 'it runs on another host' "$(dead_status)" running
holder "$(uname -n)" $$ 1
check_eq 'its pid is another process now' "$(dead_status)" dead
check_eq 'dead, as JSON' "$("$eval_bin" list --json --db "$work/dead.db" | jq -c '[.campaigns[0] | .status, .alive]')" '["running",false]'
check_match 'dead: how to go on and to clean up' "$("$eval_bin" show "$campaign" --db "$work/dead.db")" \
	$'no longer runs: its process \\(pid [0-9]+\\) died.*\n  [^\n]*eval run campaign [^ ]+ --resume='"$campaign --db $work/dead.db"$'\n.*eval cleanup '"$campaign"

# --- One trial ---------------------------------------------------------------------------------------------------
trial=$(show 3fd12c05 2)
for part in 'status +completed, verdict pass' 'target +n2 \(leader\), asked for: leader' 'engine +tap' \
	'chaos_injected_at +2026-11-23T21:48:33.000000Z  \+10.000 s' 'put +before +25 +100 % +2.1 ms +- +<100 ' \
	'during +150 +100 % +103 ms +- +103 ms' 'time to recover +1.30 s' 'pass +availability 100 %, expected at least 90 %' \
	'eth0 egress: seen 1500, hit 1234' $'delay applied, mean 101.200 ms\n +33 ms … 66 ms +\\|#{40}\\| 650\n' \
	'reset +reset +exit 0 +0.31 s +scripts/lab.sh reset' 'reset +phase +starts'; do
	check_match "show TRIAL has: ${part//$'\n'/ }" "$trial" "$part"
done
check_match 'output of a command cannot drive the terminal' "$trial" 'starting n2 \?\[31mred'
check_eq 'show TRIAL --json: a sample' "$(show 3fd12c05 2 --json | jq -c '.samples[0] | [.attempt, .probe, (.scheduled_ns | type), .ok, .phase]')" \
	"$(sqlite3 "$db" "SELECT json_array(attempt, probe, 'string', json(iif(ok, 'true', 'false')), phase) FROM samples WHERE trial_id LIKE '%-0002' ORDER BY rowid LIMIT 1")"
check_eq 'show TRIAL --json: as many as are recorded' "$(show 3fd12c05 2 --json | jq '.samples | length')" \
	"$(sqlite3 "$db" "SELECT count(*) FROM samples WHERE trial_id LIKE '%-0002'")"
check_eq 'show TRIAL --json: none' "$(show 3fd12c05 4 --json | jq -c .samples)" '[]'
cp "$db" "$work/odd.db"
sqlite3 "$work/odd.db" "UPDATE samples SET error = 'a\"' || char(10, 27, 155)"
"$eval_bin" show 3fd12c05 2 --json --db "$work/odd.db" >"$work/odd.json"
check_eq 'show TRIAL --json: text from outside' \
	"$(jq '.samples[0].error == "a\"\n\u001b\u009b"' "$work/odd.json") $(grep -c $'\033\|\xc2\x9b' "$work/odd.json")" "true 0"
check_eq 'show TRIAL --json: samples, attempts, events' \
	"$(show 3fd12c05 2 --json | jq -c '[.target_node, (.samples | length > 0), (.attempts | length), (.events | length)]')" \
	'["n2",true,1,1]'
for id in "$campaign" campaign-2026 20261123T2156 3fd12c05; do
	check_eq "a campaign by $id" "$(show "$id" | head -n 1)" "$campaign"
done
for id in trial-etcd-lab-slow-leader-0002 trial-etcd-lab-slow-leader-0002 slow-leader-0002 etcd-lab-base 0002; do
	check_match "a trial by $id" "$(show 3fd12c05 "$id" | head -n 1)" '^trial-etcd-lab-(slow-leader-0002|baseline-0001) of '
done
check_match 'a trial by its id alone' "$(show trial-etcd-lab-cut-leader-0003 | head -n 1)" "^trial-etcd-lab-cut-leader-0003 of $campaign"
says 'an unknown id' 2 "no campaign and no trial 'nothing' in database $db; 'eval list' shows" show nothing
says 'an unknown trial' 2 "no trial '99' in database $db" show 3fd12c05 99
says 'an ambiguous trial names the candidates' 2 \
	"trial 'trial-etcd' is ambiguous: trial-etcd-lab-baseline-0001, trial-etcd-lab-slow-leader-0002, " show 3fd12c05 trial-etcd
sqlite3 "$db" "INSERT INTO campaigns (id, hash, seed, config, created_at) VALUES
	('campaign-20261124T000000Z-3fd12c05', 'x', '1', '{}', '2026-11-24T00:00:00.000000Z')"
says 'an ambiguous campaign too, the newest first' 2 \
	"campaign '3fd12c05' is ambiguous: campaign-20261124T000000Z-3fd12c05, $campaign" show 3fd12c05
check_eq 'list: the newest first' "$(list --json | jq -r '.campaigns[0].id')" campaign-20261124T000000Z-3fd12c05
check_match 'show: a campaign without trials' "$(show campaign-20261124)" 'campaign-20261124T000000Z-3fd12c05'
sqlite3 "$db" "DELETE FROM campaigns WHERE id LIKE 'campaign-20261124%'"

# --- Usage -------------------------------------------------------------------------------------------------------
for command in list show; do
	check_match "$command --help" "$("$eval_bin" $command --help)" "Usage: eval $command .*--db=FILE"
	check_eq "$command -? is the same" "$("$eval_bin" $command '-?')" "$("$eval_bin" $command --help)"
	check_fails "$command --nonsense" 2 "$eval_bin" $command --nonsense
done
check_fails 'list with a word' 2 "$eval_bin" list word
check_fails 'show without one' 2 "$eval_bin" show
check_fails 'show with three' 2 "$eval_bin" show a b c
check_fails 'nobody reads the output: an error, no signal' 3 bash -c "exec '$eval_bin' list --db '$db' >/dev/full"

# --- Databases that cannot be read -------------------------------------------------------------------------------
says 'a missing database' 3 "no database $work/none.db; name one by --db or EVAL_DB" "$eval_bin" list --db "$work/none.db"
says 'a missing one by EVAL_DB' 3 "no database $work/none.db" env EVAL_DB="$work/none.db" "$eval_bin" list
check_eq 'which nothing made' "$(ls "$work"/none.db* 2>/dev/null)" ''
says 'a folder' 3 "database $work is a directory; name a file by --db" "$eval_bin" list --db "$work"
says 'a device' 3 'database /dev/null is not a regular file' "$eval_bin" list --db /dev/null
(umask 077 && dd if=/dev/urandom of="$work/noise.db" bs=20000 count=1 status=none)
says 'not a database' 3 "database $work/noise.db: cannot read it: it is not a database" "$eval_bin" list --db "$work/noise.db"
sqlite3 "$work/other.db" 'CREATE TABLE x (y)'
says "another program's" 3 "database $work/other.db belongs to another program" "$eval_bin" list --db "$work/other.db"
cp "$db" "$work/newer.db"
sqlite3 "$work/newer.db" 'PRAGMA user_version = 99'
says 'a newer schema' 3 'has schema 99, this eval .* knows up to [0-9]+; use the newer eval' "$eval_bin" show x --db "$work/newer.db"
cp "$db" "$work/damaged.db"
dd if=/dev/urandom of="$work/damaged.db" bs=4096 seek=1 count=20 conv=notrunc status=none
says 'a damaged one' 3 "database $work/damaged.db: cannot read it: it is damaged" "$eval_bin" list --db "$work/damaged.db"
cp "$db" "$work/odd %41?#name.db"
check_match 'a name with special characters' "$("$eval_bin" list --db "$work/odd %41?#name.db")" "$campaign"

# --- Without root, and beside a writer ---------------------------------------------------------------------------
if [[ $EUID == 0 ]]; then
	chmod 0755 "$work"
	cp "$eval_bin" "$work/eval"
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups "$work/eval")
	says 'a private one without root' 3 "cannot open database $db: Permission denied; run as root" "${nobody[@]}" list --db "$db"
	cp "$db" "$work/public.db"
	chmod 0644 "$work/public.db"
	check_match 'a readable one without root, in a folder that is not' "$("${nobody[@]}" list --db "$work/public.db" 2>&1)" "$campaign"
	check_eq 'leaves nothing there' "$(ls "$work"/public.db-* 2>/dev/null)" ''
fi
# A writer with an open transaction, which reads its statements from a FIFO.
mkfifo "$work/statements"
sqlite3 "$work/busy.db" <"$top/tests/data/store/campaign.sql"
sqlite3 "$work/busy.db" 'PRAGMA journal_mode = WAL' >/dev/null
chmod 0644 "$work/busy.db"
command sqlite3 -batch "$work/busy.db" <"$work/statements" >"$work/said" 2>&1 &
test_pids+=($!)
exec {statements}>"$work/statements"
echo "UPDATE trials SET status = 'void'; BEGIN IMMEDIATE; UPDATE trials SET status = 'running'; SELECT 'open';" >&"$statements"
check 'a writer has a transaction open' wait_for 10 grep -q open "$work/said"
check_eq 'a reader beside it sees what is committed' \
	"$("$eval_bin" list --json --db "$work/busy.db" | jq -c '.campaigns[0].trials | [.void, .running]')" '[5,0]'
if [[ $EUID == 0 ]]; then
	check_eq 'without root as well' \
		"$("${nobody[@]}" list --json --db "$work/busy.db" | jq -c '.campaigns[0].trials | [.void, .running]')" '[5,0]'
fi
echo 'COMMIT;' >&"$statements"
exec {statements}>&-
seen() { [[ $("$eval_bin" list --json --db "$work/busy.db" | jq '.campaigns[0].trials.running') == 5 ]]; }
check 'and then the rest' wait_for 10 seen

# --- The default place -------------------------------------------------------------------------------------------
if [[ $EUID == 0 ]]; then
	# In a mount namespace with an empty /var/lib, to hide this host's own records.
	apart() { unshare --mount -- bash -c "mount -t tmpfs none /var/lib && $1"; }
	check_eq 'no campaigns yet' "$(apart "'$eval_bin' list")" \
		'no campaigns yet (no database /var/lib/eval/eval.db; name one by --db or EVAL_DB)'
	check_eq 'no campaigns yet, as JSON' "$(apart "'$eval_bin' list --json" | jq -c .)" '{"format":1,"campaigns":[]}'
	says 'show has nothing to show' 3 'no database /var/lib/eval/eval.db' apart "'$eval_bin' show x"
fi
done_testing

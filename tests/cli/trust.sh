#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 120 s
# Root runs commands from campaign, subject and database files only if nobody else can write or replace them. How each command
# of eval reacts; unit/util/trusted tests which files count.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
unset EVAL_DB SUDO_UID SUDO_USER

# Users that every Debian has, without processes of their own.
them=bin caller=daemon
net=10.$((RANDOM % 200 + 20)).$((RANDOM % 250))
umask 022

# lab FOLDER [CLEANUP]: writes a campaign with a separate subject file, whose commands create files to show that they ran.
lab() {
	mkdir -p "$work/$1/subjects"
	printf '%s\n' 'subjects: [one]' 'include_baseline: true' 'chaos_types: []' \
		'defaults: {warmup_seconds: 0, duration_seconds: 0, recovery_seconds: 1}' >"$work/$1/c.yaml"
	printf '%s\n' "reset: 'touch $work/ran'" "cleanup: '${2:-touch $work/cleaned}'" \
		"nodes: [{name: n1, address: $net.1}]" >"$work/$1/subjects/one.yaml"
}
run() { "$eval_bin" run campaign "$@"; }
ran() { [[ -e $work/ran ]] && rm "$work/ran"; }
sql() { sqlite3 -cmd '.timeout 5000' "$work/$1.db" "$2"; }

# refuses NAME FILE REASON: run and inject print the reason and do nothing; validate and --dry-run only warn.
refuses() {
	local name=$1 file=$2 reason=$3
	check_fails "$name: run" 2 run "$file" --db "$work/refused.db"
	check_match "$name: says why" "$output" ":1:1: error: root runs no commands of this file: .*$reason"
	check_fails "$name: nothing ran" 1 ran
	check_fails "$name: nothing is recorded" 1 test -e "$work/refused.db"
	check_fails "$name: inject" 2 "$eval_bin" inject latency --for 1s --config "$file" --node n1 --min-ms 1 --max-ms 1
	check_match "$name: inject says why" "$output" "error: root runs no commands of this file: .*$reason"
	check_fails "$name: validate" 0 "$eval_bin" validate "$file"
	check_match "$name: validate warns" "$output" ":1:1: warning: root runs no commands of this file: .*$reason.*: valid: "
	check_fails "$name: --dry-run" 0 run "$file" --dry-run
	check_match "$name: --dry-run warns" "$output" ":1:1: warning: root runs no commands of this file: .*$reason"
}

# --- Campaign and subject -------------------------------------------------------------------------------------

lab good
check "root's own: run" run "$work/good/c.yaml" --db "$work/good.db"
check "root's own: its commands ran" ran
check_eq "root's own: nothing to warn of" "$("$eval_bin" validate "$work/good/c.yaml" 2>&1)" \
	"$work/good/c.yaml: valid: 1 subject, 0 chaos types and baseline, 1 trial"

lab mode
chmod o+w "$work/mode/c.yaml"
refuses "campaign file for all to write" "$work/mode/c.yaml" "anyone can write $work/mode/c.yaml \(mode 0646\): chmod o-w $work/mode/c.yaml"
lab owner
chown $them "$work/owner/c.yaml"
refuses "somebody's campaign file" "$work/owner/c.yaml" "$work/owner/c.yaml belongs to user $them, neither root nor the caller of sudo"
lab subject
chown $them "$work/subject/subjects/one.yaml"
refuses "a planted subject" "$work/subject/c.yaml" "$work/subject/subjects/one.yaml belongs to user $them"
lab folder
chmod o+w "$work/folder/subjects"
refuses "a folder of subjects for all to write" "$work/folder/c.yaml" "anyone can write $work/folder/subjects \(mode 0757\): chmod o-w"
lab above
chown $them "$work/above"
refuses "a folder of somebody's above" "$work/above/c.yaml" "$work/above belongs to user $them, .*let $them call sudo, or chown -R root $work/above"
lab group
chgrp users "$work/group/c.yaml"
chmod g+w "$work/group/c.yaml"
refuses "campaign file for a group to write" "$work/group/c.yaml" "group users can write $work/group/c.yaml \(mode 0664\): chmod g-w"
mkdir -m 1777 "$work/sticky"
ln -s "$work/good/c.yaml" "$work/sticky/c.yaml"
check_fails "a link in a folder for all to write: run" 2 run "$work/sticky/c.yaml" --db "$work/refused.db"
check_match "a link in a folder for all to write: says why" "$output" "$work/sticky/c.yaml is a link in a folder that others can write"
ln -s good "$work/alias"
check "a link of root's" run "$work/alias/c.yaml" --db "$work/alias.db"
check "a link of root's: its commands ran" ran

# By sudo.
lab sudo
chown -R $caller:$caller "$work/sudo"
refuses "the checkout of who did not call sudo" "$work/sudo/c.yaml" "$work/sudo belongs to user $caller"
by_sudo() { env SUDO_UID="$(id -u $caller)" SUDO_GID="$(id -g $caller)" SUDO_USER=$caller SUDO_COMMAND=eval "$@"; }
check "the checkout of who called sudo" by_sudo "$eval_bin" run campaign "$work/sudo/c.yaml" --db "$work/sudo/eval.db"
check "the checkout of who called sudo: its commands ran" ran
check_eq "the checkout of who called sudo: validate" "$(by_sudo "$eval_bin" validate "$work/sudo/c.yaml" 2>&1 | grep -c warning)" 0
# The real sudo, in a mount namespace whose sudoers allow the caller.
really_by_sudo() {
	unshare --mount bash -c "mount -t tmpfs -o mode=0750 none /etc/sudoers.d &&
		(umask 0337 && echo '$caller ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/eval-test) &&
		exec setpriv --reuid $caller --regid $caller --init-groups sudo -n \"\$@\"" sudo "$@"
}
check "… by sudo itself" really_by_sudo "$eval_bin" run campaign "$work/sudo/c.yaml" --db "$work/sudo/eval.db" --fresh
check "… by sudo itself: its commands ran" ran
check_fails "a lone SUDO_UID is not sudo's" 2 env SUDO_UID="$(id -u $caller)" "$eval_bin" run campaign "$work/sudo/c.yaml"
chown $them "$work/sudo/subjects/one.yaml"
check_fails "a third's subject in it" 2 by_sudo "$eval_bin" run campaign "$work/sudo/c.yaml"

# --- The database ---------------------------------------------------------------------------------------------

(umask 0 && run "$work/good/c.yaml" --db "$work/new/deep/eval.db" --fresh) >/dev/null 2>&1
check_eq "a new database: modes" "$(stat -c %a "$work/new/deep" "$work/new/deep/eval.db" | tr '\n' ' ')" "700 600 "
ran

# not_written NAME DATABASE REASON: run and cleanup fail with the reason, and leave the file unchanged.
not_written() {
	local name=$1 db=$2 reason=$3 before
	before=$(stat -c '%s %Y %a %u' "$db" 2>&1)
	check_fails "$name: run" 3 run "$work/good/c.yaml" --db "$db" --fresh
	check_match "$name: says why" "$output" "error: root does not write database $db: $reason"
	check_fails "$name: nothing ran" 1 ran
	[[ ! -e $db ]] || check_fails "$name: cleanup" 3 "$eval_bin" cleanup --db "$db"
	check_eq "$name: the file is as it was" "$(stat -c '%s %Y %a %u' "$db" 2>&1)" "$before"
}
# still_read NAME DATABASE REASON: list warns with the reason, and lists the campaigns.
still_read() {
	check_fails "$1: list" 0 "$eval_bin" list --db "$2"
	check_match "$1: list says it" "$output" "warning: database $2: $3.*campaign-"
}
copy() { rm -f "$work/$1.db"* && cp "$work/good.db" "$work/$1.db"; }

copy public
chmod 0644 "$work/public.db"
not_written "for all to read" "$work/public.db" "anyone can read $work/public.db \(mode 0644\): chmod o-rw $work/public.db\*"
still_read "for all to read" "$work/public.db" "anyone can read"
rm -f "$work/public.db-"*
check "for all to read: mended as told" chmod o-rw "$work/public.db"
check "for all to read: written then" run "$work/good/c.yaml" --db "$work/public.db" --fresh
ran
copy theirs
chown $them "$work/theirs.db"
not_written "somebody's" "$work/theirs.db" "$work/theirs.db belongs to user $them"
still_read "somebody's" "$work/theirs.db" "$work/theirs.db belongs to user $them"
for suffix in wal shm journal; do
	copy beside
	touch "$work/beside.db-$suffix"
	chown $them "$work/beside.db-$suffix"
	not_written "somebody's -$suffix" "$work/beside.db" "$work/beside.db-$suffix belongs to user $them"
	copy beside
	ln -s "$work/planted" "$work/beside.db-$suffix"
	not_written "a link as -$suffix" "$work/beside.db" "$work/beside.db-$suffix is not a regular file: remove it"
done
check_fails "a link as -wal: nothing is made where it leads" 1 test -e "$work/planted"
ln -s "$work/planted" "$work/sticky/eval.db"
not_written "a link in a folder for all to write" "$work/sticky/eval.db" "$work/sticky/eval.db is a link in a folder that others can write"
check_fails "a link in a folder for all to write: nothing is made where it leads" 1 test -e "$work/planted"
ln -s "$work" "$work/sticky/way"
not_written "a link on the way" "$work/sticky/way/made/eval.db" "$work/sticky/way is a link in a folder that others can write"
check_fails "a link on the way: no folder is made" 1 test -e "$work/made"
mkdir "$work/sticky/taken"
chown $them "$work/sticky/taken"
not_written "a folder of somebody's" "$work/sticky/taken/eval.db" "$work/sticky/taken belongs to user $them"
check "a new one in a sticky folder" run "$work/good/c.yaml" --db "$work/sticky/new.db" --fresh
check_eq "a new one in a sticky folder: mode" "$(stat -c %a "$work/sticky/new.db")" 600

# --- cleanup --------------------------------------------------------------------------------------------------

# cleaned: true if the subject's cleanup has run; deletes its mark.
cleaned() { [[ -e $work/cleaned ]] && rm "$work/cleaned"; }
# recorded NAME [CLEANUP]: runs a campaign in its own folder and database; sets $id.
recorded() {
	lab "$1" "${2:-touch $work/cleaned}"
	run "$work/$1/c.yaml" --db "$work/$1.db" >/dev/null 2>&1
	rm -f "$work/cleaned" "$work/ran"
	id=$(sql "$1" 'SELECT id FROM campaigns')
}
# only_printed NAME REASON [DATABASE]: cleanup prints the recorded command with the reason, and runs it only with --recorded.
only_printed() {
	local db=$work/${3:-$1}.db
	check_fails "cleanup, $1: is a problem" 1 "$eval_bin" cleanup "$id" --db "$db"
	check_match "cleanup, $1: says why" "$output" "error: $id: its cleanup was not run: $2"
	check_match "cleanup, $1: prints the command" "$output" "one, 1 instance, in $work/[a-z]*(/subjects)?: touch $work/cleaned"
	check_match "cleanup, $1: says how to run it" "$output" "eval cleanup --recorded $id --db $db"
	check_fails "cleanup, $1: nothing ran" 1 cleaned
	check "cleanup, $1: --recorded" "$eval_bin" cleanup "$id" --recorded --db "$db"
	check "cleanup, $1: --recorded ran it" cleaned
}

recorded same
check "cleanup: the file is as it was" "$eval_bin" cleanup "$id" --db "$work/same.db"
check "cleanup: it ran" cleaned
echo >>"$work/same/c.yaml"
check "cleanup: a file of the same meaning" "$eval_bin" cleanup "$id" --db "$work/same.db"
check "cleanup: it ran again" cleaned
cp "$work/same.db" "$work/boot.db" && cp "$work/same.db" "$work/host.db"
sql boot "UPDATE campaigns SET boot_id = 'another'"
only_printed boot "the machine has booted since"
sql host "UPDATE campaigns SET host = 'elsewhere'"
only_printed host "it ran on host elsewhere, this is $(uname -n)"
# A cleanup command in the database is not run, whoever wrote it.
cp "$work/same.db" "$work/forged.db"
sql forged "UPDATE campaigns SET config = json_set(config, '\$.subjects[0].cleanup.exec', 'touch $work/forged')"
check "cleanup: another command in the database" "$eval_bin" cleanup "$id" --db "$work/forged.db"
check "cleanup: the file's own ran" cleaned
check_fails "cleanup: the database's did not" 1 test -e "$work/forged"
recorded changed
sed -i 's/touch/true; touch/' "$work/changed/subjects/one.yaml"
only_printed changed "$work/changed/c.yaml has changed since"
recorded gone
rm "$work/gone/c.yaml"
only_printed gone "cannot read $work/gone/c.yaml: No such file"
recorded broken
echo 'broken: [' >"$work/broken/c.yaml"
only_printed broken "$work/broken/c.yaml is not a valid campaign file"
recorded untrusted
chmod o+w "$work/untrusted/c.yaml"
only_printed untrusted "$work/untrusted/c.yaml is not a valid campaign file"
check_match "cleanup, untrusted: says who can write it" "$("$eval_bin" cleanup "$id" --db "$work/untrusted.db" 2>&1)" \
	"error: root runs no commands of this file: anyone can write $work/untrusted/c.yaml"
recorded taken
rm -r "$work/taken"
mkdir "$work/taken"
chown $them "$work/taken"
check_fails "cleanup --recorded in a folder that is somebody's by now" 1 "$eval_bin" cleanup "$id" --recorded --db "$work/taken.db"
check_match "cleanup --recorded: says why" "$output" "error: $id: root runs no commands in $work/taken: $work/taken belongs to user $them"
check_fails "cleanup --recorded: nothing ran" 1 cleaned
chmod 0644 "$work/taken.db"
check_fails "cleanup --recorded out of a database for all to read" 3 "$eval_bin" cleanup "$id" --recorded --db "$work/taken.db"
check_fails "cleanup --recorded needs the ID" 2 "$eval_bin" cleanup --recorded --db "$work/same.db"
check_match "cleanup --recorded: says so" "$output" "which ID"
lab none
sed -i /cleanup/d "$work/none/subjects/one.yaml"
run "$work/none/c.yaml" --db "$work/none.db" >/dev/null 2>&1
rm "$work/none/c.yaml"
check "cleanup: there is none to run, whatever became of the file" "$eval_bin" cleanup campaign --db "$work/none.db"
# A campaign that was resumed from another folder is cleaned up by the file there.
recorded moved
mv "$work/moved" "$work/there"
sql moved "UPDATE trials SET status = 'interrupted'"
check "resumed from another folder" run "$work/there/c.yaml" --db "$work/moved.db" --resume
rm -f "$work/cleaned"
check "… its cleanup" "$eval_bin" cleanup "$id" --db "$work/moved.db"
check "… ran" cleaned

done_testing

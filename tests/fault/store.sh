#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 120 s
# not in guests: it tests the database
# A database that becomes, or already is, full, read-only, unmounted, replaced, damaged, newer or locked. No record is lost,
# nothing continues unrecorded, and the message says what to do.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
net=10.$((RANDOM % 200 + 20)).$((RANDOM % 250))
disk=$work/disk
db=$disk/eval.db

# A small tmpfs stands for the database's disk.
mkdir "$disk"
mount -t tmpfs -o size=4m,mode=0700 eval-test "$disk" || exit 1
on_cleanup umount -l "$disk"

# The second trial waits in reset until the database has been broken ($work/done).
cat >"$work/store.yaml" <<END
trials_per_combination: 4
include_baseline: true
chaos_types: []
defaults: {warmup_seconds: 0, duration_seconds: 0.2, recovery_seconds: 1}
subjects:
  - name: one
    reset: "touch $work/ran; test -e $work/done || test \$EVAL_TRIAL != trial-one-baseline-2 || { touch $work/here; while ! test -e $work/done; do sleep 0.05; done; }"
    nodes: [{name: n1, address: $net.1}]
    workload: "echo \$\$ >$work/load; exec sleep 300"
    probes: [{name: p, exec: "true", every_ms: 20, timeout_ms: 1000}]
END

sql() { sqlite3 -cmd '.timeout 5000' "$db" "$1"; }
start() {
	rm -f "$work/here" "$work/done" "$work/ran"
	"$eval_bin" run campaign "$work/store.yaml" --db "$db" "$@" >"$work/out" 2>&1 </dev/null &
	spawned=$!
	test_pids+=("$spawned")
}
end_of() { status=0; wait "$1" || status=$?; }
trials() { sql "SELECT group_concat(status, ' ') FROM trials"; }

# befalls NAME MESSAGE COMMAND…: runs COMMAND during the campaign, and checks that the campaign stops with that message.
befalls() {
	local name=$1 message=$2
	shift 2
	rm -f "$db"*
	start
	check "$name: the campaign runs" wait_for 10 test -e "$work/here"
	"$@"
	touch "$work/done"
	wait_for 30 is_over "$spawned"
	end_of "$spawned"
	check_eq "$name: exit status" "$status" 3
	check_match "$name: the message" "$(cat "$work/out")" "all faults are inert: $message"
	check_match "$name: how to go on" "$(cat "$work/out")" "eval run campaign $work/store.yaml --resume=campaign-[^ ]* --db $db"
	check "$name: nothing runs on" is_over "$(cat "$work/load")"
}
# resumes NAME: the resumed campaign completes all trials, and does not repeat completed ones.
resumes() {
	check_eq "$1: the database is sound" "$(sql 'PRAGMA integrity_check')" ok
	check_eq "$1: what was recorded before is kept" "$(sql "SELECT status FROM trials WHERE id LIKE '%-1'")" completed
	start --resume
	touch "$work/done"
	end_of "$spawned"
	check_eq "$1: resumed" "$status $(trials)" "0 completed completed completed completed"
	check_eq "$1: each trial is final once" "$(sql "SELECT count(*), count(DISTINCT trial_id) FROM attempts WHERE
		status IN ('completed', 'failed', 'void')")" "4|4"
}

# --- During a campaign ----------------------------------------------------------------------------------------

fill() { dd if=/dev/zero of="$disk/fill" bs=4096 2>/dev/null; }
befalls "full disk" "database $db: cannot write it: the disk is full; free some space" fill
check_match "full disk: can be read" "$("$eval_bin" list --db "$db")" "running +4|completed 1"
rm "$disk/fill"
resumes "full disk"

# The same under chaos.
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 || exit 1
cat >"$work/live.yaml" <<END
trials_per_combination: 2
defaults: {warmup_seconds: 0.2, duration_seconds: 60, recovery_seconds: 10}
subjects:
  - name: pair
    reset: "true"
    nodes:
      - {name: n1, address: 10.99.0.1, netns: $(ns n1)}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2)}
    workload: "nsenter --net=/run/netns/$(ns n1) ping -q -i 0.05 10.99.0.2"
    probes: [{name: p, exec: "true", every_ms: 20, timeout_ms: 1000}]
chaos_types: [{type: network_partition, target: n1}]
END
rm -f "$db"*
"$eval_bin" run campaign "$work/live.yaml" --db "$db" --json >"$work/events" 2>"$work/out" </dev/null &
coordinator=$!
test_pids+=("$coordinator")
check "full disk under chaos: the chaos bites" wait_for 15 grep -q first_effect "$work/events"
check_fails "full disk under chaos: n1 is cut off" 1 in_ns n1 ping -n -c 1 -W 0.1 10.99.0.2
watch_start full
watch_mark full
fill
wait_for 30 is_over "$coordinator" || kill -KILL "$coordinator"
end_of "$coordinator"
check_eq "full disk under chaos: exit status" "$status" 3
check "full disk under chaos: traffic is normal" wait_for 3 is_normal_after full
check "full disk under chaos: nothing is live" wait_for 3 nothing_left_in n1
check_match "full disk under chaos: the message" "$(cat "$work/out")" "all faults are inert: database $db: cannot write it: the disk is full"
watch_end full
rm "$disk/fill"
check_eq "full disk under chaos: the rows" "$(sql "SELECT group_concat(status, ' ') FROM trials")" "running planned"

# Remounts read-only, as ext4 does by itself when its device fails.
dd if=/dev/zero of="$work/image" bs=1M count=8 status=none
mkdir "$work/ext4"
if { mkfs.ext4 -q -F "$work/image" && mount -o loop "$work/image" "$work/ext4"; } 2>/dev/null; then
	on_cleanup umount "$work/ext4"
	db=$work/ext4/eval.db
	befalls "read-only" "database $db: cannot write it: it is not writable" mount -o remount,abort "$work/ext4"
	umount "$work/ext4" && e2fsck -p "$work/image" >/dev/null
	mount -o loop "$work/image" "$work/ext4"
	resumes "read-only"
	db=$disk/eval.db
else
	skip "read-only" "no ext4 on a loop device here"
fi

copy_over() { cp "$db" "$work/other.db" && mv "$work/other.db" "$db"; }
befalls "replaced by a copy" "database $db was replaced by another file" copy_over

befalls "deleted" "database $db is gone" rm -f "$db"

# --- At the start ---------------------------------------------------------------------------------------------

# refused NAME MESSAGE: checks the message, that nothing ran, and that the file is unchanged.
refused() {
	local before
	before=$(sha256sum "$db")
	start
	end_of "$spawned"
	check_eq "$1: exit status" "$status" 3
	check_match "$1: the message" "$(cat "$work/out")" "$2"
	check_fails "$1: nothing ran" 1 test -e "$work/ran"
	check_eq "$1: the file is as it was" "$(sha256sum "$db")" "$before"
}
rm -f "$db"*
start
touch "$work/done"
end_of "$spawned"
check_eq "a whole campaign" "$status" 0
cp "$db" "$work/whole.db"

sqlite3 "$db" 'PRAGMA user_version = 99'
refused "a newer schema" "has schema 99, this eval .* knows up to [0-9]+; use the newer eval"
cp "$work/whole.db" "$db"
dd if=/dev/urandom of="$db" bs=4096 seek=1 count=20 conv=notrunc status=none
refused "a damaged one" "it is damaged; move it away, or name another file by --db"
rm -f "$db"*
sqlite3 "$db" 'CREATE TABLE x (y)'
refused "another program's" "belongs to another program"
cp "$work/whole.db" "$db"
mount -o remount,ro "$disk"
refused "a read-only one" "it is not writable|Read-only file system"
mount -o remount,rw "$disk"
rm -f "$db"*
fill
start
end_of "$spawned"
check_eq "a full disk at the start: exit status" "$status" 3
check_match "a full disk at the start: the message" "$(cat "$work/out")" "the disk is full"
check_fails "a full disk at the start: nothing ran" 1 test -e "$work/ran"
rm "$disk/fill"

rm -f "$db"*
cp "$work/whole.db" "$db"
(echo 'BEGIN EXCLUSIVE;'; echo ".shell touch $work/locked"; wait_for 30 test -e "$work/unlock") | sqlite3 -cmd '.timeout 5000' "$db" &
wait_for 5 test -e "$work/locked"
start
end_of "$spawned"
check_eq "locked at the start: exit status" "$status" 3
check_match "locked at the start: the message" "$(cat "$work/out")" "it is locked by another process; wait for that to end"
touch "$work/unlock"
wait

# Reaching RLIMIT_FSIZE ends the campaign with exit status 3, as a full disk does.
rm -f "$db"*
rm -f "$work/here" "$work/done"
touch "$work/done"
status=0
out=$(prlimit --fsize=150000 "$eval_bin" run campaign "$work/store.yaml" --db "$db" 2>&1) || status=$?
check_eq "RLIMIT_FSIZE: exit status" "$status" 3
check_match "RLIMIT_FSIZE: the message" "$out" "database $db: cannot .*File too large"

# --- Readers beside the writer --------------------------------------------------------------------------------

rm -f "$db"*
start
reads=0 failures=0
wait_for 10 test -e "$work/here"
touch "$work/done"
while is_running "$spawned"; do
	for command in list 'show campaign'; do
		# shellcheck disable=SC2086 # two words
		"$eval_bin" $command --json --db "$db" 2>>"$work/read" | jq -e '.campaigns[0].id // .id' >/dev/null || ((++failures))
		((++reads))
	done
done
end_of "$spawned"
check_number "read while it is written: $reads times" "$reads >= 4"
check_eq "read while it is written: no error" "$failures $(cat "$work/read")" "0 "
check_eq "read while it is written: the campaign does not mind" "$status $(trials)" "0 completed completed completed completed"

done_testing

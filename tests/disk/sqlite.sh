#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.12: one kernel is enough to test how SQLite reacts to a full disk
# time limit: 180 s
# guests: 6.1 6.12 sid: 5.10's engine only samples the free space, and so is late
# An SQLite database under pressure: it gets "disk full" errors, stays consistent, and works afterwards.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

insert() {
	sqlite3 -bail "$1" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
		INSERT INTO rows(content) SELECT zeroblob(1000) FROM n" 2>&1
}
# For messages: the bytes that the fault leaves.
left_bytes() { our_disk_faults | jq -sc '[.[].disk.left_bytes]'; }
has_rows() { [[ $(rows "$1") == "$2" ]] || { echo "rows: $(rows "$1"), not $2; left: $(left_bytes)"; return 1; }; }
# In WAL mode a database cannot even be opened without 32 KiB for its -shm file: then accept that error.
has_rows_or_is_closed() {
	has_rows "$1" "$2" && return
	[[ $(rows "$1") == *"disk I/O error (10)"* ]] && (($(left_bytes | tr -d '[]') < 32768))
}
is_consistent() { [[ $(sqlite3 "$1" 'PRAGMA integrity_check' 2>&1) == ok ]]; }
rows() { sqlite3 "$1" 'SELECT count(*) FROM rows' 2>&1; }
# is_full DATABASE: inserts a little more, and adds it to $committed; true if that is refused. $said has the message. Errors
# (10) and (14) mean that the database could not be opened: SQLite first truncates its -shm file, and the freed space counts
# only after the next sample. A really full btrfs gives (10) every time; a full XFS cannot create the journal.
is_full() {
	said=$(insert "$1" 500)
	[[ -n $said ]] || committed=$((committed + 500))
	case $said,$fs,$engine in
	*"disk is full (13)",* | *"disk I/O error (10)",btrfs,* | *"disk I/O error (10)",xfs,hook | *"unable to open database file (14)",xfs,fill) ;;
	# In WAL mode the database does not open if the last insertion that fitted left less than its -shm file needs.
	*"disk I/O error (10)",ext4,hook) (($(left_bytes | tr -d '[]') < 32768)) ;;
	*) return 1 ;;
	esac
}

# check_database FS JOURNAL ENGINE: tests a database in that journal mode.
check_database() {
	local name="$3: $1: $2" disk=$work/$1 database=$work/$1/data/$2.db status said=''
	committed=1200
	rm -rf "$disk/data" && mkdir "$disk/data"
	sync -f "$disk" # btrfs frees it only then
	sqlite3 "$database" "PRAGMA journal_mode=$2; CREATE TABLE rows(id INTEGER PRIMARY KEY, content BLOB)" >"$work/journal"
	check_eq "$name: before" "$(insert "$database" 200)$(rows "$database")" 200
	pressure sqlite "$disk/data" --engine "$3" --leave-bytes $((8 * mib)) || { not_ok "$name: a fault"; return; }
	check_eq "$name: a little more is no problem" "$(insert "$database" 1000)$(rows "$database")" 1200
	check_match "$name: what is too much: SQLITE_FULL" "$(insert "$database" 20000)" "disk is full \(13\)"
	# Space that SQLite frees counts only after the next sample; until then a WAL database may not even open.
	check "$name: nothing of that is there" wait_for 1 has_rows_or_is_closed "$database" 1200
	if wait_for 60 is_full "$database"; then
		ok "$name: small ones too, in the end"
	else
		not_ok "$name: small ones too, in the end" "the last one: ${said:-inserted}" "$(has_rows "$database" "$committed")"
	fi
	# Not in WAL mode, where opening a database needs some space.
	[[ $2 == wal ]] || check "$name: consistent while the disk is full" wait_for 1 is_consistent "$database"
	revert sqlite
	check "$name: afterwards, what was committed is there" has_rows "$database" "$committed"
	status=$(insert "$database" 20000)
	check_eq "$name: it works afterwards" "$status$(rows "$database")" "$((committed + 20000))"
	check "$name: consistent afterwards" is_consistent "$database"
}

engine=$(engine_here)
[[ $engine == hook ]] || skip "hook: SQLite" "fmod_ret is refused"
for fs in ext4 xfs btrfs; do
	make_disk "$fs" "$fs" 300 || { not_ok "$fs: a file system"; continue; }
	check_database "$fs" delete "$engine"
	check_database "$fs" wal "$engine"
done

done_testing

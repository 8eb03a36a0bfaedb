#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 120 s
# A database under pressure: it is told that the disk is full, stays consistent, and works afterwards.
# shellcheck source=tests/lib.sh
source "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netlib.sh
source "$(dirname "$0")/../netlib.sh"
# shellcheck source=tests/disklib.sh
source "$(dirname "$0")/../disklib.sh"

insert() {
	sqlite3 -bail "$1" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
		INSERT INTO rows(content) SELECT zeroblob(1000) FROM n" 2>&1
}
has_rows() { [[ $(rows "$1") == "$2" ]]; }
is_consistent() { [[ $(sqlite3 "$1" 'PRAGMA integrity_check' 2>&1) == ok ]]; }
rows() { sqlite3 "$1" 'SELECT count(*) FROM rows' 2>&1; }
# With no room for its journal or, in WAL mode, for the file of its locks, SQLite has other words.
is_full() {
	[[ $(insert "$1" 500) == *@("database or disk is full"|"unable to open database file"|"disk I/O error")* ]]
}

# check_database FS JOURNAL ENGINE
check_database() {
	local name="$3: $1: $2" disk=$work/$1 database=$work/$1/data/$2.db before status
	rm -rf "$disk/data" && mkdir "$disk/data"
	sqlite3 "$database" "PRAGMA journal_mode=$2; CREATE TABLE rows(id INTEGER PRIMARY KEY, content BLOB)" >"$work/journal"
	check_eq "$name: before" "$(insert "$database" 200)$(rows "$database")" 200
	pressure sqlite "$disk/data" --engine "$3" --leave-bytes $((8 * mib)) || { not_ok "$name: a fault"; return; }
	check_eq "$name: a little more is no problem" "$(insert "$database" 1000)$(rows "$database")" 1200
	check_match "$name: what is too much: SQLITE_FULL" "$(insert "$database" 20000)" "disk is full \(13\)"
	# Space of files that it removed counts from the next sample on; before, it may not even open in WAL mode.
	check "$name: nothing of that is there" wait_for 1 has_rows "$database" 1200
	check "$name: small ones too, in the end" wait_for 60 is_full "$database"
	# In WAL mode it takes a little space to open a database at all.
	[[ $2 == wal ]] || check "$name: consistent while the disk is full" wait_for 1 is_consistent "$database"
	revert sqlite
	before=$(rows "$database")
	status=$(insert "$database" 20000)
	check_eq "$name: it works afterwards" "$status$(rows "$database")" "$((before + 20000))"
	check "$name: consistent afterwards" is_consistent "$database"
}

engines=(fill)
if have_hooks; then
	engines+=(hook)
else
	skip "hook: SQLite" "fmod_ret is refused"
fi
for fs in ext4 xfs; do
	make_disk "$fs" "$fs" 300 || { not_ok "$fs: a file system"; continue; }
	for engine in "${engines[@]}"; do
		check_database "$fs" delete "$engine"
		check_database "$fs" wal "$engine"
	done
done

done_testing

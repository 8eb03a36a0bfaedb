#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# not in guests: emulated, a look through all processes takes longer than a stall, so that its hits are missed
# time limit: 240 s
# disk_stall: which calls wait and which do not, for how long and how often; that files' content is never changed, and that
# writers go on when the holder ends, however it ends.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

file_calls=$top/build/tools/file_calls

# stall NAME DIR STALL_MS EVERY_MS OPTION…: the fault is live when it returns.
stall() { inject "$1" disk_stall --for 600s --data-dir "$2" --stall-ms "$3" --every-ms "$4" "${@:5}"; }
# longest FILE CALL: the longest of calls over 300 ms or more, in whole ms, and their results.
longest() { "$file_calls" "$1" "$2" 8 1 40 | sort -g | awk '{ ms = int($1 / 1000); r[$2]++ } END { printf "%d", ms; for (k in r) printf " %s:%d", k, r[k]; print "" }'; }
# Stalls of these tests are of 200 ms, and 20 ms apart. A busy guest may come in at the end of one.
is_slow() { local ms=${1%% *}; ((ms >= 120)) && [[ $1 =~ ^[0-9]+\ ok:8$ ]]; }
is_fast() { local ms=${1%% *}; ((ms < 120)) && [[ $1 =~ ^[0-9]+\ ok:8$ ]]; }
waits() { check "$1 waits" is_slow "$(longest "$2" "$3")"; }
passes() { check "$1 passes" is_fast "$(longest "$2" "$3")"; }
refused() { check_fails "$1: refused" "$2" "$eval_bin" inject "${@:4}"; check_match "$1: why" "$output" "$3"; }
sums() { find "$1" -type f -exec sha256sum {} + | sort; }

# evidence_holds NAME: the counts add up.
evidence_holds() {
	evidence "$1" '[.engine == "lock", .hit >= 5, .hit == .seen, .hit == ([.operations[].hit] | add), .applied.count == .hit,
		.drawn.count == .hit, .drawn.mean_us == 200000, .applied.mean_us >= 190000, .stalls >= 5, .files == 4, .held == 0,
		.operations.write.hit >= 1, .operations.fallocate.hit >= 1, .operations.truncate.hit >= 1, .losses == null or .losses == [],
		(.slowest[0].file | contains("/data/"))] | all' | grep -qx true
}

# --- Which calls, on each file system -------------------------------------------------------------------------
for fs in ext4 xfs btrfs; do
	make_disk "$fs" "$fs" || { not_ok "$fs: a file system"; continue; }
	disk=$work/$fs
	mkdir -p "$disk/data/sub" "$disk/beside"
	for folder in data data/sub beside; do "$file_calls" "$disk/$folder/f" pread 1 2 >"$work/made"; done
	rm "$disk/data/sub/f.1" && head -c 300000 /dev/urandom >"$disk/data/random"
	stall "$fs" "$disk/data" 200 220 || { not_ok "$fs: a fault"; continue; }
	for call in pwrite append fallocate truncate direct_pwrite aio_write uring_write direct_pread; do
		waits "$fs: $call" "$disk/data/f" "$call"
	done
	[[ $fs == xfs ]] && waits "$fs: pread" "$disk/data/f" pread
	[[ $fs == xfs ]] || passes "$fs: pread" "$disk/data/f" pread
	waits "$fs: in a folder below, pwrite" "$disk/data/sub/f" pwrite
	passes "$fs: beside the data_dir, pwrite" "$disk/beside/f" pwrite
	revert "$fs"
	passes "$fs: after the revert, pwrite" "$disk/data/f" pwrite
	check "$fs: the evidence has hits, stalls and their lengths" evidence_holds "$fs"

	before=$(sums "$disk/data")
	stall "${fs}_content" "$disk/data" 3 5
	sleep 1
	revert "${fs}_content"
	for ((kills = 0; kills < 5; kills++)); do
		stall "${fs}_killed" "$disk/data" 30 31
		sleep 0.1
		kill -KILL "$([[ $((kills % 2)) == 0 ]] && pgrep -P "$inject_pid" -x eval-stall || echo "$inject_pid")"
		wait_for 5 is_over "$inject_pid"
	done
	check_eq "$fs: the files' content is as before" "$(sums "$disk/data")" "$before"
	umount "$disk" && mount -o loop "$work/$fs.image" "$disk"
	check_eq "$fs: on the disk, too" "$(sums "$disk/data")" "$before"
done

# --- The wave, and which files ------------------------------------------------------------------------------------
disk=$work/ext4
mountpoint -q "$disk" || { done_testing; exit 1; }
stall wave "$disk/data" 150 500
"$file_calls" "$disk/data/f" pwrite 1200 1 2 >"$work/wave"
revert wave
# A call that begins in a stall takes what is left of it.
times=$(awk '$1 > 20000 { n++; if ($1 > most) most = $1 } { total += $1 + 2100 } END { printf "%d %d %d", n, total / 500000, most / 1000 }' "$work/wave")
read -r waited wanted most <<<"$times"
if is_emulated; then
	check_number "the wave: about as many waits as periods: $times" "$waited >= $wanted / 3 && $waited <= $wanted + 20 && $most >= 100"
else
	check_number "the wave: one wait in a period, of 150 ms: $times" "$waited >= $wanted - 1 && $waited <= $wanted + 4 && $most >= 140 && $most <= 180"
fi
check_eq "the wave: as many hits" "$(evidence wave ".hit >= $waited - 2 and .hit <= .stalls")" true

stall new "$disk/data" 200 220
"$file_calls" "$disk/data/later" pread 1 1 >"$work/made"
mkdir "$disk/data/folder" && "$file_calls" "$disk/data/folder/later" pread 1 1 >"$work/made"
sleep 0.5
waits "a new file: pwrite" "$disk/data/later" pwrite
waits "a file in a new folder: pwrite" "$disk/data/folder/later" pwrite
revert new
stall files "$disk/data" 200 220 --files 'random,sub/f.*'
waits "files: a path below the data_dir: pwrite" "$disk/data/sub/f" pwrite
passes "files: one that does not match: pwrite" "$disk/data/f" pwrite
revert files
stall none "$disk/data" 50 100 --files 'nothing-like-it'
sleep 0.5
revert none
# shellcheck disable=SC2016 # backquotes of a message
check_match "files that match nothing: no hit, and why" "$(evidence none '"\(.hit) \(.notes | join(" "))"')" '^0 no file below the data_dirs could be stalled: .*`files`'
stall idle "$disk/data" 50 100
sleep 0.5
revert idle
check_match "no writer: no hit, and why" "$(evidence idle '"\(.hit) \(.notes | join(" "))"')" '^0 there were [0-9]+ stalls, the last of 6 files, and no writer'
mkdir "$disk/data/many" && (cd "$disk/data/many" && seq 300 | xargs touch)
printf '#!/bin/sh\necho ran\n' >"$disk/data/program" && chmod +x "$disk/data/program"
stall many "$disk/data" 200 220
check_eq "a program there can be run" "$(for _ in 1 2 3; do "$disk/data/program"; sleep 0.1; done | sort -u)" ran
revert many
check_eq "more than 256 files: the rest is counted" "$(evidence many '"\(.files) \(.losses[0].count) \(.losses[0].text)"')" \
	"256 50 50 files passed untouched: at most 256 are stalled at a time"
rm -r "$disk/data/many"

cgroup=$(findmnt -n -l -o TARGET -t cgroup2 | head -n 1)
if [[ -n $cgroup ]] && mkdir "$cgroup/eval-test-$test_id"; then
	on_cleanup rmdir "$cgroup/eval-test-$test_id"
	# Emulated, looking through all processes takes longer than half of 200 ms.
	wave=(200 220)
	! is_emulated || wave=(1500 1520)
	stall cgroup "$disk/data" "${wave[@]}" --cgroup "eval-test-$test_id"
	waits "cgroup: others wait, too: pwrite" "$disk/data/f" pwrite
	revert cgroup
	check_match "cgroup: but they are no hits" "$(evidence cgroup '"\(.hit) of \(.passed.other_cgroup) \(.notes | join(" "))"')" "^0 of [1-9].* [1-9][0-9]* others, outside of its cgroup"
	stall in_cgroup "$disk/data" "${wave[@]}" --cgroup "eval-test-$test_id"
	(echo "$BASHPID" >"$cgroup/eval-test-$test_id/cgroup.procs" && longest "$disk/data/f" pwrite >"$work/in_cgroup")
	revert in_cgroup
	check_match "cgroup: its processes are" "$(evidence in_cgroup '"\(.hit), others \(.passed.other_cgroup)"')" "^[1-9][0-9]*, others 0$"
else
	skip "cgroup: others are no hits" "no cgroup v2 is mounted here"
fi

# --- A long stall, and every end of the holder ---------------------------------------------------------------------
waiting() { sleep 0.3; spawn "$file_calls" "$disk/data/f" pwrite 1; wait_log=$work/spawn.$((${#test_pids[@]} - 1)) wait_pid=$spawned; wait_for 5 is_held; }
is_held() { [[ $("$eval_bin" bpf-status --json | jq "[.faults[] | select(.calls.data_dirs // \"\" | startswith(\"$work/\")) | .calls.held] | add") -ge 1 ]]; }
went_on() { grep -q ' ok$' "$wait_log"; }
stall_pid() { pgrep -P "$inject_pid" -x eval-stall; }
# within NAME LIMIT_MS: the writer went on within the limit since $since.
within() {
	local took
	wait_for 10 went_on
	# When the caller printed its result, not when a poll found it: on a busy host a poll takes seconds.
	took=$(awk "BEGIN { printf \"%d\", ($(stat -c %.9Y "$wait_log") - $since / 1e9) * 1000 }")
	# shellcheck disable=SC2015
	went_on && ((took <= $2 * ${EVAL_TIME_FACTOR:-1})) && ok "$1" || not_ok "$1" "after $took ms"
	diag "$1: after $took ms"
}
long() { stall "$1" "$disk/data" 50000 60000 && waiting; }
long kill || not_ok "a waiting writer"
sleep 1
check "a long stall: the writer waits, and bpf-status says so" is_running "$wait_pid"
since=$(date +%s%N)
kill -KILL "$inject_pid"
within "SIGKILL of the holder: the writer goes on" 200
long killed_child || not_ok "a waiting writer"
helper_pid=$(stall_pid) # looking takes a busy guest seconds
since=$(date +%s%N)
kill -KILL "$helper_pid"
within "SIGKILL of eval-stall: it goes on" 200
wait_for 5 is_over "$inject_pid"
check_match "… and the holder says so" "$(cat "$work/killed_child.err" 2>/dev/null)" "eval-stall\) was killed"
long stop || not_ok "a waiting writer"
since=$(date +%s%N)
kill -STOP "$inject_pid"
within "SIGSTOP of the holder: it goes on with the lease" 2600
kill -CONT "$inject_pid"
wait_for 5 is_over "$inject_pid"
long stopped_child || not_ok "a waiting writer"
helper_pid=$(stall_pid)
since=$(date +%s%N)
kill -STOP "$helper_pid"
within "SIGSTOP of eval-stall: its holder ends it" 2600
wait_for 5 is_over "$inject_pid"
check_match "… and says so" "$(cat "$work/stopped_child.err" 2>/dev/null)" "eval-stall\) did not run for .* was it stopped"
long both || not_ok "a waiting writer"
kill -STOP "$(stall_pid)"
since=$(date +%s%N)
kill -KILL "$inject_pid"
within "SIGSTOP of eval-stall, SIGKILL of the holder: it goes on" 200
long interrupt || not_ok "a waiting writer"
since=$(date +%s%N)
kill -INT "$inject_pid"
within "Ctrl+C: it goes on" 500
wait_for 5 is_over "$inject_pid"
check_eq "… and is a hit, whose wait was cut short" "$(evidence interrupt '"\(.hit) \(.released_early) \(.applied.mean_us < 50000000)"')" "1 1 true"
check_eq "nothing is left" "$(our_disk_faults; pgrep -x eval-stall | while read -r pid; do grep -l "$work" "/proc/$pid/maps" 2>/dev/null; done)" ""

# --- eval's own files, and what is refused -------------------------------------------------------------------------------
mkdir "$disk/data/records"
make_switch sw own=10.99.0.1/24 || not_ok "a namespace"
cat >"$work/own.yaml" <<END
name: own
include_baseline: false
subjects:
  - name: s
    reset: "true"
    ready: "true"
    nodes: [{name: n, address: 10.99.0.1, netns: $(ns own), data_dir: $disk/data}]
    workload: $file_calls $disk/data/f pwrite 100000 1 5
chaos_types: [{type: disk_stall, duration_seconds: 3, params: {stall_ms: 800, every_ms: 820}}]
END
# opened_by_stall: the files below the data_dir that an eval-stall has open.
opened_by_stall() { pgrep -x eval-stall | while read -r pid; do find "/proc/$pid/fd" -lname "$disk/data/*" -printf '%l\n' 2>/dev/null; done; }
stalls_file() { opened_by_stall >"$work/opened" && grep -q "/f.0$" "$work/opened"; }
spawn "$eval_bin" run campaign "$work/own.yaml" --only '*disk_stall*' --quiet --db "$disk/data/records/db"
own_log=$work/spawn.$((${#test_pids[@]} - 1))
check "a campaign with its database below the data_dir: its fault is live" wait_for 30 stalls_file
check_eq "… and leaves the database alone" "$(grep records "$work/opened")" ""
check "… and ends" wait_for 60 is_over "$spawned"
check_eq "… with hits" "$(sqlite3 "$disk/data/records/db" "SELECT status FROM trials WHERE NOT baseline")" completed
diag "$(tail -n 5 "$own_log")"

refused "every_ms below stall_ms" 2 "every-ms \(100\) must be greater than --stall-ms \(200\)" disk_stall --for 1s --data-dir "$disk/data" --stall-ms 200 --every-ms 100
refused "every_ms as stall_ms" 2 "every-ms \(200\) must be greater than --stall-ms \(200\)" disk_stall --for 1s --data-dir "$disk/data" --stall-ms 200 --every-ms 200
refused "no stall_ms" 2 "stall-ms" disk_stall --for 1s --data-dir "$disk/data" --every-ms 200
refused "a stall of two minutes" 2 "120000 is outside 1 to 60000" disk_stall --for 1s --data-dir "$disk/data" --stall-ms 120000 --every-ms 130000
refused "the root folder" 1 "is the root folder: everything on this host's root file system would be under chaos.* allow: \[root_fs\]" \
	disk_stall --for 1s --data-dir / --stall-ms 1 --every-ms 2

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: sid: it has both engines; below 6.14 all kernels have reads only
# time limit: 300 s
# disk_latency, io_error and io_hang: which calls are delayed, refused and held, and which are not; and that they go on when the
# holder ends, however it ends. The precontent engine where the kernel has it, else the permission engine, which has reads only.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

file_calls=$top/build/tools/file_calls
precontent=$(feature precontent)
engine=permission operation=read
[[ $precontent == true ]] && engine=precontent operation=any

# hold NAME TYPE DIR OPTION…: the fault is live when it returns.
hold() { inject "$1" "$2" --for 600s --data-dir "$3" "${@:4}"; }
# shortest FILE CALL [COUNT [THREADS]]: the shortest of the calls in whole ms, and their results.
shortest() { "$file_calls" "$@" | sort -g | awk 'NR == 1 { ms = int($1 / 1000) } { r[$2]++ } END { printf "%d", ms; for (k in r) printf " %s:%d", k, r[k]; print "" }'; }
results() { "$file_calls" "$@" | cut -d' ' -f2 | xargs; }
# is_slow TEXT: the shortest took 40 ms, which was asked for, and all succeeded.
is_slow() { local ms=${1%% *}; ((ms >= 40)) && [[ $1 =~ ^[0-9]+\ ok:[0-9]+$ ]]; }
is_fast() { local ms=${1%% *}; ((ms < 40)) && [[ $1 =~ ^[0-9]+\ ok:[0-9]+$ ]]; }
fast() { check "$1" is_fast "$(shortest "${@:2}")"; }
slow() { check "$1" is_slow "$(shortest "${@:2}")"; }
refused() { check_fails "$1: refused" "$2" "$eval_bin" inject "${@:4}"; check_match "$1: why" "$output" "$3"; }

# evidence_holds NAME: the counts add up.
evidence_holds() {
	evidence "$1" '[.hit == ([.operations[].hit] | add), .seen == ([.operations[].seen] | add), .hit >= 15, .hit == .seen,
		.applied.count == .hit, .drawn.count == .hit, .applied.mean_us >= 40000, .drawn.mean_us == 40000,
		(.slowest | length) == 10, .slowest[0].held_ms >= .slowest[9].held_ms, .slowest[9].held_ms >= 40, .held == 0,
		(.slowest[0].file | contains("/data/"))] | all' | grep -qx true
}

# --- Which calls, on each file system -------------------------------------------------------------------------
reads=(pread direct_pread aio_read uring_read)
writes=(pwrite append fallocate truncate direct_pwrite aio_write uring_write)
for fs in ext4 xfs btrfs; do
	make_disk "$fs" "$fs" || { not_ok "$fs: a file system"; continue; }
	disk=$work/$fs
	mkdir -p "$disk/data/sub" "$disk/beside"
	for folder in data data/sub beside; do "$file_calls" "$disk/$folder/f" pread 1 4 >"$work/made"; done
	hold "$fs" disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation "$operation" || { not_ok "$fs: a fault"; continue; }
	for call in "${reads[@]}"; do
		# io_uring came to be asked about reads of its own with 5.12.
		[[ $call == uring_read && $(uname -r) == 5.10* ]] && continue
		slow "$fs: $call takes 40 ms more" "$disk/data/f" "$call" 3
	done
	if [[ $engine == precontent ]]; then
		for call in "${writes[@]}" mmap; do slow "$fs: $call takes 40 ms more" "$disk/data/f" "$call" 3; done
		# Twice as long would be the call's second try by a thread of io_uring.
		said=$("$file_calls" "$disk/data/f" uring_write 9 | sort -g | awk 'NR == 1 { print ($1 < 75000) }')
		check_eq "$fs: a call that io_uring tries twice is delayed once" "$said" 1
	else
		for call in "${writes[@]}"; do fast "$fs: $call passes" "$disk/data/f" "$call" 3; done
	fi
	fast "$fs: fsync passes" "$disk/data/f" fsync 3
	slow "$fs: in a folder below" "$disk/data/sub/f" pread 2
	slow "$fs: four threads at a time" "$disk/data/f" pread 2 4
	fast "$fs: beside the data_dir" "$disk/beside/f" pread 3
	mkdir "$disk/data/new" "$disk/beside/moved"
	cp "$disk/beside/f.0" "$disk/beside/moved/f.0"
	mv "$disk/beside/moved" "$disk/data/"
	cp "$disk/beside/f.0" "$disk/data/new/f.0"
	# eval is told of new folders, and marks them a moment later.
	sleep 0.3
	slow "$fs: in a new folder" "$disk/data/new/f" pread 2
	slow "$fs: in a folder that was moved in" "$disk/data/moved/f" pread 2
	mv "$disk/data/sub" "$disk/beside/"
	sleep 0.3
	fast "$fs: a folder that was moved out passes" "$disk/beside/sub/f" pread 3
	ln "$disk/data/f.0" "$disk/beside/link.0"
	fast "$fs: a name outside of it passes" "$disk/beside/link" pread 3
	if [[ $fs == btrfs ]]; then
		btrfs subvolume create "$disk/data/volume" >"$work/subvolume" && cp "$disk/beside/f.0" "$disk/data/volume/"
		sleep 0.3
		slow "$fs: in a new subvolume" "$disk/data/volume/f" pread 2
	fi
	revert "$fs"
	fast "$fs: after the revert" "$disk/data/f" pread 3
	check "$fs: the evidence has the calls, delays asked and applied" evidence_holds "$fs"
done

# --- Which of them: share, files, cgroup, errors ---------------------------------------------------------------
disk=$work/ext4
mountpoint -q "$disk" || { done_testing; exit 1; }
read_hits() { evidence "$1" '"\(.hit) of \(.seen)"'; }
for seed in 5 5 6; do
	hold share$seed disk_latency "$disk/data" --min-ms 0 --max-ms 1 --percent 30 --operation read --seed $seed
	"$file_calls" "$disk/data/f" pread 200 >"$work/share"
	revert share$seed
	shares+=("$(read_hits share$seed)")
done
check_match "percent: 30: about 60 of 200 calls" "${shares[0]}" '^(4[0-9]|[5-7][0-9]|80) of 200$'
check_eq "the same seed hits as many again" "${shares[1]}" "${shares[0]}"

hold files disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation "$operation" --files '*.1,new/f.*'
"$file_calls" "$disk/data/f" pread 3 2 >"$work/two"
slow "files: a path below the data_dir" "$disk/data/new/f" pread 2
revert files
check_eq "files: '*.1' is one of two files; what passed is counted" "$(evidence files '"\(.hit), \(.passed.other_file)"')" "5, 3"
hold none disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation read --files 'nothing-like-it'
fast "files that match nothing: all pass" "$disk/data/f" pread 3
revert none
check_match "files that match nothing: no hit, and why" "$(evidence none '"\(.hit) \(.notes | join(" "))"')" "^0 .*[0-9]+ calls were seen: 0 of other operations, 3 on other files"

cgroup=$(findmnt -n -l -o TARGET -t cgroup2 | head -n 1)
if [[ -n $cgroup ]] && mkdir "$cgroup/eval-test-$test_id"; then
	on_cleanup rmdir "$cgroup/eval-test-$test_id"
	mkdir "$cgroup/eval-test-$test_id/below" && on_cleanup rmdir "$cgroup/eval-test-$test_id/below"
	hold cgroup disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation read --cgroup "eval-test-$test_id"
	fast "cgroup: others pass" "$disk/data/f" pread 3
	in_cgroup() { (echo "$BASHPID" >"$cgroup/eval-test-$test_id/$1/cgroup.procs" && shortest "$disk/data/f" pread 3); }
	check "cgroup: its processes do not" is_slow "$(in_cgroup .)"
	check "cgroup: nor those of a cgroup below" is_slow "$(in_cgroup below)"
	revert cgroup
	check_eq "cgroup: calls of others are counted" "$(evidence cgroup '.passed.other_cgroup >= 3 and .hit == 6')" true
else
	skip "cgroup: others pass" "no cgroup v2 is mounted here"
fi

if [[ $engine == precontent ]]; then
	for errno in EIO ENOSPC EDQUOT EPERM EBUSY EAGAIN ETXTBSY; do
		hold error$errno io_error "$disk/data" --errno $errno --operation write
		check_eq "io_error: $errno for writes, not for reads" "$(results "$disk/data/f" pwrite; results "$disk/data/f" fallocate; results "$disk/data/f" uring_write; results "$disk/data/f" pread)" \
			"$errno"$'\n'"$errno"$'\n'"$errno"$'\n'ok
		revert error$errno
	done
	hold every io_error "$disk/data" --every 3 --operation read
	check_eq "io_error: every third read" "$(results "$disk/data/f" pread 7)" "ok ok EIO ok ok EIO ok"
	revert every
	hold first io_error "$disk/data" --first 2
	check_eq "io_error: the first two calls" "$(results "$disk/data/f" pwrite 4)" "EIO EIO ok ok"
	revert first
	check_eq "io_error: the evidence" "$(evidence first '"\(.hit) of \(.operations.write.seen), \(.operations.write.hit)"')" "2 of 4, 2"
else
	refused "io_error by precontent" 1 "needs Linux 6.14|this kernel has no" io_error --for 1s --data-dir "$disk/data" --engine precontent
	refused "delays of writes" 1 "engine: precontent needs Linux 6.14 or newer .*; and engine: permission sees reads only: it needs operation: read" \
		disk_latency --for 1s --data-dir "$disk/data" --min-ms 1 --max-ms 1
	refused "engine: precontent" 1 "engine: precontent needs Linux 6.14 or newer" \
		disk_latency --for 1s --data-dir "$disk/data" --min-ms 1 --max-ms 1 --engine precontent --operation read
fi
hold permission disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation read --engine permission
slow "engine: permission: reads" "$disk/data/f" pread 3
fast "engine: permission: writes pass" "$disk/data/f" pwrite 3
revert permission

# --- A target that asks faster than eval answers, and folders that move -----------------------------------------------
if [[ $engine == precontent ]]; then
	hold busy io_error "$disk/data" --first 1 --operation read
	for ((i = 0; i < 4; i++)); do (timeout 3 "$file_calls" "$disk/data/f" pread 10000000 2 >"$work/busy.$i" 2>&1) & busy[i]=$!; done
	wait "${busy[@]}"
	check "calls without a pause for 3 s: the fault lives on" is_running "$inject_pid"
	revert busy
	check_eq "… and has hit one of them" "$(evidence busy '.hit == 1 and .seen > 1000')" true
	hold moves disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation read
	for ((i = 0; i < 50; i++)); do mv "$disk/data/new" "$disk/data/newer" && mv "$disk/data/newer" "$disk/data/new"; done
	sleep 0.3
	slow "a folder that moves within the data_dir stays in scope" "$disk/data/new/f" pread 2
	revert moves
	mkdir -p "$disk/data/a/b" "$disk/beside/b"
	hold link disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation read
	mv "$disk/data/a" "$disk/data/was" && ln -s "$disk/beside" "$disk/data/a" && mkdir "$disk/beside/b/c" "$disk/data/was/b/c"
	sleep 0.3
	cp "$disk/beside/f.0" "$disk/beside/b/c/f.0"
	fast "a link in a folder's place does not lead out of the data_dir" "$disk/beside/b/c/f" pread 2
	revert link
fi

# --- Files that were open before -----------------------------------------------------------------------------------
mkfifo "$work/go"
(exec 3<>"$work/go"; exec "$file_calls" "$disk/data/open" keep <&3 >"$work/keep" 2>&1) &
keep_pid=$!
test_pids+=("$keep_pid")
wait_for 5 grep -q open "$work/keep"
hold before disk_latency "$disk/data" --min-ms 40 --max-ms 40 --operation "$operation"
echo >"$work/go"
wait_for 5 grep -q ok "$work/keep"
revert before
if [[ $engine == precontent ]]; then
	check_match "a file that was open before: untouched, and the evidence names who has it" \
		"$(evidence before '.notes | join(" ")') $(awk '/ok/ { print ($1 < 40000 ? "fast" : "slow") }' "$work/keep")" \
		"1 open file of file_calls pid $keep_pid may stay untouched: .* restart them.* fast$"
fi
kill "$keep_pid"
wait "$keep_pid" 2>/dev/null

# --- A hang, and every end of the holder -------------------------------------------------------------------------
# hung: makes a call that hangs; its result comes into $work/hung.
hung() { rm -f "$work/hung"; spawn "$file_calls" "$disk/data/f" pread 1; hung_log=$work/spawn.$((${#test_pids[@]} - 1)) hung_pid=$spawned; wait_for 5 is_held; }
is_held() { [[ $("$eval_bin" bpf-status --json | jq "[.faults[] | select(.calls.data_dirs // \"\" | startswith(\"$work/\")) | .calls.held] | add") -ge 1 ]]; }
went_on() { grep -q ' ok$' "$hung_log"; }
calls_pid() { pgrep -P "$inject_pid" -x eval-calls; }
# within NAME LIMIT_MS: the hung call went on within the limit since $since.
within() {
	local took
	wait_for 10 went_on
	# When the caller printed its result, not when a poll found it: on a busy host a poll takes seconds.
	took=$(awk "BEGIN { printf \"%d\", ($(stat -c %.9Y "$hung_log") - $since / 1e9) * 1000 }")
	# shellcheck disable=SC2015
	went_on && ((took <= $2 * ${EVAL_TIME_FACTOR:-1})) && ok "$1" || not_ok "$1" "after $took ms"
	diag "$1: after $took ms"
}
hang() { hold "$1" io_hang "$disk/data" --operation read && hung; }
hang kill || not_ok "io_hang: a hung call"
sleep 1
check "io_hang: it hangs" is_running "$hung_pid"
since=$(date +%s%N)
kill -KILL "$inject_pid"
within "SIGKILL of the holder: the hung call goes on" 200
hang killed_child || not_ok "a hung call"
helper_pid=$(calls_pid) # looking takes a busy guest seconds
since=$(date +%s%N)
kill -KILL "$helper_pid"
within "SIGKILL of eval-calls: it goes on" 200
wait_for 5 is_over "$inject_pid"
check_match "… and the holder says so" "$(cat "$work/killed_child.err" 2>/dev/null)" "eval-calls\) was killed"
hang stop || not_ok "a hung call"
since=$(date +%s%N)
kill -STOP "$inject_pid"
within "SIGSTOP of the holder: it goes on with the lease" 2600
kill -CONT "$inject_pid"
wait_for 5 is_over "$inject_pid"
hang stopped_child || not_ok "a hung call"
helper_pid=$(calls_pid)
since=$(date +%s%N)
kill -STOP "$helper_pid"
within "SIGSTOP of eval-calls: its holder ends it" 2600
wait_for 5 is_over "$inject_pid"
hang both || not_ok "a hung call"
kill -STOP "$(calls_pid)"
since=$(date +%s%N)
kill -KILL "$inject_pid"
within "SIGSTOP of eval-calls, SIGKILL of the holder: it goes on" 200
hang cleanup || not_ok "a hung call"
since=$(date +%s%N)
[[ -z ${EVAL_GUEST:-} ]] || "$eval_bin" cleanup --now >"$work/cleanup" 2>&1
[[ -n ${EVAL_GUEST:-} ]] || kill -INT "$inject_pid"
within "cleanup --now, or Ctrl+C: it goes on" 500
wait_for 5 is_over "$inject_pid"
hang caller || not_ok "a hung call"
kill -KILL "$hung_pid"
check "a hung caller can be killed" wait_for 5 is_over "$hung_pid"
revert caller
check_eq "nothing is left" "$(our_disk_faults; pgrep -x eval-calls | while read -r pid; do grep -l "$work" "/proc/$pid/maps" 2>/dev/null; done)" ""

# --- What is refused ------------------------------------------------------------------------------------------------
delay=(--min-ms 1 --max-ms 1 --operation read)
refused "percent: 0" 2 "percent must be above 0" disk_latency --for 1s --data-dir "$disk/data" "${delay[@]}" --percent 0
refused "percent: 101" 2 "101 is outside 0 to 100" disk_latency --for 1s --data-dir "$disk/data" "${delay[@]}" --percent 101
refused "an errno that cannot be given" 2 "'ENOENT' is none of EIO" io_error --for 1s --data-dir "$disk/data" --errno ENOENT
refused "percent and every" 2 "percent and every exclude each other" io_error --for 1s --data-dir "$disk/data" --percent 5 --every 2
refused "an absolute glob" 2 "'/etc/\*' is not a list of globs" io_hang --for 1s --data-dir "$disk/data" --files '/etc/*'
refused "the root folder" 1 "is the root folder: everything on this host's root file system would be under chaos.* allow: \[root_fs\]" \
	io_hang --for 1s --data-dir / --operation read
mkdir "$work/tmpfs" && mount -t tmpfs none "$work/tmpfs" && on_cleanup umount -l "$work/tmpfs"
if [[ $engine == precontent ]]; then
	refused "tmpfs" 1 "engine: precontent needs ext4, XFS or btrfs; the file system of data_dir '$work/tmpfs' has no such events" \
		disk_latency --for 1s --data-dir "$work/tmpfs" --min-ms 1 --max-ms 1
	# shellcheck disable=SC2016 # for the inner shell
	refused_limit=$(bash -c 'ulimit -n 16; "$@"' - "$eval_bin" inject io_hang --for 1s --data-dir "$disk/data" 2>&1)
	check_match "few descriptors: it works, or says so" "$refused_limit" "reverted|needs 224 descriptors, and 16 are allowed: raise RLIMIT_NOFILE"
fi
hold tmpfs disk_latency "$work/tmpfs" --min-ms 40 --max-ms 40 --operation read || not_ok "tmpfs: reads"
slow "tmpfs: reads are delayed, by permission" "$work/tmpfs/f" pread 2
revert tmpfs

done_testing

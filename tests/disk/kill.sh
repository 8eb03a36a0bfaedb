#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.12: it takes minutes, and a link ends with its descriptor on all kernels
# time limit: 180 s
# guests: 6.1 6.12 sid: 5.10's engine only samples the free space, and so is late
# Kills the holder at random moments while fio writes, on each file system: writes work again at once, and nothing is left.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

limit_ms=200 recovered=0
RANDOM=7
engine=$(engine_here)
[[ $engine == hook ]] || skip "hook: killed" "fmod_ret is refused"

# worked_after SINCE: milliseconds until the first write that succeeded.
worked_after() { awk -v since="$1" '$1 >= since && $2 == "ok" { printf "%.0f\n", ($1 - since) * 1000; exit }' "$probe_log"; }
was_refused_after() { awk -v since="$1" '$1 >= since && $2 == "ENOSPC" { found = 1 } END { exit !found }' "$probe_log"; }
is_refused() { [[ $(tail -n 1 "$probe_log") == *" ENOSPC" ]]; }
works() { [[ $(tail -n 1 "$probe_log") == *" ok" ]]; }
# quartiles JQ_FILTER FILE…: prints minimum, median and maximum over the evidence of reverted faults.
quartiles() { jq -r "select(.event == \"reverted\").evidence | $1" "${@:2}" | sort -g | awk '{ v[NR] = $1 } END { print v[1], v[int((NR + 1) / 2)], v[NR] }'; }
nothing_is_live() { [[ -z $(our_disk_faults) ]]; }
sleep_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

start_load() {
	# fio overwrites and grows files, and goes on after ENOSPC.
	spawn fio --name=load --directory="$1" --rw=randwrite --bs=4k --size=16M --numjobs=2 --thread --time_based \
		--runtime=600 --ioengine=psync --fallocate=none --continue_on_error=write --ignore_error=,ENOSPC --max_latency=0
	load_pid=$spawned load_log=$work/spawn.$((${#test_pids[@]} - 1))
	spawn "$disk_probe" "$1/probe" 65536
	probe_pid=$spawned
	probe_log=$work/spawn.$((${#test_pids[@]} - 1))
	wait_for 10 test -e "$1/load.1.0" && wait_for 5 works
}

# killed_live ENGINE DIR ROUND: kills the holder at a random moment while the fault is live. On failure, $why has the reason.
killed_live() {
	local since=$EPOCHREALTIME refused=yes
	why="no fault"
	pressure "live$3" "$2" --engine "$1" --fill-percent 100 || return 1
	why="not refused since $since"
	# Not with the fill engine, which leaves some space to the file system, so that small writes may succeed.
	[[ $1 == fill ]] || wait_for 5 was_refused_after "$since" || return 1
	sleep_ms $((RANDOM % 1500))
	# If the file system frees space meanwhile (of delayed allocations, say), writes may succeed before the kill.
	EVAL_TIME_FACTOR=1 wait_for 3 is_refused || refused=no
	since=$EPOCHREALTIME
	why="no write works since $since"
	marks=$(marks_in_log)
	kill -USR1 "$probe_pid"
	kill -KILL "$inject_pid"
	wait "$inject_pid" 2>/dev/null
	# `works` alone may see a write from before the kill, so wait for the mark of the next success, too.
	wait_for 2 works && wait_for 2 has_mark || return 1
	[[ $refused == no ]] || { ((++recovered)); echo "$(sed -n 's/^# refused //p' "$probe_log" | tail -n 1) $(worked_after "$since")" >>"$work/$1.recovery"; }
}
marks_in_log() { grep -c '^# refused' "$probe_log"; }
has_mark() { (($(marks_in_log) > marks)); }

# killed_early ENGINE DIR ROUND: kills the holder at a random moment of its start.
killed_early() {
	inject_start "early$3" disk_pressure --for 600s --data-dir "$2" --engine "$1" --fill-percent 100
	sleep_ms $((RANDOM % 600))
	kill -KILL "$inject_pid"
	wait "$inject_pid" 2>/dev/null
	wait_for 2 works
}

# killed_on FS ROUNDS: runs the rounds on a new file system of type FS.
killed_on() {
	local fs=$1 disk=$work/$1 bad=() round programs
	if ! make_disk "$fs" "$fs" 320 || ! mkdir "$disk/data" || ! start_load "$disk/data"; then
		not_ok "$engine: $fs: load"
		return
	fi
	programs=$(bpf_state)
	for ((round = 1; round <= $2; round++)); do
		killed_live "$engine" "$disk/data" "$fs$round" ||
			bad+=("live $round: $why: $(tail -n 2 "$probe_log")")
		((round % 2)) || killed_early "$engine" "$disk/data" "$fs$round" || bad+=("early $round: $(tail -n 2 "$probe_log")")
	done
	check_eq "$engine: $fs: killed $2 times while live and half as often while starting: writes work again" "${bad[*]}" ""
	check "$engine: $fs: the load still runs" is_running "$load_pid"
	is_running "$load_pid" || diag "$(grep -m 5 -iE 'err(or)?[ =:]' "$load_log")"
	check "$engine: $fs: no fault is live" wait_for 3 nothing_is_live
	same_programs() { [[ $(bpf_state) == "$programs" ]]; }
	check "$engine: $fs: no program or map is left" wait_for 3 same_programs
	check_eq "$engine: $fs: no file is left" "$(find "$disk" -xdev -mindepth 1 ! -name 'load*' ! -name probe \
		! -name lost+found ! -name data)" ""
	kill "$load_pid" "$probe_pid" 2>/dev/null
	wait "$load_pid" "$probe_pid" 2>/dev/null
}

if [[ $engine == fill ]]; then
	# Two rounds are enough: the kernel closes the descriptor of the unnamed file.
	killed_on ext4 2
	check_number "fill: writes were refused right before" "$recovered >= 1"
	check "fill: the file system can be unmounted" wait_for 5 umount "$work/ext4"
	done_testing
	exit
fi
rounds=4
is_emulated && rounds=3
for fs in ext4 xfs btrfs; do
	killed_on "$fs" "$rounds"
done
check_number "in most of them they were refused right before" "$recovered > 3 * $rounds / 2"
read -r worst _ < <(sort -rn "$work/hook.recovery")
check_number "within $limit_ms ms of a try each" "${worst:-100000} <= $limit_ms"
diag "after SIGKILL, refused tries, and ms until one worked: $(sort -n "$work/hook.recovery" | paste -sd ,)"
for ((round = 1; round <= 5; round++)); do
	pressure "timed$round" "$work/ext4/data" --engine hook --fill-percent 100 && revert "timed$round"
done
for what in attach_ms detach_ms; do
	diag "$what, least, median, most of five: $(quartiles ".$what" "$work"/timed?.out)"
done
for fs in ext4 xfs btrfs; do
	check "$fs: the file system can be unmounted" wait_for 5 umount "$work/$fs"
done

done_testing

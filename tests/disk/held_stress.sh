#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# not in guests: it takes minutes there; held and stall test what differs by kernel
# time limit: 300 s
# fio with verification, sync, find and log rotation on a disk whose calls are delayed, and killed holders: no deadlock, no error
# that was not asked for, no byte changed. $EVAL_STRESS_SECONDS (20) and $EVAL_STRESS_KILLS (20) for longer runs.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

seconds=${EVAL_STRESS_SECONDS:-20} kills=${EVAL_STRESS_KILLS:-20}
operation='read'
[[ $(feature precontent) == true ]] && operation=any
RANDOM=7
hold() { inject "$1" "$2" --for 3600s --data-dir "$3" "${@:4}"; }

# fio writes blocks with checksums and reads them again, over and over; its exit status tells of errors and of wrong content.
start_fio() {
	spawn fio --name=verified --directory="$1" --rw=randrw --bs=4k --size=8M --numjobs=2 --thread --time_based --runtime="$2" \
		--ioengine=psync --fallocate=none --verify=crc32c --verify_fatal=1 --verify_backlog=64 --output-format=json
	fio_pid=$spawned fio_log=$work/spawn.$((${#test_pids[@]} - 1))
	wait_for 20 test -e "$1/verified.1.0"
}
fio_is_over() { ! is_running "$fio_pid"; }
fio_errors() { wait "$fio_pid"; local status=$?; echo "$status $(sed -n '/^{/,$p' "$fio_log" | jq -r '[.jobs[].error] | add' 2>/dev/null)"; }
fio_calls() { sed -n '/^{/,$p' "$fio_log" | jq '[.jobs[] | .read.total_ios + .write.total_ios] | add'; }

# What else goes on on such a disk: sync, find, backups, log rotation. Ends by itself.
bustle() {
	local end=$((SECONDS + $2)) n=0
	while ((SECONDS < end)); do
		echo "line $((++n))" >>"$1/app.log"
		((n % 10)) || { mkdir -p "$1/old/$n" && mv "$1/app.log" "$1/old/$n/app.log.1"; }
		((n % 50)) || rm -rf "$1/old"
		find "$1" -type f -name '*.log*' | wc -l
		tar cf - -C "$1" . 2>/dev/null | wc -c
		sync -f "$1"
		sleep 0.1
	done
}

# --- Long delays, and everything else going on ------------------------------------------------------------------
share=$((seconds / 3))
for fs in ext4 xfs btrfs; do
	make_disk "$fs" "$fs" || { not_ok "$fs: a file system"; continue; }
	mkdir "$work/$fs/data"
	hold "$fs" disk_latency "$work/$fs/data" --min-ms 0 --max-ms 10 --percent 20 --operation $operation || { not_ok "$fs: a fault"; continue; }
	start_fio "$work/$fs/data" "$share"
	bustle "$work/$fs/data" "$share" >"$work/$fs.bustle" 2>&1 &
	bustle_pid=$!
	wait_for $((share + 60)) fio_is_over
	check_eq "$fs: fio with verification under disk_latency: no error, no wrong byte" "$(fio_errors)" "0 0"
	wait "$bustle_pid"
	check_eq "$fs: sync, find, tar and log rotation beside it: no error" "$(grep -vE '^[0-9]+$' "$work/$fs.bustle")" ""
	revert "$fs"
	check_eq "$fs: calls were delayed, none too many held, no folder lost" "$(evidence "$fs" '[.hit > 10, .losses == [], .held == 0] | all')" true
	diag "$fs: $(fio_calls) calls of fio, hit: $(evidence "$fs" '"\(.hit) of \(.seen)"')"
done

# --- Killed holders -----------------------------------------------------------------------------------------------
disk=$work/ext4/data
types=("disk_latency --min-ms 1 --max-ms 50" "io_hang" "disk_latency --min-ms 200 --max-ms 300")
calls_left() { pgrep -x eval-calls | while read -r pid; do [[ $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) == *"$disk"* ]] && echo "$pid"; done; }
start_fio "$disk" $((kills * 4 + 60))
slowest=0 wrong=
for ((round = 0; round < kills; round++)); do
	read -ra words <<<"${types[round % 3]}"
	hold "kill$round" "${words[0]}" "$disk" --operation "$operation" "${words[@]:1}" || { wrong+="round $round: no fault "; continue; }
	sleep "0.$((RANDOM % 900 + 100))"
	victim=$inject_pid
	((round % 4 == 3)) && victim=$(pgrep -P "$inject_pid" -x eval-calls)
	kill -KILL "$victim"
	wait_for 5 is_over "$inject_pid"
	since=$(date +%s%N)
	# A read of its own goes through as soon as nothing holds calls.
	"$top/build/tools/file_calls" "$disk/probe" pread 1 >"$work/probe.out"
	took=$((($(date +%s%N) - since) / 1000000))
	((took <= slowest)) || slowest=$took
done
diag "$kills kills: the slowest call afterwards took $slowest ms"
check_eq "$kills kills under fio" "$wrong" ""
check_eq "nothing is left" "$(our_disk_faults)$(calls_left)" ""
kill -INT "$fio_pid"
wait_for 60 fio_is_over
# Interrupted, fio ends with 128 + SIGINT, or 0; what counts is that it saw no error.
check_eq "fio's content is as it wrote it" "$(fio_errors | cut -d' ' -f2)" 0

done_testing

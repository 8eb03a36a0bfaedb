#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.12: it takes minutes; disk/calls tests the hooks on all kernels
# time limit: 300 s
# guests: 6.1 6.12 sid: 5.10's engine only samples the free space, and so is late
# How many bytes are granted before a write is refused, and when space comes back.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

have_hooks || skip_all "fmod_ret is refused, and the fill engine is a file system's own accounting"
left=$((32 * mib))
# The tolerance is 1 % or 4 MiB, whichever is larger.
slack=$((4 * mib))

# Each of these writes until the disk is full.
write_buffered() { dd if=/dev/zero of="$1/buffered$2" bs=64k; }
write_direct() { dd if=/dev/zero of="$1/direct$2" bs=64k oflag=direct; }
write_appended() { dd if=/dev/zero of="$1/appended" bs=64k oflag=append conv=notrunc; }
write_allocated() {
	local end=0
	while fallocate -o "$end" -l "$mib" "$1/allocated$2"; do
		end=$((end + mib))
	done
}
write_fio() {
	fio --name="$3" --filename="$1/$3$2" --ioengine="$3" --iodepth=16 --rw=write --bs=64k --size=64M --fallocate=none \
		--thread --output="$work/fio.$3$2"
}
write_libaio() { write_fio "$1" "$2" libaio; }
write_io_uring() { write_fio "$1" "$2" io_uring; }
write_mixed() {
	case $2 in
	1) write_buffered "$@" ;;
	2) write_direct "$@" ;;
	3) write_appended "$@" ;;
	4) write_allocated "$@" ;;
	esac
}

# granted_to KIND DIR: prints the bytes that four concurrent writers get. Complains on stderr if one ends before the disk is
# full.
granted_to() {
	local i pids=() folder=$2/$1
	mkdir "$folder"
	for i in 1 2 3 4; do
		"write_$1" "$folder" "$i" >"$work/writer$i" 2>&1 &
		pids+=("$!")
	done
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		grep -qiE "no space left" "$work/writer$i" "$work"/fio.*"$i" 2>/dev/null ||
			echo "writer $i: $(tail -n 3 "$work/writer$i")" >&2
	done
	find "$folder" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'
	rm -rf "$folder"
	rm -f "$work"/fio.*
}

check_granted() {
	local fs=$1 kind=$2 granted
	pressure granted "$work/$fs" --engine hook --leave-bytes "$left" || { not_ok "$fs: $kind"; return; }
	granted=$(granted_to "$kind" "$work/$fs" 2>"$work/complaints")
	check_eq "$fs: $kind: four writers end because the disk is full" "$(cat "$work/complaints")" ""
	check_number "$fs: $kind: granted what was left" "$granted >= $left - $slack && $granted <= $left + $slack"
	diag "$fs: $kind: granted $(awk "BEGIN { printf \"%.2f\", 100 * $granted / $left }") % of $left bytes"
	revert granted
}

# Four writers need three quarters of the space that is left: none is refused.
check_enough() {
	local fs=$1 i pids=()
	mkdir "$work/$fs/enough"
	pressure enough "$work/$fs" --engine hook --leave-bytes "$left" || { not_ok "$fs: enough"; return; }
	for i in 1 2 3 4; do
		{ dd if=/dev/zero of="$work/$fs/enough/$i" bs=64k count=64 && fallocate -l 6M "$work/$fs/enough/$i"; } \
			>"$work/enough$i" 2>&1 &
		pids+=("$!")
	done
	wait "${pids[@]}"
	revert enough
	check_eq "$fs: four writers that need 24 of 32 MiB: none is refused" \
		"$(cat "$work"/enough? | grep -i 'no space')$(evidence enough '"\(.hit) \(.refused | add)"')" "0 0"
	rm -rf "$work/$fs/enough"
	sync -f "$work/$fs"
}

# Leaves so much space that 1 % of it is more than 4 MiB.
check_granted_much() {
	local fs=$1 granted much=$((600 * mib)) end=0
	make_disk "much-$fs" "$fs" 1500 || { not_ok "much-$fs: a file system"; return; }
	pressure much "$work/much-$fs" --engine hook --leave-bytes "$much" || { not_ok "much-$fs: a fault"; return; }
	while fallocate -o "$end" -l 16M "$work/much-$fs/file" 2>/dev/null; do
		end=$((end + 16 * mib))
	done
	while fallocate -o "$end" -l "$mib" "$work/much-$fs/file" 2>/dev/null; do
		end=$((end + mib))
	done
	granted=$(stat -c %s "$work/much-$fs/file")
	revert much
	check_number "$fs: of 600 MiB $granted bytes are granted, ± 1 %" "$granted >= 0.99 * $much && $granted <= 1.01 * $much"
	remove_disk "much-$fs"
}

for fs in ext4 xfs; do
	make_disk "$fs" "$fs" || { not_ok "$fs: a file system"; continue; }
	for kind in appended allocated libaio io_uring mixed; do
		check_granted "$fs" "$kind"
	done
	check_enough "$fs"
	check_granted_much "$fs"

	available=$(available "$work/$fs")
	pressure half "$work/$fs" --engine hook --fill-percent 50 || { not_ok "$fs: a fault"; continue; }
	write_allocated "$work/$fs" "$fs" >"$work/allocated.out" 2>&1
	granted=$(stat -c %s "$work/$fs/allocated$fs")
	check_number "$fs: fill_percent 50 leaves half of what is available, ± 1 % of it or 4 MiB" \
		"($granted - $available / 2) ^ 2 <= $slack ^ 2"
	check_eq "$fs: what was granted can be written to when nothing is left" \
		"$(dd if=/dev/zero of="$work/$fs/allocated$fs" bs=1M count=8 conv=notrunc,fdatasync 2>&1 >/dev/null |
			sed -n 's/^dd: .*: //p')" ""
	check_eq "$fs: and nothing more is" "$(grow "$work/$fs/more" $((5 * mib)))" "$full"
	revert half
	rm "$work/$fs/allocated$fs"
	check_number "$fs: refusals are counted" "$(evidence half .hit) >= 2"
done

# --- Blocks, not bytes ----------------------------------------------------------------------------------------

# scattered FILE: writes 40 blocks with holes between them: so many extents that they need blocks of their own.
scattered() {
	local i
	fallocate -l 4096 "$1"
	for ((i = 1; i < 80; i += 2)); do
		dd if=/dev/zero of="$1" bs=4096 count=1 seek="$i" conv=notrunc,fsync status=none
	done
}
one_byte_files() {
	local i
	for ((i = 0; i < 100; i++)); do echo -n x >"$1/byte$i"; done
}
for fs in ext4 xfs; do
	make_disk "blocks-$fs" "$fs" 600 || { not_ok "$fs: a file system"; continue; }
	disk=$work/blocks-$fs
	scattered "$disk/scattered"
	sync -f "$disk"
	pressure blocks "$disk" --engine hook --leave-bytes "$left" || { not_ok "$fs: blocks: a fault"; continue; }
	one_byte_files "$disk"
	revert blocks
	check_number "$fs: a file of a byte is charged as a block" "$(evidence blocks '.spaces[0].charged_bytes') >= 100 * 4096"
	pressure full "$disk" --engine hook --fill-percent 100 || { not_ok "$fs: full: a fault"; continue; }
	check_eq "$fs: blocks that say where a file's are do not count as its own" \
		"$(for i in 1 2 3; do grow "$disk/scattered" 4096; done | uniq)" "$full"
	revert full
	remove_disk "blocks-$fs"
done

# --- Each call once -------------------------------------------------------------------------------------------

# send_40 SOURCE TARGET CALL: copies 40 MiB, of 64 MiB left, so that charging it twice would be refused. In 6.1 sendfile and
# copy_file_range pass the hooks several times.
send_40() {
	python3 -c 'import os, sys
source, target = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY)
call = (lambda n: os.sendfile(target, source, None, n)) if sys.argv[3] == "sendfile" else (
    lambda n: os.copy_file_range(source, target, n))
left = 40 << 20
os.lseek(source, 1, os.SEEK_SET) # blocks cannot be shared
while left:
    left -= call(left)
print("ok")' "$1" "$2" "$3" 2>&1 | tail -n 1
}
for fs in ext4 xfs btrfs; do
	make_disk "once-$fs" "$fs" 600 || { not_ok "$fs: a file system"; continue; }
	disk=$work/once-$fs
	head -c 50M /dev/zero >"$disk/source"
	sync -f "$disk"
	for call in sendfile copy_file_range; do
		pressure once "$disk" --engine hook --leave-bytes $((64 * mib)) || { not_ok "$fs: once: a fault"; continue; }
		check_eq "$fs: $call of 40 MiB where 64 are left" "$(send_40 "$disk/source" "$disk/$call" "$call")" ok
		revert once
		diag "$fs: $call: charged $(evidence once '.spaces[0].charged_bytes')"
		rm "$disk/$call"
		sync -f "$disk"
	done
	# Programs that copy request more bytes than the file has; Python's shutil at least 8 MiB.
	head -c 1000 /dev/zero >"$disk/small"
	pressure small "$disk" --engine hook --leave-bytes $((5 * mib)) || { not_ok "$fs: small: a fault"; continue; }
	check_eq "$fs: twenty copies of a small file where 5 MiB are left" "$(python3 -c 'import os, sys
source = os.open(sys.argv[1], os.O_RDONLY)
for i in range(20):
    os.sendfile(os.open(sys.argv[1] + str(i), os.O_CREAT | os.O_WRONLY), source, 0, 8 << 20)
print("ok")' "$disk/small" 2>&1 | tail -n 1)" ok
	check_eq "$fs: a splice that asks for more than its pipe has" "$(echo some | python3 -c 'import os, sys
print(os.splice(0, os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), 1 << 30))' "$disk/spliced" 2>&1 | tail -n 1)" 5
	revert small
	check_eq "$fs: nothing of that is refused" "$(evidence small .hit)" 0
	pressure refused "$disk" --engine hook --leave-bytes $((64 * mib)) || { not_ok "$fs: refused: a fault"; continue; }
	fallocate -l 5G "$disk/large" 2>"$work/refused"
	revert refused
	check_match "$fs: 5 GiB are refused" "$(cat "$work/refused")" "$full"
	check_eq "$fs: and counted as such" "$(evidence refused '"\(.hit) \(.bytes) \(.refused.fallocate) \(.first_hit_ns > 0)"')" \
		"1 $((5 << 30)) 1 true"
	remove_disk "once-$fs"
done

# --- When space comes back ------------------------------------------------------------------------------------

# probe_start FILE: starts disk_probe. changed SINCE RESULT: prints the seconds until the first try with RESULT; nothing if
# there is none.
probe_start() {
	spawn "$disk_probe" "$1" 65536
	probe_pid=$spawned
	probe_log=$work/spawn.$((${#test_pids[@]} - 1))
}
changed() { awk -v since="$1" -v result="$2" '$1 >= since && $2 == result { printf "%.3f\n", $1 - since; exit }' "$probe_log"; }
has_changed() { [[ -n $(changed "$@") ]]; }
last_result() { [[ $(tail -n 1 "$probe_log") == *" $1" ]]; }
check_change() {
	local name=$1 since=$2 result=$3 limit=$4 seconds
	wait_for 5 has_changed "$since" "$result"
	seconds=$(changed "$since" "$result")
	check_number "$name within $limit s" "${seconds:-1000} <= $limit"
	diag "$name: ${seconds:-never}"
}

for fs in ext4 xfs btrfs; do
	make_disk "back-$fs" "$fs" || { not_ok "$fs: a file system"; continue; }
	disk=$work/back-$fs
	mkdir "$disk/data"
	fallocate -l 24M "$disk/data/old"
	probe_start "$disk/data/probe"
	check "$fs: before: writes work" wait_for 5 last_result ok
	pressure back "$disk/data" --engine hook --fill-percent 100 || { not_ok "$fs: a fault"; continue; }
	check "$fs: they are refused" wait_for 5 last_result ENOSPC
	since=$EPOCHREALTIME
	rm "$disk/data/old"
	sync -f "$disk"
	check_change "$fs: space that is freed in scope counts" "$since" ok 0.5
	since=$EPOCHREALTIME
	fallocate -l 40M "$disk/other"
	check_change "$fs: space that others take counts" "$since" ENOSPC 0.5
	since=$EPOCHREALTIME
	kill -INT "$(pid_of back)"
	check_change "$fs: after the revert writes work" "$since" ok "$(awk "BEGIN { print 0.2 * ${EVAL_TIME_FACTOR:-1} }")"
	inject_end back
	kill "$probe_pid"
	check_eq "$fs: nothing of ours is live" "$(our_disk_faults)" ""

	# The fault ends by itself.
	probe_start "$disk/data/probe"
	since=$EPOCHREALTIME
	inject timed disk_pressure --for 3s --data-dir "$disk/data" --engine hook --fill-percent 100 ||
		not_ok "$fs: a fault with a time"
	check "$fs: refused again" wait_for 5 has_changed "$since" ENOSPC
	inject_end timed
	check "$fs: after its time writes work" wait_for 1 last_result ok

	# The holder is stopped: the fault ends with its lease or, if it is stopped shortly before the deadline, at the deadline.
	since=$EPOCHREALTIME
	inject stopped disk_pressure --for 60s --data-dir "$disk/data" --engine hook --fill-percent 100 ||
		not_ok "$fs: a fault to be stopped"
	check "$fs: refused a third time" wait_for 5 has_changed "$since" ENOSPC
	since=$EPOCHREALTIME
	kill -STOP "$(pid_of stopped)"
	wait_for 5 has_changed "$since" ok
	check_number "$fs: a stopped holder lets go within its lease" "0$(changed "$since" ok) <= 2 + $timer_late_ms / 1000"
	kill -KILL "$(pid_of stopped)"
	inject_end stopped
	inject deadline disk_pressure --for 2s --data-dir "$disk/data" --engine hook --fill-percent 100 ||
		not_ok "$fs: a fault with a time, to be stopped"
	since=$(seconds_of deadline injected)
	sleep_until "$since + 1.5"
	kill -STOP "$(pid_of deadline)"
	wait_for 5 last_result ok
	check_number "$fs: also by its time" "$(tail -n 1 "$probe_log" | cut -d ' ' -f 1) <= $since + 2 + $timer_late_ms / 1000"
	kill -KILL "$(pid_of deadline)"
	inject_end deadline
	kill "$probe_pid"
	remove_disk "back-$fs"
done

done_testing

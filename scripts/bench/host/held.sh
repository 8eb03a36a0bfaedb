#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints how exact delays of file calls are, and what a call costs that passes, inside and outside of the data_dir.
source "$(dirname "$0")/../lib.sh" && begin

rounds=${ROUNDS:-11}
calls=build/tools/file_calls
[[ -x $calls ]] || die "$calls is missing: make bench"
mount_point=
unmount() { [[ -z $mount_point ]] || umount -l "$mount_point"; }
trap 'unmount; remove_all' EXIT

# disk FS: makes a file system on a loop device, with data and beside on it.
disk() {
	unmount
	mount_point=
	truncate -s 400M "$work/$1.image" || return 1
	"mkfs.$1" -q "$work/$1.image" >"$work/mkfs" 2>&1 || die "mkfs.$1: $(<"$work/mkfs")"
	mkdir -p "$work/$1" && mount -o loop "$work/$1.image" "$work/$1" || return 1
	mount_point=$work/$1
	mkdir "$work/$1/data" "$work/$1/beside"
	"$calls" "$work/$1/data/f" pread 1 4 >"$work/made" && "$calls" "$work/$1/beside/f" pread 1 4 >"$work/made"
}

# late FILE CALL COUNT THREADS MS: "p50 p99 max" of what a call took beyond MS, in milliseconds.
late() { "$calls" "$1" "$2" "$3" "$4" | awk -v ms="$5" '{ print $1 / 1000 - ms }' | "$TOOLS/stats" summary | cut -f 2-4; }

cat <<END
## Calls on files that are held

How much longer a call takes than the delay that was asked for, in milliseconds, with the call's own time: 200 calls of each kind at
1 and 10 ms, 50 at 100 ms; each of four threads has a file of its own.

END
row "file system" call threads asked p50 p99 max
row --- --- ---: ---: ---: ---: ---:
for fs in ext4 xfs btrfs; do
	disk "$fs" || die "no $fs"
	for ms in 1 10 100; do
		fault_begin disk_latency --min-ms $ms --max-ms $ms --data-dir "$work/$fs/data"
		for call in pwrite pread fallocate direct_pwrite aio_write uring_write; do
			for threads in 1 4; do
				[[ $threads == 4 && $call != p* ]] && continue
				read -r p50 p99 max <<<"$(late "$work/$fs/data/f" $call $(((ms == 100 ? 50 : 200) / threads)) $threads $ms)"
				row "$fs" "$call" $threads "$ms ms" "$(round 2 "$p50")" "$(round 2 "$p99")" "$(round 2 "$max")"
			done
		done
		fault_stop
	done
done

cat <<END

Calls that pass, $rounds interleaved pairs of 20,000 pwrites by one thread: without a fault, and beside a fault that is asked about
each call on its files and hits none (\`files\` matches nothing).

END
# cost FOLDER: median microseconds of a pwrite.
cost() { "$calls" "$work/ext4/$1/f" pwrite 20000 | cut -d ' ' -f 1 | "$TOOLS/stats" summary | cut -f 2; }
disk ext4 || die "no ext4"
for folder in beside data; do
	for ((i = 0; i < rounds; i++)); do
		for way in $( ((i % 2)) && echo "without with" || echo "with without"); do
			[[ $way == without ]] || fault_begin disk_latency --min-ms 1 --max-ms 1 --files nothing-like-it --data-dir "$work/ext4/data"
			cost $folder >>"$work/$folder.$way"
			[[ $way == without ]] || fault_stop
		done
	done
done
row where "without, µs" "with, µs" "throughput, with to without" "95 %"
row --- ---: ---: ---: ---:
for folder in beside data; do
	read -r _ without _ < <("$TOOLS/stats" summary <"$work/$folder.without")
	read -r _ with _ < <("$TOOLS/stats" summary <"$work/$folder.with")
	read -r ratio low high _ < <(paste "$work/$folder.with" "$work/$folder.without" | "$TOOLS/stats" ratio)
	row "$([[ $folder == data ]] && echo "below the data_dir" || echo "beside it, on the same disk")" "$(round 2 "$without")" \
		"$(round 2 "$with")" "$(round 3 "$ratio")" "$(round 3 "$low") to $(round 3 "$high")"
done

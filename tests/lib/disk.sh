# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For tests of disk_pressure, behind lib.sh and net.sh: file systems of their own on loop devices.
# shellcheck disable=SC2154,SC2034 # lib.sh has set top and work; tests use what this file sets
disk_calls=$top/build/tools/disk_calls
disk_probe=$top/build/tools/disk_probe
mib=1048576

# The feature of this kernel, by eval's own trial: "true" or "false".
feature() { "$eval_bin" bpf-status --json | jq -r ".features[] | select(.name == \"$1\") | .usable"; }
have_hooks() { [[ $(feature fmod_ret) == true ]]; }
# What tests of both engines run here; the fill engine, which is the file system's own accounting, where there is no other.
engine_here() { have_hooks && echo hook || echo fill; }

# make_disk NAME FS [MIB]: mounted at $work/NAME; gone at the end. Sparse, so that it takes only what is written.
make_disk() {
	local name=$1 fs=$2 image=$work/$1.image
	truncate -s "${3:-320}M" "$image" || return 1
	case $fs in
	# Without the share that only root may use, so that for tests as root what is available is what is there.
	ext4) mkfs.ext4 -q -m 0 "$image" ;;
	xfs) mkfs.xfs -q "$image" ;;
	btrfs) mkfs.btrfs -q "$image" ;;
	esac >"$work/$name.mkfs" 2>&1 || { diag "mkfs.$fs:" "$(cat "$work/$name.mkfs")"; return 1; }
	mkdir -p "$work/$name" && mount -o loop "$image" "$work/$name" || return 1
	on_cleanup umount -l "$work/$name"
}

remove_disk() {
	umount "$work/$1" && rm -f "$work/$1.image"
}

available() { df --output=avail -B 1 "$1" | tail -n 1 | tr -d ' '; }

# pressure NAME DIR OPTION…: a disk_pressure by hand, live when it returns.
pressure() {
	local name=$1 dir=$2
	shift 2
	inject "$name" disk_pressure --for 600s --data-dir "$dir" "$@"
}

# grow FILE [BYTES]: appends 64 KiB or that; prints ok or the error's text.
grow() {
	local message
	message=$(head -c "${2:-65536}" /dev/zero | dd of="$1" bs="${2:-65536}" iflag=fullblock oflag=append conv=notrunc 2>&1) &&
		echo ok && return
	sed -n "s/^dd: .*: //p" <<<"$message" | head -n 1
}
full='No space left on device'

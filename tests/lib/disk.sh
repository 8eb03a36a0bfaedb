# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For tests of disk_pressure, sourced after lib.sh and net.sh: file systems on loop devices, and pressure on them.
# shellcheck disable=SC2154,SC2034 # lib.sh has set top and work; tests use what this file sets
disk_calls=$top/build/tools/disk_calls
disk_probe=$top/build/tools/disk_probe
mib=1048576

# feature NAME: whether this kernel has it, as eval bpf-status probes it: "true" or "false".
feature() { "$eval_bin" bpf-status --json | jq -r ".features[] | select(.name == \"$1\") | .usable"; }
have_hooks() { [[ $(feature fmod_ret) == true ]]; }
# The engine for tests that suit both: hook if the kernel has it, otherwise fill.
engine_here() { have_hooks && echo hook || echo fill; }

# The faults on this test's disks, as others may be live on this host.
our_disk_faults() { "$eval_bin" bpf-status --json | jq -c ".faults[] | select(.disk.data_dirs // \"\" | startswith(\"$work/\"))"; }

# make_disk NAME FS [MIB]: mounts a new file system on a sparse image at $work/NAME; unmounted at the end.
make_disk() {
	local name=$1 fs=$2 image=$work/$1.image
	truncate -s "${3:-320}M" "$image" || return 1
	case $fs in
	# -m 0: no blocks reserved for root, so that a test as root can use exactly what df calls available.
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

# pressure NAME DIR OPTION…: injects disk_pressure; the fault is live when it returns.
pressure() {
	local name=$1 dir=$2
	shift 2
	inject "$name" disk_pressure --for 600s --data-dir "$dir" "$@"
}

# grow FILE [BYTES]: appends BYTES (default 64 KiB); prints ok or the text of the error.
grow() {
	local message
	message=$(head -c "${2:-65536}" /dev/zero | dd of="$1" bs="${2:-65536}" iflag=fullblock oflag=append conv=notrunc 2>&1) &&
		echo ok && return
	sed -n "s/^dd: .*: //p" <<<"$message" | head -n 1
}
full='No space left on device'

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 5.10 6.12: one kernel for each kind of hook
# time limit: 180 s
# Which files and which processes are under pressure, and what df reports.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

have_hooks || skip_all "fmod_ret is refused, and the fill engine has no scope"

# in_cgroup PATH COMMAND…: runs the command in that cgroup.
in_cgroup() {
	# shellcheck disable=SC2016
	bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$@"
}

# Prints in bytes: available by statfs, available by fstatfs, free, size.
python_statvfs() {
	python3 -c 'import os, sys
by_path = os.statvfs(sys.argv[1])
by_fd = os.fstatvfs(os.open(sys.argv[1], os.O_RDONLY))
print(by_path.f_bavail * by_path.f_frsize, by_fd.f_bavail * by_fd.f_frsize, by_path.f_bfree * by_path.f_frsize,
      by_path.f_blocks * by_path.f_frsize)' "$1"
}

# in_scope COMMAND…: a command like grow, but without the feature growth (5.10) up to ten times: the engine then only samples,
# so space that the file system frees in between can be used up before writes are refused.
in_scope() {
	local tries got
	for ((tries = have_growth ? 1 : 10; tries; tries--)); do
		got=$("$@")
		[[ $got == ok ]] || break
	done
	echo "$got"
}
grow_in_scope() { in_scope grow "$@"; }
# grow_by DESCRIPTOR: as grow, without opening the file again.
grow_by() {
	local message
	message=$(head -c 65536 /dev/zero 2>/dev/null | dd bs=64k iflag=fullblock 2>&1 >&"$1") && echo ok && return
	sed -n 's/^dd: .*: //p' <<<"$message"
}
have_growth=$([[ $(feature growth) == true ]] && echo 1 || echo 0)

check_files() {
	local fs=$1 disk=$work/$1
	make_disk "$fs" "$fs" || { not_ok "$fs: a file system"; return; }
	make_disk "other-$fs" "$fs" || { not_ok "$fs: another file system"; return; }
	mkdir -p "$disk"/{data/deep/er,data2,database,bound,outside} "$disk/data/$(printf 'd/%.0s' {1..40})"
	echo hello >"$disk/data/readable"
	touch "$disk"/{data/moved-out,outside/moved-in,data/linked}
	ln "$disk/data/linked" "$disk/outside/linked"
	mount --bind "$disk/data" "$disk/bound" && on_cleanup umount -l "$disk/bound"
	exec {opened}>>"$disk/data/opened" {deleted}>>"$disk/data/deleted" {outside_deleted}>>"$disk/outside/deleted"
	rm "$disk/data/deleted" "$disk/outside/deleted"

	pressure scope "$disk/data" --data-dir "$disk/data2" --engine hook --fill-percent 100 ||
		{ not_ok "$fs: a fault"; return; }
	check_eq "$fs: a file in data_dir" "$(grow_in_scope "$disk/data/new")" "$full"
	check_eq "$fs: deep below" "$(grow_in_scope "$disk/data/deep/er/new")" "$full"
	check_eq "$fs: 41 folders below" "$(grow_in_scope "$disk/data/$(printf 'd/%.0s' {1..40})new")" "$full"
	check_eq "$fs: through a bind mount" "$(grow_in_scope "$disk/bound/new2")" "$full"
	check_eq "$fs: opened before" "$(grow_in_scope "/proc/self/fd/$opened")" "$full"
	check_eq "$fs: opened before, by that descriptor" \
		"$(in_scope grow_by "$opened")" "$full"
	check_eq "$fs: deleted, but open" \
		"$(in_scope grow_by "$deleted")" "$full"
	check_eq "$fs: the second data_dir" "$(grow_in_scope "$disk/data2/new")" "$full"
	check_eq "$fs: a sibling" "$(grow "$disk/outside/new")" ok
	check_eq "$fs: a sibling whose name begins alike" "$(grow "$disk/database/new")" ok
	check_eq "$fs: beside data_dir" "$(grow "$disk/new")" ok
	check_eq "$fs: outside, deleted, but open" \
		"$(head -c 65536 /dev/zero | dd bs=64k 2>&1 >&"$outside_deleted" | sed -n 's/^dd: .*: //p')" ""
	check_eq "$fs: another file system of that type" "$(grow "$work/other-$fs/new")" ok
	mv "$disk/outside/moved-in" "$disk/data/" && mv "$disk/data/moved-out" "$disk/outside/"
	check_eq "$fs: moved in" "$(grow_in_scope "$disk/data/moved-in")" "$full"
	check_eq "$fs: moved out" "$(grow "$disk/outside/moved-out")" ok
	mv "$disk/data/deep" "$disk/data/deeper"
	check_eq "$fs: a folder that was renamed" "$(grow_in_scope "$disk/data/deeper/er/new")" "$full"
	mv "$disk/data" "$disk/renamed"
	check_eq "$fs: data_dir itself was renamed" "$(grow_in_scope "$disk/renamed/new")" "$full"
	mv "$disk/renamed" "$disk/data"
	# The name by which a file is opened decides, not the file.
	check_eq "$fs: a file by its name in data_dir, and by one outside" \
		"$(grow "$disk/data/linked"), $(grow "$disk/outside/linked")" "$full, ok"
	check_eq "$fs: reading works" "$(head -c 5 "$disk/data/readable")" hello
	exec {opened}>&- {deleted}>&- {outside_deleted}>&-
	revert scope
	check_eq "$fs: afterwards" "$(grow "$disk/data/new")" ok
}

# close_to A B [SLACK]: within 4 MiB, for the file system's own needs.
close_to() { awk -v a="$1" -v b="$2" -v slack="${3:-4194304}" 'BEGIN { d = a - b; exit !(d * d <= slack ^ 2) }'; }

check_statfs() {
	local fs=$1 disk=$work/$1 before other mine
	sync -f "$disk" "$work/other-$fs"
	before=$(available "$disk") other=$(available "$work/other-$fs")
	pressure statfs "$disk/data" --engine hook --leave-bytes $((48 * mib)) --statfs on || { not_ok "$fs: statfs on"; return; }
	read -ra mine < <(python_statvfs "$disk/data")
	check "$fs: df in scope: ${mine[0]}" close_to "$(available "$disk/data")" $((48 * mib))
	check "$fs: statvfs in scope" close_to "${mine[0]}" $((48 * mib))
	check "$fs: fstatvfs in scope" close_to "${mine[1]}" $((48 * mib))
	check_number "$fs: what root could use is not more than before" "${mine[2]} <= $before + 4 * $mib - 48 * $mib"
	check_eq "$fs: the size is what it was" "${mine[3]}" "$(df --output=size -B 1 "$disk" | tail -n 1 | tr -d ' ')"
	check "$fs: df outside scope" close_to "$(available "$disk/outside")" "$before"
	# XFS frees preallocated space in the background.
	check "$fs: df of another file system" close_to "$(available "$work/other-$fs")" "$other" "$mib"
	fallocate -l 24M "$disk/data/half"
	says_half() { close_to "$(available "$disk/data")" $((24 * mib)); }
	check "$fs: df follows what is taken" wait_for 1 says_half
	fallocate -l 24M "$disk/data/rest" 2>/dev/null || fallocate -l 20M "$disk/data/rest"
	rm "$disk/data/half" "$disk/data/rest"
	sync -f "$disk" # btrfs frees it only then
	says_all() { close_to "$(available "$disk/data")" $((48 * mib)); }
	check "$fs: df follows what is freed" wait_for 1 says_all
	revert statfs
	says_before() { close_to "$(available "$disk/data")" "$before"; }
	check "$fs: df afterwards" wait_for 2 says_before
	pressure statfs "$disk/data" --engine hook --fill-percent 100 --statfs on || { not_ok "$fs: statfs on, full"; return; }
	check_eq "$fs: df says 0 when writes are refused" "$(available "$disk/data"), $(grow "$disk/data/none")" "0, $full"
	revert statfs
	pressure statfs "$disk/data" --engine hook --fill-percent 100 --statfs off || { not_ok "$fs: statfs off"; return; }
	check "$fs: statfs: off" close_to "$(available "$disk/data")" "$before"
	revert statfs
}

# Several file systems in one fault; a mount and a subvolume below a data_dir.
check_places() {
	local ext4=$work/ext4/data btrfs=$work/btrfs/data2 tmpfs=$work/tmpfs evidence refusal
	mkdir -p "$ext4/mounted" "$tmpfs"
	btrfs -q subvolume create "$btrfs/subvolume"
	mount -t tmpfs -o size=16M none "$tmpfs" && on_cleanup umount -l "$tmpfs"
	mount -t tmpfs -o size=16M none "$ext4/mounted" && on_cleanup umount -l "$ext4/mounted"
	mkdir "$tmpfs/data"
	refusal=$("$eval_bin" inject disk_pressure --for 1s --engine hook --data-dir "$tmpfs" --leave-bytes $((17 * mib)) 2>&1)
	check_match "leave_bytes above what is there: refused" "$refusal" \
		"leave_bytes is [0-9]+, but only [0-9]+ bytes are available at $tmpfs"
	pressure places "$ext4" --data-dir "$btrfs" --data-dir "$tmpfs/data" --engine hook --fill-percent 100 ||
		{ not_ok "places: a fault"; return; }
	check_eq "three file systems in one fault" \
		"$(grow "$ext4/place"), $(grow "$btrfs/place"), $(grow "$tmpfs/data/place")" "$full, $full, $full"
	check_eq "beside them" "$(grow "$work/btrfs/data/place"), $(grow "$tmpfs/place")" "ok, ok"
	check_eq "a btrfs subvolume below data_dir" "$(grow "$btrfs/subvolume/place")" "$full"
	check_eq "a file system that is mounted below data_dir" "$(grow "$ext4/mounted/place")" ok
	revert places
	evidence=$(evidence places '[.spaces[] | .file_system] | sort | join(" ")')
	check_eq "each is in the evidence" "$evidence" "btrfs ext4 tmpfs"
	check_eq "afterwards" "$(grow "$ext4/place"), $(grow "$btrfs/place"), $(grow "$tmpfs/data/place")" "ok, ok, ok"
	pressure tmpfs "$tmpfs/data" --engine hook --leave-bytes $((4 * mib)) || { not_ok "tmpfs: a fault"; return; }
	check_eq "tmpfs: while space lasts" "$(grow "$tmpfs/data/some" $((3 * mib)))" ok
	sleep 0.5 # until a sample after the write; one during it would count only a part
	# Without growth, the engine refuses writes only after a sample has seen that too much was written.
	[[ $(feature growth) == true ]] || { grow "$tmpfs/data/over" $((3 * mib)) >/dev/null; sleep 0.5; }
	check_eq "tmpfs: and then" "$(grow "$tmpfs/data/more" $((3 * mib)))" "$full"
	revert tmpfs
}

check_who() {
	local disk=$work/ext4 cgroup
	cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/eval-disk-$$
	mkdir -p "$cgroup/below" "$cgroup-other"
	on_cleanup rmdir "$cgroup/below" "$cgroup" "$cgroup-other"
	pressure who "$disk/data" --engine hook --fill-percent 100 --statfs on --cgroup "$cgroup" ||
		{ not_ok "cgroup: a fault"; return; }
	check_eq "cgroup: a process in it" "$(in_cgroup "$cgroup" bash -c "$(declare -f grow); grow '$disk/data/who'")" "$full"
	check_eq "cgroup: in one below" "$(in_cgroup "$cgroup/below" bash -c "$(declare -f grow); grow '$disk/data/who'")" "$full"
	check_eq "cgroup: outside" "$(grow "$disk/data/who")" ok
	check_eq "cgroup: in another" "$(in_cgroup "$cgroup-other" bash -c "$(declare -f grow); grow '$disk/data/who'")" ok
	check_eq "cgroup: df in it" "$(in_cgroup "$cgroup" bash -c "$(declare -f available); available '$disk/data'")" 0
	check_number "cgroup: df outside" "$(available "$disk/data") > 0"
	revert who
	pressure errno "$disk/data" --engine hook --fill-percent 100 --errno EDQUOT || { not_ok "errno: a fault"; return; }
	check_eq "errno: EDQUOT" "$(grow "$disk/data/errno")" "Disk quota exceeded"
	revert errno
}

# The campaign's database is in the data_dir, on a disk where nothing else can grow.
check_own_database() {
	local disk=$work/ext4 status=0
	cat >"$work/own.yaml" <<-END
		defaults: {warmup_seconds: 0, duration_seconds: 3, recovery_seconds: 5}
		subjects:
		  - name: own
		    reset: none
		    ready: "true"
		    workload: {exec: "sh -c 'while :; do head -c 65536 /dev/zero >>$disk/data/workload; sleep 0.05; done'"}
		    nodes: [{name: n1, data_dir: "$disk/data"}]
		chaos_types:
		  - {type: disk_pressure, target: n1, params: {fill_percent: 100, engine: hook}}
	END
	"$eval_bin" run campaign "$work/own.yaml" --db "$disk/data/eval.db" >"$work/own.out" 2>&1 || status=$?
	check_eq "our own database in data_dir is written to" "$status, $(sqlite3 "$disk/data/eval.db" \
		'SELECT status FROM trials')" "0, completed"
	diag "$(tail -n 5 "$work/own.out")"
}

for fs in ext4 xfs btrfs; do
	check_files "$fs"
	check_statfs "$fs"
done
check_places
check_who
check_own_database

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: it tests mounts, which hardly depend on the kernel
# The fill engine on stacked file systems: eval finds out whose space the fault would take, or refuses.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

# fill DIR [OPTION…]: injects for 0.2 s. refused NAME REGEX DIR [OPTION…]: checks that this is refused, and why.
fill() { "$eval_bin" inject disk_pressure --engine fill --for 0.2s --leave-bytes $((48 * mib)) --data-dir "$@"; }
refused() {
	check_fails "$1: refused" 3 fill "${@:3}"
	check_match "$1: why" "$output" "$2"
}
is_root="would fill up the root file system.*allow: \[root_fs\]"
is_database="where an eval keeps the database.*allow: \[shared_fs\]"

# overlay UNDER AT [LOWER]: mounts an overlay at AT with its upper and work folders below UNDER.
overlay() {
	mkdir -p "$1/lower" "$1/upper" "$1/work" "$2"
	mount -t overlay -o "lowerdir=${3:-$1/lower},upperdir=$1/upper,workdir=$1/work" overlay "$2" && on_cleanup umount -l "$2"
}

# --- On the host's root ---------------------------------------------------------------------------------------
# /tmp may be a tmpfs.
folder=$(mktemp -d /var/tmp/eval-test.XXXXXX)
on_cleanup rm -rf "$folder"
if [[ $(stat -f -c %T "$folder") != overlayfs ]]; then
	overlay "$folder/plain" "$work/plain" || not_ok "an overlay"
	refused "overlay" "$is_root" "$work/plain"
	mkdir "$work/plain/data" "$work/bound"
	refused "a folder in it" "$is_root" "$work/plain/data"
	mount --bind "$work/plain/data" "$work/bound" && on_cleanup umount -l "$work/bound"
	refused "a folder in it, mounted elsewhere" "$is_root" "$work/bound"
	# A path with all characters that mount(8), overlay and mountinfo escape.
	odd="$folder/a b,c:d\\e"
	mkdir -p "$odd/upper" "$odd/work" "$folder/lower" "$work/odd"
	escaped=${odd//\\/\\\\}
	escaped=${escaped//,/\\,}
	escaped=${escaped//:/\\:}
	if mount -t overlay -o "lowerdir=$folder/lower,upperdir=$escaped/upper,workdir=$escaped/work" overlay "$work/odd" 2>/dev/null; then
		on_cleanup umount -l "$work/odd"
		refused "a path with blanks, commas, colons and backslashes" "$is_root" "$work/odd"
	else
		skip "a path with blanks, commas, colons and backslashes" "mount refuses it"
	fi
	# Many layers make mountinfo's line long.
	layers=$folder/lower
	for ((i = 0; i < 40; i++)); do
		mkdir "$folder/layer-$i" && layers+=:$folder/layer-$i
	done
	overlay "$folder/many" "$work/many" "$layers" || not_ok "an overlay with many layers"
	refused "many layers" "$is_root" "$work/many"
	# Mounted in another mount namespace, by a path that exists only there.
	mkdir -p "$folder/hidden/"{lower,upper,work} "$work/private" "$work/elsewhere"
	# shellcheck disable=SC2016 # for the inner shell
	spawn unshare --mount --propagation private bash -c 'mount --bind "$0/hidden" "$1/private" &&
		mount -t overlay -o "lowerdir=$1/private/lower,upperdir=$1/private/upper,workdir=$1/private/work" overlay "$1/elsewhere" &&
		cd "$1/elsewhere" && echo ready && exec sleep 600' "$folder" "$work"
	mounter=$spawned
	check "a mounter in a namespace of its own" wait_for 5 grep -q ready "$work/spawn.$((${#test_pids[@]} - 1))"
	refused "its overlay, whose upper folder it alone has by that path" "$is_root" "/proc/$mounter/root$work/elsewhere"
	end_pids "$mounter"

	# shared_fs too, as other campaigns on this host may have their databases there.
	check_fails "with leave it takes space" 0 fill "$work/plain" --allow root_fs --allow shared_fs
else
	skip "overlays on the root file system" "it is an overlay itself"
fi

# --- On a disk of its own -------------------------------------------------------------------------------------
make_disk disk ext4 128 || { not_ok "a file system"; done_testing; exit 1; }
disk=$work/disk
image=$disk.image
overlay "$disk/one" "$work/one" || not_ok "an overlay on a disk of its own"
tmpfile() { python3 -c 'import os, sys; os.close(os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR))' "$1" 2>/dev/null; }
if tmpfile "$work/one"; then
	check "it is filled: its space is its own" fill "$work/one"
	# Both data_dirs are on one file system, so half of it is taken only once.
	before=$(available "$disk")
	inject both disk_pressure --engine fill --for 60s --fill-percent 50 --data-dir "$work/one" --data-dir "$disk/one/upper"
	check_number "with what is below it, it is filled once" "$(available "$disk") > $before * 0.48 && $(available "$disk") < $before * 0.52"
	revert both
else
	output=$(fill "$work/one" 2>&1)
	check_match "no guard refuses it" "$output" "needs files without a name"
fi
# Allocating on a disk with a sparse image does not grow the image; the lab's disks are like that, on the host's root.
before=$(stat -c %b "$image")
inject loop disk_pressure --engine fill --for 60s --fill-percent 100 --data-dir "$disk"
grown=$((($(stat -c %b "$image") - before) * 512))
check_number "a full disk on a sparse image: the image grew by $grown bytes" "$grown < 4 * $mib"
revert loop
check_eq "it was full" "$(evidence loop .hit)" 1

# An overlay whose upper folder is on an overlay, if this kernel allows it.
if mkdir -p "$work/one/two" && overlay "$work/one/two" "$work/two" 2>/dev/null; then
	two=$work/two
else
	two=
fi
# --- The database is below ------------------------------------------------------------------------------------
cat >"$work/other.yaml" <<-END
	defaults: {warmup_seconds: 0, duration_seconds: 0.5, recovery_seconds: 5}
	subjects: [{name: other, reset: "sleep 60", nodes: [{name: n1, data_dir: "$disk"}]}]
	chaos_types: [{type: disk_pressure, target: n1, params: {fill_percent: 10, engine: fill}}]
END
is_started() { [[ $(sqlite3 "$1" "SELECT status FROM trials" 2>/dev/null) == running ]]; }
# with_database FILE COMMAND…: runs COMMAND while a campaign has its database at FILE.
with_database() {
	local database=$1 campaign
	spawn "$eval_bin" run campaign "$work/other.yaml" --db "$database"
	campaign=$spawned
	check "a campaign with its database at ${database#"$work/"}" wait_for 10 is_started "$database"
	"${@:2}"
	kill -INT "$campaign"
	wait "$campaign" 2>/dev/null
	rm -f "$database"*
}
below() {
	refused "a database below an overlay" "$is_database" "$work/one"
	[[ -z $two ]] || refused "a database below two overlays" "$is_database" "$two"
}
with_database "$disk/below.db" below
above() { refused "a database in an overlay on the disk" "$is_database" "$disk"; }
with_database "$work/one/above.db" above
beside() {
	overlay "$disk/beside" "$work/beside" || not_ok "a second overlay"
	refused "a database in another overlay on the disk" "$is_database" "$work/beside"
}
with_database "$work/one/beside.db" beside
# margin DIR NAME: with --allow shared_fs, a fault on DIR leaves 16 MiB to the file system that holds the database.
margin() {
	inject margin disk_pressure --engine fill --for 60s --fill-percent 100 --allow shared_fs --data-dir "$1" || return
	left=$(available "$disk")
	check_number "$2: 16 MiB stay of what holds the database: $left" "$left > 15 * $mib && $left < 18 * $mib"
	revert margin
}
margins() {
	margin "$disk" "allowed, below"
	! tmpfile "$work/one" || margin "$work/one" "allowed, by an overlay"
}
with_database "$work/one/margin.db" margins
[[ -z $two ]] || umount "$two"

# --- Stacks that cannot be resolved ---------------------------------------------------------------------------
# The upper folder was renamed after the mount.
overlay "$disk/renamed" "$work/renamed" || not_ok "an overlay whose upper folder is renamed"
mv "$disk/renamed" "$disk/other"
unknown="cannot tell whether .*, or a campaign's database"
refused "it" "$unknown: overlay is stacked on '$disk/renamed/upper', which is in no mount namespace that can be read.*allow: \[root_fs, shared_fs\]" "$work/renamed"
# Another file system is mounted at the upper folder's old path.
mkdir "$disk/renamed" && mount -t tmpfs -o size=8M tmpfs "$disk/renamed" && on_cleanup umount -l "$disk/renamed"
mkdir "$disk/renamed/upper"
refused "and what is now at its path is another" "$unknown: overlay is stacked on .*in no mount namespace" "$work/renamed"
refused "one guard lifted" "$unknown" "$work/renamed" --allow root_fs
! tmpfile "$work/renamed" || check "both guards lifted" fill "$work/renamed" --allow root_fs --allow shared_fs
mkdir "$disk/relative" && mkdir "$disk/relative/"{lower,upper,work} "$work/relative"
(cd "$disk/relative" && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay "$work/relative") &&
	on_cleanup umount -l "$work/relative"
refused "a relative path" "$unknown: what is below overlay is named by a relative path, 'upper'" "$work/relative"

# fuse_start NAME SUBTYPE SOURCE OPTIONS: mounts SOURCE by bindfs, under SUBTYPE's name.
fuse_start() {
	mkdir -p "$work/mount-$1" "$work/bin"
	[[ -e $work/bin/$2 ]] || cp "$(command -v bindfs)" "$work/bin/$2"
	"$work/bin/$2" -o "subtype=$2,$4" "$3" "$work/mount-$1" >/dev/null 2>&1 && on_cleanup umount -l "$work/mount-$1" && mountpoint -q "$work/mount-$1"
}
if command -v bindfs >/dev/null && [[ -e /dev/fuse ]]; then
	mkdir "$folder/upper" "$disk/upper"
	if fuse_start bound bindfs "$folder/upper" fsname=bound; then
		refused "a file system in user space" "$unknown: fuse.bindfs is not on a disk" "$work/mount-bound"
	else
		skip "a file system in user space" "none can be mounted here"
	fi
	# eval recognizes fuse-overlayfs by its type and options alone, so bindfs can stand in for it.
	if fuse_start fuse-root fuse-overlayfs "$folder/upper" "fsname=upperdir=$folder/upper"; then
		refused "fuse-overlayfs on the root file system" "$is_root" "$work/mount-fuse-root"
		fuse_start fuse-disk fuse-overlayfs "$disk/upper" "fsname=upperdir=$disk/upper"
		output=$(fill "$work/mount-fuse-disk" 2>&1)
		check_match "fuse-overlayfs on a disk of its own: no guard refuses it" "$output" "needs files without a name|taken on 1 file system"
		fuse_start fuse-odd fuse-overlayfs "$disk/upper" "fsname=upperdir=$disk/none"
		refused "fuse-overlayfs whose upper folder is not there" "$unknown: fuse.fuse-overlayfs is stacked on '$disk/none'" "$work/mount-fuse-odd"
	else
		skip "fuse-overlayfs" "none can be mounted here"
	fi
else
	skip "file systems in user space" "no bindfs"
fi

done_testing

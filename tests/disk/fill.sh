#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: one kernel is enough, as the file systems do the work
# time limit: 150 s
# The fill engine takes space with an unnamed file, and gives it back.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

# close_to A B SLACK: the slack is for the file system's background work, mostly btrfs's.
close_to() { awk -v a="$1" -v b="$2" -v slack="$3" 'BEGIN { d = a - b; exit !(d <= slack && -d <= slack) }'; }
is_back() { sync -f "$1" && close_to "$(available "$1")" "$2" $((2 * mib)); }
names() { find "$1" -xdev | sort; }

make_tmpfs() {
	mkdir "$work/tmpfs" && mount -t tmpfs -o size=64M tmpfs "$work/tmpfs" && on_cleanup umount -l "$work/tmpfs"
}

for fs in ext4 xfs btrfs tmpfs; do
	disk=$work/$fs
	if [[ $fs == tmpfs ]]; then make_tmpfs; else make_disk "$fs" "$fs"; fi || { not_ok "$fs: a file system"; continue; }
	mkdir "$disk/data"
	sync -f "$disk"
	before=$(available "$disk")
	files=$(names "$disk")

	pressure share "$disk/data" --engine fill --fill-percent 60 || { not_ok "$fs: share: a fault"; continue; }
	check "$fs: fill_percent 60 takes that, ± 1 %" close_to "$(available "$disk")" $((before * 4 / 10)) $((before * 6 / 1000))
	check_eq "$fs: no name is added" "$(names "$disk")" "$files"
	check_eq "$fs: what is left can be written" "$(grow "$disk/data/some" $((4 * mib)))" ok
	check_eq "$fs: more than is left cannot" "$(fallocate -l "$before" "$disk/data/more" 2>&1 | sed 's/.*: //')" "$full"
	rm -f "$disk/data/some" "$disk/data/more"
	revert share
	check_number "$fs: what it took is in the evidence" "$(evidence share .hit) > 0"
	check "$fs: all of it comes back" wait_for 5 is_back "$disk" "$before"

	pressure leave "$disk/data" --engine fill --leave-bytes $((16 * mib)) || { not_ok "$fs: leave: a fault"; continue; }
	check "$fs: leave_bytes leaves that" close_to "$(available "$disk")" $((16 * mib)) $((4 * mib))
	revert leave
	check "$fs: and gives it back" wait_for 5 is_back "$disk" "$before"
	check_fails "$fs: leave_bytes above what is there" 1 "$eval_bin" inject disk_pressure --for 1s --data-dir "$disk/data" \
		--engine fill --leave-bytes $((before * 2))
	check_match "$fs: says so" "$output" "leave_bytes is [0-9]+, but only [0-9]+ bytes are available"

	pressure all "$disk/data" --engine fill --fill-percent 100 || { not_ok "$fs: all: a fault"; continue; }
	check_number "$fs: fill_percent 100: df says that nothing is left" "$(available "$disk") <= 4 * $mib"
	check_eq "$fs: fill_percent 100: nothing can grow by 4 MiB" "$(grow "$disk/data/none" $((4 * mib)))" "$full"
	kill -KILL "$(pid_of all)"
	rm -f "$disk/data/none"
	check "$fs: SIGKILL gives all of it back" wait_for 10 is_back "$disk" "$before"
	umount "$disk"
done

# --- Subvolumes of one btrfs ------------------------------------------------------------------------------------
# Each subvolume has its own device number, but all share one space.
make_disk volumes btrfs || { not_ok "a file system"; done_testing; exit 1; }
disk=$work/volumes
for volume in root home other; do
	btrfs -q subvolume create "$disk/$volume" >/dev/null || not_ok "a subvolume"
done
mkdir "$disk/home/data" "$disk/other/data"
inject both disk_pressure --for 600s --data-dir "$disk/home/data" --data-dir "$disk/other/data" --engine fill --fill-percent 50
revert both
check_eq "two data_dirs on two subvolumes: filled once" "$(evidence both '.spaces | length')" 1

cat >"$work/volumes.yaml" <<-END
	defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 5}
	subjects: [{name: one, reset: "true", nodes: [{name: n1, data_dir: "$disk/home/data"}]}]
	chaos_types: [{type: disk_pressure, target: n1, params: {fill_percent: 10, engine: fill}}]
END
check_fails "the database on another subvolume: refused" 1 "$eval_bin" run campaign "$work/volumes.yaml" --db "$disk/other/eval.db"
check_match "the database on another subvolume: says so" "$(sqlite3 "$disk/other/eval.db" 'SELECT error_text FROM trials')" \
	"data_dir '$disk/home/data', where an eval keeps the database"

# A root folder on a subvolume, with the folders that eval needs to run.
for folder in usr proc sys run "$top" "$disk/home"; do
	mkdir -p "$disk/root/$folder"
	mount --rbind "/${folder#/}" "$disk/root/$folder" && on_cleanup umount -l -R "$disk/root/$folder"
	mount --make-rslave "$disk/root/$folder"
done
for folder in bin sbin lib lib64; do
	ln -s "usr/$folder" "$disk/root/$folder"
done
mkdir "$disk/root/dev" "$disk/root/tmp" && touch "$disk/root/dev/null"
check_fails "/ on another subvolume: refused" 3 chroot "$disk/root" "$eval_bin" inject disk_pressure --for 1s --engine fill \
	--fill-percent 10 --data-dir "$disk/home/data"
check_match "/ on another subvolume: says so" "$output" "would fill up the root file system"
umount -l -R "$disk"

# --- Stopped while it fills -------------------------------------------------------------------------------------
make_disk slow ext4 1024 || { not_ok "a file system"; done_testing; exit 1; }
disk=$work/slow
mkdir "$disk/data"
before=$(available "$disk")
# Delays each step by half a second. With -D, strace's pid becomes eval's.
cat >"$work/slow_eval" <<END
#!/bin/sh
exec strace -D -qq -o $work/steps -e trace=fallocate -e inject=fallocate:delay_exit=500000 $eval_bin "\$@"
END
chmod +x "$work/slow_eval"
fills() { (($(available "$disk") < before)); }
# fill_slowly NAME COMMAND…: starts a slow fill, which COMMAND stops during its first step.
fill_slowly() {
	local name=$1 fast=$eval_bin steps
	shift
	rm -f "$work/steps"
	eval_bin=$work/slow_eval
	inject_start "$name" disk_pressure --for 600s --data-dir "$disk/data" --engine fill --fill-percent 100
	eval_bin=$fast
	check "$name: it fills" wait_for 10 fills
	"$@" >/dev/null
	steps=$(wc -l <"$work/steps")
	inject_end "$name" 5
	# Allows for the step under way, and for one that strace has not logged yet.
	check_number "$name: no step follows, $steps of 16 were done" "$(wc -l <"$work/steps") <= $steps + 2 && $steps < 10"
	check "$name: all is free" wait_for 5 is_back "$disk" "$before"
}
interrupt() { kill -INT "$inject_pid"; }

fill_slowly "signal" interrupt
check_eq "signal: exit status, and it never became live" "$inject_status $(cat "$work/signal.out")" "130 "
check_match "signal: says so" "$(cat "$work/signal.err")" "stopped by a signal"
fill_slowly "outside" "$eval_bin" cleanup --now
check_eq "outside: exit status, and it never became live" "$inject_status $(cat "$work/outside.out")" "1 "
check_match "outside: says so" "$(cat "$work/outside.err")" "stopped while it took the space: .*cleanup --now"
umount -l "$disk"

# --- Target `all`, if filling each node takes longer than a lease -----------------------------------------------
{ make_disk n1 ext4 && make_disk n2 ext4; } || { not_ok "two file systems"; done_testing; exit 1; }
mkdir "$work/n1/data" "$work/n2/data"
cat >"$work/all.yaml" <<-END
	defaults: {warmup_seconds: 0, duration_seconds: 12, recovery_seconds: 5}
	subjects:
	  - name: pair
	    reset: "true"
	    nodes: [{name: n1, data_dir: "$work/n1/data"}, {name: n2, data_dir: "$work/n2/data"}]
	chaos_types: [{type: disk_pressure, target: all, params: {fill_percent: 90, engine: fill}}]
END
check "all: two nodes that fill slowly" strace -f -qq -o "$work/steps" -e trace=fallocate \
	-e inject=fallocate:delay_exit=800000 "$eval_bin" run campaign "$work/all.yaml" --db "$work/all.db"
check_number "all: each took longer than a lease" "$(wc -l <"$work/steps") >= 8"
check_eq "all: both were filled" "$(sqlite3 "$work/all.db" \
	"SELECT status, json_extract(evidence, '\$.hit'), json_extract(evidence, '\$.seen') FROM trials")" "completed|2|2"
sed -i "s|$work/n2/data|$work/n1/data|" "$work/all.yaml"
check_fails "all: two nodes with one data_dir: refused" 1 "$eval_bin" run campaign "$work/all.yaml" --db "$work/one.db"
check_match "all: two nodes with one data_dir: says so" "$output" "node 'n2' shares its data_dir .* with node 'n1', .*: target one of them"

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: cgroup v2 with the io controller is in guests only, and alike in all
# time limit: 300 s
# disk_throttle: how fast a cgroup reads, writes and syncs under limits, what the evidence counts, and that the limits that
# were there come back however the fault ends. Where cgroup v2 has no io controller, only what is refused.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

refused() { check_fails "$1: refused" "$2" "$eval_bin" inject disk_throttle --for 1s "${@:4}"; check_match "$1: why" "$output" "$3"; }

# --- What is refused everywhere ---------------------------------------------------------------------------------
mkdir "$work/plain"
refused "no limit" 2 "one of --read-bps, --write-bps, --read-iops and --write-iops is needed" --data-dir "$work/plain"
refused "a limit of 0" 2 "0 is outside 1 to" --data-dir "$work/plain" --write-bps 0
refused "no cgroup" 1 "disk_throttle limits a cgroup, and the node has none: give it its 'cgroup' \(--cgroup\)" --data-dir "$work/plain" --write-bps 1000
cat >"$work/none.yaml" <<END
subjects: [{name: s, reset: "true", nodes: [{name: n, address: 127.0.0.1, data_dir: $work/plain}]}]
chaos_types: [{type: disk_throttle, params: {write_bps: 1000}}]
END
check_fails "a campaign without a cgroup: refused" 2 "$eval_bin" validate "$work/none.yaml"
check_match "a campaign without a cgroup: why" "$output" "node 'n' needs the key 'cgroup': disk_throttle may target it"

cgroup=$(findmnt -n -l -o TARGET -t cgroup2 | head -n 1)
if [[ -n ${EVAL_GUEST:-} && -z $cgroup ]]; then
	cgroup=$work/cgroup
	mkdir "$cgroup" && mount -t cgroup2 none "$cgroup" && on_cleanup umount -l "$cgroup"
fi
node=eval-test-$test_id
[[ -n $cgroup ]] && mkdir "$cgroup/$node" && on_cleanup rmdir "$cgroup/$node"
if [[ -n $cgroup ]]; then
	refused "the root cgroup" 1 "the root cgroup cannot be limited" --data-dir "$work/plain" --write-bps 1000 --cgroup /
	if grep -qw io "$cgroup/cgroup.controllers"; then
		grep -qw io "$cgroup/cgroup.subtree_control" ||
			refused "no controller" 1 "has no io.max: enable the io controller for it: systemctl set-property UNIT IOAccounting=yes" \
				--data-dir "$work/plain" --write-bps 1000 --cgroup "$node"
	else
		refused "cgroup v1" 1 "has no io.max: this host's cgroup v2 has no io controller, .*unified_cgroup_hierarchy=1" \
			--data-dir "$work/plain" --write-bps 1000 --cgroup "$node"
	fi
fi
# shellcheck disable=SC2015
[[ -n ${EVAL_GUEST:-} ]] && { grep -qw io "$cgroup/cgroup.subtree_control" || echo +io >"$cgroup/cgroup.subtree_control"; } 2>"$work/enable" || true
if [[ ! -e $cgroup/$node/io.max ]]; then
	skip "limits" "cgroup v2 has no io controller here"
	done_testing
	exit
fi

# --- A disk, and who uses it -----------------------------------------------------------------------------------
make_disk disk ext4 || { not_ok "a disk"; done_testing; exit 1; }
disk=$work/disk
mkdir "$disk/data"
number=$(lsblk -no MAJ:MIN "$(findmnt -n -o SOURCE "$disk")" | tr -d ' ')
max() { grep "^$number " "$cgroup/$node/io.max" | cut -d' ' -f2-; }
# us COMMAND…: what it takes in the node's cgroup, in µs.
us() { bash -c 'echo $$ >"$0/cgroup.procs"; start=$(date +%s%N); "$@" >/dev/null 2>&1; echo $((($(date +%s%N) - start) / 1000))' "$cgroup/$node" "$@"; }
direct_write() { us dd if=/dev/zero of="$disk/data/f" bs="${2:-64K}" count="$1" oflag=direct conv=notrunc; }
direct_read() { us dd if="$disk/data/f" of=/dev/null bs="${2:-64K}" count="$1" iflag=direct; }
buffered_sync() { us dd if=/dev/zero of="$disk/data/s" bs=64K count="$1" conv=fsync; }
# between NAME US LOW HIGH (ms)
between() { if (($2 >= $3 * 1000 && $2 <= $4 * 1000 * ${EVAL_TIME_FACTOR:-1})); then ok "$1: $(($2 / 1000)) ms"; else not_ok "$1" "$(($2 / 1000)) ms, wanted $3 to $4"; fi; }
at_least() { between "$1" "$2" "$3" 100000; }
throttle() { inject "$1" disk_throttle --for 600s --data-dir "$disk/data" --cgroup "$node" "${@:2}"; }
direct_write 48 >"$work/first"
buffered_sync 48 >"$work/first"
sync
plain_write=$(direct_write 48) plain_read=$(direct_read 48) plain_sync=$(buffered_sync 48)
diag "without limits, 3 MiB: write $((plain_write / 1000)) ms, read $((plain_read / 1000)) ms, write and fsync $((plain_sync / 1000)) ms"

# --- Each limit -------------------------------------------------------------------------------------------------
# 3 MiB at 1 MiB/s; the first 100 ms are free.
throttle write --write-bps $mib
check_eq "write_bps: io.max has it" "$(max)" "rbps=max wbps=$mib riops=max wiops=max"
at_least "write_bps: 3 MiB at 1 MiB/s" "$(direct_write 48)" 2600
at_least "write_bps: buffered, and fsync" "$(buffered_sync 48)" 2300
between "write_bps: reads pass" "$(direct_read 48)" 0 2000
sleep 0.3
status=$("$eval_bin" bpf-status --json | jq -c ".faults[] | select(.throttle.data_dirs // \"\" | startswith(\"$work/\")) | [.throttle.cgroup, .throttle.disks[0].limits.write_bps]")
check_eq "bpf-status shows it" "$status" "[\"$cgroup/$node\",$mib]"
revert write
check_eq "write_bps: io.max is as before" "$(max)" ""
check_eq "write_bps: the evidence" "$(evidence write '[.bytes >= 4 * 1048576, .hit > 0, .hit <= .seen, .cgroups == 1, .disks[0].throttled.write_bytes >= 4 * 1048576,
	.disks[0].throttled.write_bytes <= .disks[0].done.write_bytes, .disks[0].reached.write_bps >= 20, .disks[0].throttled.read_bytes == 0,
	.disks[0].done.read_bytes >= 3 * 1048576, .disks[0].restored, .first_hit_ns != null] | map(select(. | not)) | length')" 0
diag "write_bps: $(evidence write '{bytes, hit, seen, intervals, pressure_seconds, done: .disks[0].done, reached: .disks[0].reached.write_bps} | tostring')"
throttle read --read-bps $mib
at_least "read_bps: 3 MiB at 1 MiB/s" "$(direct_read 48)" 2600
between "read_bps: writes pass" "$(direct_write 48)" 0 2000
revert read
check_eq "read_bps: the evidence" "$(evidence read '.disks[0].throttled | .read_bytes >= 2 * 1048576 and .write_bytes == 0')" true
throttle iops --write-iops 20 --read-iops 30
at_least "write_iops: 60 writes at 20/s" "$(direct_write 60 4K)" 2600
at_least "read_iops: 60 reads at 30/s" "$(direct_read 60 4K)" 1700
revert iops
check_eq "iops: the evidence" "$(evidence iops '.disks[0] | .throttled.writes >= 40 and .throttled.reads >= 40 and .reached.write_iops >= 10')" true
throttle idle --write-bps 100000000
direct_write 1 4K >"$work/one"
sleep 0.6
revert idle
check_match "a limit that is not reached: void" "$(cat "$work/idle.err")$(evidence idle '"\(.hit) \(.notes | join(" "))"')" "0 .*no limit was reached: it was always below 90 %"

# --- Limits of its own --------------------------------------------------------------------------------------------
echo "$number wbps=50000000 riops=500" >"$cgroup/$node/io.max"
own=$(max)
refused "limits of its own" 1 "has limits of its own for disk .*$number rbps=max wbps=50000000 riops=500 wiops=max\): replace: true" \
	--data-dir "$disk/data" --cgroup "$node" --write-bps $mib
check_eq "… stay" "$(max)" "$own"
throttle replace --write-bps $mib --replace
check_eq "replace: the others stay" "$(max)" "rbps=max wbps=$mib riops=500 wiops=max"
revert replace
check_eq "replace: they are restored exactly" "$(max)" "$own"

# --- Every end ---------------------------------------------------------------------------------------------------
restored() { [[ $(max) == "$own" ]]; }
limited() { throttle "$1" --write-bps $mib --replace && [[ $(max) == *wbps=$mib* ]]; }
throttle_pid() { pgrep -P "$inject_pid" -x eval-throttle; }
records() { find /run/eval -name 'throttle-*' 2>/dev/null | wc -l; }
no_process() { ! pgrep -x eval-throttle >/dev/null; }
# within NAME LIMIT_MS
within() {
	local took
	EVAL_TIME_FACTOR=1 wait_for 10 restored
	took=$((($(date +%s%N) - since) / 1000000))
	# shellcheck disable=SC2015
	restored && ((took <= $2 * ${EVAL_TIME_FACTOR:-1})) && ok "$1" || not_ok "$1" "after $took ms: $(max)"
	diag "$1: after $took ms"
}
limited kill || not_ok "a limit"
# shellcheck disable=SC2016 # for the inner shell
spawn bash -c 'echo $$ >"$0/cgroup.procs"; exec dd if=/dev/zero of="$1" bs=4M count=2 oflag=direct conv=notrunc' "$cgroup/$node" "$disk/data/w"
writer=$spawned
sleep 0.5
since=$(date +%s%N)
kill -KILL "$inject_pid"
within "SIGKILL of the holder: the old limits are back" 300
check "… and the writer goes on" wait_for 5 is_over "$writer"
diag "a writer of 8 MiB at 1 MiB/s ended $((($(date +%s%N) - since) / 1000000)) ms after the holder"
check "… and nothing is left" wait_for 5 no_process
limited killed_child || not_ok "a limit"
since=$(date +%s%N)
kill -KILL "$(throttle_pid)"
within "SIGKILL of eval-throttle: its holder restores" 1200
wait_for 5 is_over "$inject_pid"
check_match "… and says so" "$(cat "$work/killed_child.err")" "the process that limits the disks \(eval-throttle\) was killed"
limited stop || not_ok "a limit"
since=$(date +%s%N)
kill -STOP "$inject_pid"
within "SIGSTOP of the holder: they are back with the lease" 2600
kill -CONT "$inject_pid"
wait_for 5 is_over "$inject_pid"
limited stopped_child || not_ok "a limit"
since=$(date +%s%N)
kill -STOP "$(throttle_pid)"
within "SIGSTOP of eval-throttle: its holder ends it" 2600
wait_for 5 is_over "$inject_pid"
limited both_stopped || not_ok "a limit"
kill -STOP "$(throttle_pid)"
since=$(date +%s%N)
kill -KILL "$inject_pid"
within "SIGSTOP of eval-throttle, SIGKILL of the holder" 300
check "nothing is left" wait_for 5 no_process
limited cleanup || not_ok "a limit"
since=$(date +%s%N)
kill -INT -- "$(throttle_pid)" "$inject_pid"
within "Ctrl+C" 500
wait_for 5 is_over "$inject_pid"
limited both || not_ok "a limit"
child=$(throttle_pid)
kill -STOP "$child" "$inject_pid"
kill -KILL "$child" "$inject_pid"
wait_for 5 is_over "$inject_pid"
check_match "SIGKILL of both: the limit stays" "$(max)" "wbps=$mib"
check_match "… until eval cleanup" "$("$eval_bin" cleanup)" "restored the limits of $cgroup/$node on disk $number: rbps=max wbps=50000000 riops=500 wiops=max"
check_eq "… which restores it" "$(max)" "$own"
limited again || not_ok "a limit"
child=$(throttle_pid)
kill -STOP "$child" "$inject_pid"
kill -KILL "$child" "$inject_pid"
wait_for 5 is_over "$inject_pid"
limited next || not_ok "SIGKILL of both, and the next fault: it is live" "$(cat "$work/next.err")"
revert next
check_eq "SIGKILL of both, and the next fault: what was there at first is back" "$(max)" "$own"
check_eq "no record is left" "$(records)" 0

# A campaign's worker, and its coordinator with all of its processes.
make_nodes 1
cat >"$work/campaign.yaml" <<END
defaults: {duration_seconds: 60, warmup_seconds: 0, retries: 0}
subjects: [{name: s, reset: "true", nodes: [{name: n, netns: $(ns n1), address: 10.99.0.1, data_dir: $disk/data, cgroup: $node}]}]
chaos_types: [{type: disk_throttle, params: {write_bps: $mib, replace: true}}]
END
has_limit() { [[ $(max) == *wbps=$mib* ]]; }
for whom in worker coordinator; do
	"$eval_bin" run campaign "$work/campaign.yaml" --no-check --only '*throttle*' --db "$work/$whom.db" >"$work/$whom.log" 2>&1 </dev/null &
	coordinator=$!
	test_pids+=("$coordinator")
	wait_for 15 has_limit || { not_ok "a campaign's limit" "$(tail -n 5 "$work/$whom.log")"; break; }
	victim=$coordinator
	[[ $whom == worker ]] && victim=$(ps -o ppid= -p "$(pgrep -x eval-throttle)" | tr -d ' ')
	since=$(date +%s%N)
	kill -KILL "$victim"
	within "SIGKILL of a campaign's $whom: the old limits are back" 300
	kill -INT "$coordinator" 2>/dev/null
	wait_for 10 is_over "$coordinator"
	check "… and nothing is left" wait_for 5 no_process
done

# --- What changes meanwhile -------------------------------------------------------------------------------------------
limited changed || not_ok "a limit"
echo "$number wbps=7000000" >"$cgroup/$node/io.max"
wait_for 5 is_over "$inject_pid"
check_match "somebody else changes it: an error" "$(cat "$work/changed.err")" "somebody else has changed the limits of disk .*wbps=7000000"
check_match "… and theirs stay" "$(max)" "wbps=7000000"
limited anew || not_ok "a limit"
rmdir "$cgroup/$node" && mkdir "$cgroup/$node"
is_limited() { [[ $(max) == "rbps=max wbps=$mib riops=max wiops=max" ]]; }
check "a cgroup that is made anew gets the limits" wait_for 3 is_limited
revert anew
check_eq "… and has none afterwards" "$(max)" ""
check_eq "… two cgroups were limited" "$(evidence anew .cgroups)" 2
throttle gone --write-bps $mib
rmdir "$cgroup/$node"
sleep 0.3
revert gone
check_eq "a cgroup that is removed: nothing to restore, and no error" "$(cat "$work/gone.err") $inject_status $(evidence gone .hit)" " 130 0"
mkdir "$cgroup/$node"

# --- Which disks ----------------------------------------------------------------------------------------------------
mkdir "$work/tmpfs" && mount -t tmpfs none "$work/tmpfs" && on_cleanup umount -l "$work/tmpfs"
refused "tmpfs" 1 "data_dir '$work/tmpfs' is on a file system without a disk of its own" --data-dir "$work/tmpfs" --cgroup "$node" --write-bps 1000
if make_disk btrfs btrfs; then
	inject btrfs disk_throttle --for 600s --data-dir "$work/btrfs" --cgroup "$node" --write-bps $mib
	number=$(lsblk -no MAJ:MIN "$(findmnt -n -o SOURCE "$work/btrfs")" | tr -d ' ')
	check_match "btrfs: its disk is limited" "$(max)" "wbps=$mib"
	at_least "btrfs: 3 MiB at 1 MiB/s" "$(us dd if=/dev/zero of="$work/btrfs/f" bs=64K count=48 oflag=direct)" 2300
	revert btrfs
	check_eq "btrfs: io.max is as before" "$(max)" ""
else
	not_ok "btrfs: a file system"
fi
truncate -s 64M "$work/parts.image"
# A partition table with one of 32 MiB at sector 2048.
printf '\0\0\0\0\x83\0\0\0\0\x08\0\0\0\0\x01\0' | dd of="$work/parts.image" bs=1 seek=446 conv=notrunc status=none
printf '\x55\xaa' | dd of="$work/parts.image" bs=1 seek=510 conv=notrunc status=none
if loop=$(losetup -fP --show "$work/parts.image") && on_cleanup losetup -d "$loop" &&
	wait_for 5 test -b "${loop}p1" && mkfs.ext4 -q "${loop}p1" && mkdir "$work/part" && mount "${loop}p1" "$work/part"; then
	on_cleanup umount -l "$work/part"
	inject part disk_throttle --for 600s --data-dir "$work/part" --cgroup "$node" --write-bps $mib
	number=$(lsblk -dno MAJ:MIN "$loop" | tr -d ' ')
	check_match "a partition: the whole disk is limited" "$(max)" "wbps=$mib"
	at_least "a partition: 3 MiB at 1 MiB/s" "$(us dd if=/dev/zero of="$work/part/f" bs=64K count=48 oflag=direct)" 2300
	revert part
else
	not_ok "a partition"
fi

done_testing

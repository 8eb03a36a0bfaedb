#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.12: it has the programs of all later kernels; 5.10, which has its own, takes five minutes
# time limit: 240 s
# io_error by its engine bpf: which calls are refused, on which files, and whose; and that they succeed when the holder ends. held.sh
# tests the engine precontent.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

file_calls=$top/build/tools/file_calls
refused() { check_fails "$1: refused" "$2" "$eval_bin" inject "${@:4}"; check_match "$1: why" "$output" "$3"; }

refused "files" 2 "engine: bpf takes every file: files needs engine: precontent" io_error --for 1s --data-dir "$work" --engine bpf --files '*.sst'
if ! have_hooks; then
	refused "engine: bpf, by this kernel" 3 "engine: bpf needs fmod_ret programs, which kernel lockdown refuses .*: use engine: precontent, or boot without lockdown" \
		io_error --for 1s --data-dir "$work" --engine bpf
	skip "hook: io_error" "fmod_ret is refused"
	done_testing
	exit
fi

# refuse NAME DIR OPTION…: the fault is live when it returns.
refuse() { inject "$1" io_error --for 600s --data-dir "$2" --engine bpf "${@:3}"; }
# results FILE CALL [COUNT [THREADS]]: the results of the calls.
results() { "$file_calls" "$@" | cut -d' ' -f2 | xargs; }
# each_of FILE CALL…: the result of one of each.
each_of() { local call; for call in "${@:2}"; do results "$1" "$call"; done | xargs; }
in_cgroup() { (echo "$BASHPID" >"$1/cgroup.procs" && "${@:2}"); }
status() { "$eval_bin" bpf-status --json | jq -r ".faults[] | select(.calls.data_dirs // \"\" | startswith(\"$work/\")) | $1"; }

# --- Which calls, which files, on each file system ------------------------------------------------------------------
reads=(pread direct_pread aio_read uring_read)
writes=(pwrite append fallocate direct_pwrite aio_write uring_write)
for fs in ext4 xfs btrfs; do
	make_disk "$fs" "$fs" || { not_ok "$fs: a file system"; continue; }
	disk=$work/$fs
	mkdir -p "$disk/data/sub" "$disk/beside" "$disk/bound"
	for folder in data data/sub beside; do "$file_calls" "$disk/$folder/f" pread 1 4 >"$work/made"; done
	echo hello >"$disk/data/opened"
	exec {opened}<>"$disk/data/opened" {deleted}<>"$disk/data/f.3"
	rm "$disk/data/f.3"
	mkfifo "$work/$fs.lines"
	"$file_calls" "$disk/data/kept" keep <"$work/$fs.lines" >"$work/$fs.kept" &
	test_pids+=("$!")
	exec {lines}>"$work/$fs.lines"
	wait_for 5 grep -qx open "$work/$fs.kept"
	mount --bind "$disk/data" "$disk/bound" && on_cleanup umount -l "$disk/bound"
	refuse "$fs" "$disk/data" || { not_ok "$fs: a fault"; continue; }
	check_eq "$fs: every way to read fails" "$(each_of "$disk/data/f" "${reads[@]}")" "EIO EIO EIO EIO"
	check_eq "$fs: every way to write fails" "$(each_of "$disk/data/f" "${writes[@]}")" "EIO EIO EIO EIO EIO EIO"
	check_eq "$fs: truncate, fsync and mmap pass" "$(each_of "$disk/data/f" truncate fsync mmap)" "ok ok ok"
	echo >&"$lines"
	wait_for 5 grep -q 'EIO$' "$work/$fs.kept"
	check_match "$fs: a file that a process opened before" "$(tail -n 1 "$work/$fs.kept")" ' EIO$'
	check_match "$fs: the same, reading and writing" "$(head -c 5 <&"$opened" 2>&1; head -c 5 /dev/zero 2>&1 >&"$opened")" "Input/output error.*Input/output error"
	check_match "$fs: a deleted file, still open" "$(head -c 5 <&"$deleted" 2>&1)" "Input/output error"
	check_eq "$fs: in a folder below, and a new one" \
		"$(each_of "$disk/data/sub/f" pread pwrite; mkdir "$disk/data/new"; mv "$disk/beside/f.1" "$disk/data/new/f.0"; each_of "$disk/data/new/f" pread pwrite)" \
		"EIO EIO"$'\n'"EIO EIO"
	check_eq "$fs: through a bind mount" "$(each_of "$disk/bound/f" pread pwrite)" "EIO EIO"
	check_eq "$fs: beside the data_dir all pass" "$(each_of "$disk/beside/f" "${reads[@]}" "${writes[@]}" | tr ' ' '\n' | sort -u)" ok
	check_eq "$fs: folders can be listed" "$(find "$disk/data/sub" -type f | wc -l)" 4
	if [[ $fs == btrfs ]]; then
		btrfs subvolume create "$disk/data/volume" >"$work/subvolume"
		check_match "$fs: in a new subvolume" "$(head -c 5 /dev/zero 2>&1 >"$disk/data/volume/g")" "Input/output error"
	fi
	exec {opened}>&- {deleted}>&- {lines}>&-
	revert "$fs"
	check_eq "$fs: after the revert all succeed" "$(each_of "$disk/data/f" "${reads[@]}" "${writes[@]}" | tr ' ' '\n' | sort -u)" ok
	check_eq "$fs: the evidence adds up" "$(evidence "$fs" '[.hit == ([.operations[].hit] | add), .seen == .hit, .operations.fallocate.hit == 1,
		.operations.read.hit >= 8, .operations.write.hit >= 9, .operations.truncate.seen == 0, .first_hit_ns > 0, .engine == "bpf"] | all')" true
	diag "$fs: $(evidence "$fs" '"\(.hit) of \(.seen), \(.operations | tostring), attached in \(.attach_ms) ms, detached in \(.detach_ms) ms"')"
done

# --- Which errno, which share, whose calls ----------------------------------------------------------------------------
disk=$work/ext4
mountpoint -q "$disk" || { done_testing; exit 1; }
for errno in EIO ENOSPC EDQUOT EPERM EBUSY EAGAIN ETXTBSY; do
	refuse errno$errno "$disk/data" --errno $errno --operation write || { not_ok "$errno: a fault"; continue; }
	check_eq "$errno for writes, not for reads" "$(each_of "$disk/data/f" pwrite append fallocate pread)" "$errno $errno $errno ok"
	revert errno$errno
done
refuse reads "$disk/data" --operation read
check_eq "operation: read" "$(each_of "$disk/data/f" pwrite append fallocate pread)" "ok ok ok EIO"
revert reads
check_eq "operation: read: what passed is counted" "$(evidence reads '"\(.hit) of \(.seen), \(.passed.other_operation)"')" "1 of 4, 3"

refuse every "$disk/data" --every 3 --operation read
check_eq "every: 3" "$(results "$disk/data/f" pread 7)" "ok ok EIO ok ok EIO ok"
revert every
refuse first "$disk/data" --first 2
check_eq "first: 2" "$(results "$disk/data/f" pwrite 4)" "EIO EIO ok ok"
revert first
check_eq "first: the evidence" "$(evidence first '"\(.hit) of \(.operations.write.seen), \(.operations.write.hit)"')" "2 of 4, 2"
for seed in 5 5 6; do
	refuse share "$disk/data" --percent 30 --operation read --seed $seed
	drawn+=("$(results "$disk/data/f" pread 200)")
	revert share
done
check_number "percent: 30: about 60 of 200 calls" "$(grep -o EIO <<<"${drawn[0]}" | wc -l) >= 40 && $(grep -o EIO <<<"${drawn[0]}" | wc -l) <= 80"
check_eq "the same seed refuses the same calls" "${drawn[1]}" "${drawn[0]}"
check_number "another seed refuses others" "$([[ ${drawn[2]} == "${drawn[0]}" ]] && echo 0 || echo 1) == 1"
refuse threads "$disk/data" --every 2 --operation write
"$file_calls" "$disk/data/sub/f" pwrite 500 4 >"$work/threads"
revert threads
threads=$(evidence threads '"\(.operations.write.seen) \(.hit)"')
diag "four threads, every: 2: calls and hits: $threads"
# 5.10's programs have no exact counter.
slack=$([[ $(uname -r) == 5.10* ]] && echo 200 || echo 0)
check_number "four threads at a time: every second of 2,000" "${threads% *} == 2000 && ${threads#* } >= 1000 - $slack && ${threads#* } <= 1000 + $slack"

cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [[ -n $cgroup ]] && mkdir -p "$cgroup/eval-test-$test_id/below"; then
	on_cleanup rmdir "$cgroup/eval-test-$test_id/below" "$cgroup/eval-test-$test_id"
	refuse cgroup "$disk/data" --operation read --cgroup "eval-test-$test_id"
	check_eq "cgroup: others pass" "$(results "$disk/data/f" pread 3)" "ok ok ok"
	check_eq "cgroup: its processes do not" "$(in_cgroup "$cgroup/eval-test-$test_id" results "$disk/data/f" pread 2)" "EIO EIO"
	check_eq "cgroup: nor those of a cgroup below" "$(in_cgroup "$cgroup/eval-test-$test_id/below" results "$disk/data/f" pread 2)" "EIO EIO"
	revert cgroup
	check_eq "cgroup: calls of others are counted" "$(evidence cgroup '"\(.hit) \(.passed.other_cgroup >= 3)"')" "4 true"
else
	skip "cgroup: others pass" "no cgroup v2 is mounted here"
fi

mkdir "$work/tmpfs" && mount -t tmpfs none "$work/tmpfs" && on_cleanup umount -l "$work/tmpfs"
mkdir "$work/tmpfs/data" && "$file_calls" "$work/tmpfs/data/f" pread 1 >"$work/made"
inject both io_error --for 600s --data-dir "$work/tmpfs/data" --data-dir "$disk/data" || not_ok "two file systems: a fault"
check_eq "auto: bpf where precontent cannot be, on two file systems" \
	"$(event_of both injected | jq -r .engine) $(each_of "$work/tmpfs/data/f" pread pwrite fallocate) $(each_of "$disk/data/f" pread)" "bpf EIO EIO EIO EIO"
check_eq "bpf-status shows the calls and the hooks" "$(status '"\(.calls.hit) of \(.calls.seen), \(.calls.operations.write.hit) \([.hooks[].hook] | unique | join(" "))"')" "4 of 4, 1 tracing"
check_match "… also as text" "$("$eval_bin" bpf-status | grep -A 12 io_error)" "io_error \(bpf\).*disk +$work/tmpfs/data,$disk/data.*calls +seen 4, hit 4"
revert both
check_match "auto: why it was not precontent is recorded" "$(evidence both '.notes | join(" ")')" "engine: bpf, because engine: precontent needs (Linux 6.14|ext4, XFS or btrfs)"
refused "auto with files, without precontent" 1 "engine: precontent needs .*; and engine: bpf takes every file: files needs engine: precontent" \
	io_error --for 1s --data-dir "$work/tmpfs/data" --files '*.sst'
refused "too many data_dirs" 1 "at most 4 data_dirs for one fault, found 5" \
	io_error --for 1s --engine bpf --data-dir="$disk/"{data,data/sub,data/new,beside,bound}
refused "the root folder" 1 "is the root folder" io_error --for 1s --data-dir / --engine bpf

# --- eval's own database ------------------------------------------------------------------------------------------------
cat >"$work/own.yaml" <<-END
	defaults: {warmup_seconds: 0, duration_seconds: 3, recovery_seconds: 5}
	subjects:
	  - name: own
	    reset: none
	    ready: "true"
	    workload: {exec: "sh -c 'while :; do head -c 65536 /dev/zero >>$disk/data/workload; sleep 0.05; done'"}
	    nodes: [{name: n1, data_dir: "$disk/data"}]
	chaos_types:
	  - {type: io_error, target: n1, params: {engine: bpf}}
END
check_fails "our own database in data_dir: the campaign runs to its end" 0 "$eval_bin" run campaign "$work/own.yaml" --db "$disk/data/eval.db"
check_eq "… and all of it is recorded" "$(sqlite3 -readonly "$disk/data/eval.db" "SELECT status, engine, json_extract(evidence, '\$.hit') > 0 FROM trials")" "completed|bpf|1"

# --- Every end of the holder ---------------------------------------------------------------------------------------------
spawn "$disk_probe" "$disk/data/probe" 4096
probe_log=$work/spawn.$((${#test_pids[@]} - 1))
is_refused() { [[ $(tail -n 1 "$probe_log") == *" EIO" ]]; }
works() { [[ $(tail -n 1 "$probe_log") == *" ok" ]]; }
worked_after() { awk -v since="$1" '$1 >= since && $2 == "ok" { printf "%.0f\n", ($1 - since) * 1000; exit }' "$probe_log"; }
# ends NAME LIMIT_MS COMMAND…: after the command, writes succeed within the limit.
ends() {
	local since took
	refuse ending "$disk/data" --operation write || { not_ok "$1: a fault"; return; }
	wait_for 5 is_refused || not_ok "$1: refused before"
	since=$EPOCHREALTIME
	"${@:3}"
	EVAL_TIME_FACTOR=1 wait_for 10 works
	took=$(worked_after "$since")
	check_number "$1" "${took:-100000} <= $2 * ${EVAL_TIME_FACTOR:-1}"
	diag "$1: after ${took:-?} ms"
	kill -CONT "$inject_pid" 2>/dev/null
	wait_for 5 is_over "$inject_pid"
}
signal_holder() { kill "-$1" "$inject_pid"; }
stop_all() { if [[ -n ${EVAL_GUEST:-} ]]; then "$eval_bin" cleanup --now >"$work/cleanup" 2>&1; else signal_holder INT; fi; }
wait_for 5 works
for round in 1 2 3; do ends "SIGKILL of the holder: writes succeed within 200 ms ($round)" 200 signal_holder KILL; done
ends "SIGSTOP of the holder: with the lease" 2600 signal_holder STOP
ends "cleanup --now" 500 stop_all
check_eq "nothing is left" "$(status .type)$(find "$disk/data" -name '.eval*')" ""

done_testing

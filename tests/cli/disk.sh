#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 120 s
# eval inject disk_pressure: the messages of what it refuses, and the fill engine on the test's own file system.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
need_root

# refused MESSAGE_REGEX ARGUMENT…: checks eval's message.
refused() {
	local message=$1
	shift
	output=$("$eval_bin" inject disk_pressure --for 1s "$@" 2>&1)
	check_match "refused: $message ($?)" "$output" "$message"
}

available() { df -B1 --output=avail "$1" | tail -n 1; }

mkdir "$work/folder" && touch "$work/file"
here=(--data-dir "$work/folder")
refused 'needs either --fill-percent or --leave-bytes' "${here[@]}"
refused 'eval: error: --fill-percent must be above 0' "${here[@]}" --fill-percent 0
refused '100.1 is outside 0 to 100' "${here[@]}" --fill-percent 100.1
refused "'90%' is not a plain number" "${here[@]}" --fill-percent 90%
refused "'nan' is not a plain number" "${here[@]}" --fill-percent nan
refused "'32M' is not a plain number" "${here[@]}" --leave-bytes 32M
refused 'exclude each other' "${here[@]}" --fill-percent 90 --leave-bytes 0
refused 'engine: fill gives ENOSPC only' "${here[@]}" --fill-percent 90 --engine fill --errno EIO
refused 'which disk. name its directory by --data-dir' --fill-percent 90
refused 'leave out --netns, --dev, --peer' "${here[@]}" --fill-percent 90 --peer 10.0.0.1
refused "cannot open data_dir '.*/none': No such file" --data-dir "$work/none" --fill-percent 90
refused "data_dir '.*/file' is not a directory" --data-dir "$work/file" --fill-percent 90

# --- File systems -----------------------------------------------------------------------------------------------
mkdir "$work/disk"
if ! truncate -s 64M "$work/image" || ! mkfs.ext4 -q -F -m 0 "$work/image" ||
	! mount -o loop "$work/image" "$work/disk"; then
	echo "Bail out! cannot mount a file system of the test's own"
	exit 1
fi
# Lazily, because a process of the test may still have a file open there.
test_cleanups+=("umount -l '$work/disk'")
there=(--data-dir "$work/disk")
mount -o remount,ro "$work/disk"
refused 'is mounted read-only' "${there[@]}" --fill-percent 90
mount -o remount,rw "$work/disk"
refused 'leave_bytes is [0-9]+, but only [0-9]+ bytes are available' "${there[@]}" --engine fill --leave-bytes 999999999
if [[ $(stat -c %d /) == "$(stat -c %d "$work/folder")" ]]; then
	refused 'would fill up the root file system.* allow: .root_fs' "${here[@]}" --fill-percent 1 --engine fill
fi

refused 'is the root folder.* allow: .root_fs' --data-dir / --fill-percent 1 --engine hook
refused 'is the root folder.* allow: .root_fs' --data-dir /proc/self/root --fill-percent 1

# --- Databases --------------------------------------------------------------------------------------------------
# campaign NAME RESET [ALLOW]: writes a campaign that takes a tenth of the disk for 0.5 s.
campaign() {
	cat >"$work/$1.yaml" <<-END
		allow: [${3:-}]
		defaults: {warmup_seconds: 0, duration_seconds: 0.5, recovery_seconds: 5}
		subjects: [{name: own, reset: "$2", nodes: [{name: n1, data_dir: "$work/disk"}]}]
		chaos_types: [{type: disk_pressure, target: n1, params: {fill_percent: 10, engine: fill}}]
	END
}
db() { sqlite3 "$work/disk/$1.db" "$2"; }
campaign own true
check_fails "fill, with the campaign's database on that disk: the trial fails" 1 \
	"$eval_bin" run campaign "$work/own.yaml" --db "$work/disk/own.db"
check_match "and says why" "$(db own 'SELECT error_stage, error_text FROM trials')" \
	"^inject\|engine: fill would fill up the file system of data_dir '$work/disk', where an eval keeps the database.*--db.*shared_fs"
campaign allowed true shared_fs
check "allow: [shared_fs]: it completes" "$eval_bin" run campaign "$work/allowed.yaml" --db "$work/disk/allowed.db"
campaign all true shared_fs
sed -i 's/fill_percent: 10,/fill_percent: 100,/' "$work/all.yaml"
check "allow: [shared_fs], all of it: it completes, and can record" \
	"$eval_bin" run campaign "$work/all.yaml" --db "$work/disk/all.db"
check_eq "for 16 MiB stay" "$(db all "SELECT json_extract(evidence, '\$.spaces[0].available_at_start_bytes') -
	json_extract(evidence, '\$.spaces[0].asked_bytes'), json_extract(evidence, '\$.hit') FROM trials")" "16777216|1"
fallocate -l $(($(available "$work/disk") - 8388608)) "$work/disk/big"
check_fails "with less than that left the trial fails" 1 \
	"$eval_bin" run campaign "$work/all.yaml" --db "$work/disk/less.db"
check_match "and says why" "$(db less 'SELECT error_stage, error_text FROM trials')" \
	"^inject\|data_dir '$work/disk' has [0-9]+ bytes left, and engine: fill leaves 16777216 of a file system that"
rm "$work/disk/big"
campaign other "sleep 60"
spawn "$eval_bin" run campaign "$work/other.yaml" --db "$work/disk/other.db"
is_started() { [[ $(db other "SELECT status FROM trials") == running ]]; }
check "another campaign is at its reset" wait_for 10 is_started
refused 'where an eval keeps the database of its campaign' "${there[@]}" --fill-percent 10 --engine fill
check_fails "--allow shared_fs" 0 "$eval_bin" inject disk_pressure --engine fill --for 0.2s "${there[@]}" --fill-percent 10 \
	--allow shared_fs
kill -INT "$spawned" && wait "$spawned"
rm "$work/disk"/*.db*

# A process called eval with a file open on the disk counts only if it is not another user's. The folder is readable for all,
# so that another user can run the copy.
called=$(mktemp -d "${TMPDIR:-/tmp}/eval-test-called.XXXXXX") && chmod 755 "$called" && cp /bin/bash "$called/eval"
on_cleanup rm -rf "$called"
is_called_eval() { [[ $(cat "/proc/$spawned/comm") == eval ]]; }
# call_eval [COMMAND…]: starts a process called eval, by the command, with a file on the disk open for writing.
call_eval() {
	# shellcheck disable=SC2016 # the inner shell's
	spawn bash -c 'exec 9>>"$0" && exec "$@"' "$work/disk/open" "$@" "$called/eval" -c 'sleep 60; true'
	check "a process called eval${1:+, by $1}" wait_for 5 is_called_eval
}
call_eval setpriv --reuid 65534 --regid 65534 --clear-groups
check_fails "another user's changes nothing" 0 "$eval_bin" inject disk_pressure --engine fill --for 0.2s "${there[@]}" \
	--fill-percent 10
end_pids "$spawned"
call_eval
refused 'where an eval keeps the database of its campaign' "${there[@]}" --fill-percent 10 --engine fill
end_pids "$spawned"
rm "$work/disk/open"

# --- fill -------------------------------------------------------------------------------------------------------
# fill ARGUMENT…: starts the fault in the background; the pid is in $holder.
fill() {
	: >"$work/out"
	"$eval_bin" inject disk_pressure --engine fill --for 60s --json "${there[@]}" "$@" >"$work/out" 2>"$work/err" &
	test_pids+=($!)
	holder=$!
}
is_injected() { grep -q '"injected"' "$work/out"; }
is_free() { (($(available "$work/disk") > before - 65536)); }

before=$(available "$work/disk")
fill --fill-percent 90
check "90 %: injected" wait_for 10 is_injected
left=$(available "$work/disk")
check_number "90 %: $left of $before bytes are left" "$left >= $before * 9 / 100 && $left <= $before * 11 / 100"
check_match "bpf-status shows it, and what it holds" "$("$eval_bin" bpf-status)" \
	"disk_pressure \(fill\) on $work/disk.*hooks +none attached.*disk +$work/disk: $left bytes left, [0-9]+ are held by a file without a name"
status() { "$eval_bin" bpf-status --json | jq "[.faults[].disk | select(.data_dirs == \"$work/disk\")][0].$1"; }
is_left() { [[ $(status left_bytes) == "$(available "$work/disk")" ]]; }
check_number "bpf-status: what it holds is what is gone" "$(status reserved_bytes) >= ($before - $left) * 0.99 && \
	$(status reserved_bytes) <= $before - $left"
fallocate -l 1M "$work/disk/some"
check "bpf-status: what is left follows the disk" wait_for 2 is_left
rm "$work/disk/some"
left=$(available "$work/disk")
check_fails "more than is left is refused" 1 fallocate -l $((left + 1048576)) "$work/disk/more"
rm -f "$work/disk/more"
kill -INT "$holder" && wait "$holder"
check_eq "interrupted: 130" "$?" 130
check "its space is back" wait_for 5 is_free
check_eq "the evidence is one hit" "$(jq -s '.[-1].evidence.hit' "$work/out")" 1

mkdir "$work/disk/a" "$work/disk/b"
fill --fill-percent 1 --data-dir "$work/disk/a" --data-dir "$work/disk/b"
check "three data_dirs: injected" wait_for 10 is_injected
refused 'the target already has a fault' --data-dir "$work/disk/b" --data-dir "$work/disk/a" --fill-percent 1 --engine fill
refused 'the target already has a fault' --data-dir "$work/disk/b" --fill-percent 1 --engine fill
kill -INT "$holder" && wait "$holder"
check_fails "a data_dir that is named twice is one" 0 "$eval_bin" inject disk_pressure --for 0.1s --engine fill --fill-percent 1 \
	--data-dir "$work/disk/a" --data-dir "$work/disk/b" --data-dir "$work/disk/a"

# --- Some of a node's data_dirs ---------------------------------------------------------------------------------
# pick LIST: writes a campaign on these data_dirs of a node that has three.
pick() {
	cat >"$work/pick.yaml" <<-END
		defaults: {warmup_seconds: 0, duration_seconds: 0.1, recovery_seconds: 5}
		subjects: [{name: own, reset: "true", nodes: [{name: n1, data_dir: ["$work/disk/a", "$work/disk/b", "$work/none"]}]}]
		chaos_types: [{type: disk_pressure, target: n1, params: {fill_percent: 1, engine: fill, data_dirs: $1}}]
	END
}
picked() { sqlite3 "$work/pick.db" "SELECT status || ' ' || json_extract(params_effective, '\$.data_dirs') FROM trials"; }
for list in 2 "[2, 2, \"$work/disk/b\"]" "$work/disk/b"; do
	pick "$list"
	check "data_dirs: $list: it runs" "$eval_bin" run campaign "$work/pick.yaml" --db "$work/pick.db"
	check_eq "… on that one only" "$(picked)" "completed [\"$work/disk/b\"]"
	rm -f "$work"/pick.db*
done
# wrong LIST MESSAGE: checks what validate says.
wrong() {
	pick "$1"
	check_fails "data_dirs: $1: refused" 2 "$eval_bin" validate "$work/pick.yaml"
	check_match "… and why" "$output" "$2"
}
wrong 4 "pick.yaml:3:[0-9]+: error: node 'n1' has no data_dir number 4; it has 3"
wrong 0 "must be between 1 and 64"
wrong "[1, $work/disk]" "node 'n1' has no data_dir '$work/disk'"
wrong b "data_dirs"
wrong "[]" "'data_dirs' must not be empty"
pick 1
output=$("$eval_bin" inject disk_pressure --config "$work/pick.yaml" --node n1 --for 0.1s --engine fill --fill-percent 1 --data-dir 2)
check_match "inject --config --data-dir 2" "$output" "disk_pressure \(fill\) on $work/disk/b for"
check_fails "inject --config --data-dir of another: refused" 2 "$eval_bin" inject disk_pressure --config "$work/pick.yaml" --node n1 \
	--for 0.1s --engine fill --fill-percent 1 --data-dir /none
check_match "… and why" "$output" "node 'n1' has no data_dir '/none'"
rmdir "$work/disk/a" "$work/disk/b"

fill --fill-percent 100
check "100 %: injected" wait_for 10 is_injected
left=$(available "$work/disk")
check_number "100 %: at most 1 % is left: $left" "$left <= $before / 100"
kill -KILL "$holder"
wait "$holder" 2>/dev/null
check "after SIGKILL its space is back" wait_for 5 is_free
check_eq "and no file is left" "$(find "$work/disk" -type f)" ""

fill --fill-percent 50
check "50 %: injected" wait_for 10 is_injected
kill -STOP "$holder"
is_over_time() { grep -q "time left none: its holder gives the space back as soon as it runs, or ends" <<<"$("$eval_bin" bpf-status)"; }
check "a stopped holder: bpf-status says that the space is not back" wait_for 5 is_over_time
check_match "cleanup --now says what holds it" "$("$eval_bin" cleanup --now 2>&1)" "held by pid $holder, which gives the space back as soon"
check "and makes its holder go on, which gives it back" wait_for 5 is_free
wait "$holder"

fill --leave-bytes 1048576
check "leave_bytes: injected" wait_for 10 is_injected
left=$(available "$work/disk")
check_number "leave_bytes: $left bytes are left" "$left >= 1000000 && $left <= 1100000"
kill -TERM "$holder"
wait "$holder"
check "its space is back" wait_for 5 is_free

# The fill engine works on tmpfs too.
mkdir "$work/tmpfs"
mount -t tmpfs -o size=16M none "$work/tmpfs" && test_cleanups+=("umount '$work/tmpfs'")
check_fails "tmpfs: works" 0 "$eval_bin" inject disk_pressure --engine fill --for 0.2s --data-dir "$work/tmpfs" \
	--fill-percent 90

# --- If the kernel refuses the hooks ------------------------------------------------------------------------------
features() { "$eval_bin" bpf-status --json | jq -r '.features[] | select(.name == ("fmod_ret", "growth", "statfs")) | .'"$1"; }
auto=$("$eval_bin" inject disk_pressure --for 0.2s "${there[@]}" --fill-percent 50)
if [[ $(features usable) == *true* ]]; then
	check_match "auto takes the hook" "$auto" 'disk_pressure \(hook'
else
	check_eq "bpf-status says that lockdown is why" "$(features reason | uniq -c | tr -s ' ')" " 3 kernel lockdown refuses it"
	refused 'engine: hook needs fmod_ret programs, which kernel lockdown refuses' "${there[@]}" --fill-percent 50 \
		--engine hook
	check_match "auto takes fill and says why" "$auto" 'disk_pressure \(fill\).*taken on 1 file system.*lockdown'
	campaign hook true
	sed -i 's/engine: fill/engine: hook/' "$work/hook.yaml"
	check_fails "a campaign that insists on the hook" 1 "$eval_bin" run campaign "$work/hook.yaml" --db "$work/hook.db"
	check_match "fails its trial, with the reason" \
		"$(sqlite3 "$work/hook.db" 'SELECT status, error_stage, error_text FROM trials')" \
		'^failed\|inject\|engine: hook needs fmod_ret programs, which kernel lockdown refuses \(EPERM\)'
fi

done_testing

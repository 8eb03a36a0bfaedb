#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints what disk pressure costs: time per call, throughput outside its scope, and the time to attach and detach.
source "$(dirname "$0")/../lib.sh" && begin

rounds=${ROUNDS:-11}
calls=5000
for tool in fio bindfs mkfs.ext4; do
	command -v "$tool" >/dev/null || die "$tool is missing: run scripts/install-deps.sh"
done

mounted=()
unmount_all() {
	local folder
	for folder in "${mounted[@]}"; do
		umount -l "$folder"
	done
	remove_all
}
trap unmount_all EXIT

# disk_up NAME: mounts a new ext4 at $work/NAME.
disk_up() {
	{
		mkdir "$work/$1" && truncate -s 256M "$work/$1.image" && mkfs.ext4 -q -m 0 "$work/$1.image" &&
			mount -o loop "$work/$1.image" "$work/$1"
	} || die "cannot make a file system"
	mounted=("$work/$1" "${mounted[@]}")
}

pressure_start() {
	fault_begin disk_pressure --engine hook --data-dir "$work/ours/data" --statfs off "$@"
}

# --- Cost of a call -------------------------------------------------------------------------------------------

# cost_pairs CASE PROGRAM_REGEX: a line "EMPTY OURS" per round, in ns; adds up all matching programs, as each call runs them
# all.
cost_pairs() {
	awk -v regex="^$2\$" '
		$2 == "probe_empty" { empty[$1] = $3 }
		$2 ~ regex { ours[$1] += $3 }
		END { for (round in empty) if (round in ours) print empty[round], ours[round] }' "$work/cost.$1"
}

# cost_row CASE PROGRAM_REGEX DESCRIPTION PROGRAM
cost_row() {
	local ns ratio low high
	ns=$(cost_pairs "$1" "$2" | cut -d ' ' -f 2 | "$TOOLS/stats" median | cut -f 1)
	read -r ratio low high _ < <(cost_pairs "$1" "$2" | "$TOOLS/stats" geomean)
	row "$3" "$4" "$(round 0 "$ns") ns" "$(round 2 "$ratio")" "$(round 2 "$low") to $(round 2 "$high")"
}

# cost CASE FILE HOW DESCRIPTION: prints a row of the table for each program, and one for their sum.
cost() {
	local name i
	for ((i = 0; i < rounds; i++)); do
		rm -f "$2.new"
		"$TOOLS/disk_cost" "$([[ $3 == append ]] && echo "$2.new" || echo "$2")" "$calls" "$3" >"$work/round" || exit 1
		sed "s/^/$i /" "$work/round" >>"$work/cost.$1"
	done
	while read -r name; do
		cost_row "$1" "$name" "$4" "$name"
	done < <(awk '$2 ~ /^disk_/ && !seen[$2]++ { print $2 }' "$work/cost.$1" | sort)
	cost_row "$1" 'disk_.*' "$4" "all programs"
	say "$4: $rounds rounds"
}

# --- Throughput -----------------------------------------------------------------------------------------------

# fio_run FOLDER: prints the rate of 4 KiB writes, per second.
fio_run() {
	fio --name=writes --filename="$1/fio" --rw=randwrite --bs=4k --size=16M --ioengine=psync --overwrite=1 --time_based \
		--runtime=2 --output-format=json --output="$work/fio.json" >/dev/null || die "fio failed"
	jq -r '.jobs[0].write.iops' "$work/fio.json"
}

# one_way WAY FOLDER: measures plain, with a fault in another folder (hooks, beside), or through bindfs.
one_way() {
	case $1 in
	plain) fio_run "$2" ;;
	hooks | beside)
		pressure_start --fill-percent 50 --json
		fio_run "$2"
		fault_stop >&2
		jq -r 'select(.event == "reverted").evidence | "\(.attach_ms) \(.detach_ms)"' "$work/fault" >>"$work/took"
		;;
	bindfs) fio_run "$work/bound" ;;
	esac
}

# pairs WAY FOLDER: writes lines "PLAIN WAY" to $work/pairs.WAY; which of the two runs first alternates.
pairs() {
	local i first second
	for ((i = 0; i < rounds; i++)); do
		if ((i % 2)); then
			second=$(one_way "$1" "$2") && first=$(one_way plain "$2")
		else
			first=$(one_way plain "$2") && second=$(one_way "$1" "$2")
		fi || exit 1
		echo "$first $second"
		say "fio, pair $((i + 1)): $first without, $second with $1"
	done >"$work/pairs.$1"
}

ratio_row() {
	local ratio low high plain other
	read -r ratio low high _ < <("$TOOLS/stats" geomean <"$work/pairs.$1")
	plain=$(awk '{ print $1 }' "$work/pairs.$1" | "$TOOLS/stats" median | cut -f 1)
	other=$(awk '{ print $2 }' "$work/pairs.$1" | "$TOOLS/stats" median | cut -f 1)
	row "$2" "$(round 0 "$plain")" "$(round 0 "$other")" "$(round 3 "$ratio")" "$(round 3 "$low") to $(round 3 "$high")"
}

disk_up ours
disk_up theirs
mkdir "$work/ours/data" "$work/bound"
head -c 4096 /dev/zero | tee "$work/theirs/file" "$work/ours/beside" >"$work/ours/data/file"
cat <<END
## What disk pressure costs, Linux $(uname -r)

Time per call by the kernel's own statistics (\`bpf_stats\`), $rounds rounds of $calls writes of 4 KiB each, medians. The ratio compares it
with an empty program on the same function in the same calls.

END
row call program "per call" "ratio to an empty program" "95 %"
row --- --- ---: ---: ---:
pressure_start --fill-percent 50
cost outside "$work/theirs/file" overwrite "another file system"
cost beside "$work/ours/beside" overwrite "same file system, outside data_dir"
cost overwrite "$work/ours/data/file" overwrite "in scope, overwrite"
cost granted "$work/ours/data/granted" append "in scope, granted"
fault_stop >&2
pressure_start --fill-percent 100
cost refused "$work/ours/data/refused" append "in scope, refused"
fault_stop >&2

bindfs "$work/theirs" "$work/bound" || die "bindfs failed"
mounted=("$work/bound" "${mounted[@]}")
pairs hooks "$work/theirs"
pairs beside "$work/ours"
pairs bindfs "$work/theirs"
cat <<END

Random writes of 4 KiB outside the fault's scope (fio, psync, page cache), $rounds interleaved pairs of runs of 2 s: with disk
pressure on another file system, with disk pressure on another directory of the same file system, and through a FUSE
pass-through (bindfs).

END
row "" "writes per second without" with ratio "95 %"
row --- ---: ---: ---: ---:
ratio_row hooks "disk pressure on another file system"
ratio_row beside "disk pressure on another directory"
ratio_row bindfs "bindfs"

# took FIELD: the median and the maximum, in ms.
took() { cut -d ' ' -f "$1" "$work/took" | "$TOOLS/stats" summary | awk '{ printf "%.0f ms (at most %.0f)", $2, $4 }'; }
cat <<END

Attaching all hooks took $(took 1), detaching $(took 2): medians over $(wc -l <"$work/took") faults.
END

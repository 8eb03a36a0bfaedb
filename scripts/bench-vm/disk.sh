#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
source "$(dirname "$0")/common.sh"

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

# disk_up NAME: an ext4 of its own at $work/NAME.
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

# --- What a call costs ----------------------------------------------------------------------------------------

# cost_of CASE PROGRAM: median of the rounds, ns a call.
cost_of() { awk -v program="$2" '$1 == program { print $2 }' "$work/cost.$1" | "$TOOLS/stats" median | cut -f 1; }

# cost CASE FILE HOW DESCRIPTION: rows of the table, one a program and their sum.
cost() {
	local name ns empty sum=0 i
	for ((i = 0; i < rounds; i++)); do
		rm -f "$2.new"
		"$TOOLS/disk_cost" "$([[ $3 == append ]] && echo "$2.new" || echo "$2")" "$calls" "$3" >>"$work/cost.$1" || exit 1
	done
	empty=$(cost_of "$1" probe_fmod_ret)
	while read -r name; do
		ns=$(cost_of "$1" "$name")
		sum=$(awk "BEGIN { print $sum + $ns }")
		row "$4" "$name" "$(round 0 "$ns") ns" "$(round 2 "$(awk "BEGIN { print $ns / $empty }")")"
	done < <(awk '$1 ~ /^disk_/ && !seen[$1]++ { print $1 }' "$work/cost.$1" | sort)
	row "$4" "all of it" "$(round 0 "$sum") ns" "$(round 2 "$(awk "BEGIN { print $sum / $empty }")")"
	say "$4: empty $empty ns, ours $sum ns"
}

# --- Throughput -----------------------------------------------------------------------------------------------

# fio_run FOLDER: 4 KiB writes a second.
fio_run() {
	fio --name=writes --filename="$1/fio" --rw=randwrite --bs=4k --size=16M --ioengine=psync --overwrite=1 --time_based \
		--runtime=2 --output-format=json --output="$work/fio.json" >/dev/null || die "fio failed"
	jq -r '.jobs[0].write.iops' "$work/fio.json"
}

# one_way WAY: with nothing, with a fault elsewhere, or through bindfs.
one_way() {
	case $1 in
	plain) fio_run "$work/theirs" ;;
	hooks)
		pressure_start --fill-percent 50
		fio_run "$work/theirs"
		fault_stop >&2
		;;
	bindfs) fio_run "$work/bound" ;;
	esac
}

# pairs WAY: lines "plain WAY", the order changing.
pairs() {
	local i first second
	for ((i = 0; i < rounds; i++)); do
		if ((i % 2)); then
			second=$(one_way "$1") && first=$(one_way plain)
		else
			first=$(one_way plain) && second=$(one_way "$1")
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

By the kernel's own statistics (\`bpf_stats\`), $rounds rounds of $calls writes of 4 KiB each, medians; next to an empty
program on the same function in the same calls, which is the ratio's 1.

END
row call program "a run" "ratio to an empty one"
row --- --- ---: ---:
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
pairs hooks
pairs bindfs
cat <<END

4 KiB random writes outside scope (fio, psync, page cache), $rounds interleaved pairs of 2 s: with disk pressure on another
file system, and through a FUSE pass-through.

END
row "" "writes a second without" with ratio "95 %"
row --- ---: ---: ---: ---:
ratio_row hooks "disk pressure's hooks"
ratio_row bindfs "bindfs"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 240 s
# guests: 6.1 6.12 sid: 5.10's engine only samples the free space, so that a call's result depends on the moment
# Runs every call that may need space on a full file system and on one under pressure: the results are the same, except for
# those in calls.differences, which gives the reasons.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

# The differences of an engine: calls.differences, calls.precontent.
differences_of() { [[ $1 == hook ]] && echo "$(dirname "$0")/calls.differences" || echo "$(dirname "$0")/calls.$1"; }
engines=()
# precontent where there are no hooks: both would take too long in a guest.
if have_hooks; then
	engines+=(hook)
elif [[ $(feature precontent) == true ]]; then
	engines+=(precontent)
fi
# For each state, the bytes that a call writes and the bytes that are left. settle_ms exceeds the sampler's period, 200 ms.
states=(left little gone)
declare -A sizes=([left]=131072 [little]=$mib [gone]=131072) leave=([left]=$((64 * mib)) [little]=65536 [gone]=0)
settle_ms=350
settle_of() { [[ $1 == left ]] && echo 0 || echo "$settle_ms"; } # there is enough for all of them

# prepare_disk NAME FS: makes a file system with a prepared folder for each state.
prepare_disk() {
	local state
	make_disk "$1" "$2" || return 1
	for state in "${states[@]}"; do
		mkdir "$work/$1/$state" && "$disk_calls" prepare "$work/$1/$state" "${sizes[$state]}" || return 1
	done
}

# really FS: runs the calls on a file system that is filled up; results in $work/FS.STATE.real.
really() {
	local state
	prepare_disk "$1-real" "$1" || return 1
	for state in "${states[@]}"; do
		[[ $state == left ]] || "$disk_calls" fill "$work/$1-real" "${leave[$state]}" || return 1
		"$disk_calls" run "$work/$1-real/$state" "${sizes[$state]}" 0 >"$work/$1.$state.real" || return 1
	done
	remove_disk "$1-real"
}

# pretended FS ENGINE: runs the calls under pressure; results in $work/FS.STATE.ENGINE.
pretended() {
	local state
	prepare_disk "$1-$2" "$1" || return 1
	for state in "${states[@]}"; do
		pressure "$state" "$work/$1-$2" --engine "$2" --leave-bytes "${leave[$state]}" --statfs off || return 1
		"$disk_calls" run "$work/$1-$2/$state" "${sizes[$state]}" "$(settle_of "$state")" >"$work/$1.$state.$2" || return 1
		revert "$state"
		[[ $inject_status == 130 ]] || { diag "status $inject_status:" "$(cat "$work/$state.err")"; return 1; }
	done
	remove_disk "$1-$2"
}

# compared FS ENGINE: prints "FS STATE CALL REAL PRETENDED" for each difference.
compared() {
	local state
	for state in "${states[@]}"; do
		join <(sort "$work/$1.$state.real") <(sort "$work/$1.$state.$2") |
			awk -v prefix="$1 $state" '$2 != $3 { print prefix, $0 }'
	done
}

listed_differences() { sed 's/[[:space:]]*#.*//; /^$/d' "$(differences_of "$1")" | tr -s ' \t' ' '; }

# unexpected FS ENGINE: prints differences that are not listed, and listed differences that do not occur. Columns are globs.
unexpected() {
	local difference listed hit
	mapfile -t found < <(compared "$1" "$2")
	for difference in "${found[@]}"; do
		hit=
		while read -r listed; do
			# shellcheck disable=SC2053 # globs are meant
			[[ $difference == $listed ]] && hit=1
		done < <(listed_differences "$2")
		[[ -n $hit ]] || echo "not listed: $difference"
	done
	while read -r listed; do
		hit=
		# shellcheck disable=SC2053
		[[ $1 == ${listed%% *} ]] || continue
		for difference in "${found[@]}"; do
			# shellcheck disable=SC2053
			[[ $difference == $listed ]] && hit=1
		done
		[[ -n $hit ]] || echo "listed, but not so: $listed"
	done < <(listed_differences "$2")
}

# table FS: prints a line per call, with a column for each state on the full disk and under pressure.
table() {
	local state engine files=() columns=()
	for state in "${states[@]}"; do
		for engine in real hook precontent; do
			[[ -e $work/$1.$state.$engine ]] || continue
			files+=("$work/$1.$state.$engine") columns+=("$state/$engine")
		done
	done
	echo "$1 $(uname -r): CALL ${columns[*]}"
	awk -v fs="$1" '
		FNR == 1 { file++ }
		file == 1 { calls[++count] = $1 }
		{ result[$1, file] = $2 }
		END {
			for (i = 1; i <= count; i++) {
				printf "%s: %s", fs, calls[i]
				for (f = 1; f <= file; f++) printf " %s", result[calls[i], f]
				print ""
			}
		}' "${files[@]}"
}

# check_real FS: checks that the full file system refuses growth and accepts writes to preallocated space.
check_real() {
	local call wrong=''
	for call in write pwrite libaio io_uring fallocate direct append; do
		grep -q "^$call ENOSPC" "$work/$1.gone.real" || wrong+="$call "
	done
	for call in preallocated preallocated-append; do
		grep -q "^$call ok" "$work/$1.gone.real" || wrong+="$call "
	done
	check_eq "$1: really full: growth fails, preallocated space can be written to" "$wrong" ""
	check_eq "$1: with space left every call works" \
		"$(grep -v ' ok$' "$work/$1.left.real" | grep -v '^clone EOPNOTSUPP')" ""
}

# Not by check, whose subshell would lose the cleanups of mounts and processes.
for fs in ext4 xfs btrfs; do
	if ! really "$fs" >"$work/problem" 2>&1; then
		not_ok "$fs: the calls on a file system that is really full" "$(cat "$work/problem")"
		continue
	fi
	check_real "$fs"
	have_hooks || skip "hook: $fs: the calls under pressure" "fmod_ret is refused"
	for engine in "${engines[@]}"; do
		if pretended "$fs" "$engine" >"$work/problem" 2>&1; then
			check_eq "$engine: $fs: as on a full disk, but for what is listed" "$(unexpected "$fs" "$engine")" ""
		else
			not_ok "$engine: $fs: the calls under pressure" "$(cat "$work/problem")"
		fi
	done
	diag "$(table "$fs")"
done

done_testing

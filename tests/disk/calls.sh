#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 240 s
# Every call that may need space, on a file system that is really full and on one that is under pressure: the results
# are the same but for calls.differences, which has the reasons.
# shellcheck source=tests/lib.sh
source "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netlib.sh
source "$(dirname "$0")/../netlib.sh"
# shellcheck source=tests/disklib.sh
source "$(dirname "$0")/../disklib.sh"

differences=$(dirname "$0")/calls.differences
# STATE: what a call writes there, and what is left. The sampler looks five times a second.
states=(left little gone)
declare -A sizes=([left]=131072 [little]=$mib [gone]=131072) leave=([left]=$((64 * mib)) [little]=65536 [gone]=0)
settle_ms=500

# prepare_disk NAME FS
prepare_disk() {
	local state
	make_disk "$1" "$2" || return 1
	for state in "${states[@]}"; do
		mkdir "$work/$1/$state" && "$disk_calls" prepare "$work/$1/$state" "${sizes[$state]}" || return 1
	done
}

# really FS: results in $work/FS.STATE.real
really() {
	local state
	prepare_disk "$1-real" "$1" || return 1
	for state in "${states[@]}"; do
		[[ $state == left ]] || "$disk_calls" fill "$work/$1-real" "${leave[$state]}" || return 1
		"$disk_calls" run "$work/$1-real/$state" "${sizes[$state]}" 0 >"$work/$1.$state.real" || return 1
	done
	remove_disk "$1-real"
}

# pretended FS ENGINE: the same under pressure, in $work/FS.STATE.ENGINE
pretended() {
	local state settle=0 options=()
	prepare_disk "$1-$2" "$1" || return 1
	[[ $2 == fill ]] || settle=$settle_ms options=(--statfs off)
	for state in "${states[@]}"; do
		pressure "$state" "$work/$1-$2" --engine "$2" --leave-bytes "${leave[$state]}" "${options[@]}" || return 1
		"$disk_calls" run "$work/$1-$2/$state" "${sizes[$state]}" "$settle" >"$work/$1.$state.$2" || return 1
		revert "$state"
		[[ $inject_status == 130 ]] || { diag "status $inject_status:" "$(cat "$work/$state.err")"; return 1; }
	done
	remove_disk "$1-$2"
}

# compared FS ENGINE: lines "ENGINE FS STATE CALL REAL PRETENDED" where they differ.
compared() {
	local state
	for state in "${states[@]}"; do
		join <(sort "$work/$1.$state.real") <(sort "$work/$1.$state.$2") |
			awk -v prefix="$2 $1 $state" '$2 != $3 { print prefix, $0 }'
	done
}

# Prints differences that are not listed, and listed ones of this kernel that are not there. KERNEL and all other
# columns are globs.
unexpected() {
	local engine=$1 fs=$2 kernel where difference listed hit
	mapfile -t found < <(compared "$fs" "$engine")
	for difference in "${found[@]}"; do
		hit=
		while read -r kernel listed; do
			# shellcheck disable=SC2053 # globs are meant
			[[ $(uname -r) == $kernel && $difference == $listed ]] && hit=1
		done < <(sed 's/[[:space:]]*#.*//; /^$/d' "$differences" | tr -s ' \t' ' ')
		[[ -n $hit ]] || echo "not listed: $difference"
	done
	while read -r kernel where listed; do
		hit=
		# shellcheck disable=SC2053
		[[ $(uname -r) == $kernel && $engine == $where && $fs == ${listed%% *} ]] || continue
		for difference in "${found[@]}"; do
			# shellcheck disable=SC2053
			[[ $difference == $where\ $listed ]] && hit=1
		done
		[[ -n $hit ]] || echo "listed, but not so: $where $listed"
	done < <(sed 's/[[:space:]]*#.*//; /^$/d' "$differences" | tr -s ' \t' ' ')
}

table() {
	local state engine
	echo "$1 $(uname -r): CALL $(for state in "${states[@]}"; do
		for engine in real "${engines[@]}"; do printf '%s/%s ' "$state" "$engine"; done
	done)"
	cut -d ' ' -f 1 "$work/$1.left.real" | while read -r call; do
		printf '%s: %s' "$1" "$call"
		for state in "${states[@]}"; do
			for engine in real "${engines[@]}"; do
				printf ' %s' "$(sed -n "s/^$call //p" "$work/$1.$state.$engine")"
			done
		done
		echo
	done
}

# What the comparison rests on: that the real one is full for some and not for others.
check_real() {
	local call wrong=''
	for call in write pwrite libaio io_uring fallocate direct append; do
		grep -q "^$call ENOSPC" "$work/$1.gone.real" || wrong+="$call "
	done
	for call in preallocated preallocated-direct preallocated-append; do
		grep -q "^$call ok" "$work/$1.gone.real" || wrong+="$call "
	done
	check_eq "$1: really full: growth fails, preallocated space can be written to" "$wrong" ""
	check_eq "$1: with space left every call works" \
		"$(grep -v ' ok$' "$work/$1.left.real" | grep -v '^clone EOPNOTSUPP')" ""
}

for fs in ext4 xfs btrfs; do
	engines=()
	# Not by check: what these mount and start is for this shell to clean up.
	if ! really "$fs" >"$work/problem" 2>&1; then
		not_ok "$fs: the calls on a file system that is really full" "$(cat "$work/problem")"
		continue
	fi
	check_real "$fs"
	for engine in fill hook; do
		if [[ $engine == hook ]] && ! have_hooks; then
			skip "hook: $fs: the calls under pressure" "fmod_ret is refused"
			continue
		fi
		if ! pretended "$fs" "$engine" >"$work/problem" 2>&1; then
			not_ok "$engine: $fs: the calls under pressure" "$(cat "$work/problem")"
			continue
		fi
		engines+=("$engine")
		check_eq "$engine: $fs: the same as really full, but for what is listed" "$(unexpected "$engine" "$fs")" ""
	done
	diag "$(table "$fs")"
done

done_testing

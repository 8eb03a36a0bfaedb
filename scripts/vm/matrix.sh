#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs test suites on several kernels, two guests at a time: scripts/vm/matrix.sh "KERNELS" [SUITE…]. The last line
# is the sum of the guests' closing lines. A guest without one counts as one failure, a kernel that can no longer be had as
# one skip. Each guest's output is in build/vm/KERNEL.log, the logs of its tests in build/vm/KERNEL.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

logs=${BUILD:-build}/vm
guests_at_once=${GUESTS:-2}
read -ra kernels <<<"${1:-}"
((${#kernels[@]})) || { echo 'usage: scripts/vm/matrix.sh "KERNEL…" [SUITE…]' >&2; exit 2; }
suites=("${@:2}")
# Of a guest's whole run, 750 s a suite; what takes longer hangs.
limit=$((750 * (${#suites[@]} > 0 ? ${#suites[@]} : 4)))
passed=0 failed=0 skipped=0 notes=()
declare -A pids=()
trap 'kill -TERM "${pids[@]}" 2>/dev/null; wait; exit 130' INT TERM HUP

# add_up KERNEL STATUS
add_up() {
	local closing
	echo "== $1"
	cat "$logs/$1.log"
	echo
	closing=$(tail -n 1 "$logs/$1.log")
	# What tests/run says of tests that failed.
	mapfile -t -O "${#notes[@]}" notes < <(sed -n '/^failed:$/,/^$/s/^  /failed: '"$1"': /p' "$logs/$1.log")
	if [[ $2 == 77 ]]; then
		((++skipped))
		notes+=("skipped: $1: $(sed -n 's/^vm: //p' "$logs/$1.log" | tail -n 1)")
	elif [[ $closing =~ ^([0-9]+)' passed, '([0-9]+)' failed, '([0-9]+)' skipped'$ ]]; then
		((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2], skipped += BASH_REMATCH[3]))
		(($2 == 0 || BASH_REMATCH[2])) || { ((++failed)); notes+=("failed: $1: exit status $2"); }
	else
		((++failed))
		notes+=("failed: $1: its tests did not run to their end (exit status $2)")
	fi
}

# collect_one: waits for a guest to end.
collect_one() {
	local pid status=0 kernel
	wait -n -p pid "${pids[@]}" || status=$?
	for kernel in "${!pids[@]}"; do
		[[ ${pids[$kernel]} == "$pid" ]] || continue
		unset "pids[$kernel]"
		add_up "$kernel" "$status"
	done
}

mkdir -p "$logs" || exit 1
# Else an earlier run's would count where this one does not get there.
rm -f "$logs/summary"
for kernel in "${kernels[@]}"; do
	((${#pids[@]} < guests_at_once)) || collect_one
	echo "vm: $kernel: starting" >&2
	scripts/vm.sh test --timeout "$limit" "$kernel" "${suites[@]}" >"$logs/$kernel.log" 2>&1 &
	pids[$kernel]=$!
done
while ((${#pids[@]})); do
	collect_one
done
((${#notes[@]} == 0)) || printf '%s\n' "${notes[@]}"
echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/summary"
((failed == 0))

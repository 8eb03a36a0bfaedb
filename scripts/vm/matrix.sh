#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs test suites on several kernels: scripts/vm/matrix.sh [--gate] "KERNELS" [SUITE…]. Runs each suite of each kernel in a
# new guest, $GUESTS (2) guests at a time. If $BESIDE is set, runs one guest at a time until that file exists, because until
# then this host's own tests need the processors. The last line adds up the guests' closing lines; a guest without a closing
# line counts as a failure, a kernel that can no longer be downloaded as one skip per suite. A guest's output is in
# build/vm/KERNEL-SUITE.log, the logs of its tests are in build/vm/KERNEL-SUITE. --gate: see tests/run.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

logs=${BUILD:-build}/vm
guests_at_once=${GUESTS:-2}
gate=()
if [[ ${1:-} == --gate ]]; then
	gate=(--gate)
	shift
fi
read -ra kernels <<<"${1:-}"
((${#kernels[@]})) || { echo 'usage: scripts/vm/matrix.sh [--gate] "KERNEL…" [SUITE…]' >&2; exit 2; }
suites=("${@:2}")
((${#suites[@]})) || suites=(net fault disk)
# The time limit of a guest, in seconds; a longer run counts as hung.
limit=2400
passed=0 failed=0 skipped=0 failures=() skips=()
# Keyed by the pid of the guest's scripts/vm.sh: "KERNEL SUITE", and the start in seconds.
declare -A running=() began=()
watcher=''
trap 'kill -TERM "${!running[@]}" $watcher 2>/dev/null; wait; exit 130' INT TERM HUP

name_of() { tr ' /' '--' <<<"$1"; }

# add_up "KERNEL SUITE" STATUS SECONDS
add_up() {
	local log closing
	log=$logs/$(name_of "$1").log
	echo "== $1: $3 s"
	cat "$log"
	echo
	closing=$(tail -n 1 "$log")
	# The failures that tests/run lists.
	mapfile -t -O "${#failures[@]}" failures < <(sed -n -e "/^failed:\$/,/^\$/s/^  /$1: /p" "$log")
	if [[ $2 == 77 ]]; then
		((++skipped))
		skips+=("$1: $(sed -n 's/^vm: //p' "$log" | tail -n 1)")
	elif [[ $closing =~ ^([0-9]+)' passed, '([0-9]+)' failed, '([0-9]+)' skipped'$ ]]; then
		((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2], skipped += BASH_REMATCH[3]))
		(($2 == 0 || BASH_REMATCH[2])) || { ((++failed)); failures+=("$1: exit status $2"); }
	else
		((++failed))
		failures+=("$1: its tests did not run to their end (exit status $2)")
	fi
}

# collect: waits until a guest ends or $BESIDE exists.
collect() {
	local pid status=0 job
	# shellcheck disable=SC2086 # none or one
	wait -n -p pid "${!running[@]}" $watcher || status=$?
	if [[ $pid == "$watcher" ]]; then
		watcher=''
		return
	fi
	job=${running[$pid]}
	unset "running[$pid]"
	add_up "$job" "$status" $((SECONDS - began[$pid]))
}

# launch KERNEL SUITE
launch() {
	local name
	name=$(name_of "$1 $2")
	scripts/vm.sh test --timeout "$limit" --logs "$logs/$name" "$1" "${gate[@]}" "$2" >"$logs/$name.log" 2>&1 &
	running[$!]="$1 $2"
	began[$!]=$SECONDS
}

mkdir -p "$logs" || exit 1
# Results of an earlier run must not count if this run fails before it writes its own.
rm -f "$logs"/{summary,failed}
echo "guests: ${#kernels[@]} kernels, ${#suites[@]} suites each, $guests_at_once at a time" >&2
if [[ -n ${BESIDE:-} ]]; then
	until [[ -e $BESIDE ]]; do sleep 1; done &
	watcher=$!
fi
for suite in "${suites[@]}"; do
	for kernel in "${kernels[@]}"; do
		until ((${#running[@]} < (${#watcher} ? 1 : guests_at_once))); do
			collect
		done
		launch "$kernel" "$suite"
	done
done
while ((${#running[@]})); do
	collect
done
[[ -z $watcher ]] || kill "$watcher" 2>/dev/null
((${#skips[@]} == 0)) || printf 'skipped: %s\n' "${skips[@]}"
((${#failures[@]} == 0)) || printf '  %s\n' "${failures[@]}" | tee "$logs/failed" | sed 's/^  /failed: /'
echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/summary"
((failed == 0))

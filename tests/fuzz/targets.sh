#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 600 s
# not in guests: nothing here depends on the kernel
# Each fuzz target (make fuzzers) on its corpus, and then for $EVAL_FUZZ_SECONDS (10 s; make fuzz: 600 s) on what libFuzzer
# makes of it, under ASan and UBSan, as many at a time as there are processors. What is found is kept in
# build/fuzz/found: fix it and add the input to tests/fuzz/corpus.
source "$(dirname "$0")/../lib/lib.sh"

build=${BUILD:-$top/build}/fuzz
# An allocation's last frame is enough to find it, and freed memory that is kept is what takes the most time.
export ASAN_OPTIONS=malloc_context_size=4:quarantine_size_mb=16

# The campaign files of the other tests are the seeds of theirs.
seeds_of() {
	if [[ $1 == config ]]; then
		printf '%s\n' "$top"/tests/data/{good,bad} "$top/examples"
	else
		echo "$top/tests/fuzz/corpus/$1"
	fi
}

fuzz() {
	local name=$1 seeds
	mapfile -t seeds < <(seeds_of "$name")
	mkdir -p "$build/found" "$build/corpus/$name"
	exec nice -n 19 "$build/fuzz_$name" -max_total_time="${EVAL_FUZZ_SECONDS:-10}" -timeout=25 -verbosity=1 \
		-print_final_stats=1 -artifact_prefix="$build/found/$name-" "$build/corpus/$name" "${seeds[@]}" \
		>"$work/$name" 2>&1
}

# collect_one: waits for a target to end. Not by polling: bash forgets a status once its pid is another process's.
declare -A name_of=()
collect_one() {
	local pid status=0 name
	wait -n -p pid "${!name_of[@]}" || status=$?
	name=${name_of[$pid]}
	unset "name_of[$pid]"
	if ((status)); then
		not_ok "$name" "exit status $status" "$(tail -n 40 "$work/$name")"
	else
		ok "$name"
		diag "$(grep -E '^#[0-9]+[[:space:]]+DONE' "$work/$name" | tail -n 1)"
	fi
}

for source in "$top"/tests/fuzz/fuzz_*.c; do
	name=${source##*/fuzz_}
	name=${name%.c}
	((${#name_of[@]} < $(nproc))) || collect_one
	fuzz "$name" &
	test_pids+=("$!")
	name_of[$!]=$name
done
while ((${#name_of[@]})); do
	collect_one
done

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 600 s
# not in guests: nothing here depends on the kernel
# Each fuzz target (make fuzzers) on its corpus, and then for $EVAL_FUZZ_SECONDS (10 s; make fuzz: 600 s) on what libFuzzer
# makes of it, under ASan and UBSan, as many at a time as there are processors. What is found is kept in
# build/fuzz/found: fix it and add the input to tests/fuzz/corpus.
source "$(dirname "$0")/../lib.sh"

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

names=()
for source in "$top"/tests/fuzz/fuzz_*.c; do
	name=${source##*/fuzz_}
	names+=("${name%.c}")
done
for i in "${!names[@]}"; do
	while (($(jobs -rp | wc -l) >= $(nproc))); do
		sleep 0.1
	done
	fuzz "${names[i]}" &
	test_pids[i]=$!
done
for i in "${!names[@]}"; do
	name=${names[i]}
	if wait "${test_pids[i]}"; then
		ok "$name"
		diag "$(grep -E '^#[0-9]+[[:space:]]+DONE' "$work/$name" | tail -n 1)"
	else
		not_ok "$name" "$(tail -n 40 "$work/$name")"
	fi
done

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the statement coverage of user/ by test suites on this host. usage: scripts/check/coverage.sh [SUITE…], default unit cli
# net fault. Works in a copy of the tree, below build/coverage. Processes killed by SIGKILL are not counted. Needs root.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

(($#)) || set -- unit cli net fault
tree=${BUILD:-build}/coverage
rm -rf "$tree" && mkdir -p "$tree" || exit 1
git ls-files -z | tar -c --null -T - | tar -x -C "$tree" || exit 1
cd "$tree" || exit 1
# Processes that gave up root cannot write counters; gcov's errors must not appear in the output that tests compare.
export GCOV_ERROR_FILE=/dev/null
flags="--coverage -fprofile-update=atomic -include $PWD/scripts/check/coverage.h"
# Unit tests are linked from separate objects, which are built with the sanitizers' flags.
make -j"$(nproc)" CFLAGS="-O0 -g $flags" SANITIZE="$flags" LDFLAGS=--coverage test-build || exit 1
tests/run "$@" || echo "coverage: some tests failed: the figure is of what ran" >&2

# A line that is in several objects counts once, and as run if any of them ran it.
find build/user build/asan -name '*.gcda' -exec gcov --json-format --stdout {} + 2>/dev/null |
	jq -r '.files[] | select(.file | startswith("user/")) | .file as $file | .lines[] |
		"\($file) \(.line_number) \(if .count > 0 then 1 else 0 end)"' |
	awk '
		{ key = $1 " " $2; if (!(key in hit)) { lines[$1]++; all++ } if ($3 > 0 && !hit[key]) { covered[$1]++; run++ }
		  hit[key] = hit[key] || $3 }
		END {
			for (file in lines)
				printf "%6.1f %%  %5d of %5d  %s\n", 100 * covered[file] / lines[file], covered[file], lines[file],
					file | "sort -n"
			close("sort -n")
			if (!all) { print "coverage: no counters were written" > "/dev/stderr"; exit 1 }
			printf "statement coverage of user/: %.1f %% (%d of %d)\n", 100 * run / all, run, all
		}'

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Format and static analysis; exits 1 on any finding. usage: scripts/check.sh [format | shell | arrows | house | tidy | cppcheck]…
set -u
export LC_ALL=C
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-build}
failed=()
mapfile -t c_files < <(git ls-files '*.c' '*.h' ':!vmlinux/')
mapfile -t user_files < <(git ls-files 'user/*.c' 'tests/unit/*.c' 'tests/tools/*.c' 'scripts/bench/tools/*.c' 'tests/fuzz/*.c')
mapfile -t scripts < <(git ls-files '*.sh' tests/run tests/all .ci/run)
# shellcheck disable=SC2016 # make's own variable
mapfile -t flags < <(make --silent --eval='print-flags: ; $(info $(BASE_CFLAGS))' BUILD="$build" print-flags |
	tr ' ' '\n' | grep -vE '^-(W|pthread)')

check_format() { clang-format --dry-run -Werror "${c_files[@]}"; }
# circles.sh reads the objects' symbols, so build first.
check_arrows() { make --silent -j"$(nproc)" BUILD="$build" eval && scripts/check/arrows.sh && scripts/check/circles.sh; }
check_house() { scripts/check/house.sh; }
check_shell() { shellcheck "${scripts[@]}"; }

# Builds first, because clang-tidy reads the skeletons. Compiler warnings are left to the build (no -W flags).
check_tidy() {
	make --silent -j"$(nproc)" BUILD="$build" eval || return 1
	printf '%s\0' "${user_files[@]}" | xargs -0 -n 1 -P "$(nproc)" scripts/check.sh tidy-file
}

tidy_file() {
	local helper=(-include scripts/check/tidy.h)
	[[ $1 != user/util/error.c ]] || helper=()
	clang-tidy --quiet "$1" -- "${flags[@]}" -iquote tests/lib -iquote tests/tools "${helper[@]}" 2> >(grep -vE 'warnings? generated' >&2)
}

check_cppcheck() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability --std=c11 \
		--library=posix --library=gnu --library=scripts/check/cppcheck.cfg -j "$(nproc)" \
		--suppressions-list=scripts/check/cppcheck-suppressions.txt -Iinclude -Iuser "-I$build" "-I$build/bpf" \
		-D_GNU_SOURCE -D__x86_64__ \
		--template='{file}:{line}: {severity}: {message} [{id}]' "${user_files[@]}"
}

if [[ ${1:-} == tidy-file ]]; then
	tidy_file "$2"
	exit
fi
(($#)) || set -- format shell arrows house tidy cppcheck
for name; do
	declare -F "check_$name" >/dev/null || { echo "usage: scripts/check.sh [format | shell | arrows | house | tidy | cppcheck]…" >&2; exit 2; }
	echo "== $name"
	"check_$name" || failed+=("$name")
done
((${#failed[@]} == 0)) || { echo "check: findings by ${failed[*]}" >&2; exit 1; }

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The house's rules that a pattern can check: sizes of files and functions, first lines, static names, headers that
# compile alone. usage: scripts/check/house.sh    prints findings, exits 1 if there are any; builds nothing, but needs build/bpf
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

file_lines=500
function_lines=60
found=0
finding() {
	echo "$*"
	found=1
}

mapfile -t c_files < <(git ls-files -co --exclude-standard 'user/*.[ch]' 'bpf/*.[ch]' 'include/*.h' 'tests/*.[ch]')
mapfile -t scripts < <(git ls-files -co --exclude-standard '*.sh' tests/run tests/all .ci/run)

for file in "${c_files[@]}" "${scripts[@]}"; do
	[[ -e $file ]] || continue
	lines=$(wc -l <"$file")
	((lines <= file_lines)) || finding "$file: $lines lines, more than $file_lines"
done

# clang-format puts a function's braces at the start of a line.
functions() {
	awk -v most=$function_lines '
		FNR == 1 { name = ""; inside = 0 }
		/^[A-Za-z_].*\(/ && !/;$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
		/^\{/ { inside = FNR }
		/^\}/ && inside { if (FNR - inside - 1 > most) printf "%s:%d: %s has %d lines, more than %d\n", FILENAME, inside, name, FNR - inside - 1, most; inside = 0 }
	' "$@"
}
while read -r line; do
	finding "$line"
done < <(functions "${c_files[@]}")

# A name has one meaning in a room. Functions only.
static_twice() {
	awk '
		/^static .*\(/ && !/;$/ && !/=/ {
			name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
			split(FILENAME, part, "/"); key = part[2] " " name
			if (key in first && first[key] != FILENAME) printf "%s and %s: static %s twice in a room\n", first[key], FILENAME, name
			else first[key] = FILENAME
		}' "$@"
}
mapfile -t user_files < <(git ls-files -co --exclude-standard 'user/*.c')
while read -r line; do
	finding "$line"
done < <(static_twice "${user_files[@]}")

# A sentence after the licence, in each header and in each .c that has no header.
has_sentence() { # FILE
	awk 'NR == 1 { next } NR == 2 { good = /^\/\*/ ; exit } END { exit !good }' "$1"
}
for file in "${c_files[@]}"; do
	case $file in
	tests/*) continue ;;
	*.h) ;;
	*.bpf.c) ;;
	*.c) [[ ! -e ${file%.c}.h ]] || continue ;;
	esac
	has_sentence "$file" || finding "$file: its second line does not say what lives there"
done

# A unit test stands where its source does.
while read -r test; do
	source=${test#tests/unit/}
	source=${source/test_/}
	[[ -e user/$source || -e ${source%.c}.h ]] ||
		finding "$test: there is no user/$source that it would test"
done < <(git ls-files -co --exclude-standard 'tests/unit/**/test_*.c')

# A header includes what it needs.
for file in "${c_files[@]}"; do
	[[ $file == user/*.h || $file == include/*.h ]] || continue
	gcc -std=gnu11 -D_GNU_SOURCE -iquote include -iquote user -iquote build/bpf -fsyntax-only -x c "$file" 2>/dev/null ||
		finding "$file: does not compile alone"
done
exit "$found"

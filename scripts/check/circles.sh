#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Finds files that use each other in a circle, directly or through others: prints each loop that the linker's symbols make among
# the objects below build/user, and exits 1 if there is one. Build first. usage: scripts/check/circles.sh
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

# The objects of existing sources; build/ may also have objects of deleted ones.
objects() {
	local source
	git ls-files -co --exclude-standard 'user/*.c' | while read -r source; do
		[[ ! -e $source ]] || echo "build/${source%.c}.o"
	done
}

# Prints "FILE SYMBOL" for each symbol that an object defines (--defined-only) or uses (--undefined-only).
symbols() { # OPTION
	objects | xargs nm -A -g "$1" | sed -E 's|^build/user/(.*)\.o:.* ([^ ]+)$|\1.c \2|'
}

# Prints "USER DEFINER" for each use of a symbol that exactly one object defines.
edges() {
	awk 'NR == FNR { definers[$2]++; definer[$2] = $1; next }
		definers[$2] == 1 && definer[$2] != $1 { print $1, definer[$2] }' \
		<(symbols --defined-only) <(symbols --undefined-only) | sort -u
}

for object in $(objects); do
	source=${object#build/}
	[[ -e $object && ! ${source%.o}.c -nt $object ]] || { echo "$object is missing or old: build first"; exit 1; }
done
# tsort prints "tsort: -: input contains a loop:", then "tsort: FILE" for each file in the loop.
loops=$(edges | tsort 2>&1 >/dev/null | awk '
	/contains a loop/ { if (files) print files; files = ""; next }
	{ files = files " " $NF }
	END { if (files) print files }')
[[ -z $loops ]] && exit
while read -r files; do
	echo "these call each other in a circle: $files"
done <<<"$loops"
exit 1

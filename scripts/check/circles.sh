#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# No two files call each other in a circle, by however many others between: names each loop that the linker's symbols
# make among the objects below build/user. Build first. usage: scripts/check/circles.sh    exits 1 where there is a loop
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

# Objects that the last build made: older ones may lie beside them, of files that are gone.
objects() {
	local source
	git ls-files -co --exclude-standard 'user/*.c' | while read -r source; do
		[[ ! -e $source ]] || echo "build/${source%.c}.o"
	done
}

# "FILE SYMBOL" of what each object defines (--defined-only) or uses (--undefined-only).
symbols() { # OPTION
	objects | xargs nm -A -g "$1" | sed -E 's|^build/user/(.*)\.o:.* ([^ ]+)$|\1.c \2|'
}

# "USER DEFINER" for each symbol that exactly one object defines.
edges() {
	awk 'NR == FNR { definers[$2]++; definer[$2] = $1; next }
		definers[$2] == 1 && definer[$2] != $1 { print $1, definer[$2] }' \
		<(symbols --defined-only) <(symbols --undefined-only) | sort -u
}

for object in $(objects); do
	source=${object#build/}
	[[ -e $object && ! ${source%.o}.c -nt $object ]] || { echo "$object is missing or old: build first"; exit 1; }
done
# tsort says "tsort: -: input contains a loop:", and then "tsort: FILE" for each file of it.
loops=$(edges | tsort 2>&1 >/dev/null | awk '
	/contains a loop/ { if (files) print files; files = ""; next }
	{ files = files " " $NF }
	END { if (files) print files }')
[[ -z $loops ]] && exit
while read -r files; do
	echo "these call each other in a circle: $files"
done <<<"$loops"
exit 1

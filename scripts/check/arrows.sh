#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Dependencies point one way (user/ is in layers, a file includes its own layer's headers and those below), and a
# library is known in one place only. Reads the #includes. usage: scripts/check/arrows.sh
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

# layer PATH: below user/ or include/
layer() {
	case $1 in
	util/* | eval_abi.h | chaos_kinds.h) echo 0 ;;
	target* | net* | tc.* | proc.* | scope.* | environment.* | report*) echo 1 ;;
	chaos.* | chaos_* | chaos/* | bpf_* | features.* | *.skel.h) echo 2 ;;
	config* | plan*) echo 3 ;;
	probe.* | store* | progress.* | node_target.* | inject_* | guard.*) echo 4 ;;
	trial*) echo 5 ;;
	campaign*) echo 6 ;;
	cmd*) echo 7 ;;
	main.c) echo 8 ;;
	esac
}

# only FILE HEADER GLOB…: finding where FILE, which no GLOB matches, includes HEADER.
only() {
	local file=$1 header=$2 glob
	shift 2
	for glob; do
		# shellcheck disable=SC2053 # globs are meant
		[[ $file == $glob ]] && return
	done
	finding "$file" "$header is for $* only"
}

finding() {
	echo "user/$1: $2"
	found=1
}

found=0
while IFS=: read -r file line; do
	file=${file#user/}
	header=${line#*[<\"]}
	header=${header%%[>\"]*}
	case $header in
	bpf/* | *.skel.h) only "$file" "$header" 'bpf_*' 'features.*' 'chaos/*' ;;
	sqlite3.h) only "$file" "$header" 'store*' ;;
	yaml.h) only "$file" "$header" 'config*' ;;
	chaos/*) only "$file" "$header" 'chaos/*' chaos.c ;;
	cmd_*) finding "$file" "$header: commands do not know each other" ;;
	esac
	[[ $line == *\"* ]] || continue
	own=$(layer "$file") its=$(layer "$header")
	if [[ -z $own || -z $its ]]; then
		finding "$file" "what layer is it, or $header? scripts/check/arrows.sh has no row for it"
	elif ((its > own)); then
		finding "$file" "includes $header, which is above it (layer $its, not $own)"
	fi
done < <(git grep -E '^#include' -- 'user/*.c' 'user/*.h')
while IFS=: read -r file line; do
	header=${line#*\"}
	header=${header%%\"*}
	[[ -e bpf/$header || -e include/$header || $header == vmlinux.h ]] && continue
	echo "$file: $header is of user space"
	found=1
done < <(git grep -E '^#include "' -- bpf include)
exit "$found"

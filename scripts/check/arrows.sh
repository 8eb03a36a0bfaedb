#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Checks the #includes against scripts/check/rooms: each folder below user/ is a room, which may include only certain rooms, of
# these only the door headers, and only certain libraries. Exits 1 on any finding. usage: scripts/check/arrows.sh
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1

declare -A may=() doors=() lent=()
libraries=()
while read -r word name rest; do
	name=${name%:}
	case $word in
	room) may[$name]=" util $rest " ;;
	door) doors[$name]=" $rest " ;;
	lend) lent[$name]=" $rest " ;;
	library) libraries+=("$name $rest") ;;
	'' | '#'*) ;;
	*) echo "scripts/check/rooms: what is \"$word\"?"; exit 1 ;;
	esac
done <scripts/check/rooms

finding() {
	echo "user/$1: $2"
	found=1
}

# may_use FILE ROOM HEADER: true if FILE's room may use HEADER, which belongs to another room ROOM.
may_use() {
	local allowed=${may[${1%%/*}]}
	[[ $allowed == *" $3 "* ]] && return
	[[ $allowed == *" $2 "* ]]
}

# is_ours HEADER: true if the included path starts with the name of a room.
is_ours() { [[ $1 == */* && -n ${may[${1%%/*}]+yes} ]]; }

check_library() { # FILE HEADER
	local row pattern allowed
	for row in "${libraries[@]}"; do
		read -r pattern allowed <<<"$row"
		# shellcheck disable=SC2053 # a glob is meant
		[[ $2 == $pattern ]] || continue
		[[ " $allowed " == *" ${1%%/*} "* || " $allowed " == *" $1 "* ]] || finding "$1" "$2 is for $allowed only"
	done
}

check_ours() { # FILE HEADER
	local own=${1%%/*} room=${2%%/*} name
	[[ $own != "$room" ]] || return 0
	[[ ${lent[$2]:-} != *" $1 "* ]] || return 0
	may_use "$1" "$room" "$2" || { finding "$1" "$own may not use $2"; return; }
	name=${2#*/}
	[[ -z ${doors[$room]+yes} || ${doors[$room]} == *" ${name%.h} "* ]] || finding "$1" "$2 is no door of $room"
}

found=0
while IFS=: read -r file line; do
	file=${file#user/}
	header=${line#*[<\"]}
	header=${header%%[>\"]*}
	[[ -n ${may[${file%%/*}]+yes} ]] || { finding "$file" "scripts/check/rooms does not know its room"; continue; }
	check_library "$file" "$header"
	[[ $line == *\"* ]] || continue
	if is_ours "$header"; then
		check_ours "$file" "$header"
	elif [[ ! -e include/$header && $header != *.skel.h && ! $header =~ ^(version|commit)\.h$ ]]; then
		finding "$file" "$header is to be written from user/"
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

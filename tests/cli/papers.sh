#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# not in guests: it reads the sources
# shellcheck disable=SC2016 # backquotes of Markdown
# The files, make targets, commands and functions that the Markdown pages name exist.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
cd "$top" || exit 1

mapfile -t papers < <(git ls-files '*.md')
mapfile -t targets < <(make -qp 2>/dev/null | sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' | sort -u)
mapfile -t vm_commands < <(scripts/vm.sh --help | sed -n 's/^  \([a-z]*\)  .*/\1/p; s/^  \([a-z]*\) [A-Z[].*/\1/p')
mapfile -t commands < <("$eval_bin" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')

# Prints the lines of code blocks, and each piece in backquotes on a line of its own.
code_of() { # PAPER
	awk '/^```/ { code = !code; next } code { print; next } { while (match($0, /`[^`]+`/)) { print substr($0, RSTART + 1, RLENGTH - 2); $0 = substr($0, RSTART + RLENGTH) } }' "$1"
}

# Prints the words of that, one per line.
words_of() { # PAPER
	code_of "$1" |
		tr ' ' '\n' | sed 's/[,;:.)]*$//; s/^(//'
}

# Prints the paths and links that do not exist. Skips paths with a placeholder in capitals, such as TYPE.
missing_files() { # PAPER
	words_of "$1" | grep -E '^(\./)?(user|bpf|include|tests|scripts|docs|examples|vmlinux)/[A-Za-z0-9_./*-]+$' | grep -vE '[A-Z]{4}' |
		sort -u | while read -r path; do
		compgen -G "$path" >/dev/null || [[ -n $(compgen -G "$path.*") ]] || echo "$path"
	done
	grep -oE '\]\([^)#]+' "$1" | cut -c3- | grep -vE '^https?:' | sort -u | while read -r path; do
		[[ -e $(dirname "$1")/$path ]] || echo "$path"
	done
}

missing_targets() { # PAPER
	local target
	code_of "$1" |
		sed -n 's/#.*//; s/^\(sudo \)\{0,1\}make \(.*\)$/\2/p' | tr ' ' '\n' | grep -E '^[a-z][a-z-]*$' | sort -u |
		while read -r target; do
			[[ " ${targets[*]} " == *" $target "* ]] || echo "make $target"
		done
}

# Of eval, and of scripts/vm.sh, which takes options before its command.
missing_commands() { # PAPER
	local command
	code_of "$1" | sed -n 's/#.*//; s/.*scripts\/vm\.sh \([a-z0-9.]*\).*/\1/p' | grep . | sort -u | while read -r command; do
		[[ " ${vm_commands[*]} " == *" $command "* ]] || echo "vm.sh $command"
	done
	grep -oE '(\./eval|`eval) [a-z][a-z-]*' "$1" | awk '{ print $2 }' | sort -u | while read -r command; do
		[[ " ${commands[*]} " == *" $command "* ]] || echo "eval $command"
	done
}

# Prints the words with an underscore, which look like functions or structs, that the sources do not have.
missing_names() { # PAPER
	words_of "$1" | sed 's/(.*//' | grep -E '^[a-z]+(_[a-z0-9]+)+$' | sort -u | while read -r name; do
		git grep -qwF -e "$name" -- user bpf include scripts tests examples ':!tests/cli/papers.sh' || echo "$name"
	done
}

check "there are papers" test "${#papers[@]}" -ge 4
check "make has targets" test "${#targets[@]}" -ge 20
check "eval has commands" test "${#commands[@]}" -ge 6
# shellcheck disable=SC2016 # backquotes of Markdown
printf '%s\n' '`user/nowhere.c` `make nowhere` `./eval nowhere` `scripts/vm.sh 5.10 true` `no_such_name` [x](nowhere.md)' >"$work/wrong.md"
check_eq "a wrong paper is found out" "$(missing_files "$work/wrong.md"; missing_targets "$work/wrong.md"
	missing_commands "$work/wrong.md"; missing_names "$work/wrong.md")" \
	"$(printf '%s\n' user/nowhere.c nowhere.md "make nowhere" "vm.sh 5.10" "eval nowhere" no_such_name)"
for paper in "${papers[@]}"; do
	check_eq "$paper: files" "$(missing_files "$paper")" ""
	check_eq "$paper: targets of make" "$(missing_targets "$paper")" ""
	check_eq "$paper: commands" "$(missing_commands "$paper")" ""
done
for paper in ARCHITECTURE.md CONTRIBUTING.md; do
	check_eq "$paper: names" "$(missing_names "$paper")" ""
done
done_testing

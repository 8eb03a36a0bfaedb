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

# --- docs/campaign-file.md and the code ------------------------------------------------------------------------------

reference=docs/campaign-file.md
# Keys of the code but for those that only say where they belong, and those of the page.
keys_in_code() {
	{
		awk '/\{\.name = "/ { text = "" } { text = text $0 } /\},?$/ { if (text ~ /\.name = "/ && text !~ /KEY_ELSEWHERE|IN_DEFAULTS/) print text; text = "" }' \
			user/config/{load,subject,node,probe,metric,expect,settings,chaos_types,decode}.c | sed -n 's/.*\.name = "\([a-z_0-9]*\)".*/\1/p'
		sed -n 's/.*LIMIT(EXPECT[A-Z_0-9]*, "\([a-z_0-9]*\)".*/\1/p' user/config/expect.c
	} | sort -u
}
undocumented() { keys_in_code | while read -r key; do grep -qw "\`$key\`\|$key:" "$reference" || echo "$key"; done; }
unknown_keys() {
	sed -n 's/^| \(`[^|]*\) |.*/\1/p' "$reference" | grep -o '`[a-z_0-9]*`' | tr -d '`' | sort -u |
		while read -r key; do keys_in_code | grep -qx "$key" || echo "$key"; done
}
check_number "the code has keys" "$(keys_in_code | grep -c .) >= 50"
check_eq "$reference: each key of the code" "$(undocumented)" ""
check_eq "$reference: no other" "$(unknown_keys)" ""
check_eq "$reference: the environment of commands" "$(grep -o 'EVAL_[A-Z]*' "$reference" | sort -u | xargs)" \
	"$(grep -o '"EVAL_[A-Z]*"' user/process/environment.c | tr -d '"' | sort -u | xargs)"
# range_in_code KEY LEVEL: prints "MIN to MAX", as a number far outside is told.
range_in_code() {
	local where=$2 file=$work/range.yaml
	local probe=
	[[ $where != probe ]] || probe="exec: x, $1: 123456789012"
	local metric=
	[[ $where != expected ]] || metric="metrics: [{name: m, url: 'http://x', series: up}],"
	[[ $where != metric ]] || metric="metrics: [{name: m, url: 'http://x', series: up, $1: 123456789012}],"
	[[ $where != http ]] || probe="http: {url: 'http://x', $1: 123456789012}"
	printf '%s\nsubjects:\n  - {name: s, reset: "true", %s nodes: [{name: n, address: 10.0.0.1}, {name: m, address: 10.0.0.2}]}\nchaos_types: [{type: latency, params: {min_ms: 1, max_ms: 1}}]\n' \
		"$([[ $where == top ]] && echo "$1: 123456789012"; [[ $where == defaults ]] && echo "defaults: {$1: 123456789012}"
			[[ $where == expected ]] && echo "defaults: {expect: {metrics: [{series: up, $1: 123456789012}]}}"
			[[ $where == expect ]] && echo "defaults: {expect: {$1: 123456789012}}")" \
		"$([[ $where == subject ]] && echo "$1: 123456789012,"; [[ -z $probe ]] || echo "probes: [{name: p, $probe}],"; echo "$metric")" >"$file"
	"$eval_bin" validate "$file" 2>&1 | sed -n "s/.*'$1' must be between \([0-9.]*\) and \([0-9.]*\),.*/\1 to \2/p" | head -n 1
}
# Rows "| `key` | A to B …" of a section of the page.
ranges_in() { # SECTION LEVEL
	awk -v section="## $1" '$0 == section { on = 1; next } /^## / { on = 0 } on' "$reference" |
		sed -n 's/^| \(`[^|]*`\) | \([0-9,]*\) to \([0-9,]*\)[ ,|].*/\1 \2 \3/p' | tr -d ',' | while read -r row; do
		for key in $(grep -o '`[a-z_0-9]*`' <<<"$row" | tr -d '`'); do
			echo "$2 $key $(sed 's/.*` //; s/\([0-9]*\) \([0-9]*\)$/\1 to \2/' <<<"$row")"
		done
	done
}
mapfile -t ranges < <(ranges_in "At the top" top; ranges_in Settings defaults; ranges_in "A subject" subject; ranges_in Metrics metric)
check_number "$reference: rows with ranges" "${#ranges[@]} >= 9"
for row in "${ranges[@]}"; do
	read -r level key range <<<"$row"
	[[ $key != *_max* && $key != *_min && $key != recover_* ]] || level=expect
	[[ $level == metric || $key != *_ms ]] || level=probe
	[[ $key != status ]] || level=http
	[[ $key != change_max ]] || level=expected
	check_eq "$reference: the range of $key" "$(range_in_code "$key" "$level")" "$range"
done

# Messages of docs/troubleshooting.md that no source has any more; sources break strings anywhere.
sources=$(cat user/*/*.c user/*/*/*.c | tr -d '\n' | sed 's/"[[:space:]]*"//g; s/\\"/"/g')
gone() {
	sed -n 's/^| \(`[^|]*\) |.*/\1/p' docs/troubleshooting.md | grep -o '`[^`]*`' | tr -d '`' | while read -r message; do
		[[ $sources == *"$message"* ]] || echo "$message"
	done
}
check_eq "docs/troubleshooting.md: eval says these words" "$(gone)" ""
check_number "… some twenty" "$(grep -c '^| `' docs/troubleshooting.md) >= 20"
done_testing

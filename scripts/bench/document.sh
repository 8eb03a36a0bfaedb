# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# For the benchmarks' documents: Markdown sections, each after a comment with its name, that can be replaced one by one.

# section_of DOCUMENT NAME: prints a section's text.
section_of() {
	[[ ! -f $1 ]] || awk -v marker="<!-- $2 -->" '
		/^<!-- [a-z0-9.]+ -->$/ { inside = $0 == marker; next }
		inside && !NF { gap = gap "\n"; next }
		inside { printf "%s%s\n", gap, $0; gap = "" }' "$1"
}

# document_write DOCUMENT SECTIONS NAME… <INTRODUCTION: SECTIONS is a folder with the new sections; keeps the others.
document_write() {
	local document=$1 sections=$2 name text
	shift 2
	{
		cat
		for name; do
			if [[ -f $sections/$name ]]; then
				text=$(<"$sections/$name")
			else
				text=$(section_of "$document" "$name")
			fi
			[[ -z $text ]] || printf '\n<!-- %s -->\n%s\n' "$name" "$text"
		done
	} >"$document.new" && mv "$document.new" "$document"
}

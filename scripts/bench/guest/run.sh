#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs the given parts inside a guest. Prints a section of Markdown per part, after a comment with the part's name.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export EVAL=${EVAL:-$here/../../../eval} TOOLS=${TOOLS:-$here/../../../build/bench}
for part; do
	echo "bench: $(uname -r): $part …" >&2
	echo "<!-- $part -->"
	"$here/$part.sh" || exit 1
	echo
done

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Inside a guest: the parts one after the other, each a section of Markdown on standard output behind its name.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export EVAL=${EVAL:-$here/../../eval} TOOLS=${TOOLS:-$here/../../build/tools}
for part; do
	echo "bench: $(uname -r): $part …" >&2
	echo "<!-- $part -->"
	"$here/$part.sh" || exit 1
	echo
done

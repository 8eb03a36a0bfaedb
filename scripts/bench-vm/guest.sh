#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Inside a guest: the parts one after the other, each a section of Markdown on standard output.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export EVAL=${EVAL:-$here/../../eval} TOOLS=${TOOLS:-$here/../../build/tools}
echo "## Linux $(uname -r)"
echo
for part; do
	echo "bench: $(uname -r): $part …" >&2
	"$here/$part.sh" || exit 1
	echo
done

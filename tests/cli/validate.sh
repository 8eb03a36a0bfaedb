#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# eval validate: prints exactly FILE.expected for each file of tests/data/bad; each file of tests/data/good is valid.
# "validate.sh --write" rewrites the expected outputs; read them before you commit them.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
eval_bin=${EVAL:-$eval_bin}
bad=$top/tests/data/bad good=$top/tests/data/good

# Prints eval validate's output, then its exit status.
validate() {
	timeout 20 "$eval_bin" validate "$@" 2>&1
	echo "exit $?"
}

if [[ ${1:-} == --write ]]; then
	cd "$bad" || exit 1
	for file in *.yaml; do
		validate "$file" >"${file%.yaml}.expected"
	done
	exit 0
fi

# Copies that root owns: for files of other users, root would get warnings.
cp -r "$bad" "$good" "$work" || exit 1
bad=$work/bad good=$work/good
cd "$bad" || exit 1
for file in *.yaml; do
	check_eq "bad/$file" "$(validate "$file")" "$(cat "${file%.yaml}.expected" 2>&1)"
done
check_eq 'every expected output has its file' \
	"$(printf '%s\n' *.expected | sed 's/\.expected$//')" "$(printf '%s\n' *.yaml | sed 's/\.yaml$//')"
check_number 'at least 60 wrong configurations' "$(printf '%s\n' *.yaml | wc -l) >= 60"

cd "$good" || exit 1
for file in *.yaml; do
	check_match "good/$file" "$(validate "$file")" "^$file: valid: .* trials?"$'\n''exit 0$'
done
check_eq "the existing harness's shape" "$(validate harness.yaml)" \
	'harness.yaml: valid: 1 subject, 1 chaos type and baseline, 6 trials'$'\n''exit 0'

# Files that a repository cannot hold.
cd "$work" || exit 1
cp "$good/minimal.yaml" .
check_match 'no such file' "$(validate missing.yaml)" '^eval: error: cannot read missing.yaml: No such file.*exit 2$'
mkdir folder.yaml
check_match 'a directory' "$(validate folder.yaml)" '^eval: error: cannot read folder.yaml: it is a directory.*exit 2$'
mkfifo fifo.yaml
check_match 'a FIFO, without hanging' "$(validate fifo.yaml)" \
	'^eval: error: cannot read fifo.yaml: not a regular file.*exit 2$'
check_match 'a device' "$(validate /dev/zero)" '^eval: error: cannot read /dev/zero: not a regular file.*exit 2$'

{ cat minimal.yaml; yes '# filler' | head -c 1048576; } >large.yaml
check_match 'over 1 MiB' "$(validate large.yaml)" '^large.yaml:1:1: error: the file is larger than 1 MiB.*exit 2$'
{ cat minimal.yaml; yes '# filler' | head -c 900000; } >large.yaml
check_match 'below 1 MiB' "$(validate large.yaml)" '^large.yaml: valid: .*exit 0$'
{ echo -n 'a: '; yes '[' | head -n 500000 | tr -d '\n'; } >nested.yaml
check_match 'half a million brackets' "$(validate nested.yaml)" 'nested more than 32 levels deep.*exit 2$'
{ echo -n 'a: ['; yes 'x,' | head -n 500000 | tr -d '\n'; } >wide.yaml
check_match 'half a million items' "$(validate wide.yaml)" 'more than 20000 items in one list.*exit 2$'
seq -f 'key%.0f: 1' 1 1000 >keys.yaml
check_match 'a thousand keys' "$(validate keys.yaml)" 'more than 256 keys in one mapping.*exit 2$'
sed 's/$/\r/' minimal.yaml >crlf.yaml
check_match 'lines that end with CR LF' "$(validate crlf.yaml)" '^crlf.yaml: valid: .*exit 0$'

mkdir subjects
mkfifo subjects/pipe.yaml
echo 'subjects: [pipe]
include_baseline: true' >pipe.yaml
check_match 'a FIFO as subject file' "$(validate pipe.yaml)" \
	"^pipe.yaml:1:12: error: subject 'pipe': cannot read subjects/pipe.yaml: not a regular file.*exit 2$"

chmod o+w minimal.yaml
warns="^minimal.yaml:1:1: warning: root runs no commands of this file: anyone can write $work/minimal.yaml \\(mode 0646\\): chmod o-w "
valid=$'\n''minimal.yaml: valid: .*exit 0$'
if ((EUID == 0)); then
	check_match 'writable by anyone: a warning' "$(validate minimal.yaml)" "$warns.*$valid"
	chmod 755 "$work"
	cp "$eval_bin" eval
	check_match 'the same without root, which is not needed' \
		"$(setpriv --reuid=65534 --regid=65534 --clear-groups ./eval validate minimal.yaml 2>&1; echo "exit $?")" \
		"$warns.*$valid"
else
	check_match 'writable by anyone, not as root' "$(validate minimal.yaml)" "$warns.*$valid"
fi

check_match 'no file named' "$(validate)" 'CONFIG is missing.*exit 2$'
check_match 'two files named' "$(validate a b)" 'one CONFIG at a time.*exit 2$'
check_match 'an unknown option' "$(validate --frobnicate a)" 'unrecognized option.*exit 2$'
check_match 'help' "$(validate --help)" 'Check a campaign file.*exit 0$'
done_testing

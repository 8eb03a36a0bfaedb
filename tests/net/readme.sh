#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every command that the README shows works. The two of "Two commands" are whole runs: tests/net/demo.sh makes the
# first, and the second is what runs this test. `make check` and `make bench` are theirs who build it.
# time limit: 300 s
# not in guests: it is about the README
source "$(dirname "$0")/../lib.sh"
need_root
cd "$top" || exit 1

export EVAL_DB=$work/eval.db
on_cleanup scripts/lab.sh down --instance 1
on_cleanup scripts/lab.sh down

# The lines of all ```sh blocks, without comments and sudo (root runs this).
commands() {
	awk '/^```sh$/ { in_block = 1; next } /^```/ { in_block = 0 } in_block' README.md |
		sed -e 's/ \+#.*//' -e 's/^sudo //' | grep .
}

# Where faults are injected, somebody must use the network: the lab's nodes do by themselves.
run_line() {
	local line=$1
	if [[ $line == *CAMPAIGN* ]]; then
		line=${line//CAMPAIGN/$(./eval list --json | jq -r '.[0].id')}
	fi
	check "$line" bash -c "$line"
}

count=0
while read -r line; do
	case $line in
	'make demo' | 'make test') check_match "$line is a target" "$(make -n "${line#make }" 2>&1 | head -n 1)" . ;;
	*) run_line "$line" ;;
	esac
	((++count))
done < <(commands)
check_number "the README shows commands: $count" "$count >= 12"

# Files that the text links to, and commands in its prose.
while read -r file; do
	check "README links to $file" test -e "$file"
done < <(grep -o '](\([^)#]*\))' README.md | sed 's/](\(.*\))/\1/' | grep -v '^http' | sort -u)
for target in test-unit test-cli test-net test-fault test-smoke test-vm test-matrix test-all bench check install; do
	check "make $target is a target" make -n "$target"
done
check "cleanup --now" ./eval cleanup --now
check_fails "run --resume, with everything done" 2 ./eval run campaign examples/etcd-lab.yaml --resume
check_match "… says so" "$output" "nothing to resume"

done_testing

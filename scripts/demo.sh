#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs examples/etcd-lab.yaml on a real cluster and prints its table. Leaves only the records, in build/demo or the folder
# given. `sudo make demo` installs and builds first. The exit status is eval's: 0 if every trial met its expectations.
set -u
cd "$(dirname "$0")/.." || exit 1

campaign=examples/etcd-lab.yaml
disks=examples/etcd-disks.yaml
records=${1:-build/demo}
limit=240 # seconds; a run takes about two minutes

[[ $EUID == 0 ]] || { echo "demo: needs root: sudo make demo" >&2; exit 3; }
[[ -x ./eval ]] || { echo "demo: ./eval is missing: make" >&2; exit 3; }

end() {
	local status=$? instance
	trap '' INT TERM HUP
	# If eval exits 2 or 3, it touched nothing, and any lab is somebody else's.
	[[ $status == [23] ]] || for instance in 0 1; do
		scripts/lab.sh down --instance "$instance" || status=1
	done
	exit "$status"
}
mkdir -p "$(dirname "$records")" || exit 1
exec 9>"$records.lock"
flock -n 9 || { echo "demo: another one runs" >&2; exit 3; }
trap end EXIT
trap 'exit 130' INT TERM HUP

rm -rf "$records"
mkdir -p "$records" || exit 1
echo "Three etcd nodes, six trials, two at a time: how do writes fare when the network misbehaves, or a disk is full?"
echo
began=$SECONDS status=0
command=(./eval run campaign "$campaign" --db "$records/eval.db" --fresh)
echo "\$ ${command[*]}"
timeout --foreground --kill-after=10 "$limit" "${command[@]}" 9>&- ||
	status=$?
if [[ $status == 124 ]]; then
	echo "demo: not over after $limit s" >&2
	status=1
fi
echo
if [[ $(./eval bpf-status --json | jq -r '.features[] | select(.name == "precontent").usable') == true ]]; then
	echo "And a slow disk under the leader:"
	command=(./eval run campaign "$disks" --only "*slow-disk-leader*" --db "$records/disks.db" --quiet)
	echo "\$ ${command[*]}"
	timeout --foreground --kill-after=10 "$limit" "${command[@]}" 9>&- 2>"$records/disks.log" || { status=1; cat "$records/disks.log" >&2; }
else
	echo "No slow disk under the leader: writes are delayed by Linux 6.14 and newer only (docs/disks.md)."
fi
echo
echo "That took $((SECONDS - began)) s. The records: ./eval list --db $records/eval.db"
report=$(sqlite3 -readonly "$records/eval.db" 'SELECT id FROM campaigns' 2>/dev/null) &&
	./eval report "$report" --html "$records/report.html" --db "$records/eval.db" &&
	echo "What it shows: $(realpath "$records")/report.html"
exit "$status"

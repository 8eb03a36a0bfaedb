#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 600 s
# A power failure during a trial: a guest with its database on a disk is killed, and the next boot resumes the campaign.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
vm=$top/scripts/vm.sh kernel=${KERNELS:-6.1}
kernel=${kernel%% *}
export TMPDIR=$work/tmp BUILD=$work/build
mkdir "$TMPDIR"
truncate -s 128M "$work/disk" && mkfs.ext4 -q "$work/disk" || exit 1

# setup, first_boot and second_boot run in the guest.
# shellcheck disable=SC2317
setup() {
	modprobe -a virtio_blk ext4 veth && mount /dev/vda /mnt && cd /mnt || exit 1
	export EVAL_DB=/mnt/eval.db
	cat >power.yaml <<-'END'
		include_baseline: true
		trials_per_combination: 1
		defaults: {warmup_seconds: 0.5, duration_seconds: 5, recovery_seconds: 60}
		subjects:
		  - name: pair
		    reset: |
		      ip netns delete a; ip netns delete b
		      ip netns add a && ip netns add b && ip -n a link add eth0 type veth peer name eth0 netns b || exit 1
		      ip -n a addr add 10.99.0.1/24 dev eth0; ip -n b addr add 10.99.0.2/24 dev eth0
		      ip -n a link set eth0 up; ip -n b link set eth0 up
		    nodes:
		      - {name: a, address: 10.99.0.1, netns: a}
		      - {name: b, address: 10.99.0.2, netns: b}
		    workload: "exec nsenter --net=/run/netns/a ping -q -i 0.1 10.99.0.2"
		    probes: [{name: ping, exec: "nsenter --net=/run/netns/a ping -c 1 -W 1 -q 10.99.0.2", every_ms: 1000, timeout_ms: 5000}]
		chaos_types:
		  - {type: latency, target: a, params: {min_ms: 20, max_ms: 20}}
		  - {type: network_partition, target: a}
	END
}
# shellcheck disable=SC2317
first_boot() {
	setup
	"$top/eval" run campaign power.yaml --json
}
# shellcheck disable=SC2317
second_boot() {
	setup
	sql() { sqlite3 eval.db "$1"; }
	echo "integrity=$(sql 'PRAGMA integrity_check')"
	echo "before=$(sql 'SELECT group_concat(status) FROM trials')"
	"$top/eval" run campaign power.yaml >refused 2>&1
	echo "refused=$? $(cat refused)"
	"$top/eval" run campaign power.yaml --resume >&2
	echo "status=$?"
	echo "after=$(sql 'SELECT group_concat(status) FROM trials')"
	echo "final=$(sql "SELECT count(*), count(DISTINCT trial_id) FROM attempts WHERE status IN ('completed', 'failed', 'void')")"
	echo "attempts=$(sql 'SELECT group_concat(attempt) FROM trials')"
	echo "attempt=$(sql 'SELECT status FROM attempts WHERE attempt = 1 AND trial_id LIKE "%-2"')"
	echo "boots=$(sql 'SELECT count(DISTINCT boot_id) FROM attempts')"
	echo "sound=$(sql 'PRAGMA integrity_check')"
	echo "live=$("$top/eval" bpf-status --json | jq -c .faults)"
	echo "left=$(ip netns list | sort | tr '\n' ' ')$(find /sys/fs/cgroup -name 'eval-*')"
}
boot() {
	(cd "$top" && "$vm" run --timeout 280 --disk "$work/disk" "$kernel" -- bash -c "top=${top@Q}; $(declare -f setup "$1"); $1")
}

boot first_boot >"$work/first" 2>"$work/first.error" &
booted=$!
test_pids+=("$booted")
# Waits for the hold of the second trial, so that the first one is recorded and must survive.
ended_or_held() { is_over "$booted" || jq -c 'select(.phase == "hold" and (.trial | endswith("-2")))' "$work/first" | grep -q .; }
check "boot 1: a fault is held" wait_for 250 ended_or_held
sleep 1
mapfile -t qemu < <(pgrep -f "initrd $TMPDIR/")
kill -KILL "${qemu[@]}"
status=0
wait "$booted" || status=$?
check_eq "boot 1: it was killed in mid-trial" "$status $(jq -r 'select(.event == "trial_end").trial' "$work/first" | wc -l)" "125 1"

boot second_boot >"$work/second" 2>"$work/second.error" || diag "$(tail "$work/second.error")"
value() { sed -n "s/^$1=//p" "$work/second"; }
check_eq "boot 2: the database is sound" "$(value integrity)" ok
check_eq "boot 2: one trial is completed, one was running" "$(value before)" completed,running,planned
check_match "boot 2: without --resume it asks for it" "$(value refused)" "^2 .* is unfinished .*--resume"
check_eq "boot 2: the campaign comes to its end" "$(value status)" 0
check_eq "boot 2: all trials are completed" "$(value after)" completed,completed,completed
check_eq "boot 2: each has exactly one final row" "$(value final)" "3|3"
check_eq "boot 2: only the trial that was cut off ran again" "$(value attempts)" 1,2,1
check_eq "boot 2: its first attempt keeps its row" "$(value attempt)" interrupted
check_eq "boot 2: each attempt says which boot it ran in" "$(value boots)" 2
check_eq "boot 2: the database is sound at the end" "$(value sound)" ok
check_eq "boot 2: nothing is left" "$(value live) $(value left)" "[] a b "
[[ $(value status) == 0 ]] || diag "$(tail -n 20 "$work"/{first,second}.error)" "$(cat "$work/second")"

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 150 s
# not in guests: it tests processes, which do not depend on the kernel
# A process that hangs in the kernel (a write to a frozen file system) blocks neither a campaign nor its end nor its guard.
# Ctrl+C ends the chaos even while the coordinator itself hangs.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
need_root

unset EVAL_DB
name="what hangs in the kernel"
dd if=/dev/zero of="$work/image" bs=1M count=16 status=none
mkdir "$work/frozen"
if ! { mkfs.ext4 -q -F "$work/image" && mount -o loop "$work/image" "$work/frozen"; } 2>/dev/null; then
	skip "$name" "no ext4 on a loop device here"
	done_testing
	exit 0
fi
on_cleanup umount -l "$work/frozen"

cat >"$work/hang.yaml" <<END
trials_per_combination: 1
include_baseline: true
chaos_types: []
defaults: {warmup_seconds: 0, duration_seconds: 60, recovery_seconds: 1}
subjects:
  - name: one
    reset: "true"
    nodes: [{name: n1, address: 10.98.0.1}]
    workload: "echo \$\$ >$work/load; exec dd if=/dev/zero of=$work/frozen/file count=1"
END
hangs() { grep -q '^State:.D' "/proc/$(cat "$work/load")/status"; }

fsfreeze -f "$work/frozen" || exit 1
on_cleanup fsfreeze -u "$work/frozen"
spawn "$eval_bin" run campaign "$work/hang.yaml" --db "$work/hang.db"
check "$name: it hangs" wait_for 10 hangs
guard=$(pgrep -P "$spawned" -x eval-guard)
kill -INT "$spawned"
check "$name: the campaign ends" wait_for 30 is_over "$spawned"
wait "$spawned"
check_eq "$name: interrupted" "$? $(sqlite3 "$work/hang.db" 'SELECT status FROM trials')" "130 interrupted"
check "$name: the guard ends" wait_for 15 is_over "$guard"
check_eq "$name: it is told" "$(sqlite3 "$work/hang.db" "SELECT count(*) FROM events WHERE kind = 'left_behind'")" 1
fsfreeze -u "$work/frozen"
check "$name: then it dies" wait_for 10 is_over "$(cat "$work/load")"
check "$name: cleanup removes its cgroup" "$eval_bin" cleanup --db "$work/none.db"
check_eq "$name: nothing is left" \
	"$(find "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)" -maxdepth 1 -name "eval-$spawned-*")" ""

# --- Without a signal: every command that the campaign waits for ----------------------------------------------
hang_forever="exec dd if=/dev/zero of=$work/frozen/file count=1"
# campaign RESET PROBE CLEANUP: runs a campaign with these commands, and waits for it.
campaign() {
	cat >"$work/hang.yaml" <<-END
		trials_per_combination: 1
		include_baseline: true
		chaos_types: []
		defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 1, retries: 0}
		subjects:
		  - name: one
		    reset: {exec: "$1", timeout_seconds: 1}
		    cleanup: {exec: "$3", timeout_seconds: 1}
		    nodes: [{name: n1, address: 10.98.0.1}]
		    probes: [{name: disk, exec: "$2", every_ms: 100, timeout_ms: 500}]
	END
	rm -f "$work"/hang.db*
	spawn timeout 60 "$eval_bin" run campaign "$work/hang.yaml" --db "$work/hang.db"
	wait "$spawned"
}
db() { sqlite3 "$work/hang.db" "$1"; }
fsfreeze -f "$work/frozen" || exit 1
survives="timed out after [0-9.]+ s, and hangs in the kernel: it survives SIGKILL"

campaign "$hang_forever" true true
check_eq "reset hangs: the campaign ends" "$?" 1
check_match "reset hangs: the trial has failed" "$(db 'SELECT status, error_stage, error_text FROM trials')" \
	"^failed\|reset\|reset failed: $survives"
check_match "reset hangs: no exit code, a time that is one" \
	"$(db 'SELECT commands_json FROM trials' | jq -c '.[0] | [.exit_code, .signal, .survived_kill, .seconds < 30]')" \
	'\[null,null,true,true\]'

campaign true "$hang_forever" "$hang_forever"
check_eq "probes and cleanup hang: the campaign ends" "$?" 1
check_eq "probes hang: not recovered" "$(db 'SELECT status, verdict FROM trials')" "completed|fail"
check_match "probes hang: bad samples" "$(db "SELECT group_concat(DISTINCT ok), max(error) FROM samples")" "^0\|$survives"
check_match "cleanup hangs: is told" "$(db "SELECT text FROM events WHERE kind = 'cleanup_failed'")" "$survives"

# Ctrl+C during the recovery, while many probes hang.
sed -i -e 's/recovery_seconds: 1,/recovery_seconds: 60,/' -e 's/cleanup: .*/cleanup: "true"/' "$work/hang.yaml"
spawn "$eval_bin" run campaign "$work/hang.yaml" --db "$work/hang.db" --fresh
# Looks at the running campaign only: the previous one has reached recover, too, and is the newest until this one is recorded.
recovers() { [[ $(db "SELECT count(*) FROM events WHERE phase = 'recover' AND campaign_id = (SELECT id FROM campaigns WHERE status = 'running')") -gt 0 ]]; }
check "probes hang: it waits for them to recover" wait_for 20 recovers
began=$(now_ms)
kill -INT "$spawned"
wait "$spawned"
check_eq "Ctrl+C while many probes hang: exit status" "$?" 130
check_number "Ctrl+C while many probes hang: $(($(now_ms) - began)) ms" "$(now_ms) - $began <= $(patience 20) * 1000"
fsfreeze -u "$work/frozen"

# --- The coordinator, on the disk of its database -------------------------------------------------------------

name="the database's disk hangs"
make_switch sw n1=10.98.0.1/24 n2=10.98.0.2/24 || exit 1
cat >"$work/disk.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: 0.5, duration_seconds: 60, recovery_seconds: 1, retries: 0}
subjects:
  - name: pair
    reset: "true"
    nodes: [{name: n1, address: 10.98.0.1, netns: $(ns n1)}, {name: n2, address: 10.98.0.2, netns: $(ns n2)}]
    probes: [{name: ping, exec: "nsenter --net=/run/netns/$(ns n1) ping -c 1 -W 1 -q 10.98.0.2", every_ms: 100, timeout_ms: 1000}]
chaos_types:
  - {type: latency, target: n1, params: {min_ms: 200, max_ms: 200}}
END
rm -f "$work/frozen"/*
spawn "$eval_bin" run campaign "$work/disk.yaml" --db "$work/frozen/disk.db"
has_bitten() { grep -q "the kernel counted the first hit" "$work"/spawn.*; }
coordinator_hangs() { grep -q '^State:.D' "/proc/$spawned/status"; }
check "$name: chaos is live" wait_for 20 has_bitten
fsfreeze -f "$work/frozen" || exit 1
check "$name: the coordinator hangs" wait_for 10 coordinator_hangs
kill -INT "$spawned"
check "$name: Ctrl+C ends the chaos" wait_for 5 nothing_live
check "$name: … while the coordinator still hangs" coordinator_hangs
asked=$EPOCHREALTIME
sleep 1
fsfreeze -u "$work/frozen"
wait "$spawned"
check_eq "$name: exit status" "$?" 130
check_number "$name: the record has the time of its end, not that of the disk's" \
	"$(sqlite3 "$work/frozen/disk.db" "SELECT (julianday(chaos_reverted_at) - 2440587.5) * 86400 FROM trials") < $asked + 0.5"

# --- inject, on the disk of its output ------------------------------------------------------------------------

name="inject's output hangs"
exec 8>"$work/frozen/out"
"$eval_bin" inject latency --for 6s --netns "$(ns n1)" --address 10.98.0.1 --peer 10.98.0.2 --min-ms 300 --max-ms 300 \
	>&8 2>"$work/inject.err" &
injected=$!
test_pids+=("$injected")
exec 8>&-
fsfreeze -f "$work/frozen" || exit 1
is_slow() { in_ns n1 ping -c 1 -W 1 -q 10.98.0.2 | grep -q 'min/avg.*= [3-9][0-9][0-9]\.'; }
check "$name: chaos is live" wait_for 5 is_slow
sleep 3
check "$name: … and still is after more than a lease" is_slow
check "$name: it ends" wait_for 10 nothing_live
fsfreeze -u "$work/frozen"
status=0
wait "$injected" || status=$?
check_eq "$name: exit status" "$status $(cat "$work/inject.err")" "0 "
check_match "$name: the output is whole" "$(tr '\n' ' ' <"$work/frozen/out")" "^latency .*never touched: .*reverted: "

done_testing

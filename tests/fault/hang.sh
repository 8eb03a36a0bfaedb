#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 90 s
# A process that hangs in the kernel (a write to a frozen file system) holds up neither the end of a campaign nor that
# of its guard.
# shellcheck source=tests/lib.sh
source "$(dirname "$0")/../lib.sh"
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
on_cleanup umount "$work/frozen"

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

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 5.10 6.12: one kernel for each kind of hook is enough to test the coordinator
# A campaign that fills the leader's disk: writes there fail with ENOSPC during the hold and at no other time, and the records
# show it.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

# Few writes and probes, because a shell takes a third of a second under emulation. The probe writes more than the load, which
# gives its 64 KiB back each time: if it has them when the fault reads the available space, that much stays available.
engine=$(engine_here)
[[ $engine == hook ]] || skip "hook: a campaign" "fmod_ret is refused"
{ make_disk n1 ext4 && make_disk n2 xfs; } || { not_ok "two file systems"; done_testing; exit 1; }
mkdir "$work/n1/data" "$work/n2/data"
db() { sqlite3 -readonly "$work/$engine.db" "SELECT $1 FROM trials WHERE NOT baseline"; }
# results NODE FROM TO: prints the distinct results of writes there between two times, in monotonic ns. The log has a line per
# change of the result.
results() {
	awk -v from="$2" -v to="$3" -v clock="$clock_ns" '
		{ at = $1 * 1e9 - clock }
		at <= from { before = $2 }
		at > from && at < to { print $2 }
		END { if (before != "") print before }' "$work/$engine.$1" | sort -u | tr '\n' ' '
}

shown=$engine
[[ $engine == fill || $(feature growth) == true ]] || shown="hook-all-writes"
cat >"$work/$engine.yaml" <<-END
	include_baseline: true
	defaults: {warmup_seconds: 1, duration_seconds: 12, recovery_seconds: 30}
	subjects:
	  - name: pair
	    reset: "rm -f $work/n?/data/*"
	    ready: "true"
	    roles: {exec: "echo n2"}
	    default_target: leader
	    nodes: [{name: n1, data_dir: "$work/n1/data"}, {name: n2, data_dir: "$work/n2/data"}]
	    workload: {exec: "for n in n1 n2; do $disk_probe $work/\$n/data/load 65536 50 >>$work/$engine.\$n & done; wait"}
	    probes: [{name: leader, exec: "head -c 131072 /dev/zero >>$work/n2/data/probe", every_ms: 1000, timeout_ms: 10000}]
	chaos_types: [{type: disk_pressure, params: {fill_percent: 100, engine: $engine}}]
END
status=0
"$eval_bin" run campaign "$work/$engine.yaml" --db "$work/$engine.db" >"$work/$engine.out" 2>&1 || status=$?
# Retry if the host is overloaded: a trial fails if its holder gets no processor time for three seconds.
for ((tries = 0; tries < 3; tries++)); do
	[[ $(db error_text) == *"this host is overloaded" ]] || break
	status=0
	"$eval_bin" run campaign "$work/$engine.yaml" --db "$work/$engine.db" --resume --retry-failed \
		>>"$work/$engine.out" 2>&1 || status=$?
done
check_eq "$engine: the campaign succeeds" "$status" 0
diag "$(cat "$work/$engine.out")"
check_eq "$engine: what was recorded" "$(db "status, verdict, target_node, target_role, engine")" "completed|pass|n2|leader|$shown"
check_number "$engine: the evidence" "$(db "json_extract(evidence, '\$.hit')") > 0"
[[ $engine == fill ]] || check_number "$engine: refusals by kind of call add up" \
	"$(db "json_extract(evidence, '\$.refused.write') + json_extract(evidence, '\$.refused.append') + json_extract(evidence, '\$.statfs_shrunk') - json_extract(evidence, '\$.hit')") == 0"
check_eq "$engine: a baseline is none" "$(sqlite3 -readonly "$work/$engine.db" \
	"SELECT status, verdict, evidence IS NULL FROM trials WHERE baseline")" "completed|pass|1"
# disk_probe logs the time of day; this is its offset to the monotonic clock, in ns.
clock_ns=$(db "CAST((julianday(chaos_injected_at) - 2440587.5) * 86400e9 - chaos_injected_at_monotonic_ns AS INTEGER)")
injected=$(db chaos_injected_at_monotonic_ns) reverted=$(db chaos_reverted_at_monotonic_ns) ended=$(db ended_at_monotonic_ns)
second=1000000000
# A write that is refused began before that, by milliseconds in a guest.
check_eq "$engine: who writes on the leader's disk, before" "$(results n2 "$(db healthy_at_monotonic_ns)" $((injected - second / 2)))" "ok "
check_match "$engine: during the hold" "$(results n2 "$injected" "$reverted")" "^ENOSPC (ok )?$"
check_eq "$engine: afterwards" "$(results n2 $((reverted + second)) "$ended")" "ok "
check_number "$engine: probes that write there fail" "$(db "json_extract(summary, '\$.probes.leader.during.availability')") < 1"
check_eq "$engine: on the other one's, always" "$(results n1 0 "$ended")" "ok "

done_testing

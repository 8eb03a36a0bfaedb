#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 60 s
# The shortest way to see that a kernel does what we need: each fault once by hand, and a campaign of three trials.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
make_nodes 2
n1=$(ns n1) n2=$(ns n2)
reaches() { in_ns n1 ping -n -q -c 1 -W 1 "$(address4 n2)"; }

check "bpf-status" "$eval_bin" bpf-status
check_eq "nothing of ours is live" "$(fault_count)" 0

base=$(rtts n1 "$(address4 n2)" 10 | median)
inject slow latency --for 60s --netns "$n1" --peer "$(address4 n2)" --min-ms 50 --max-ms 50
check_eq "latency: bpf-status shows it" "$(our_faults | jq -r .type)" latency
got=$(rtts n1 "$(address4 n2)" 10 | median)
check_number "latency: ping takes 50 ms more: $got ms, $base ms before" "$got >= 50 && $got - $base < 60"
revert slow
check_number "latency: every ping was counted" "$(evidence slow .hit) >= 10"

check "partition: n2 is reached before" reaches
inject cut network_partition --for 60s --netns "$n1" --peer "$(address4 n2)"
check_fails "partition: n2 is cut off" 1 reaches
revert cut
check "partition: n2 is reached after" reaches
check "nothing is left" wait_for 3 nothing_left_in n1

# Each sample is three programs, which an emulated processor needs a good part of a second for.
every_ms=200
is_emulated && every_ms=2000
cat >"$work/campaign.yaml" <<END
defaults: {warmup_seconds: 0.5, duration_seconds: 1, recovery_seconds: $(patience 20)}
include_baseline: true
subjects:
  - name: pair
    reset: "true"
    nodes:
      - {name: n1, address: $(address4 n1), netns: $n1}
      - {name: n2, address: $(address4 n2), netns: $n2}
    workload: "exec nsenter --net=/run/netns/$n1 ping -q -i 0.1 $(address4 n2)"
    probes: [{name: ping, exec: "nsenter --net=/run/netns/$n1 ping -c 1 -W 1 -q $(address4 n2)", every_ms: $every_ms, timeout_ms: $((5 * every_ms))}]
chaos_types:
  - {type: network_partition, target: n1}
  - {type: latency, target: n1, params: {min_ms: 20, max_ms: 20}}
END
check "a campaign ends well" "$eval_bin" run campaign "$work/campaign.yaml" --db "$work/eval.db"
check_eq "its trials are completed" \
	"$(sqlite3 "$work/eval.db" "SELECT chaos, status, verdict FROM trials ORDER BY trial_index")" \
	$'baseline|completed|pass\nnetwork_partition|completed|pass\nlatency|completed|pass'
line=tap
has_fq && line=fq
check_eq "each fault hit, and its engine is recorded" "$(sqlite3 "$work/eval.db" \
	"SELECT chaos, engine, json_extract(evidence, '\$.hit') > 0 FROM trials WHERE chaos != 'baseline' ORDER BY trial_index")" \
	"network_partition|tc|1"$'\n'"latency|$line|1"
check "nothing is left of it" wait_for 3 nothing_left_in n1

done_testing

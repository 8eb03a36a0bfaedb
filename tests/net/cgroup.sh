#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 5.10 6.12: one kernel for each way to find a cgroup
# time limit: 120 s
# A node identified by port and cgroup: only its port's traffic and the egress of its cgroup are cut.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
group=et$test_id-node
mkdir "$root/$group" || exit 1
on_cleanup rmdir "$root/$group"

cat >"$work/campaign.yaml" <<END
subjects:
  - name: s
    reset: "true"
    nodes:
      - {name: n1, netns: "$(ns n1)", address: "$(address4 n1):7000", cgroup: $group}
      - {name: n2, netns: "$(ns n2)", address: "$(address4 n2):7000", cgroup: $group-other}
chaos_types:
  - {type: network_partition, target: n1}
END
check "the file is valid" "$eval_bin" validate "$work/campaign.yaml"

reaches() { in_ns "$1" "$traffic" reach -t 800 -p "$3" "$(address4 "$2")" | grep -q yes; }
# reaches, from a process in the node's cgroup.
node_reaches() {
	# shellcheck disable=SC2016 # for the inner shell
	bash -c 'echo $$ >"$0/cgroup.procs" && shift && exec "$@"' "$root/$group" - \
		ip netns exec "$(ns "$1")" "$traffic" reach -t 800 -p "$3" "$(address4 "$2")" | grep -q yes
}
not() { ! "$@"; }

check "before: the node reaches n2" node_reaches n1 n2 7000

for direction in both in; do
	inject cut network_partition --for 60s --config "$work/campaign.yaml" --node n1 --direction "$direction"
	check "$direction: the node does not reach n2's port" not node_reaches n1 n2 7000
	check "$direction: n2 does not reach the node's port" not reaches n2 n1 7000
	check "$direction: another process on the node's address does" reaches n1 n2 7000
	check "$direction: n2 reaches another port there" reaches n2 n1 7001
	check "$direction: the node reaches another port of n2's address" node_reaches n1 n2 7001

	# As when a unit restarts: the cgroup is removed, and later a new one has the same path.
	check "$direction: the cgroup is removed" rmdir "$root/$group"
	sleep 1
	check "$direction: while there is none, a process of no cgroup reaches n2 from the node's address" \
		bash -c "echo \$\$ >'$root/cgroup.procs' && exec ip netns exec '$(ns n1)' '$traffic' reach -t 800 -p 7000 $(address4 n2) | grep -q yes"
	mkdir "$root/$group"
	check "$direction: it is found again" wait_for 5 not node_reaches n1 n2 7000
	revert cut
	check_eq "$direction: ends well" "$inject_status" 130
	check "$direction: the node reaches n2 again" node_reaches n1 n2 7000
done

sed -i "s/, cgroup: $group}/}/" "$work/campaign.yaml"
check_fails "without the cgroup it is refused" 2 "$eval_bin" validate "$work/campaign.yaml"
check_match "… with the reason" "$output" "opens itself cannot be told apart without a cgroup"

inject slow latency --for 60s --min-ms 100 --max-ms 100 --netns "$(ns n1)" --address "$(address4 n1):7000" \
	--peer "$(address4 n2)"
check_fails "by hand a partition of a port alone is refused" 2 "$eval_bin" inject network_partition --for 1s \
	--netns "$(ns n2)" --address "$(address4 n2):7000" --peer "$(address4 n1)"
check_match "… with the reason, too" "$output" "has a port, and no cgroup"
revert slow

check_fails "--node without --config" 2 "$eval_bin" inject network_partition --for 1s --node n1 --peer 10.0.0.1
check_match "… is not ignored" "$output" "give it by --config"
check_fails "--protect with --config" 2 "$eval_bin" inject network_partition --for 1s --config "$work/campaign.yaml" \
	--node n1 --protect tcp/xyz
check_match "… is not ignored either" "$output" "leave out"

done_testing

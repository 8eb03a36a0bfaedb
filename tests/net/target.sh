#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: has filters, which differ most from the links of this host; net/match runs the programs on all kernels
# One fault per target, however the options describe it; a fault on a neighbour is not refused.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 3
for node in n1 n3; do
	ip -n "$(ns $node)" addr add "10.99.0.1${node#n}/24" dev eth0
done
mkdir -p "$work/disk" && mount -t tmpfs -o size=32M tmpfs "$work/disk" || exit 1
on_cleanup umount "$work/disk"
mkdir -p "$work/disk/data/below" "$work/disk/other" "$work/bound"
mount --bind "$work/disk/data" "$work/bound" || exit 1
on_cleanup umount "$work/bound"
ln -s "$work/disk/data" "$work/link"
file() {
	cat >"$work/$1.yaml" <<END
subjects:
  - {name: s, reset: none, nodes: [{name: $2}, {name: peer, address: 10.99.0.2, netns: $(ns n2)}]}
chaos_types: [{type: latency, target: peer, params: {min_ms: 1, max_ms: 1}}]
END
}
file named "a, netns: $(ns n1), address: 10.99.0.1, data_dir: $work/disk/data"
file same "b, netns: $(ns n1), address: '10.99.0.1:7000', data_dir: $work/disk/other"
file neighbour "c, netns: $(ns n1), address: 10.99.0.11, data_dir: $work/disk/other"

slow=(latency --for 60s --min-ms 1 --max-ms 1)
full=(disk_pressure --for 60s --engine fill --fill-percent 1)
here=(--peer 10.99.0.2)
# refused NAME WHAT ARGUMENT…: checks that the fault `held` blocks this one; the message names the holder and what both share.
refused() {
	local name=$1 what=$2
	shift 2
	check_fails "$name: refused" 1 timeout 20 "$eval_bin" inject "$@"
	check_match "$name: who holds it, and what both have" "$output" \
		"already has a fault \(pid $(pid_of held), on '[^']*', has the same $what\): wait, end it, or allow: \[stacked\]"
}
# allowed NAME ARGUMENT…: checks that this fault is not refused.
allowed() {
	local name=$1
	shift
	if inject beside "$@"; then
		ok "$name: not refused"
		revert beside
	else
		not_ok "$name: not refused"
	fi
}

inject held "${slow[@]}" --config "$work/named.yaml" --node a || not_ok "a fault on a node"
refused "its namespace" "network namespace $(ns n1)" "${slow[@]}" --netns "$(ns n1)" "${here[@]}"
refused "its namespace by path" "network namespace /run/netns/$(ns n1)" "${slow[@]}" --netns "/run/netns/$(ns n1)" "${here[@]}"
refused "its namespace by a pid" "network namespace ${test_pids[0]}" "${slow[@]}" --netns "${test_pids[0]}" "${here[@]}"
refused "its namespace and address" "address 10.99.0.1" "${slow[@]}" --netns "$(ns n1)" --address 10.99.0.1 "${here[@]}"
refused "a port of its address" "address 10.99.0.1" "${slow[@]}" --netns "$(ns n1)" --address 10.99.0.1:7000 "${here[@]}"
refused "a node of another name and data_dir with its address" "address 10.99.0.1" "${slow[@]}" --config "$work/same.yaml" --node b
refused "its data_dir" "data_dir $work/disk/data" "${full[@]}" --data-dir "$work/disk/data"
refused "its data_dir, bind-mounted" "data_dir $work/bound" "${full[@]}" --data-dir "$work/bound"
refused "its data_dir by a symbolic link" "data_dir $work/link" "${full[@]}" --data-dir "$work/link"
refused "a folder in its data_dir" "data_dir $work/disk/data/below" "${full[@]}" --data-dir "$work/disk/data/below"
refused "a folder that its data_dir is in" "data_dir $work/disk" "${full[@]}" --data-dir "$work/disk"
from_inside() { in_ns n1 timeout 20 "$eval_bin" inject "${slow[@]}" "$@" "${here[@]}"; }
check_fails "its device, from inside the namespace: refused" 1 from_inside --dev eth0
check_match "its device, from inside the namespace: what both have" "$output" "has the same device eth0"
allowed "a neighbour with an address of its own" "${slow[@]}" --config "$work/neighbour.yaml" --node c
allowed "another data_dir" "${full[@]}" --data-dir "$work/disk/other"
allowed "another node" "${slow[@]}" --netns "$(ns n2)" --peer 10.99.0.1
allowed "--allow stacked" "${slow[@]}" --netns "$(ns n1)" "${here[@]}" --allow stacked
revert held

# eval runs inside n3, so that n3 is its host namespace.
eval_bin_outside=$eval_bin
printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s -- %s "$@"\n' "$(ns n3)" "$eval_bin_outside" >"$work/eval-in-n3"
chmod +x "$work/eval-in-n3"
eval_bin=$work/eval-in-n3
inject held "${slow[@]}" --address 10.99.0.3:7000 "${here[@]}" || not_ok "a fault on a port of the host"
refused "the host's device on the way of an address" "device eth0" "${slow[@]}" --dev eth0 "${here[@]}"
refused "the host's device by the route" "device eth0" "${slow[@]}" "${here[@]}"
refused "the whole address" "address 10.99.0.3" "${slow[@]}" --address 10.99.0.3 "${here[@]}"
refused "a range with the port in it" "address 10.99.0.3" "${slow[@]}" --address 10.99.0.3:6990-7010 "${here[@]}"
allowed "a range beside it" "${slow[@]}" --address 10.99.0.3:7001-65535 "${here[@]}"
allowed "another port of the address" "${slow[@]}" --address 10.99.0.3:7001 "${here[@]}"
allowed "another address on the device" "${slow[@]}" --address 10.99.0.13 "${here[@]}"
eval_bin=$eval_bin_outside
revert held

# When the holder is dead, the target is free at once.
inject held "${slow[@]}" --netns "$(ns n1)" "${here[@]}"
kill -KILL "$(pid_of held)"
wait_for 5 is_over "$(pid_of held)"
allowed "after the holder was killed" "${slow[@]}" --netns "$(ns n1)" "${here[@]}"

# Of six simultaneous faults on the same two data_dirs, given in either order, exactly one is accepted.
for i in 1 2 3 4 5 6; do
	dirs=(--data-dir "$work/disk/data" --data-dir "$work/disk/other")
	((i % 2)) || dirs=(--data-dir "$work/disk/other" --data-dir "$work/link")
	inject_start "race$i" "${full[@]}" "${dirs[@]}"
done
all_settled() {
	local i
	for i in 1 2 3 4 5 6; do
		inject_pid=$(pid_of "race$i")
		settled "race$i" || return 1
	done
}
check "six at once: all come to an end of it" wait_for 15 all_settled
check_eq "six at once: one is let in" "$(cat "$work"/race*.out | grep -c '"injected"')" 1
for i in 1 2 3 4 5 6; do
	revert "race$i"
done
check "nothing is left" wait_for 3 nothing_left_in n1
done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# alone: it makes the kernel hold the lock of all network devices for seconds
# not in guests: under emulation listing takes so long that devices may change during each try
# Devices are added and removed while eval lists a target's devices.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
# Devices that are down, so that eval lists but does not use them; many, so that the kernel sends the list in several parts.
for ((i = 0; i < 400; i++)); do
	echo "link add idle$i type bridge"
done | ip -n "$(ns n1)" -batch - || exit 1
come_and_go() {
	while sleep 0.05; do
		in_ns n1 ip link add passing type bridge
		in_ns n1 ip link del passing
	done
}
come_and_go >/dev/null 2>&1 &
test_pids+=("$!")

failed=0
for ((i = 0; i < 10; i++)); do
	inject all latency --for 0.01s --netns "$(ns n1)" --peer all --min-ms 1 --max-ms 1 || ((failed++))
	inject_end all
done
check_eq "peers all: every device is found, though others come and go" "$failed" 0

# --- Somebody else holds the lock of all network devices for seconds -------------------------------------------------
make_ns crowd
for ((i = 0; i < 600; i++)); do
	echo "link add idle$i type bridge"
done | ip -n "$(ns crowd)" -batch - || exit 1
inject held network_partition --for 60s --netns "$(ns n2)" --peer "$(address4 n1)"
ip netns del "$(ns crowd)"
sleep 0.5
began=$(now_ms)
in_ns n1 ip link set lo up
took=$(($(now_ms) - began))
is_cut() { ! in_ns n2 ping -n -q -c 1 -W 0.3 "$(address4 n1)" >/dev/null; }
check "the lock was held for $took ms: the fault is live" is_cut
revert held
check_eq "… and ends well" "$inject_status $(<"$work/held.err")" "130 "
done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: has the kinds of devices that the host's kernel lacks
# Both network faults by the devices that clouds and containers use: the route finds the device, a partition cuts, a delay comes once.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
make_ns pod
target='' peer=''
reaches() { in_ns "$target" ping -n -q -c 2 -i 0.1 -W 0.5 "$peer" >/dev/null 2>&1; }
# The fastest: what else waits in a busy guest is not the fault's.
rtt() { rtts "$target" "$peer" 10 | sort -g | head -n 1; }

# works KIND: a partition and a delay of 20 ms between $target and $peer.
works() {
	local before delayed
	check "$1: it works before" wait_for 5 reaches
	before=$(rtt)
	inject cut network_partition --for 60s --netns "$(ns "$target")" --peer "$peer" || not_ok "$1: a partition"
	check_fails "$1: a partition cuts" 1 reaches
	revert cut
	check "$1: it works again" wait_for 5 reaches
	inject slow latency --for 60s --netns "$(ns "$target")" --peer "$peer" --min-ms 20 --max-ms 20 || not_ok "$1: a delay"
	delayed=$(rtt)
	revert slow
	check_number "$1: a delay of 20 ms comes once: $before ms, then $delayed ms" \
		"$delayed >= 20 && $delayed - $before < 35 * ${EVAL_TIME_FACTOR:-1}"
}
# has KIND LINK_ARGUMENT…: makes x0 of that kind in n1; or skips.
has() {
	local kind=$1
	shift
	ip -n "$(ns n1)" link add x0 "$@" 2>/dev/null && return 0
	skip "$kind" "this kernel has none"
	return 1
}
address() { ip -n "$(ns "$1")" addr add "$2" dev "$3" && ip -n "$(ns "$1")" link set "$3" up; }
gone() { ip -n "$(ns "$1")" link del "$2"; }

target=n1 peer=10.96.0.2
if has bond type bond mode active-backup miimon 100; then
	ip -n "$(ns n1)" link add s0 type veth peer name s0 netns "$(ns n2)"
	ip -n "$(ns n1)" link set s0 master x0
	address n1 10.96.0.1/24 x0
	address n2 10.96.0.2/24 s0
	works bond
	gone n1 x0
	gone n1 s0
fi
if has vxlan type vxlan id 5 dstport 4789 remote 10.99.0.2 dev eth0; then
	ip -n "$(ns n2)" link add x0 type vxlan id 5 dstport 4789 remote 10.99.0.1 dev eth0
	address n1 10.96.0.1/24 x0
	address n2 10.96.0.2/24 x0
	works vxlan
	gone n1 x0
	gone n2 x0
fi
if has WireGuard type wireguard; then
	ip -n "$(ns n2)" link add x0 type wireguard
	for node in n1 n2; do
		wg genkey >"$work/$node.key"
		in_ns $node wg set x0 listen-port 5555 private-key "$work/$node.key"
		address $node "10.96.0.${node#n}/24" x0
	done
	in_ns n1 wg set x0 peer "$(wg pubkey <"$work/n2.key")" allowed-ips 10.96.0.2/32 endpoint 10.99.0.2:5555
	in_ns n2 wg set x0 peer "$(wg pubkey <"$work/n1.key")" allowed-ips 10.96.0.1/32 endpoint 10.99.0.1:5555
	works WireGuard
	gone n1 x0
	gone n2 x0
fi

tunnels=()
for node in n1 n2; do
	spawn_in $node "$top/build/tools/tunnel" x0 "$(address4 $node)" "10.99.0.$((3 - ${node#n}))" 5556
	wait_for 5 in_ns $node ip link show x0 >/dev/null
	address $node "10.96.0.${node#n}/24" x0
	ip -n "$(ns $node)" addr add "fd96::${node#n}/64" dev x0
	tunnels+=("$spawned")
done
works tun
peer=fd96::2
works "tun, IPv6"
peer=10.96.0.2
inject both latency --for 60s --netns "$(ns n1)" --peer 10.96.0.2 --min-ms 20 --max-ms 20 --direction both
check_number "tun: both ways" "$(rtt) > 39"
check "tun: TCP data is intact" in_ns n1 "$traffic" bulk -s 3000000 -t 5000 10.96.0.2
revert both
check_number "tun: both ways are counted" "$(evidence both '[.devices[0] | .egress.hit, .ingress.hit] | min') > 10"
end_pids "${tunnels[@]}"

# A container's device: the one below it is in another namespace.
target=pod peer=10.99.0.2
for kind in "macvlan mode bridge" "ipvlan mode l2" "ipvlan mode l3" "ipvlan mode l3s"; do
	# shellcheck disable=SC2086 # options
	has "$kind" link eth0 type $kind || continue
	ip -n "$(ns n1)" link set x0 netns "$(ns pod)"
	case $kind in
	*l3*)
		address pod 10.96.0.1/32 x0
		ip -n "$(ns pod)" route add default dev x0
		ip -n "$(ns n2)" route add 10.96.0.1/32 via 10.99.0.1
		;;
	*) address pod 10.99.0.9/24 x0 ;;
	esac
	works "$kind"
	gone pod x0
	ip -n "$(ns n2)" route del 10.96.0.1/32 2>/dev/null
done

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: clsact; the host has tcx, and routes do not differ
# The devices that a target's packets take: by its own addresses, both ways, and after a change in mid-fault.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
n1=$(ns n1)
# A second way between the two, not by the switch.
second_way() {
	ip -n "$n1" link add eth1 type veth peer name eth1 netns "$(ns n2)"
	for node in n1 n2; do
		ip -n "$(ns $node)" link set eth1 up
		in_ns $node sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
	done
	ip -n "$(ns n2)" addr add 10.98.0.2/24 dev eth1
	ip -n "$(ns n2)" addr add fd98::2/64 dev eth1 nodad
}
own_addresses() {
	ip -n "$n1" addr add 10.98.0.1/24 dev eth1
	ip -n "$n1" addr add fd98::1/64 dev eth1 nodad
}
# answers FROM TO: true if TO answers a ping from FROM, or from whatever address the kernel takes (-).
answers() {
	local source=()
	[[ $1 == - ]] || source=(-I "$1")
	in_ns n1 ping -n -c 2 -i 0.2 -W 0.5 "${source[@]}" "$2" >/dev/null 2>&1
}
devices_of() { event_of "$1" injected | jq -r '.devices | sort | join(" ")'; }
second_way

# --- Rules by source ------------------------------------------------------------------------------------------

own_addresses
for kind in 4 6; do
	if [[ $kind == 4 ]]; then
		from=10.98.0.1 to=10.99.0.2/32 via=10.98.0.2
	else
		from=fd98::1 to=fd99::2/128 via=fd98::2
	fi
	ip -n "$n1" -$kind rule add from "$from" lookup 100
	ip -n "$n1" -$kind route add "$to" via "$via" dev eth1 table 100
	to=${to%/*}
	check "IPv$kind, source rule: both ways work before" answers - "$to"
	check "… from the other address, too" wait_for 5 answers "$from" "$to"
	inject rule network_partition --for 30s --netns "$n1" --peer "$to" || not_ok "IPv$kind, source rule: a fault"
	check_eq "IPv$kind, source rule: both devices have hooks" "$(devices_of rule)" "eth0 eth1"
	check_fails "… one way is cut" 1 answers - "$to"
	check_fails "… and the other" 1 answers "$from" "$to"
	revert rule
	check_number "… and counted there" "$(evidence rule '.devices[] | select(.device == "eth1").egress.hit') >= 1"
	ip -n "$n1" -$kind route flush table 100
	ip -n "$n1" -$kind rule del from "$from" lookup 100
done

# --- A VRF ----------------------------------------------------------------------------------------------------

if ip -n "$n1" link add blue type vrf table 200 2>/dev/null; then
	ip -n "$n1" link set blue up
	ip -n "$n1" link set eth1 master blue
	ip -n "$n1" addr replace fd98::1/64 dev eth1 nodad
	ip -n "$(ns n2)" addr add 10.97.0.2/32 dev eth1
	ip -n "$n1" route add 10.97.0.2/32 via 10.98.0.2 table 200
	check "VRF: it works before" wait_for 5 answers blue 10.97.0.2
	inject vrf network_partition --for 30s --netns "$n1" --peer 10.97.0.2 || not_ok "VRF: a fault"
	check_fails "VRF: cut" 1 answers blue 10.97.0.2
	revert vrf
	check "VRF: it works again" answers blue 10.97.0.2
	ip -n "$n1" link del blue
	ip -n "$n1" addr replace fd98::1/64 dev eth1 nodad
else
	skip "a peer in a VRF" "this kernel has no VRF"
fi

# --- In by another device than out ----------------------------------------------------------------------------

ip -n "$(ns n2)" route add 10.98.0.1/32 dev eth1 src 10.99.0.2
check "in and out differ: n2 reaches n1" in_ns n2 ping -n -c 1 -W 1 -I 10.99.0.2 10.98.0.1
inject asymmetric network_partition --for 30s --netns "$n1" --peer 10.99.0.2 --direction in ||
	not_ok "in and out differ: a fault"
check_fails "in and out differ: cut on the way in" 1 in_ns n2 ping -n -c 2 -i 0.2 -W 0.5 -I 10.99.0.2 10.98.0.1
revert asymmetric
check_number "… by the device that owns the address" "$(evidence asymmetric '.devices[] | select(.device == "eth1").ingress.hit') >= 1"
ip -n "$(ns n2)" route del 10.98.0.1/32 dev eth1

# --- Link-local -----------------------------------------------------------------------------------------------

link_local=$(ip -n "$(ns n2)" -6 -j addr show dev eth1 | jq -r '.[].addr_info[] | select(.scope == "link").local')
check_fails "a link-local peer, two devices: refused" 2 "$eval_bin" inject network_partition --for 1s --netns "$n1" --peer "$link_local"
check_match "… and why" "$output" "peer $link_local is a link-local address, and there are several devices: name one \(interface, --dev, or as in fe80::1%eth0\)"
inject link_local network_partition --for 30s --netns "$n1" --peer "$link_local" --dev eth1 || not_ok "link-local: a fault"
check_fails "a link-local peer, its device: cut" 1 answers - "$link_local%eth1"
revert link_local

inject zone network_partition --for 30s --netns "$n1" --peer "$link_local%eth1" || not_ok "a zone: a fault"
check_eq "a link-local peer with its zone: that device" "$(devices_of zone | grep -o eth1)" eth1
check_fails "… cut" 1 answers - "$link_local%eth1"
revert zone
check_fails "a zone that is no device: refused" 2 "$eval_bin" inject network_partition --for 1s --netns "$n1" --peer "fe80::1%eth7"
check_match "… and why" "$output" "no device 'eth7' here; there are: "

# --- Networks -------------------------------------------------------------------------------------------------

# network_is_cut NETWORK INSIDE OUTSIDE
network_is_cut() {
	inject network network_partition --for 30s --netns "$n1" --peer "$1" || not_ok "$1: a fault"
	check_fails "$1: its address is cut" 1 answers - "$2"
	check "… another is not" answers - "$3"
	revert network
	check_eq "… and counted for it" "$(evidence network '.peers[] | "\(.peer) \(.egress > 0)"')" "$1 true"
}
network_is_cut 10.99.0.0/24 10.99.0.2 10.98.0.2
network_is_cut fd99::/64 fd99::2 fd98::2
check_fails "a network without a route: refused" 2 "$eval_bin" inject network_partition --for 1s --netns "$n1" --peer 192.0.2.0/24
check_match "… and why" "$output" "no route to any part of 192.0.2.0/24"

# --- Hits per peer --------------------------------------------------------------------------------------------

inject peers network_partition --for 30s --netns "$n1" --peer 10.99.0.2 --peer 10.99.0.77:80 --peer fd99::2 --peer 10.98.0.2
answers - 10.99.0.2
answers - fd99::2
revert peers
check_eq "hits per peer" "$(evidence peers '.peers[] | "\(.peer) \(.egress > 0) \(.ingress)"')" \
	$'10.99.0.2 true 0\n10.99.0.77:80 false 0\nfd99::2 true 0\n10.98.0.2 false 0'
check_eq "… and as many as in all" "$(evidence peers '([.peers[] | .egress + .ingress] | add) == .hit')" true
check_eq "peers without any are noted" "$(evidence peers '.notes[0]')" \
	"no packet matched of 2 of 4 peers, while others had some: 10.99.0.77:80, 10.98.0.2"

# --- Changes in mid-fault -------------------------------------------------------------------------------------

# moves NAME WHAT COMMAND…: the command ends the fault, which says where packets may go now.
moves() {
	local name=$1 what=$2
	shift 2
	"$@"
	inject_end "$name" "$(patience 5)"
	check_eq "$what: the fault ends" "$inject_status" 1
	check_match "… and says where packets may go" "$(<"$work/$name.err")" \
		"error: packets from or to the peers may now take eth1, where the fault has no hooks: a route, an address or a device has changed"
	check "… nothing is left" wait_for 3 nothing_left_in n1
}
ip -n "$n1" addr flush dev eth1
for kind in 4 6; do
	[[ $kind == 4 ]] && to=10.99.0.2/32 || to=fd99::2/128
	inject moved network_partition --for 60s --netns "$n1" --peer "${to%/*}" || not_ok "IPv$kind, a route moves: a fault"
	check_eq "IPv$kind: one device before" "$(devices_of moved)" eth0
	ip -n "$n1" -$kind route add "$([[ $kind == 4 ]] && echo 203.0.113.0/24 || echo 2001:db8::/64)" dev eth0
	sleep "$(patience 2)"
	check "IPv$kind, a route that has nothing to do with it: the fault goes on" is_running "$(pid_of moved)"
	moves moved "IPv$kind, a route moves" ip -n "$n1" -$kind route replace "$to" dev eth1
	ip -n "$n1" -$kind route del "$to" dev eth1
done
ip -n "$n1" link set eth1 down
inject all latency --min-ms 1 --max-ms 2 --for 60s --netns "$n1" --peer all || not_ok "peers all: a fault"
check_eq "peers all: one device is up" "$(devices_of all)" eth0
moves all "peers all, a device comes up" ip -n "$n1" link set eth1 up
ip -n "$n1" link set eth1 down
inject named network_partition --for 60s --netns "$n1" --peer 10.99.0.2 --dev eth0 || not_ok "a named device: a fault"
ip -n "$n1" link set eth1 up
ip -n "$n1" route add 10.99.0.2/32 dev eth1
sleep "$(patience 2)"
check "a named device is not followed" is_running "$(pid_of named)"
revert named
ip -n "$n1" route del 10.99.0.2/32 dev eth1

# --- A device without an Ethernet header ----------------------------------------------------------------------

if ip -n "$n1" tuntap add dev tun0 mode tun; then
	ip -n "$n1" link set tun0 up
	ip -n "$n1" addr add 10.96.0.1/24 dev tun0
	inject tun network_partition --engine xdp --for 30s --netns "$n1" --peer 10.99.0.2 || not_ok "tun: a fault"
	answers - 10.99.0.2
	revert tun
	check_eq "tun, not asked for: XDP leaves it out, and that is recorded" "$(evidence tun '.notes[] | select(startswith("left out"))')" \
		"left out: tun0 (no Ethernet header)"
	check_number "tun, not asked for: the others are hit" "$(evidence tun .hit) >= 1"
	check_fails "tun, named: XDP is refused" 1 "$eval_bin" inject network_partition --engine xdp --for 1s --netns "$n1" --peer 10.96.0.2 --dev tun0
	check_match "… and why" "$output" "tun0 has no Ethernet header, which engine: xdp needs"
	check_fails "tun, named: line fq is refused" 1 "$eval_bin" inject latency --line fq --min-ms 1 --max-ms 2 --for 1s --netns "$n1" \
		--peer 10.96.0.2 --dev tun0
	check_match "… and why" "$output" "(tun0 has no Ethernet header, which line: fq needs|sch_fq)"
	inject all latency --min-ms 1 --max-ms 2 --for 30s --netns "$n1" --peer all || not_ok "tun, peers all: a fault"
	answers - 10.99.0.2
	revert all
	check_eq "tun, peers all: line tap takes it, too" "$(event_of all injected | jq -r '.engine, (.devices | index("tun0") != null)' | xargs)" "tap true"
fi

# --- Nothing was hit ------------------------------------------------------------------------------------------

spawn_in n1 ping -n -i 0.05 10.99.0.2
check_fails "another address: exit 1" 1 "$eval_bin" inject network_partition --for 1s --netns "$n1" --dev eth0 --peer 10.99.0.77
check_match "… says what passed instead" "$output" \
	"touched nothing: no packet matched while it was live; [1-9][0-9]* packets passed \(eth0 egress [1-9][0-9]*, ingress [1-9][0-9]*\), none of them between the target and its peers; the most with 10.99.0.2 \((egress|ingress) [1-9][0-9]*\), 10.99.0.2 "
ip -n "$n1" link add quiet0 type veth peer name quiet1
ip -n "$n1" link set quiet0 up
in_ns n1 sysctl -qw net.ipv6.conf.quiet0.disable_ipv6=1
check_fails "another device: exit 1" 1 "$eval_bin" inject network_partition --for 300ms --netns "$n1" --dev quiet0 --peer 10.99.0.2
check_match "… says that nothing passed there" "$output" "no packet at all passed quiet0: is it another device, or another namespace\?"
end_pids "$spawned"
inject silent network_partition --for 30s --netns "$n1" --dev eth0 --peer 10.99.0.2 --direction both || not_ok "one direction: a fault"
answers - 10.99.0.2
revert silent
check_eq "a direction that saw nothing is noted" "$(evidence silent '.notes[0] | sub("[0-9]+"; "N")')" \
	"direction is both, but no packet matched on ingress (egress: N)"
done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1 6.12: one kernel for each way to attach is enough to test what programs do with packets
# alone: it measures delays with a tolerance of half a millisecond
# time limit: 150 s
# latency with real traffic: delays, which packets are delayed, their order and integrity, marks, and qdiscs left unchanged.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

# $LINE is the delay line, default auto; latency_tap.sh sets it to tap.
[[ ${LINE:-auto} != tap ]] || has_fq || skip_all "no sch_fq: latency.sh has the TAP line as well"
delay() { inject "$1" latency --for 60s --netns "$(ns n1)" --line "${LINE:-auto}" "${@:2}"; }
# delayed NAME MILLISECONDS TOLERANCE: checks the delay of pings from n1 to n2, against ${base[…]}.
delayed() {
	local kind got
	for kind in 4 6; do
		got=$(rtts n1 "$("address$kind" n2)" "${pings:-20}" | typical)
		check_number "$1, IPv$kind: ping takes $2 ms more" \
			"$got - ${base[kind]} - $2 <= $3 + $late_ms && $got - ${base[kind]} - $2 >= -$3 - $base_error_ms"
	done
}
# Prints the median of round trips, or the minimum in an emulated guest, where a busy host makes some of them longer.
typical() { if is_emulated; then sort -g | head -n 1; else median; fi; }
flow_typical() { tail -n $samples "$work/$1.flow" | awk '/^echo/ { print $3 / 1000 }' | typical; }
flow_goes_on() { wait_for 5 flow_passed "$1" $(($(flow_count "$1") + ${2:-samples + 10})); }

# Wider tolerances for an emulated guest, which adds delays.
late_ms=0 base_error_ms=0 stall_ms=150 bulk_bytes=10000000 samples=30 rounds=3
is_emulated && late_ms=15 base_error_ms=3 stall_ms=200 bulk_bytes=1000000 samples=60 rounds=2
make_nodes 3
peers=(--peer "$(address4 n2)" --peer "$(address6 n2)")
base=([4]=$(rtts n1 "$(address4 n2)" 40 | typical) [6]=$(rtts n1 "$(address6 n2)" 40 | typical))
diag "base: ${base[4]} ms, IPv6 ${base[6]} ms"

# --- How long -------------------------------------------------------------------------------------------------
delay egress "${peers[@]}" --min-ms 50 --max-ms 50
pings=40 delayed "egress 50 ms" 50 0.5
# A node that is not a peer is not delayed.
got=$(rtts n1 "$(address4 n3)" 10 | typical)
check_number "egress 50 ms: another node is not delayed" "$got < 10 + $late_ms"
revert egress
check_number "egress 50 ms: every ping is counted, once" "$(evidence egress .devices[0].egress.hit) >= 80"
check_eq "egress 50 ms: all that was delayed came back" "$(evidence egress '.devices[0].egress | .hit - .line.delivered')" 0
check_eq "egress 50 ms: nothing was dropped" "$(evidence egress .devices[0].egress.line.line_dropped)" 0
check_eq "egress 50 ms: nothing on the way in" "$(evidence egress .devices[0].ingress.hit)" 0
check_number "egress 50 ms: drawn delays" "$(evidence egress .devices[0].egress.drawn.mean_us) == 50000"
check_match "egress 50 ms: histogram" "$(evidence egress '.devices[0].egress.applied.log2_us | to_entries[] | select(.value > 0) | .key')" '^15$'

delay ingress "${peers[@]}" --min-ms 20 --max-ms 20 --direction ingress
delayed "ingress 20 ms" 20 0.5
revert ingress
check_eq "ingress 20 ms: nothing on the way out" "$(evidence ingress .devices[0].egress.hit)" 0
delay both "${peers[@]}" --min-ms 15 --max-ms 15 --direction both
delayed "both 15 ms" 30 0.8
revert both
# A tag with VLAN id 0 only carries a priority: the packet belongs to the device itself.
other_node=n2 other_start tag || not_ok "n2's packets have tags"
delay tagged "${peers[@]}" --min-ms 20 --max-ms 20 --direction ingress
delayed "VLAN 0, ingress 20 ms" 20 0.5
revert tagged
check_eq "VLAN 0, ingress 20 ms: all that was delayed came back" "$(evidence tagged '.devices[0].ingress | .hit - .line.delivered')" 0
other_end
delay decimals "${peers[@]}" --min-ms 0.5 --max-ms 0.5
delayed "0.5 ms" 0.5 0.25
revert decimals

# --- Which packets --------------------------------------------------------------------------------------------
delay all --peer all --min-ms 20 --max-ms 20
got=$(rtts n1 "$(address4 n3)" 10 | typical)
check_number "peer all: any node" "$got >= 20 && $got < 25 + $late_ms"
revert all
# Packets are chosen in the same way with every line, so test it once.
if [[ ${LINE:-auto} != tap ]]; then
	start_flow port7000 n1 "$(address4 n2)"
	start_flow port7001 n1 "$(address4 n2)" -p 7001
	delay ports "${peers[@]}" --min-ms 30 --max-ms 30 --ports 7001
	flow_goes_on port7000 && flow_goes_on port7001
	got=$(flow_typical port7001)
	check_number "ports: the port is delayed" "$got >= 30 && $got < 40 + $late_ms"
	check_number "ports: another is not" "$(flow_typical port7000) < 10 + $late_ms"
	check_number "ports: ping is not" "$(rtts n1 "$(address4 n2)" 10 | typical) < 10 + $late_ms"
	revert ports
	for protocol in tcp icmp; do
		delay protocol "${peers[@]}" --min-ms 30 --max-ms 30 --protocol $protocol
		flow_goes_on port7000
		got="$(rtts n1 "$(address4 n2)" 10 | typical) $(rtts n1 "$(address6 n2)" 10 | typical) $(flow_typical port7000)"
		read -r ping4 ping6 tcp <<<"$got"
		if [[ $protocol == tcp ]]; then
			check_number "protocol tcp: TCP alone" "$tcp >= 30 && $ping4 < 10 + $late_ms && $ping6 < 10 + $late_ms"
		else
			check_number "protocol icmp: ICMP and ICMPv6 alone" "$tcp < 10 + $late_ms && $ping4 >= 30 && $ping6 >= 30"
		fi
		revert protocol
	done
	end_flow port7000
	end_flow port7001
fi

# --- Two on one device ----------------------------------------------------------------------------------------
delay first "${peers[@]}" --min-ms 10 --max-ms 10
delay second "${peers[@]}" --min-ms 25 --max-ms 25 --allow stacked
delayed "two faults, 10 and 25 ms" 35 1
revert first
delayed "the second alone" 25 0.5
revert second
for order in drop_first delay_first; do
	[[ $order == delay_first ]] && delay line "${peers[@]}" --min-ms 10 --max-ms 10
	inject drop network_partition --for 60s --netns "$(ns n1)" "${peers[@]}" --allow stacked
	[[ $order == drop_first ]] && delay line "${peers[@]}" --min-ms 10 --max-ms 10 --allow stacked
	in_ns n1 ping -n -q -c 5 -i 0.02 -W 0.2 "$(address4 n2)" >/dev/null
	revert line
	revert drop
	check_eq "$order: drops run before delays" "$(evidence line .hit)" 0
done
check_eq "two faults: each counted the other's packets as they were" \
	"$(evidence second .devices[0].egress.line.line_dropped) $(evidence first .devices[0].egress.line.line_dropped)" "0 0"

# --- Peer all: no packet twice --------------------------------------------------------------------------------
ip -n "$(ns sw)" addr add 10.99.0.254/24 dev bridge
inject bridge latency --for 60s --netns "$(ns sw)" --peer all --min-ms 20 --max-ms 20
check_eq "peer all: a bridge, not its ports" "$(event_of bridge injected | jq -c .devices)" '["bridge"]'
got=$(rtts sw "$(address4 n1)" 10 | typical)
check_number "peer all: a bridge's packet is delayed once" "$got >= 20 && $got < 25 + $late_ms"
revert bridge
delay first --peer all --min-ms 10 --max-ms 10
delay second --peer all --min-ms 15 --max-ms 15 --allow stacked
check_eq "peer all: another fault's delay line is no device" "$(event_of second injected | jq -c .devices)" '["eth0"]'
delayed "two of peer all, 10 and 15 ms" 25 1
revert first
revert second

# --- A running flow -------------------------------------------------------------------------------------------
# A second, unaffected flow runs beside it, to measure the delays that the host adds.
start_flow running n1 "$(address4 n2)" -i 5000
start_flow beside n1 "$(address4 n3)" -i 5000
from_running=$(flow_count running) from_beside=$(flow_count beside)
timeouts=$(counter n2 TcpExtTCPTimeouts) line_late_ms=0
for ((round = 0; round < rounds; round++)); do
	delay running --peer "$(address4 n2)" --min-ms 20 --max-ms 20 --direction both
	flow_goes_on running 20
	revert running
	flow_goes_on running 20
	# In a busy guest a TAP line's process waits for a processor, which does not delay the flow beside it.
	! is_emulated || line_late_ms=$(evidence running "[.devices[0] | .egress, .ingress | .line.late_max_us / 1000] | add | [., $line_late_ms] | max | round")
done
longest_echo() { awk -v from="$2" '/^echo/ && ++n > from && $3 > max { max = $3 } END { print max / 1000 }' "$work/$1.flow"; }
longest=$(longest_echo running "$from_running") longest_beside=$(longest_echo beside "$from_beside")
check_eq "a running flow is not reset" "$(flow_is_closed running; echo $?)" 1
end_flow running
end_flow beside
check_number "a running flow is never stalled: longest echo $longest ms, of one beside it $longest_beside ms, line late by $line_late_ms ms" \
	"$longest <= $longest_beside + $line_late_ms + 40 + $stall_ms"
diag "timeouts: $(($(counter n2 TcpExtTCPTimeouts) - timeouts))"

# --- What the line holds when the fault ends ------------------------------------------------------------------
arrived() { (($(datagrams_at n2 7001) == before + $1)); }
delay drained "${peers[@]}" --min-ms 9000 --max-ms 9000
before=$(datagrams_at n2 7001)
in_ns n1 "$traffic" datagrams -p 7001 -n 50 -i 100 "$(address4 n2)"
check_eq "held: nothing has arrived" "$(datagrams_at n2 7001)" "$before"
revert drained
check "what is in the line at revert is delivered" wait_for 2 arrived 50
check_eq "and counted" "$(evidence drained .devices[0].egress.line.delivered)" "$(evidence drained .devices[0].egress.hit)"

# --- Order and integrity --------------------------------------------------------------------------------------
iperf_start
# On one processor: what a process sends over veth waits in a queue of its processor, and one that is moved to another may
# overtake itself there, with or without a fault.
processors=$(taskset -pc "$$" | sed 's/.*: //')
taskset -pc 0 "$$" >/dev/null
# Counted at the receiver: the sender may take its own retransmit after a jump in the delay for reordering.
out_of_order() { counter n2 TcpExtTCPOFOQueue; }
delay order "${peers[@]}" --min-ms 20 --max-ms 80
before=$(out_of_order) before_repeats=$(counter n1 TcpRetransSegs)
iperf -t 4
diag "TCP under 20 to 80 ms: $(jq '.end.sum_received.bits_per_second / 1e6 | floor' "$work/iperf") Mbit/s"
diag "repeats: $(($(counter n1 TcpRetransSegs) - before_repeats)), $(in_ns n1 nstat -as 2>/dev/null | grep -E 'Probe|Timeouts|Spur|Undo|DSACK' | awk '{ printf "%s %s, ", $1, $2 }')"
check_eq "TCP bulk under 20 to 80 ms: every segment arrives in order" "$(out_of_order)" "$before"
check_number "TCP bulk under 20 to 80 ms: data went through" \
	"$(jq '.end.sum_received.bytes' "$work/iperf") > $bulk_bytes"
revert order
check_eq "TCP bulk: the line dropped nothing" "$(evidence order .devices[0].egress.line.line_dropped)" 0
taskset -pc "$processors" "$$" >/dev/null
delay reorder "${peers[@]}" --min-ms 5 --max-ms 40 --reorder
before=$(out_of_order)
iperf -t 1
check_number "reorder: packets overtake each other" "$(out_of_order) > $before"
revert reorder

for offload in on off; do
	for node in n1 n2; do
		in_ns $node ethtool -K eth0 tx $offload tso $offload gso $offload gro $offload >/dev/null 2>&1
	done
	delay intact "${peers[@]}" --min-ms 1 --max-ms 4 --direction both
	for kind in 4 6; do
		check "TCP data intact, offloads $offload, IPv$kind" \
			in_ns n1 "$traffic" bulk -s 30000000 -t 5000 "$("address$kind" n2)"
		for size in 20 1400 4000; do
			before=$(datagrams_at n2 7001)
			in_ns n1 "$traffic" datagrams -p 7001 -n 30 -i 500 -s $size "$("address$kind" n2)"
			check "UDP whole, offloads $offload, IPv$kind, $size bytes" wait_for 3 arrived 30
		done
	done
	check_eq "UDP data intact, offloads $offload" "$(served n2 | grep -c bad)" 0
	revert intact
done

# --- Mark, priority, qdisc ------------------------------------------------------------------------------------
# Class 1:10 by priority, 1:20 by mark (classic BPF: works on every kernel with cls_bpf), otherwise 1:30.
in_ns n1 tc qdisc add dev eth0 root handle 1: htb default 30
for class in 10 20 30; do
	in_ns n1 tc class add dev eth0 parent 1: classid 1:$class htb rate 1gbit quantum 1514
done
in_ns n1 tc filter add dev eth0 parent 1: bpf bytecode \
	'4,32 0 0 4294963220,21 0 1 7,6 0 0 4294967295,6 0 0 0' flowid 1:20
class_packets() {
	in_ns n1 tc -s class show dev eth0 | awk -v class="1:$1" '$1 == "class" { this = $3 } $1 == "Sent" && this == class { print $4 }'
}
qdisc_state() { in_ns n1 tc -j qdisc show; }
before_qdisc=$(qdisc_state)
delay marks "${peers[@]}" --min-ms 10 --max-ms 10
# Ignores the clsact that a live fault adds before tcx (6.6).
check_eq "the device's qdisc is the same with the fault" \
	"$(in_ns n1 tc -j qdisc show dev eth0 | jq -c '[.[] | select(.kind != "clsact")]')" \
	"$(jq -c '[.[] | select(.dev == "eth0") | del(.dev)]' <<<"$before_qdisc")"
before10=$(class_packets 10) before20=$(class_packets 20)
in_ns n1 "$traffic" datagrams -n 20 -i 1000 -q 0x10010 "$(address4 n2)"
in_ns n1 "$traffic" datagrams -n 30 -i 1000 -m 7 "$(address4 n2)"
class_has() { (($(class_packets "$1") == $2)); }
check "priority is restored behind the line: htb class by priority" wait_for 2 class_has 10 $((before10 + 20))
check "mark is restored behind the line: htb class by mark" wait_for 2 class_has 20 $((before20 + 30))
revert marks
check_eq "the qdiscs are the same after it" "$(qdisc_state)" "$before_qdisc"

# --- Others' programs -----------------------------------------------------------------------------------------
# The other program's priority on egress and ingress, before tcx (6.6): 1, which eval would take, or 10, behind eval's.
priorities=(10 1)
[[ ${LINE:-auto} != tap ]] || priorities=(1 10)
for way in egress ingress; do
	priority=${priorities[0]} && [[ $way == egress ]] || priority=${priorities[1]}
	name="another program on $way" && has_tcx || name+=", priority $priority"
	other_start $way 9 "$priority" || { not_ok "$name: is there"; continue; }
	delay with_other "${peers[@]}" --min-ms 10 --max-ms 10 --direction $way
	in_ns n1 "$traffic" datagrams -n 1 -m 1 "$(address4 n2)" # resolves the neighbour
	rtts n1 "$(address4 n2)" 5 >/dev/null
	other_ask && before=$seen
	in_ns n1 ping -n -q -c 20 -i 0.02 -m 9 "$(address4 n2)" >/dev/null
	other_ask
	check_number "$name sees each packet once: $((seen - before)) of 20" "$seen - $before >= 20 && $seen - $before < 30"
	[[ $way == ingress ]] || check_eq "… with its mark" "$marked" 20
	revert with_other
	before=$seen
	in_ns n1 ping -n -q -c 5 -i 0.02 "$(address4 n2)" >/dev/null
	other_ask
	check_number "$name goes on after revert" "$seen - $before >= 5"
	other_end
done

# A packet that arrives over a veth pair of the same namespace keeps its sender's mark; in the line it has the line's mark.
in_ns n1 ip link add near0 type veth peer name far0
in_ns n1 ip link set near0 up && in_ns n1 ip link set far0 up
in_ns n1 ip route add 192.0.2.77 dev far0
if other_device=far0 other_start ingress 9 "${priorities[1]}"; then
	delay way_in --dev far0 --peer 192.0.2.77 --min-ms 20 --max-ms 20 --direction ingress
	# UDP packets sent from near0 by a raw socket, as if from another host.
	in_ns n1 python3 - <<-'END'
		import socket, struct, time
		wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		wire.bind(("near0", 0))
		wire.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 9)
		packet = struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton("192.0.2.77"),
		                     socket.inet_aton("192.0.2.1"), 7, 7, 8, 0)
		for _ in range(10):
		    wire.send(bytes.fromhex("ffffffffffff") + bytes(6) + b"\x08\x00" + packet)
		    time.sleep(0.005)
	END
	revert way_in
	other_ask
	check_eq "mark is restored on the way in, of those that were delayed" \
		"$(evidence way_in '"\(.hit) hit, \(.devices[0].ingress.line.delivered) delivered"'), $marked marked" \
		"10 hit, 10 delivered, 10 marked"
	other_end
else
	not_ok "another program on the way in"
fi
in_ns n1 ip link del near0

# --- Subdevices -----------------------------------------------------------------------------------------------
# subdevice NAME TYPE…: adds such a link on eth0 of n1 and n2, and tests a fault on n1's.
subdevice() {
	local kind=$1 node
	shift
	for node in n1 n2; do
		if ! in_ns $node ip link add link eth0 name sub0 "$@" 2>/dev/null; then
			skip "a $kind device is delayed" "this kernel has none"
			return
		fi
		in_ns $node ip addr add "10.98.0.${node#n}/24" dev sub0
		in_ns $node ip link set sub0 up
	done
	wait_for 5 in_ns n1 ping -n -c 1 -W 1 10.98.0.2
	delay sub --peer 10.98.0.2 --min-ms 20 --max-ms 20
	check_eq "a $kind device is found by its route" "$(event_of sub injected | jq -c .devices)" '["sub0"]'
	got=$(rtts n1 10.98.0.2 10 | typical)
	check_number "a $kind device is delayed, once" "$got >= 20 && $got < 25 + $late_ms"
	revert sub
	for node in n1 n2; do
		in_ns $node ip link delete sub0
	done
}
subdevice VLAN type vlan id 5
subdevice macvlan type macvlan mode bridge

done_testing

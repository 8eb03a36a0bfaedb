#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 180 s
# The delay lines: which one is chosen, a bulk flow across inject and revert, and the behaviour of the fq line.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

late_ms=0 stall=0.5
is_emulated && late_ms=25 stall=2
make_nodes 2
delay() { inject "$1" latency --for 60s --netns "$(ns n1)" --peer "$(address4 n2)" "${@:2}"; }
rtts n1 "$(address4 n2)" 3 >/dev/null # resolves the neighbour

# --- Which line -----------------------------------------------------------------------------------------------
lines=(tap)
has_fq && lines=(fq tap)
for line in auto "${lines[@]}"; do
	engine=$line
	[[ $line == auto ]] && engine=${lines[0]}
	delay chosen --min-ms 5 --max-ms 5 --line "$line"
	check_eq "line: $line is $engine, when injected" "$(event_of chosen injected | jq -r .engine)" "$engine"
	check_eq "line: $line is $engine, in bpf-status" "$(our_faults | jq -r .engine)" "$engine"
	revert chosen
	check_eq "line: $line is $engine, in the evidence" \
		"$(evidence chosen '"\(.engine) \(.devices[0].egress.line.engine)"')" "$engine $engine"
	check_eq "line: $line says nothing else" "$(cat "$work/chosen.err")" ""
done

# --- A bulk flow across inject and revert ---------------------------------------------------------------------
iperf_start
for line in "${lines[@]}"; do
	before=$(counter n1 TcpExtTCPTimeouts)
	bulk_start -i $stall || not_ok "bulk, $line: it runs"
	for round in 1 2; do
		sleep 0.5
		delay bulk --min-ms 20 --max-ms 20 --line "$line"
		sleep 1
		wait_for 5 has_hit 100
		revert bulk
		check_number "bulk, $line, round $round: delayed" "$(evidence bulk .hit) > 0"
		check_eq "bulk, $line, round $round: all of it came back" \
			"$(evidence bulk '.devices[0].egress | .hit - .line.delivered')" 0
	done
	sleep $stall
	bulk_end
	check_eq "bulk, $line: not reset" "$(jq -r .error "$work/iperf")" "$bulk_ended"
	check_number "bulk, $line: never stalled for $stall s" \
		"$(jq --argjson stall "$stall" '[.intervals[].sum | select(.seconds > $stall * 0.8).bytes] | min' "$work/iperf") > 0"
	diag "$line: $(jq '.end.sum_sent.bits_per_second / 1e6 | floor' "$work/iperf") Mbit/s, $(($(counter n1 TcpExtTCPTimeouts) - before)) timeouts"
done

# --- fq alone -------------------------------------------------------------------------------------------------
if ((${#lines[@]} == 1)); then
	inject_start none latency --for 60s --netns "$(ns n1)" --peer "$(address4 n2)" --min-ms 5 --max-ms 5 --line fq
	inject_end none
	check_eq "line: fq without sch_fq" "$inject_status $(cat "$work/none.err")" \
		"1 eval: error: this kernel has no sch_fq (CONFIG_NET_SCH_FQ), which line: fq needs: use line: tap or auto"
	skip "fq line" "this kernel has no sch_fq"
	done_testing
	exit
fi

# --- Pacing -----------------------------------------------------------------------------------------------------
# With fq on the device, TCP leaves pacing to fq, but packets that return from a line bypass fq.
in_ns n1 tc qdisc replace dev eth0 root fq
for line in fq tap; do
	bulk_start -i $stall --fq-rate 20M || not_ok "paced, $line: it runs"
	sleep 3
	delay paced --min-ms 20 --max-ms 20 --line $line
	sleep 3
	wait_for 5 has_hit 101
	revert paced
	sleep 3
	bulk_end
	check_number "paced, $line: the fault has hit" "$(evidence paced .hit) > 100"
	rates=$(jq -c --argjson stall "$stall" '[.intervals[].sum | select(.start > 2 and .seconds > $stall * 0.8).bits_per_second /
		1e6 | floor]' "$work/iperf")
	check_number "paced, $line: 20 Mbit/s stay 20 during and after the fault: $rates" "$(jq max <<<"$rates") < 45"
done
in_ns n1 tc qdisc del dev eth0 root

# Prints fq's limit, flow_limit and horizon, from the line's private namespace, which only its process holds.
fq_of() {
	local file
	find "/proc/$(pid_of "$1")/fd" -lname 'net:*' | while read -r file; do
		nsenter --net="$file" tc -j qdisc show dev evlinefar 2>/dev/null
	done | jq -r '.[] | select(.kind == "fq").options | "\(.limit) \(.flow_limit) \(.horizon)"'
}
# fq_holds NAME MILLISECONDS: the limits are 256 MiB at 1 KiB per packet. The horizon must cover the delay and up to 5 s of
# pacing before it, because fq would send packets due after the horizon too early.
fq_holds() {
	local limit flow_limit horizon_us
	read -r limit flow_limit horizon_us < <(fq_of "$1")
	check_eq "fq, $2 ms: limits" "$limit $flow_limit" "262144 262144"
	check_number "fq, $2 ms: horizon: $horizon_us us" "$horizon_us >= $2 * 1000 + 5000000 && $horizon_us <= $2 * 1000 + 6000000"
}

# For delays above 1 s auto takes a TAP line, which releases its packets at once; fq cannot.
delay long --min-ms 1 --max-ms 1001
check_eq "longer than 1 s: tap" "$(event_of long injected | jq -r .engine)" tap
revert long
delay long --min-ms 9000 --max-ms 9000 --line fq
fq_holds long 9000
in_ns n1 "$traffic" datagrams -n 10 -i 100 "$(address4 n2)"
before=$(now_ms)
revert long
took=$(($(now_ms) - before))
check_number "fq, 9 s: revert waits at most 2 s: $took ms" "$took < 2000 + 500 + 500 * $late_ms"
check_eq "fq, 9 s: what is still held then is counted as dropped" \
	"$(evidence long '.devices[0].egress | "\(.hit) \(.line.delivered) \(.line.line_dropped)"')" "10 0 10"
delay second --min-ms 1000 --max-ms 1000 --line fq
before=$(datagrams_at n2 7000)
in_ns n1 "$traffic" datagrams -n 10 -i 100 "$(address4 n2)"
revert second
arrived() { (($(datagrams_at n2 7000) == before + 10)); }
check "fq, 1 s: what is in the line at revert is delivered" wait_for 2 arrived

# Packets that another program sends on the line's device do not leave the node.
delay strange --min-ms 1 --max-ms 20
fq_holds strange 20
in_ns n1 ping -n -c 3 -i 0.1 -W 1 -I evline0 "$(address4 n2)" >/dev/null 2>&1
revert strange
check_eq "what a program says on the line itself does not leave" \
	"$(evidence strange '.devices[0].egress | .line.delivered - .hit')" 0
check_eq "the line's device is silent" "$(evidence strange .devices[0].egress.line.held_packets)" 0

# A burst overruns the queue between the line's ends. Delays are drawn from 0 to 200 ms: when a shorter delay follows a longer
# one, many packets leave together.
none_held() { (($(our_faults | jq '.egress.line | .held_packets + .held_bytes') == 0)); }
if [[ -n ${EVAL_GUEST:-} ]]; then
	backlog=$(sysctl -n net.core.netdev_max_backlog)
	on_cleanup sysctl -q -w "net.core.netdev_max_backlog=$backlog"
	sysctl -q -w net.core.netdev_max_backlog=10
	delay lossy --min-ms 0 --max-ms 200
	in_ns n1 "$traffic" datagrams -n 20000 -i 0 "$(address4 n2)"
	check "lost on the way: is no longer held" wait_for 3 none_held
	lost=$(our_faults | jq .egress.line.line_dropped)
	check_number "lost on the way: $lost, counted while live" "$lost > 0"
	sysctl -q -w "net.core.netdev_max_backlog=$backlog"
	revert lossy
	check_eq "lost on the way: what was hit was delivered or counted as dropped" \
		"$(evidence lossy '.devices[0].egress | .hit - .line.delivered - .line.line_dropped')" 0
else
	skip "lost on the way" "it sets a sysctl that a host's other users need"
fi

# Sends more than the line holds, in frames so large that the test is done before the delay is over.
for node in n1 n2; do
	in_ns $node ip link set eth0 mtu 62000
	ip -n "$(ns sw)" link set $node mtu 62000
done
delay full --min-ms 10000 --max-ms 10000 --line fq
began=$(now_ms)
in_ns n1 "$traffic" datagrams -n 5000 -s 60000 -i 0 "$(address4 n2)"
took=$(($(now_ms) - began))
held=$(our_faults | jq .egress.line.held_bytes)
check_number "full line: $((held >> 20)) MiB held" "$held > 200 * 2^20 && $held <= 256 * 2^20"
diag "full line: sent in $took ms, looked at after $(($(now_ms) - began)) ms"
check_number "full line: dropped, counted while live" "$(our_faults | jq .egress.line.line_dropped) > 0"
revert full
check_eq "full line: what was hit was delivered or counted as dropped" \
	"$(evidence full '.devices[0].egress | .hit - .line.delivered - .line.line_dropped')" 0
check "nothing is left" wait_for 3 nothing_left_in n1
done_testing

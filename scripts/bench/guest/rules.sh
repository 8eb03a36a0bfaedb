#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the cost of a packet against the number of rules, for netem with u32 filters and for our line.
source "$(dirname "$0")/../lib.sh" && begin

ours=${LINE:-fq}
rounds=5
delay_ms=20
network_up
large_windows
iperf_serve
# The stranger does not exist: packets to its fixed MAC address are dropped at the other end of the veth pair.
printf '%s\n' "neigh add $stranger_address lladdr 02:00:00:00:00:77 dev eth0 nud permanent" "route add 10.79.0.0/16 dev eth0" |
	ip -netns "$target" -batch - || die "cannot set up the stranger"

# addresses COUNT: prints COUNT addresses; the peer's is the last.
addresses() {
	awk -v count="$1" -v last="$peer_address" 'BEGIN {
		for (i = 1; i < count; i++)
			printf "10.79.%d.%d\n", i / 250, i % 250 + 1
		print last
	}'
}

# A new priority for every 4,000 filters, because a u32 table holds at most 4,095.
netem_tree() {
	echo "qdisc add dev eth0 root handle 1: prio bands 4 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
	echo "qdisc add dev eth0 parent 1:4 handle 40: netem limit $netem_limit delay ${delay_ms}ms"
	addresses "$1" | awk '{
		printf "filter add dev eth0 parent 1: protocol ip prio %d u32 match ip dst %s/32 flowid 1:4\n",
			NR / 4000 + 1, $1
	}'
}

# 250 addresses per peer, because a list takes at most 256 entries.
campaign() {
	cat <<-END
		trials_per_combination: 1
		subjects:
		  - name: pair
		    reset: "true"
		    ready: "true"
		    nodes: [{name: n1, address: $target_address, netns: $target}]
		    peers:
		$(addresses "$1" | paste -s -d "$(printf '%0*d' 249 0 | tr 0 ,)\n" |
			awk '{ printf "      - {name: p%d, address: [%s]}\n", NR, $1 }')
		chaos_types: [{type: latency, target: n1, params: {min_ms: $delay_ms, max_ms: $delay_ms}}]
	END
}

# rules_start WAY COUNT
rules_start() {
	if [[ $1 == netem ]]; then
		netem_tree "$2" >"$work/batch"
		in_target tc -batch "$work/batch" || die "cannot set netem up with $2 filters"
	else
		campaign "$2" >"$work/rules.yaml"
		fault_begin latency --config "$work/rules.yaml" --node n1 --line "$1" --min-ms "$delay_ms" --max-ms "$delay_ms"
	fi
}

# unmatched: ns per packet to the stranger, the median of the rounds.
unmatched() {
	local i
	for ((i = 0; i < rounds; i++)); do
		in_target "$TOOLS/send_cost" "$stranger_address" 500 || die "cannot send"
	done >"$work/unmatched"
	"$TOOLS/stats" median <"$work/unmatched" | cut -f 1
}

matched() {
	iperf_run --omit 2 --time 3
	jq -r '.end.sum_received.bits_per_second / 1e6' "$work/iperf"
}

# measure WAY COUNT
measure() {
	local bare ns mbit
	bare=$(unmatched) || exit 1
	rules_start "$1" "$2"
	ns=$(unmatched) || exit 1
	mbit=$(matched) || exit 1
	delay_stop "$1" >&2
	say "$1, $2 rules: $bare, then $ns ns a packet, $mbit Mbit/s"
	row "$2" "$1" "$(round 0 "$bare")" "$(round 0 "$ns")" "$(round 0 "$(awk "BEGIN { print $ns - $bare }")")" \
		"$(round 1 "$mbit")"
}

cat <<END
## Cost against the number of rules, Linux $(uname -r)

Each peer has one rule. netem is below a prio qdisc with one u32 filter per peer; the filters form a list. Unmatched packets
go to an address that no rule matches and are sent back to back. Their cost is the sender's time per packet in nanoseconds,
right before and with the rules: medians of $rounds runs of half a second. The matched flow is one TCP flow that the last rule
delays by $delay_ms ms.

END
row rules "delayed by" "unmatched packet before, ns" "with rules, ns" "difference, ns" "matched flow, Mbit/s"
row ---: --- ---: ---: ---: ---:
for count in 1 1000 10000; do
	measure netem "$count"
	measure "$ours" "$count"
done

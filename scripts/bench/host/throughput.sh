#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the throughput of one TCP flow with a fault that does not match it, and through the delay line.
source "$(dirname "$0")/../lib.sh" && begin

pairs=${ROUNDS:-11}
seconds=2
network_up
iperf_serve

# Prints the Gbit/s that arrived at the peer, and the number of retransmits.
iperf() {
	iperf_run --time "$1"
	jq -r '"\(.end.sum_received.bits_per_second / 1e9) \(.end.sum_sent.retransmits)"' "$work/iperf"
}

detached() {
	iperf "$seconds"
}

attached() {
	fault_start "${fault[@]}" --peer "$stranger_address"
	iperf "$seconds"
	fault_stop >&2
}

# median_of COLUMN FILE
median_of() {
	round 2 "$(awk -v column="$1" '{ print $column }' "$2" | "$TOOLS/stats" median | cut -f 1)"
}

# compare NAME TYPE OPTION…: prints a row from pairs of runs without and with the fault.
compare() {
	local name=$1 fault=("${@:2}") i without with
	for ((i = 0; i < pairs; i++)); do
		if ((i % 2)); then
			attached >"$work/with" && detached >"$work/without"
		else
			detached >"$work/without" && attached >"$work/with"
		fi || exit 1
		read -r without _ <"$work/without"
		read -r with _ <"$work/with"
		echo "$without $with"
	done >"$work/pairs"
	read -r ratio low high _ < <("$TOOLS/stats" ratio <"$work/pairs")
	row "$name" "$(median_of 1 "$work/pairs")" "$(median_of 2 "$work/pairs")" \
		"$(round 3 "$ratio")" "$(round 3 "$low") to $(round 3 "$high")"
}

# through NAME [TYPE OPTION…]: prints a row from three runs, each long enough for TCP's window to grow.
through() {
	local i
	(($# == 1)) || fault_start "${@:2}" --peer "$peer_address"
	for ((i = 0; i < 3; i++)); do
		iperf 5 || exit 1
	done >"$work/runs"
	(($# == 1)) || fault_stop
	row "$1" "$(median_of 1 "$work/runs")" \
		"$(awk '{ printf "%s%.2f", (NR > 1 ? ", " : ""), $1 }' "$work/runs")" \
		"$(awk '{ printf "%s%d", (NR > 1 ? ", " : ""), $2 }' "$work/runs")"
}

cat <<END
## Throughput: attached, but not matched

iperf3, one TCP flow over veth between two namespaces; $pairs pairs of runs of $seconds s each, without a fault and with a fault that
targets another peer. Values in Gbit/s, medians.

END
row fault detached attached ratio "95 %"
row --- ---: ---: ---: ---:
compare "latency, both directions" latency --min-ms 20 --max-ms 80 --direction both
compare "network_partition, tc" network_partition
cat <<END

\`engine: xdp\` is not measured: on veth, any native XDP program switches the peer's segmentation offload off.

## Throughput: through the delay line

The same flow, delayed on egress; three runs of 5 s each. At longer delays TCP's window limits the throughput.

END
row delay "median Gbit/s" "runs" retransmits
row --- ---: ---: ---:
through none
for ms in 0 20 100; do
	through "$ms ms" latency --min-ms "$ms" --max-ms "$ms"
done

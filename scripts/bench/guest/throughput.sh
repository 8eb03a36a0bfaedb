#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the throughput of one TCP flow and its processor time, delayed by netem and by our line.
source "$(dirname "$0")/../lib.sh" && begin

ours=${LINE:-fq}
pairs=${ROUNDS:-11}
network_up
large_windows
iperf_serve

# The non-idle time of all processors, in jiffies.
busy() {
	awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9 }' /proc/stat
}

# run WAY MS: prints Gbit/s received, processor seconds per GB moved, and retransmits.
run() {
	local before after
	delay_start "$1" "$2" "$2"
	before=$(busy)
	iperf_run --omit 2 --time 3
	after=$(busy)
	delay_stop "$1" >&2
	jq -r --argjson jiffies "$((after - before))" '"\(.end.sum_received.bits_per_second / 1e9) " +
		"\($jiffies / 100 / ([.intervals[].sum.bytes] | add / 1e9)) \(.end.sum_sent.retransmits)"' "$work/iperf"
}

# compare MS: writes pairs of runs to $work/pairs, netem's figures first; which of the two runs first alternates.
compare() {
	local i theirs=netem
	: >"$work/pairs"
	for ((i = 0; i < pairs; i++)); do
		if ((i % 2)); then
			run "$ours" "$1" >"$work/ours" && run "$theirs" "$1" >"$work/theirs"
		else
			run "$theirs" "$1" >"$work/theirs" && run "$ours" "$1" >"$work/ours"
		fi || exit 1
		paste -d ' ' "$work/theirs" "$work/ours" >>"$work/pairs"
	done
	say "throughput at $1 ms: Gbit/s, s/GB, sent again; $theirs, then $ours:"
	sed 's/^/bench:   /' "$work/pairs" >&2
}

column() {
	awk -v column="$1" '{ print $column }' "$work/pairs" | "$TOOLS/stats" median | cut -f 1
}

sum() {
	awk -v column="$1" '{ sum += $column } END { print sum + 0 }' "$work/pairs"
}

# ratio COLUMN COLUMN: the ratio of the second to the first, with its interval.
ratio() {
	local mean low high
	read -r mean low high _ < <(awk -v a="$1" -v b="$2" '{ print $a, $b }' "$work/pairs" | "$TOOLS/stats" geomean)
	echo "$(round 3 "$mean") ($(round 3 "$low") to $(round 3 "$high"))"
}

cat <<END
## Throughput, Linux $(uname -r)

iperf3, one TCP flow, delayed on egress by netem or by the $ours line: $pairs pairs of runs. Each run lasts 3 s, after 2 s that are
not counted. TCP's windows may grow to 64 MiB, so that they are not the limit. Gbit/s and processor seconds per GB are
medians. Ratios are ours to netem's: geometric mean and its 95 % interval.

END
row delay "netem Gbit/s" "$ours Gbit/s" "throughput, ours ÷ netem's" "netem s/GB" "$ours s/GB" "processor time, ours ÷ netem's" \
	"retransmits, netem" "$ours"
row ---: ---: ---: ---: ---: ---: ---: ---: ---:
for ms in ${DELAYS:-0 20 100}; do
	compare "$ms"
	row "$ms ms" "$(round 3 "$(column 1)")" "$(round 3 "$(column 4)")" "$(ratio 1 4)" "$(round 2 "$(column 2)")" \
		"$(round 2 "$(column 5)")" "$(ratio 2 5)" "$(sum 3)" "$(sum 6)"
done

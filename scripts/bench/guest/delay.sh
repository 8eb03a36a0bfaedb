#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the precision of delays by netem and by our lines, in round trips.
source "$(dirname "$0")/../lib.sh" && begin

read -ra ways <<<"${WAYS:-netem fq tap}"
rounds=8
count=$((${COUNT:-2000} / rounds))
interval_ms=5
network_up

rtt() {
	in_target "$TOOLS/rtt" "$peer_address" "$count" "$interval_ms" || die "no round trips"
}

# measure MIN_MS MAX_MS [OPTION…]: writes each round trip minus the round's undelayed median to $work/delay-WAY, and the 99th
# percentile of each round minus MIN_MS to $work/p99-WAY. Every round starts with another way.
measure() {
	local base round i way
	rm -f "$work"/delay-* "$work"/p99-*
	for ((round = 0; round < rounds; round++)); do
		rtt >"$work/base"
		base=$("$TOOLS/stats" median <"$work/base" | cut -f 1)
		echo "$base" >>"$work/delay-base"
		for ((i = 0; i < ${#ways[@]}; i++)); do
			way=${ways[(round + i) % ${#ways[@]}]}
			delay_start "$way" "$@"
			rtt >"$work/rtt"
			delay_stop "$way"
			awk -v base="$base" '{ print $1 - base }' "$work/rtt" | tee -a "$work/delay-$way" |
				"$TOOLS/stats" summary | awk -v ms="$1" '{ print $3 - ms }' >>"$work/p99-$way"
		done
	done
	base=$("$TOOLS/stats" median <"$work/delay-base" | cut -f 1)
	say "$1–$2 ms: undelayed $base ms"
}

micros() {
	awk -v ms="$1" 'BEGIN { printf "%.0f", ms * 1000 }'
}

# fixed MS
fixed() {
	local mean p50 p99 ratio low high
	measure "$1" "$1"
	for way in "${ways[@]}"; do
		read -r mean p50 p99 _ < <(awk -v ms="$1" '{ print $1 - ms }' "$work/delay-$way" | "$TOOLS/stats" summary)
		read -r ratio low high _ < <(paste "$work/p99-${ways[0]}" "$work/p99-$way" | "$TOOLS/stats" geomean)
		row "$1 ms" "$way" "$(micros "$mean")" "$(micros "$p50")" "$(micros "$p99")" \
			"$(round 2 "$ratio") ($(round 2 "$low") to $(round 2 "$high"))"
	done
}

cat <<END
## Precision, Linux $(uname -r)

$((count * rounds)) echo requests for each row of the table, $interval_ms ms apart, in $rounds rounds. Each round has its own base: the median of
$count undelayed round trips. The error of a request is its round-trip time minus the base, minus the delay. Values in
microseconds. The ratio compares the 99th percentiles of the rounds: geometric mean and its 95 % interval.

END
row delay "delayed by" "error, mean" p50 p99 "p99 ÷ ${ways[0]}'s"
row ---: --- ---: ---: ---: ---:
for ms in 5 20 100; do
	fixed "$ms"
done

measure 20 80 --reorder
cat <<END

Random delays from 20 to 80 ms with a draw for each packet: netem with jitter, our lines with \`reorder: true\`. D is the
Kolmogorov–Smirnov distance to the uniform distribution (by chance, it exceeds $(awk -v n="$((count * rounds))" 'BEGIN { printf "%.3f", 1.358 / sqrt(n) }') once in twenty times).
The expected values are in parentheses.

END
row "delayed by" "mean (50)" "p50 (50)" "p99 (79.4)" D
row --- ---: ---: ---: ---:
for way in "${ways[@]}"; do
	read -r mean p50 p99 _ < <("$TOOLS/stats" summary <"$work/delay-$way")
	read -r distance _ < <("$TOOLS/stats" uniform 20 80 <"$work/delay-$way")
	row "$way" "$(round 2 "$mean") ms" "$(round 2 "$p50") ms" "$(round 2 "$p99") ms" "$(round 3 "$distance")"
done

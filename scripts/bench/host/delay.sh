#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the precision of fixed and of spread delays.
source "$(dirname "$0")/../lib.sh" && begin

count=${COUNT:-300}
network_up

# The undelayed median, in ms. Measured right before each delay, because it changes with the machine's load.
base() {
	in_target "$TOOLS/rtt" "$peer_address" "$count" 10 | "$TOOLS/stats" median | cut -f 1
}

# fixed MS: prints a row with the error of single round trips, in µs.
fixed() {
	local base
	base=$(base)
	fault_start latency --min-ms "$1" --max-ms "$1" --peer "$peer_address"
	in_target "$TOOLS/rtt" "$peer_address" "$count" 20 >"$work/rtt" || exit 1
	fault_stop
	awk -v base="$base" -v delay="$1" '{ print ($1 - base - delay) * 1000 }' "$work/rtt" >"$work/errors"
	read -r mean p50 p99 max _ < <("$TOOLS/stats" summary <"$work/errors")
	row "$1 ms" "$(round 0 "$(awk "BEGIN { print $base * 1000 }")")" "$(round 0 "$mean")" "$(round 0 "$p50")" \
		"$(round 0 "$p99")" "$(round 0 "$max")"
}

cat <<END
## Precision

$count echo requests, 20 ms apart, through a fixed egress delay. The error of a request is its round-trip time minus the delay, minus
the median of $count undelayed round trips measured right before. Values in microseconds.

END
row delay "undelayed, median" "error, mean" p50 p99 max
row --- ---: ---: ---: ---: ---:
for ms in 5 20 50 100; do
	fixed "$ms"
done

base=$(base)
fault_start latency --min-ms 20 --max-ms 80 --peer "$peer_address"
in_target "$TOOLS/rtt" "$peer_address" "$count" 100 >"$work/rtt" || exit 1
fault_stop
low=$(awk "BEGIN { print 20 + $base }")
high=$(awk "BEGIN { print 80 + $base }")
read -r distance _ < <("$TOOLS/stats" uniform "$low" "$high" <"$work/rtt")
read -r mean p50 _ < <("$TOOLS/stats" summary <"$work/rtt")
cat <<END

Random delays from 20 to 80 ms, $count echo requests 100 ms apart, so that each gets its own draw: mean $(round 2 "$mean") ms,
median $(round 2 "$p50") ms, undelayed $(round 2 "$base") ms. The Kolmogorov–Smirnov distance D to the uniform distribution is
$(round 3 "$distance") (by chance, D exceeds $(awk "BEGIN { printf \"%.3f\", 1.358 / sqrt($count) }") once in twenty times).
END

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# For the benchmarks in guests: sets the same delay by netem or by our lines.
source "$(dirname "${BASH_SOURCE[0]}")/../bench/common.sh"

# netem's default limit of 1,000 packets would drop most of a fast flow.
netem_limit=1000000

say() {
	echo "bench: $(uname -r): $*" >&2
}

# Otherwise TCP's window, not the delay line, would limit the throughput at long delays.
large_windows() {
	local name
	for name in "$target" "$peer"; do
		nsenter --net="/run/netns/$name" -- sysctl -q net.ipv4.tcp_rmem="4096 131072 67108864" \
			net.ipv4.tcp_wmem="4096 65536 67108864" || die "cannot set TCP's windows"
	done
}

# delay_start WAY MIN_MS MAX_MS [OPTION…]: delays the target's egress to the peer; WAY is netem or one of our lines (fq, tap).
delay_start() {
	if [[ $1 == netem ]]; then
		in_target tc qdisc add dev eth0 root netem limit "$netem_limit" \
			delay "$(awk "BEGIN { print ($2 + $3) / 2 }")ms" "$(awk "BEGIN { print ($3 - $2) / 2 }")ms" ||
			die "cannot set netem up"
	else
		fault_start latency --line "$1" --min-ms "$2" --max-ms "$3" --peer "$peer_address" "${@:4}"
	fi
}

delay_stop() {
	if [[ $1 == netem ]]; then
		in_target tc qdisc delete dev eth0 root
	else
		fault_stop
	fi
}

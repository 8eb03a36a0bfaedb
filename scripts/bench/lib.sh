# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# For the benchmarks: documents, two namespaces connected by a veth pair, faults held in the background, tables, netem.
#
# A part starts with: source "$(dirname "$0")/../lib.sh" && begin
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

# --- Documents ------------------------------------------------------------------------------------------------
# Markdown sections, each after a comment with its name, that can be replaced one by one.

# section_of DOCUMENT NAME: prints a section's text.
section_of() {
	[[ ! -f $1 ]] || awk -v marker="<!-- $2 -->" '
		/^<!-- [a-z0-9.]+ -->$/ { inside = $0 == marker; next }
		inside && !NF { gap = gap "\n"; next }
		inside { printf "%s%s\n", gap, $0; gap = "" }' "$1"
}

# document_write DOCUMENT SECTIONS NAME… <INTRODUCTION: SECTIONS is a folder with the new sections; keeps the others.
document_write() {
	local document=$1 sections=$2 name text
	shift 2
	{
		cat
		for name; do
			if [[ -f $sections/$name ]]; then
				text=$(<"$sections/$name")
			else
				text=$(section_of "$document" "$name")
			fi
			[[ -z $text ]] || printf '\n<!-- %s -->\n%s\n' "$name" "$text"
		done
	} >"$document.new" && mv "$document.new" "$document"
}

# --- Two namespaces -------------------------------------------------------------------------------------------

# begin: names the namespaces of a part, and removes at its end what it made.
begin() {
	: "${EVAL:?run scripts/bench.sh}" "${TOOLS:?}"
	prefix=evbench$$
	target=$prefix-t
	peer=$prefix-p
	work=$(mktemp -d "${TMPDIR:-/tmp}/eval-bench.XXXXXX") || exit 1
	fault_pid=
	server_pid=
	trap remove_all EXIT
	trap 'exit 130' INT TERM HUP
}

target_address=10.78.0.1
peer_address=10.78.0.2
# No host has this address, but it routes to the device: a fault against it attaches there and matches nothing.
# shellcheck disable=SC2034 # for benchmarks
stranger_address=10.78.0.77

die() {
	echo "bench: $*" >&2
	exit 1
}

remove_all() {
	local pid name
	for pid in $fault_pid $server_pid; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	for name in "$target" "$peer"; do
		[[ ! -e /run/netns/$name ]] || ip netns delete "$name"
	done
	rm -rf "$work"
}
in_target() { nsenter --net="/run/netns/$target" -- "$@"; }

network_up() {
	printf 'netns add %s\n' "$target" "$peer" | ip -batch - || die "cannot make the namespaces"
	printf '%s\n' "link add eth0 type veth peer name eth0 netns $peer" "addr add $target_address/24 dev eth0" \
		"link set eth0 up" | ip -netns "$target" -batch - || die "cannot make the devices"
	printf '%s\n' "addr add $peer_address/24 dev eth0" "link set eth0 up" | ip -netns "$peer" -batch - ||
		die "cannot set up the peer"
	wait_for 5 in_target "$TOOLS/rtt" "$peer_address" 1 1 || die "no way from $target to $peer"
}

# wait_for SECONDS COMMAND…
wait_for() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/./} < deadline)) || return 1
		sleep 0.02
	done
}

# fault_start TYPE OPTION…: injects in the target's namespace; returns once the fault is live. fault_stop ends it.
fault_start() {
	fault_begin "$@" --netns "$target"
}

# fault_begin TYPE OPTION…: the same, but the options name the target.
fault_begin() {
	: >"$work/fault" # empties it of the previous fault's output
	"$EVAL" inject "$@" --for 10m >>"$work/fault" 2>&1 &
	fault_pid=$!
	wait_for 20 grep -qE 'Ctrl\+C|"event": ?"injected"' "$work/fault" || die "cannot inject $*: $(cat "$work/fault")"
}

# Dies if the fault has already ended by itself (its lease or its time), as the measurement is then void.
fault_stop() {
	local status=0
	kill -TERM "$fault_pid" 2>/dev/null
	wait "$fault_pid" || status=$?
	fault_pid=
	((status == 130)) || die "the fault had ended by itself ($status): $(cat "$work/fault")"
}

iperf_serve() {
	nsenter --net="/run/netns/$peer" -- iperf3 --server --bind "$peer_address" >"$work/server" 2>&1 &
	server_pid=$!
}

# iperf_run OPTION…: runs iperf3 from the target to the peer, with its JSON in $work/iperf. Retries while the server is busy
# with the previous run.
iperf_run() {
	local tries=0
	until in_target iperf3 --client "$peer_address" "$@" --json >"$work/iperf" 2>&1; do
		((++tries < 50)) || die "iperf3: $(cat "$work/iperf")"
		sleep 0.1
	done
}

# row CELL…: prints a row of a Markdown table.
row() {
	printf '|'
	printf ' %s |' "$@"
	echo
}

# round DIGITS NUMBER
round() {
	printf '%.*f' "$1" "$2"
}

# --- netem beside our lines, in guests ------------------------------------------------------------------------

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

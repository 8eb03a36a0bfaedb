#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the time that `eval cleanup --now` takes to stop many faults.
source "$(dirname "$0")/../lib.sh" && begin

faults=${FAULTS:-50} tries=${TRIES:-5}
holders=()

remove_nodes() {
	local i
	((${#holders[@]} == 0)) || kill -KILL "${holders[@]}" 2>/dev/null
	for ((i = 0; i < faults; i++)); do
		[[ ! -e /run/netns/$prefix-$i ]] || ip netns delete "$prefix-$i"
	done
	remove_all
}
trap remove_nodes EXIT

for ((i = 0; i < faults; i++)); do
	ip netns add "$prefix-$i" || die "cannot make the namespaces"
	printf '%s\n' "link add eth0 type veth peer name eth1" "addr add $target_address/24 dev eth0" "link set eth1 up" \
		"link set eth0 up" | ip -netns "$prefix-$i" -batch - || die "cannot make the devices"
done

cat <<END
## An emergency stop of $faults faults

\`eval cleanup --now\` with $faults live partitions, each in its own namespace; $tries tries, median and maximum in milliseconds. *First*:
from the start of the command until the first control block says that its fault is over. *Last*: from there until all say so.
*Command*: the whole command, which also detaches the hooks.

END
row first max last max command max
row ---: ---: ---: ---: ---: ---:
for ((try = 0; try < tries; try++)); do
	holders=()
	for ((i = 0; i < faults; i++)); do
		: >"$work/holder$i"
		"$EVAL" inject network_partition --for 10m --netns "$prefix-$i" --peer "$peer_address" >"$work/holder$i" 2>&1 &
		holders+=("$!")
		# Start them five at a time; all at once, they would starve each other for longer than a lease.
		((i % 5)) || wait_for 60 grep -q 'Ctrl+C' "$work/holder$i" || die "cannot inject: $(cat "$work/holder$i")"
	done
	"$TOOLS/stop_spread" "$faults" "$EVAL" cleanup --now >>"$work/times" 2>"$work/said" || die "$(tail -n 3 "$work/said")"
	wait "${holders[@]}"
	holders=()
done
cells=()
for column in 1 2 3; do
	read -r _ p50 _ max _ < <(cut -d ' ' -f "$column" "$work/times" | "$TOOLS/stats" summary)
	cells+=("$(round 2 "$p50")" "$(round 2 "$max")")
done
row "${cells[@]}"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 150 s
# What a fault attaches goes again and leaves others' alone: tcx links, or before Linux 6.6 clsact filters, which a guard
# removes where the process is killed and the next eval where the guard is killed, too.
# shellcheck source=tests/lib.sh
source "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/netlib.sh
source "$(dirname "$0")/../netlib.sh"

make_nodes 2
n1=$(ns n1)
in_ns n1 ping -n -c 1 -W 1 "$(address4 n2)" >/dev/null
has_tcx=$("$eval_bin" bpf-status --json | jq -r '.features[] | select(.name == "tcx") | .usable')
device=eth0 peer=$(address4 n2)

filters() { in_ns n1 tc filter show dev eth0 "$1"; }
our_filters() { { filters ingress; filters egress; } | grep -c 'handle 0xeba'; }
qdiscs() { in_ns n1 tc -j qdisc show dev "$device" | jq -c '.[]'; }
ours_are_gone() { [[ $(our_filters) == 0 ]]; }
has_clsact() { qdiscs | grep -q clsact; }
no_filters() { ours_are_gone && ! has_clsact; }
pings() { in_ns n1 ping -n -q -c "${1:-2}" -i 0.05 -W 1 "$(address4 n2)" >/dev/null; }
guard_of() { cat "/proc/$1/task/$1/children"; }
links() { bpftool --json link show | jq -r '.[] | "link \(.type) \(.devname // "") \(.attach_type // "")"' | sort; }
state() { network_state "$n1"; ip netns list | sort; links; bpf_state; }

# --- Root qdiscs -------------------------------------------------------------------------------------------------
# name, what makes it
root_qdisc() {
	case $1 in
	htb)
		in_ns n1 tc qdisc add dev eth0 root handle 1: htb default 10
		in_ns n1 tc class add dev eth0 parent 1: classid 1:10 htb rate 1gbit
		in_ns n1 tc class add dev eth0 parent 1: classid 1:20 htb rate 1gbit
		in_ns n1 tc filter add dev eth0 parent 1: protocol ip prio 1 handle 7 fw flowid 1:20 2>/dev/null ||
			diag "no cls_fw here: htb without marks"
		;;
	mq)
		device=mq0 peer=10.97.0.2
		in_ns n1 ip link add mq0 numtxqueues 2 type veth peer name mq0 netns "$(ns n2)"
		in_ns n1 ip addr add 10.97.0.1/24 dev mq0
		in_ns n1 ip link set mq0 up
		in_ns n2 ip link set mq0 up
		in_ns n1 tc qdisc add dev mq0 root mq
		;;
	*) in_ns n1 tc qdisc add dev eth0 root "$1" ;;
	esac
}
for root in noqueue htb fq_codel mq; do
	[[ $root == noqueue ]] || root_qdisc "$root" 2>/dev/null || { skip "$root: stays as it is" "no $root here"; continue; }
	before=$(qdiscs)
	ok=1
	for kind in "latency --min-ms 100 --max-ms 100" network_partition; do
		# shellcheck disable=SC2086 # options
		inject f $kind --for 60s --netns "$n1" --peer "$peer" || ok=0
		[[ $(qdiscs | grep -v '"clsact"') == "$before" ]] || ok=0
		[[ $has_tcx == false ]] || ! has_clsact || ok=0
		revert f
		[[ $(qdiscs) == "$before" ]] || ok=0
	done
	check_eq "$root: before, during and after a fault it is the same" "$ok" 1
	[[ $root == noqueue ]] || in_ns n1 tc qdisc del dev "$device" root
done
device=eth0 peer=$(address4 n2)

# --- Somebody else's -----------------------------------------------------------------------------------------------
sent() { in_ns n1 tc -s filter show dev eth0 "$1" | awk '/Sent/ { n += $4 } END { print n + 0 }'; }
name="a filter of somebody else's"
if in_ns n1 tc qdisc add dev eth0 clsact &&
	in_ns n1 tc filter add dev eth0 ingress prio 1 matchall action continue 2>/dev/null &&
	in_ns n1 tc filter add dev eth0 egress prio 1 matchall action continue; then
	before=$(filters ingress; filters egress)
	inject_kind theirs latency 60s
	from=$(sent ingress)
	pings 5
	check_number "$name runs on" "$(sent ingress) >= $from + 5"
	check_eq "$name stays while a fault is live" "$( (filters ingress; filters egress) | grep -v 'bpf')" "$before"
	revert theirs
	check_number "the fault beside it has hit" "$(evidence theirs .hit) >= 5"
	check_eq "$name stays, and so does its clsact" "$(filters ingress; filters egress) $(has_clsact && echo clsact)" \
		"$before clsact"
	if [[ $has_tcx == false ]]; then
		inject_kind theirs partition 60s
		check_match "a priority that is taken is left to its owner" "$(filters egress)" 'pref 2 bpf.*handle 0xeba'
		kill -KILL "$(pid_of theirs)"
		check "SIGKILL: only ours goes" wait_for 5 ours_are_gone
		check_eq "SIGKILL: $name stays" "$(filters ingress; filters egress)" "$before"
		inject_end theirs
	fi
else
	skip "$name stays" "no cls_matchall here"
fi
in_ns n1 tc qdisc del dev eth0 clsact 2>/dev/null

# --- Twenty rounds ---------------------------------------------------------------------------------------------------
before=$(state)
kinds=("latency --min-ms 1 --max-ms 2 --direction both" network_partition "latency --min-ms 1 --max-ms 2 --line tap"
	"network_partition --engine xdp")
for ((round = 0; round < 20; round++)); do
	# shellcheck disable=SC2086 # options
	inject round ${kinds[round % 4]} --for 60s --netns "$n1" --peer "$peer"
	in_ns n1 ping -n -q -c 1 -W 0.1 "$peer" >/dev/null
	revert round
done
left() { [[ $(state) == "$before" ]]; }
if wait_for 3 left; then
	ok "20 rounds leave links, addresses, namespaces, qdiscs, filters, BPF links, programs and maps as they were"
else
	not_ok "20 rounds leave links, addresses, namespaces, qdiscs, filters, BPF links, programs and maps as they were" \
		"$(diff <(echo "$before") <(state))"
fi

# --- Two faults share a clsact ---------------------------------------------------------------------------------------
inject one latency --for 60s --netns "$n1" --peer "$(address4 n2)" --min-ms 100 --max-ms 100
inject two network_partition --for 60s --netns "$n1" --peer "$(address4 n2)" --allow stacked
check_fails "a partition beside a latency cuts" 1 pings
revert one
check_fails "it goes on when the latency is over" 1 pings
inject one latency --for 60s --netns "$n1" --peer "$(address4 n2)" --min-ms 100 --max-ms 100 --allow stacked
pings
revert two
check_eq "drops ran before delays" "$(evidence two .hit) $(our_faults | jq .egress.hit)" "$(evidence two .hit) 0"
revert one
check "the last of two takes the clsact along" no_filters

# --- Filters that somebody removed -------------------------------------------------------------------------------------
flush() { in_ns n1 tc filter del dev eth0 ingress; in_ns n1 tc filter del dev eth0 egress; }
if [[ $has_tcx == false ]]; then
	inject_kind flushed latency 60s
	flush
	inject_end flushed
	check_match "its filters are gone: it fails" "$inject_status $(cat "$work/flushed.err")" '^1 .*hooks on eth0 went away'
	check "its filters are gone: its clsact goes all the same" no_filters
	inject_kind flushed latency 60s
	kill -STOP "$(pid_of flushed)"
	flush
	kill -KILL "$(pid_of flushed)"
	inject_end flushed
	check "its filters are gone and it is killed: the guard removes its clsact" wait_for 3 no_filters
fi

# --- Killed ----------------------------------------------------------------------------------------------------------
watch_start w
if [[ $has_tcx == false ]]; then
	for kind in latency partition; do
		inject_kind both "$kind" 60s
		watch_mark w
		# shellcheck disable=SC2046 # a list
		kill -KILL $(guard_of "$(pid_of both)") "$(pid_of both)"
		inject_end both
		check "$kind, worker and guard killed: traffic is back" wait_for 6 is_normal_after w
		got=$(normal_after w)
		check_number "$kind, both killed: inert after the lease, $got ms" "$got <= 2500"
		check_number "$kind, both killed: its filters are left" "$(our_filters) > 0"
		check_match "$kind, both killed: the next eval of any kind removes them, and says so" \
			"$("$eval_bin" list --db "$work/none.db" 2>&1)" "eval: removed the filters of 1 fault whose process and guard were killed"
		check "$kind, both killed: nothing is left" no_filters
	done
fi
inject_kind stopped partition 60s
watch_mark w
# shellcheck disable=SC2046 # a list
kill -STOP $(guard_of "$(pid_of stopped)") "$(pid_of stopped)"
check "worker and guard stopped: traffic is back" wait_for 6 is_normal_after w
got=$(normal_after w)
check_number "worker and guard stopped: inert after the lease, $got ms" "$got > 1000 && $got <= 2500"
# shellcheck disable=SC2046 # a list
kill -CONT $(guard_of "$(pid_of stopped)") "$(pid_of stopped)"
inject_end stopped
check_match "continued: it fails with the reason" "$inject_status $(cat "$work/stopped.err")" '^1 .*was not live for'
check "continued: nothing is left" wait_for 3 no_filters
watch_end w

# --- A namespace without a name ----------------------------------------------------------------------------------------
spawn unshare --net sleep 300
nameless=$spawned
wait_for 5 bash -c "[[ \$(readlink /proc/$nameless/ns/net) != \$(readlink /proc/self/ns/net) ]]"
nsenter --net="/proc/$nameless/ns/net" ip link add eth0 type veth peer name eth1
nsenter --net="/proc/$nameless/ns/net" ip addr add 10.98.0.1/24 dev eth0
nsenter --net="/proc/$nameless/ns/net" ip link set eth0 up
name="a namespace without a name: a fault is live there"
if inject nameless network_partition --for 60s --netns "$nameless" --peer 10.98.0.2; then ok "$name"; else not_ok "$name"; fi
kill -KILL "$(pid_of nameless)"
inject_end nameless
nameless_is_clean() { ! nsenter --net="/proc/$nameless/ns/net" tc qdisc show | grep -q clsact; }
check "a namespace without a name: SIGKILL leaves nothing there" wait_for 5 nameless_is_clean
done_testing

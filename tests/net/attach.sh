#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 300 s
# A fault detaches everything that it attached and leaves others' programs alone: tcx links or, before Linux 6.6, clsact
# filters. The guard removes the filters if the process is killed, the next eval if the guard is killed too.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
n1=$(ns n1)
in_ns n1 ping -n -c 1 -W 1 "$(address4 n2)" >/dev/null
filters() { in_ns n1 tc filter show dev eth0 "$1"; }
our_filters() { { filters ingress; filters egress; } | grep -c 'handle 0xeba'; }
ours_are_gone() { [[ $(our_filters) == 0 ]]; }
has_clsact() { [[ $(clsacts_in n1) != 0 ]]; }
no_filters() { ours_are_gone && ! has_clsact; }
pings() { in_ns n1 ping -n -q -c "${1:-2}" -i 0.05 -W 1 "$(address4 n2)" >/dev/null; }
pids_of() { echo "$(cat "/proc/$(pid_of "$1")/task/$(pid_of "$1")/children") $(pid_of "$1")"; }
# A leftover link shows in bpf_state, because it holds its program.
state() { network_state "$n1"; ip netns list | grep -v "^et[0-9]*-" | sort; bpf_state; }

# --- Root qdiscs -------------------------------------------------------------------------------------------------
in_n1() { in_ns n1 tc -batch - 2>&1; }
# root_qdisc KIND: sets up $device's root qdisc; prints errors.
root_qdisc() {
	case $1 in
	noqueue) ;;
	htb)
		in_n1 <<-END
			qdisc add dev eth0 root handle 1: htb default 10
			class add dev eth0 parent 1: classid 1:10 htb rate 1gbit quantum 1514
			class add dev eth0 parent 1: classid 1:20 htb rate 1gbit quantum 1514
		END
		# Classify by mark: with cls_fw or, if the kernel lacks it, classic BPF.
		in_n1 <<<"filter add dev eth0 parent 1: protocol ip prio 1 handle 7 fw flowid 1:20" >"$work/fw" || {
			[[ -z ${EVAL_GUEST:-} ]] || cat "$work/fw"
			in_n1 <<<"filter add dev eth0 parent 1: bpf bytecode '4,32 0 0 4294963220,21 0 1 7,6 0 0 4294967295,6 0 0 0' flowid 1:20"
		}
		;;
	mq)
		in_ns n1 ip link add mq0 numtxqueues 2 type veth peer name mq0 netns "$(ns n2)"
		for node in n1 n2; do
			in_ns $node ip addr add "10.97.0.${node#n}/24" dev mq0
			in_ns $node ip link set mq0 up
		done
		in_n1 <<<"qdisc add dev mq0 root mq"
		;;
	*) in_n1 <<<"qdisc add dev eth0 root $1" ;;
	esac
}
# Prints qdiscs, and the root's classes and filters, without fq_codel's classes, which depend on recent flows.
root_state() { printf '%s show dev '"$device"'\n' qdisc class filter | in_n1 | grep -v '^class fq_codel'; }
for root in noqueue htb fq_codel mq; do
	device=eth0 peer=$(address4 n2)
	[[ $root != mq ]] || device=mq0 peer=10.97.0.2
	wrong=$(root_qdisc "$root")
	[[ $root$wrong != fq_codel*unknown* ]] || { skip "$root: stays as it is" "no $root here"; continue; }
	check_eq "$root: can be had" "$wrong" ""
	before=$(root_state)
	wanted="qdisc $root [0-9a-f]+: root"
	[[ $root != htb ]] || wanted+=".*class htb 1:10 .*class htb 1:20 .*filter parent 1: .* flowid 1:20|$wanted.*class htb 1:.* fw .* classid 1:20"
	check_match "$root: is there" "$before" "$wanted"
	bad=()
	for kind in "latency --min-ms 100 --max-ms 100" network_partition; do
		# shellcheck disable=SC2086 # options
		inject f $kind --for 60s --netns "$n1" --peer "$peer" || bad+=("$kind: not injected")
		in_ns n1 ping -n -q -c 3 -i 0.02 -W 0.3 "$peer" >/dev/null
		live=$(root_state)
		has_tcx || live=$(grep -v '^qdisc clsact' <<<"$live")
		[[ $live == "$before" ]] || bad+=("$kind, live: $live")
		revert f
		(($(evidence f .hit) >= 3)) || bad+=("$kind: hit $(evidence f .hit)")
		live=$(root_state)
		[[ $live == "$before" ]] || bad+=("$kind, after: $live")
	done
	check_eq "$root: with traffic, before, during and after a fault it is the same" "${bad[*]}" ""
	[[ $root == noqueue ]] || in_ns n1 tc qdisc del dev "$device" root
done
# Otherwise it would be one of the target's devices in all that follows, because it has an address.
in_ns n1 ip link del mq0 2>/dev/null
peer=$(address4 n2)

# --- A filter that is not eval's -----------------------------------------------------------------------------------
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
	if ! has_tcx; then
		inject_kind theirs partition 60s
		check_match "a priority that is taken is left to its owner" "$(filters egress)" 'pref 2 bpf.*handle 0xeba'
		kill -KILL "$(pid_of theirs)"
		EVAL_TIME_FACTOR=1 check "SIGKILL: only ours goes" wait_for 5 ours_are_gone
		check_eq "SIGKILL: $name stays" "$(filters ingress; filters egress)" "$before"
		inject_end theirs
	fi
else
	skip "$name stays" "no cls_matchall here"
fi
in_ns n1 tc qdisc del dev eth0 clsact 2>/dev/null

# --- Many rounds -------------------------------------------------------------------------------------------------------
before=$(state)
kinds=("latency --min-ms 1 --max-ms 2 --direction both" network_partition "latency --min-ms 1 --max-ms 2 --line tap"
	"network_partition --engine xdp")
bad=() events='' rounds=20
# An emulated guest takes 4 s per round.
is_emulated && rounds=8
for ((round = 0; round < rounds; round++)); do
	# shellcheck disable=SC2086 # options
	inject round ${kinds[round % 4]} --for 60s --netns "$n1" --peer "$peer" || bad+=("$round: not injected")
	in_ns n1 ping -n -q -c 1 -W 0.1 "$peer" >/dev/null
	revert round
	((inject_status == 130)) || bad+=("$round: exit status $inject_status")
	events+=$(<"$work/round.out")$'\n'
done
check_eq "$rounds rounds: each is injected and reverted" "${bad[*]}" ""
check_eq "$rounds rounds: each has hit" "$(jq -r 'select(.event == "reverted").evidence.hit > 0' <<<"$events" | sort | uniq -c | xargs)" \
	"$rounds true"
left() { [[ $(state) == "$before" ]]; }
if wait_for 3 left; then
	ok "$rounds rounds leave links, addresses, namespaces, qdiscs, filters, BPF links, programs and maps as they were"
else
	not_ok "$rounds rounds leave links, addresses, namespaces, qdiscs, filters, BPF links, programs and maps as they were" \
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

# --- As many programs as the kernel takes -----------------------------------------------------------------------------
if "$eval_bin" bpf-status --json | jq -e '.features[] | select(.name == "tcx").usable' >/dev/null && other_start full; then
	check_fails "64 programs on the hook: exit 1" 1 "$eval_bin" inject latency --min-ms 1 --max-ms 2 --for 1s --netns "$(ns n1)" --peer "$(address4 n2)"
	check_match "… and why" "$output" "cannot attach to eth0: its tc hook already has 64 programs, the kernel's limit"
	other_end
fi

# --- A program that somebody else puts in front ------------------------------------------------------------------------
# On filters, one of the same priority that comes later runs first.
inject behind network_partition --for 60s --netns "$n1" --peer "$(address4 n2)"
other_start egress
pings
other_end
other_start front 0 1
check_fails "a program in front: the partition cuts" 1 pings
revert behind
other_end
check_eq "a program in front is noted" "$(evidence behind '.notes[] | select(startswith("a program"))')" \
	"a program of somebody else ran before the fault's, which did not see what it took: someone_else on eth0"
inject first network_partition --for 60s --netns "$n1" --peer "$(address4 n2)"
other_start egress
pings
revert first
other_end
check_eq "a program behind is not" "$(evidence first '[.notes // [] | .[] | select(startswith("a program"))] | length')" 0

# --- A clsact without filters, whose holder and guard were killed just then -----------------------------------------
if ! has_tcx; then
	note=/run/eval/clsact-$(stat -L -c %i "/run/netns/$n1")-$(ip -n "$n1" -j link show eth0 | jq ".[0].ifindex")
	inject noted latency --for 60s --netns "$n1" --peer "$(address4 n2)" --min-ms 1 --max-ms 1
	check "a clsact of ours is noted" test -e "$note"
	revert noted
	check_fails "… as long as it is there" 1 test -e "$note"
	in_ns n1 tc qdisc add dev eth0 clsact
	check_fails "somebody else's clsact stays" 3 "$eval_bin" list --db "$work/none.db"
	check_match "… with all that is in it" "$(in_ns n1 tc qdisc show dev eth0)" "clsact"
	touch "$note"
	check_fails "ours without filters is swept" 3 "$eval_bin" list --db "$work/none.db"
	check_eq "… from the device" "$(in_ns n1 tc qdisc show dev eth0 | grep -c clsact)" 0
	check_fails "… and so is its note" 1 test -e "$note"
fi

# --- Filters that another program removed ------------------------------------------------------------------------------
flush() { in_ns n1 tc filter del dev eth0 ingress; in_ns n1 tc filter del dev eth0 egress; }
if ! has_tcx; then
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
if ! has_tcx; then
	# Any command of eval that runs next removes them.
	declare -A next=([latency]="list --db $work/none.db" [partition]="validate $top/examples/etcd-lab.yaml")
	for kind in latency partition; do
		inject_kind both "$kind" 60s
		read -ra pids <<<"$(pids_of both)"
		watch_mark w
		kill -KILL "${pids[@]}"
		inject_end both
		check "$kind, worker and guard killed: traffic is back" wait_for 6 is_normal_after w
		got=$(normal_after w)
		check_number "$kind, both killed: inert after the lease, $got ms" "$got <= 2000 + $timer_late_ms"
		check_number "$kind, both killed: its filters are left" "$(our_filters) > 0"
		# shellcheck disable=SC2086 # options
		check_match "$kind, both killed: eval ${next[$kind]%% *} removes them, and says so" "$("$eval_bin" ${next[$kind]} 2>&1)" \
			"eval: removed the filters of 1 fault whose process and guard were killed"
		check "$kind, both killed: nothing is left" no_filters
	done
fi
for kind in latency partition; do
	inject_kind stopped "$kind" 60s
	read -ra pids <<<"$(pids_of stopped)"
	watch_mark w
	kill -STOP "${pids[@]}"
	check "$kind, worker and guard stopped: traffic is back" wait_for 6 is_normal_after w
	got=$(normal_after w)
	check_number "$kind, both stopped: inert after the lease, $got ms" "$got > 1000 && $got <= 2000 + $timer_late_ms"
	kill -CONT "${pids[@]}"
	inject_end stopped
	check_match "$kind, both continued: it fails with the reason" "$inject_status $(cat "$work/stopped.err")" '^1 .*was not live for'
	check "$kind, both continued: nothing is left" wait_for 3 no_filters
done
for kind in latency partition; do
	check_deadline "$kind, worker and guard stopped" "$kind" pids_of
done
watch_end w

# --- A namespace without a name ----------------------------------------------------------------------------------------
spawn unshare --net sleep 300
nameless=$spawned
# Its link cannot be read while the process executes another program.
has_own_namespace() { local its; its=$(readlink "/proc/$nameless/ns/net") && [[ -n $its && $its != "$(readlink /proc/self/ns/net)" ]]; }
wait_for 5 has_own_namespace || exit 1
nsenter --net="/proc/$nameless/ns/net" ip link add eth0 type veth peer name eth1
nsenter --net="/proc/$nameless/ns/net" ip addr add 10.98.0.1/24 dev eth0
nsenter --net="/proc/$nameless/ns/net" ip link set eth0 up
name="a namespace without a name: a fault is live there"
if inject nameless network_partition --for 60s --netns "$nameless" --peer 10.98.0.2; then ok "$name"; else not_ok "$name"; fi
kill -KILL "$(pid_of nameless)"
inject_end nameless
nameless_is_clean() { ! nsenter --net="/proc/$nameless/ns/net" tc qdisc show | grep -q clsact; }
EVAL_TIME_FACTOR=1 check "a namespace without a name: SIGKILL leaves nothing there" wait_for 5 nameless_is_clean
done_testing

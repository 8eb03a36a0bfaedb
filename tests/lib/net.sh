# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For tests of live faults, behind lib.sh: nodes on a switch, `eval inject` in the background, traffic.
# shellcheck disable=SC2154,SC2034 # lib.sh has set top, work and spawned; tests use what this file sets
need_root
# An installed eval can be tested as well.
eval_bin=${EVAL_UNDER_TEST:-$eval_bin}
traffic=$top/build/tools/traffic
hook=$top/build/tools/hook

# Node N of make_nodes is 10.99.0.N and fd99::N.
address4() { echo "10.99.0.${1#n}"; }
address6() { echo "fd99::${1#n}"; }

# spawn_in NODE COMMAND…: spawn's pid is the command's own, which a function in between would prevent.
spawn_in() {
	local name
	name=$(ns "$1")
	shift
	spawn nsenter --net="/run/netns/$name" -- "$@"
}

# make_nodes COUNT: namespaces n1… on one switch, each with `traffic serve` on ports 7000, 7001 and 22.
make_nodes() {
	local i members=()
	for ((i = 1; i <= $1; i++)); do
		members+=("n$i=10.99.0.$i/24,fd99::$i/64")
	done
	make_switch sw "${members[@]}" || exit 1
	for ((i = 1; i <= $1; i++)); do
		spawn_in "n$i" "$traffic" serve 7000 7001 22
		eval "served_n$i=\$work/spawn.$((${#test_pids[@]} - 1))"
		eval "wait_for 5 grep -q ready \"\$served_n$i\"" || exit 1
	done
}

# served NODE: what arrived there as datagrams.
served() {
	local file=served_$1
	cat "${!file}"
}

# datagrams_at NODE PORT: how many came so far.
datagrams_at() { served "$1" | grep -c "^udp $2 "; }

# inject NAME TYPE OPTION…: starts it; pid in $inject_pid, its events in $work/NAME.out, errors in $work/NAME.err.
inject_start() {
	local name=$1
	shift
	# Here, not by the child: what an earlier one of this name said must not be taken for this one's.
	: >"$work/$name.out"
	: >"$work/$name.err"
	"$eval_bin" inject "$@" --json >"$work/$name.out" 2>"$work/$name.err" </dev/null &
	inject_pid=$!
	test_pids+=("$!")
	eval "inject_pid_$name=$!"
}

pid_of() { local pid=inject_pid_$1; echo "${!pid}"; }
event_of() { jq -c "select(.event == \"$2\")" "$work/$1.out" 2>/dev/null; }
# Polled, hence without a process.
has_event() { local said; read -r -d '' said <"$work/$1.out"; [[ $said == *"\"event\":\"$2\""* ]]; }
settled() { has_event "$1" injected || is_over "$inject_pid"; }

# inject NAME TYPE OPTION…: the same, and waits until the fault is live.
inject() {
	inject_start "$@"
	wait_for 10 settled "$1"
	has_event "$1" injected && return 0
	diag "inject $* failed:" "$(cat "$work/$1.err")"
	return 1
}

# revert NAME: as Ctrl+C does. The exit status is in $inject_status.
revert() {
	local pid=inject_pid_$1
	kill -INT "${!pid}" 2>/dev/null
	inject_end "$1"
}

# inject_end NAME: waits until it is over by itself.
inject_end() {
	local pid=inject_pid_$1
	inject_status=0
	# What hangs must not hold up the test: it fails here, and not at its time limit.
	wait_for "${2:-15}" is_over "${!pid}" || { diag "inject $1 does not end"; kill -KILL "${!pid}"; }
	wait "${!pid}" 2>/dev/null || inject_status=$?
}

# seconds_of NAME EVENT: when it was, since 1970.
seconds_of() { date -d "$(event_of "$1" "$2" | jq -r .at)" +%s.%N; }

# sleep_until SECONDS: since 1970.
sleep_until() { sleep "$(awk "BEGIN { left = $1 - $EPOCHREALTIME; print (left > 0 ? left : 0) }")"; }

# evidence NAME JQ_FILTER: of a reverted fault, as text.
evidence() { jq -r "select(.event == \"reverted\").evidence | $2" "$work/$1.out" 2>/dev/null; }

# has_hit COUNT: of this test's only fault.
has_hit() { (($(our_faults | jq '[.egress, .ingress | .hit // 0] | add') >= $1)); }

# Faults in this test's namespaces; others may run on this host. A fault is there as long as any program of it is.
our_faults() { "$eval_bin" bpf-status --json | jq -c ".faults[] | select(.netns // \"\" | startswith(\"et$test_id-\"))"; }
fault_count() { our_faults | grep -c .; }
nothing_live() { [[ $(fault_count) == 0 ]]; }
lines_in() { in_ns "$1" ip -oneline link show | grep -c evline; }
# Without a clsact there is no filter of ours.
clsacts_in() { in_ns "$1" tc qdisc show | grep -c clsact; }
# eval is asked last: before it looks it removes what dead faults left, so that a guard that does nothing would not show.
nothing_left_in() { [[ $(lines_in "$1") == 0 && $(clsacts_in "$1") == 0 ]] && nothing_live; }

# has_tcx: links are what faults hang on here, else it is clsact filters. By the kernel's own types, not by our probe.
has_tcx() { grep -qaw tcx_link /sys/kernel/btf/vmlinux; }

# has_fq: an fq line can be had here.
has_fq() { "$eval_bin" bpf-status --json | jq -e '.features[] | select(.name == "sch_fq").usable' >/dev/null; }

# other_start HOOK [MARK [PRIORITY]]: somebody else's program on the $other_device (eth0) of $other_node (n1), see
# tests/tools/hook.c. other_ask: the packets that it has seen so far are in $seen, those with the mark in $marked. other_end ends
# it. No coproc: bash forgets that at the moment when it ends, and then set -u ends the test.
other_start() {
	rm -f "$work/other" && mkfifo "$work/other" || return 1
	# Here, not by the child: see inject_start.
	: >"$work/other.out"
	# For reading as well, so that it opens at once, and writing fails in no case.
	exec {other_fd}<>"$work/other"
	nsenter --net="/run/netns/$(ns "${other_node:-n1}")" -- "$hook" "${other_device:-eth0}" "$@" \
		<"$work/other" >"$work/other.out" 2>"$work/other.err" {other_fd}>&- &
	other_pid=$!
	test_pids+=("$!")
	other_lines=1
	wait_for 10 other_answered
	[[ $(<"$work/other.out") == ready ]] && return 0
	diag "somebody else's program is not there:" "$(cat "$work/other.out" "$work/other.err")"
	other_end
	return 1
}
other_answered() { (($(wc -l <"$work/other.out") >= other_lines)) || is_over "$other_pid"; }
other_ask() {
	seen='' marked=''
	echo >&"$other_fd"
	((++other_lines))
	wait_for 10 other_answered
	read -r _ seen _ marked < <(sed -n "${other_lines}p" "$work/other.out")
}
other_end() {
	echo end >&"$other_fd"
	exec {other_fd}>&-
	wait_for 10 is_over "$other_pid" || diag "somebody else's program does not end"
	end_pids "$other_pid"
}

# rtts NODE ADDRESS COUNT [PING_OPTION…]: milliseconds, one a line.
rtts() {
	local node=$1 address=$2 count=$3
	shift 3
	in_ns "$node" ping -n -c "$count" -i 0.02 -W 2 "$@" "$address" | sed -n 's/.* time=\([0-9.]*\) ms.*/\1/p'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR ? (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 : "none" }'; }

# counter NODE NAME: of the namespace's TCP and IP statistics.
counter() { in_ns "$1" nstat -asz "$2" 2>/dev/null | awk -v name="$2" '$1 == name { print $2 }'; }

# start_flow NAME NODE ADDRESS [TRAFFIC_OPTION…]: a connection that goes on, its echoes in $work/NAME.flow.
start_flow() {
	local name=$1 node=$2 address=$3
	shift 3
	spawn_in "$node" "$traffic" flow "$@" "$address"
	eval "flow_pid_$name=$spawned"
	ln -sf "$work/spawn.$((${#test_pids[@]} - 1))" "$work/$name.flow"
	wait_for 5 flow_passed "$name" 3
}

end_flow() {
	local pid=flow_pid_$1
	end_pids "${!pid}"
}

flow_count() { grep -c ^echo "$work/$1.flow"; }
flow_passed() { (($(flow_count "$1") >= $2)); }
flow_is_closed() { grep -qv ^echo "$work/$1.flow"; }

# watch_start NAME: pings n2 from n1 every 2 ms from here on (emulated: 10 ms). watch_end NAME ends it.
watch_start() {
	spawn_in n1 ping -n -D -i "$(is_emulated && echo 0.01 || echo 0.002)" -W 1 "$(address4 n2)"
	eval "watch_pid_$1=$spawned"
	ln -sf "$work/spawn.$((${#test_pids[@]} - 1))" "$work/$1.watch"
}
watch_end() {
	local pid=watch_pid_$1
	end_pids "${!pid}"
}
# watch_mark NAME: what matters begins now. The time is in $since.
watch_mark() {
	watch_from=$(($(stat -L -c %s "$work/$1.watch") + 1))
	since=$EPOCHREALTIME
}

# iperf_start: a server on n2. iperf OPTION…: from n1 to it; its report is in $work/iperf. Between two runs the server has no
# socket for a moment.
iperf_start() {
	spawn_in n2 iperf3 -s -p 5201
	iperf -n 1
}
iperf() {
	local i
	for ((i = 0; i < 50; i++)); do
		in_ns n1 iperf3 -J -c "$(address4 n2)" -p 5201 "$@" >"$work/iperf" 2>&1 && return
		grep -q 'unable to connect' "$work/iperf" || return
		sleep 0.1
	done
}

# bulk_start OPTION…: a bulk flow from n1 to n2 that runs until bulk_end, however long what comes between takes; iperf_start
# first. Its report is in $work/iperf, with what ended it as .error ($bulk_ended, where that was us).
bulk_ended='interrupt - the client has terminated'
bulk_start() {
	local i
	bulk_from=$(counter n2 TcpInSegs)
	for ((i = 0; i < 50; i++)); do
		spawn_in n1 iperf3 -J -c "$(address4 n2)" -p 5201 -t 600 "$@"
		bulk_pid=$spawned bulk_report=$work/spawn.$((${#test_pids[@]} - 1))
		wait_for 10 bulk_settled
		is_over "$bulk_pid" || return 0
		sleep 0.1
	done
	return 1
}
bulk_settled() { is_over "$bulk_pid" || (($(counter n2 TcpInSegs) >= bulk_from + 50)); }
bulk_end() {
	end_pids "$bulk_pid"
	cp "$bulk_report" "$work/iperf"
}

# normal_after NAME: milliseconds from the mark to the first ping sent that is as without a fault; nothing if there is
# none yet. A delayed ping takes 100 ms or more here.
normal_after() {
	tail -c "+$watch_from" "$work/$1.watch" | awk -v since="$since" '
		match($0, /^\[[0-9.]+\]/) && match($0, / time=[0-9.]+ ms/) {
			took = substr($0, RSTART + 6) + 0
			sent = substr($0, 2) - took / 1000
			if (sent > since && took < 50) { printf "%.1f\n", (sent - since) * 1000; exit }
		}'
}
is_normal_after() { [[ -n $(normal_after "$1") ]]; }

# inject_kind NAME KIND TIME: latency, partition or xdp between n1 and n2.
inject_kind() {
	local type=network_partition options=()
	[[ $2 == latency ]] && type=latency options=(--min-ms 100 --max-ms 100)
	[[ $2 == xdp ]] && options=(--engine xdp)
	inject "$1" "$type" --for "$3" --netns "$(ns n1)" --peer "$(address4 n2)" "${options[@]}"
}

# has_children COORDINATOR: its $worker and its $guard. In no process of its own, each of which takes so long in a guest that what is
# to be killed may be over.
has_children() {
	local pid children comm
	worker='' guard=''
	read -ra children <"/proc/$1/task/$1/children"
	for pid in "${children[@]}"; do
		read -r comm <"/proc/$pid/comm"
		[[ $comm != eval-trial ]] || worker=$pid
		[[ $comm != eval-guard ]] || guard=$pid
	done 2>/dev/null
	[[ -n $worker && -n $guard ]]
}

# How late an end that the kernel keeps to by a time may be seen.
timer_late_ms=100
! is_emulated || timer_late_ms=900

# check_deadline NAME KIND PIDS: what `PIDS deadline` prints is stopped in a fault's last second, so that the lease would
# let it go on for longer. Needs watch_start w. A busy guest may get there only after the end: then a longer fault.
check_deadline() {
	local name=$1 kind=$2 helds=(1 4) held pids injected stopped got
	! is_emulated || helds=(5 20)
	for held in "${helds[@]}"; do
		inject_kind deadline "$kind" "${held}s"
		read -ra pids <<<"$("$3" deadline)"
		injected=$(seconds_of deadline injected)
		sleep_until "$injected + $held - 0.8"
		watch_mark w
		kill -STOP "${pids[@]}"
		stopped=$(awk "BEGIN { print ($since - $injected) * 1000 }")
		awk "BEGIN { exit !($stopped > $held * 1000 - 100) }" || break
		kill -CONT "${pids[@]}" 2>/dev/null
		inject_end deadline
	done
	check "$name: traffic is back" wait_for 6 is_normal_after w
	got=$(awk "BEGIN { print $stopped + $(normal_after w) }")
	check_number "$name after $stopped ms: the kernel ends it at its time, after $got ms" \
		"$got >= $held * 1000 - $timer_late_ms && $got <= $held * 1000 + $timer_late_ms"
	kill -CONT "${pids[@]}"
	inject_end deadline
	check_eq "$name and continued: it still reverts, and well" "$inject_status" 0
}

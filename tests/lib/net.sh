# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For tests of live faults, sourced after lib.sh: nodes on a switch, `eval inject` in the background, traffic.
# shellcheck disable=SC2154,SC2034 # lib.sh has set top, work and spawned; tests use what this file sets
need_root
# EVAL_UNDER_TEST selects another eval, such as an installed one.
eval_bin=${EVAL_UNDER_TEST:-$eval_bin}
traffic=$top/build/tools/traffic
hook=$top/build/tools/hook

# The addresses of make_nodes' node nN: 10.99.0.N and fd99::N.
address4() { echo "10.99.0.${1#n}"; }
address6() { echo "fd99::${1#n}"; }

# spawn_in NODE COMMAND…: spawn in a node's namespace. Not in_ns: with a function, $spawned would be a subshell's pid.
spawn_in() {
	local name
	name=$(ns "$1")
	shift
	spawn nsenter --net="/run/netns/$name" -- "$@"
}

# make_nodes COUNT: makes namespaces n1… on one switch, each with `traffic serve` on ports 7000, 7001 and 22.
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

# served NODE: prints its server's output, which has a line per datagram.
served() {
	local file=served_$1
	cat "${!file}"
}

# datagrams_at NODE PORT: how many have arrived so far.
datagrams_at() { served "$1" | grep -c "^udp $2 "; }

# inject_start NAME TYPE OPTION…: starts `eval inject`; pid in $inject_pid, events in $work/NAME.out, errors in $work/NAME.err.
inject_start() {
	local name=$1
	shift
	# Empty the files here, not in the child: events of an earlier fault of this name must not be read as this one's.
	: >"$work/$name.out"
	: >"$work/$name.err"
	"$eval_bin" inject "$@" --json >"$work/$name.out" 2>"$work/$name.err" </dev/null &
	inject_pid=$!
	test_pids+=("$!")
	eval "inject_pid_$name=$!"
}

pid_of() { local pid=inject_pid_$1; echo "${!pid}"; }
event_of() { jq -c "select(.event == \"$2\")" "$work/$1.out" 2>/dev/null; }
# Polled, so it starts no process.
has_event() { local said; read -r -d '' said <"$work/$1.out"; [[ $said == *"\"event\":\"$2\""* ]]; }
settled() { has_event "$1" injected || is_over "$inject_pid"; }

# inject NAME TYPE OPTION…: inject_start, then waits until the fault is live.
inject() {
	inject_start "$@"
	wait_for 10 settled "$1"
	has_event "$1" injected && return 0
	diag "inject $* failed:" "$(cat "$work/$1.err")"
	return 1
}

# revert NAME: ends the fault as Ctrl+C does. The exit status is in $inject_status.
revert() {
	local pid=inject_pid_$1
	is_running "${!pid}" || diag "inject $1 has ended by itself:" "$(tail -n 3 "$work/$1.err")"
	kill -INT "${!pid}" 2>/dev/null
	inject_end "$1"
}

# inject_end NAME [SECONDS]: waits until it ends by itself; kills it after SECONDS (15).
inject_end() {
	local pid=inject_pid_$1
	inject_status=0
	# If it hangs, fail here instead of at the test's time limit.
	wait_for "${2:-15}" is_over "${!pid}" || { diag "inject $1 does not end"; kill -KILL "${!pid}"; }
	wait "${!pid}" 2>/dev/null || inject_status=$?
}

# seconds_of NAME EVENT: the event's time in seconds since 1970.
seconds_of() { date -d "$(event_of "$1" "$2" | jq -r .at)" +%s.%N; }

# sleep_until SECONDS: sleeps until that time, in seconds since 1970.
sleep_until() { sleep "$(awk "BEGIN { left = $1 - $EPOCHREALTIME; print (left > 0 ? left : 0) }")"; }

# evidence NAME JQ_FILTER: applies the filter to a reverted fault's evidence; prints text.
evidence() { jq -r "select(.event == \"reverted\").evidence | $2" "$work/$1.out" 2>/dev/null; }

# has_hit COUNT: true if this test's only fault has at least COUNT hits.
has_hit() { (($(our_faults | jq '[.egress, .ingress | .hit // 0] | add') >= $1)); }

# The faults in this test's namespaces, as others may be live on this host. A fault is listed as long as one of its programs
# exists.
our_faults() { "$eval_bin" bpf-status --json | jq -c ".faults[] | select(.netns // \"\" | startswith(\"et$test_id-\"))"; }
fault_count() { our_faults | grep -c .; }
nothing_live() { [[ $(fault_count) == 0 ]]; }
lines_in() { in_ns "$1" ip -oneline link show | grep -c evline; }
# eval's filters need a clsact, so without clsacts there are no filters of ours.
clsacts_in() { in_ns "$1" tc qdisc show | grep -c clsact; }
# eval comes last: bpf-status sweeps dead faults' leftovers, which would hide a guard that does nothing.
nothing_left_in() { [[ $(lines_in "$1") == 0 && $(clsacts_in "$1") == 0 ]] && nothing_live; }

# has_tcx: true if faults attach by tcx links, otherwise they use clsact filters. Reads the kernel's BTF, not eval's probe.
has_tcx() { grep -qaw tcx_link /sys/kernel/btf/vmlinux; }

# has_fq: true if fq delay lines work here.
has_fq() { "$eval_bin" bpf-status --json | jq -e '.features[] | select(.name == "sch_fq").usable' >/dev/null; }

# other_start HOOK [MARK [PRIORITY]]: attaches a program that is not eval's to $other_device (eth0) of $other_node (n1), see
# tests/tools/hook.c. other_ask: sets $seen to the packets that it has seen so far, $marked to those with the mark. other_end
# detaches it. Not a coproc: bash unsets a coproc's variables as soon as it ends, and set -u would then end the test.
other_start() {
	rm -f "$work/other" && mkfifo "$work/other" || return 1
	# Empty the file here, not in the child: see inject_start.
	: >"$work/other.out"
	# Open the pipe for reading too: then the open does not block, and writing never fails.
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

# rtts NODE ADDRESS COUNT [PING_OPTION…]: prints round-trip times in milliseconds, one per line.
rtts() {
	local node=$1 address=$2 count=$3
	shift 3
	in_ns "$node" ping -n -c "$count" -i 0.02 -W 2 "$@" "$address" | sed -n 's/.* time=\([0-9.]*\) ms.*/\1/p'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR ? (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 : "none" }'; }

# counter NODE NAME: prints a counter of the namespace's TCP and IP statistics.
counter() { in_ns "$1" nstat -asz "$2" 2>/dev/null | awk -v name="$2" '$1 == name { print $2 }'; }

# start_flow NAME NODE ADDRESS [TRAFFIC_OPTION…]: keeps a connection busy until end_flow; its echoes are in $work/NAME.flow.
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

# watch_start NAME: pings n2 from n1 every 2 ms (emulated: 10 ms) until watch_end NAME.
watch_start() {
	spawn_in n1 ping -n -D -i "$(is_emulated && echo 0.01 || echo 0.002)" -W 1 "$(address4 n2)"
	eval "watch_pid_$1=$spawned"
	ln -sf "$work/spawn.$((${#test_pids[@]} - 1))" "$work/$1.watch"
}
watch_end() {
	local pid=watch_pid_$1
	end_pids "${!pid}"
}
# watch_mark NAME: normal_after ignores earlier pings. The time is in $since.
watch_mark() {
	watch_from=$(($(stat -L -c %s "$work/$1.watch") + 1))
	since=$EPOCHREALTIME
}

# iperf_start: starts a server on n2. iperf OPTION…: runs a client on n1; its report is in $work/iperf. Retries, because the
# server has no listening socket for a moment between two runs.
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

# bulk_start OPTION…: starts a bulk flow from n1 to n2 that runs until bulk_end; call iperf_start before. The report is in
# $work/iperf; its .error is $bulk_ended if bulk_end ended the flow.
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

# normal_after NAME: milliseconds from the mark until the first ping was sent that took less than 50 ms (a delayed ping takes
# 100 ms or more); prints nothing if there is none yet.
normal_after() {
	tail -c "+$watch_from" "$work/$1.watch" | awk -v since="$since" '
		match($0, /^\[[0-9.]+\]/) && match($0, / time=[0-9.]+ ms/) {
			took = substr($0, RSTART + 6) + 0
			sent = substr($0, 2) - took / 1000
			if (sent > since && took < 50) { printf "%.1f\n", (sent - since) * 1000; exit }
		}'
}
is_normal_after() { [[ -n $(normal_after "$1") ]]; }

# inject_kind NAME KIND TIME: injects a fault between n1 and n2; KIND is latency, partition or xdp.
inject_kind() {
	local type=network_partition options=()
	[[ $2 == latency ]] && type=latency options=(--min-ms 100 --max-ms 100)
	[[ $2 == xdp ]] && options=(--engine xdp)
	inject "$1" "$type" --for "$3" --netns "$(ns n1)" --peer "$(address4 n2)" "${options[@]}"
}

# has_children COORDINATOR: sets $worker and $guard to their pids. Starts no process: in a guest that takes so long that the
# trial might end before the test kills anything.
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

# How late, in ms, a test may observe the end that the kernel enforces by deadline.
timer_late_ms=100
! is_emulated || timer_late_ms=900

# check_deadline NAME KIND PIDS: SIGSTOPs the pids that `PIDS deadline` prints in a fault's last second, and checks that the
# fault ends at its deadline although its lease lasts longer. Needs watch_start w. If a busy guest stops them too late, tries
# again with a longer fault.
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

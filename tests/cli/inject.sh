#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# eval inject: messages and exit statuses of what it refuses, and its end when a device or namespace is removed.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

# refused STATUS MESSAGE ARGUMENT…: checks the exit status and that MESSAGE is all that eval prints, besides argp's hint.
refused() {
	local status=$1 message=$2 got=0
	shift 2
	output=$("$eval_bin" inject "$@" 2>&1) || got=$?
	output=$(grep -v -e '^Try ' -e '^information\.$' <<<"$output")
	check_eq "refused: $message" "$got $output" "$status eval$message"
}

make_nodes 2
n1=$(ns n1)
delay=(latency --min-ms 1 --max-ms 2 --for 1s)
there=(--netns "$n1" --peer 10.99.0.2)
argp=' inject latency: '
error=': error: '

# --- Usage ----------------------------------------------------------------------------------------------------
refused 2 "${error}no chaos type 'packet_loss'; 'eval inject --help' lists them" packet_loss --for 1s
refused 2 "${error}how long? --for 30s" latency --min-ms 1 --max-ms 2 "${there[@]}"
refused 2 "${error}latency needs --min-ms MS (shortest delay, decimals allowed)" latency --for 1s --max-ms 2 "${there[@]}"
refused 2 "${error}latency needs --max-ms MS (longest delay, decimals allowed)" latency --for 1s --min-ms 2 "${there[@]}"
refused 2 "${error}--min-ms (3.5) is greater than --max-ms (3)" latency --for 1s --min-ms 3.5 --max-ms 3 "${there[@]}"
refused 2 "${error}--min-ms: '50ms' is not a plain number" "${delay[@]}" --min-ms 50ms "${there[@]}"
refused 2 "${error}--min-ms: '' is not a plain number" "${delay[@]}" --min-ms '' "${there[@]}"
refused 2 "${error}--max-ms: 'nan' is not a plain number" "${delay[@]}" --max-ms nan "${there[@]}"
refused 2 "${error}--min-ms: -1 is outside 0 to 10000" "${delay[@]}" --min-ms -1 "${there[@]}"
refused 2 "${error}--max-ms: 10000.1 is outside 0 to 10000" "${delay[@]}" --max-ms 10000.1 "${there[@]}"
refused 2 "${error}--for: '1 parsec' is not a time like 30s, 500ms or 5m (at most 24h)" \
	"${delay[@]}" --for '1 parsec' "${there[@]}"
refused 2 "${error}--for: '0s' is not a time like 30s, 500ms or 5m (at most 24h)" "${delay[@]}" --for 0s "${there[@]}"
refused 2 "${error}--for: '25h' is not a time like 30s, 500ms or 5m (at most 24h)" "${delay[@]}" --for 25h "${there[@]}"
refused 2 "${error}--ports: '0' is not a list of ports (1 to 65535, or ranges like 20160-20170, with commas)" "${delay[@]}" --ports 0 "${there[@]}"
refused 2 "${error}--ports: '65536' is not a list of ports (1 to 65535, or ranges like 20160-20170, with commas)" \
	"${delay[@]}" --ports 80,65536 "${there[@]}"
refused 2 "${error}--protocol: 'sctp' is none of any|tcp|udp|icmp" "${delay[@]}" --protocol sctp "${there[@]}"
refused 2 "${error}--direction: 'up' is none of egress|ingress|both" "${delay[@]}" --direction up "${there[@]}"
refused 2 "${error}--min-ms: 'x' is not a plain number
eval: error: --protocol: 'sctp' is none of any|tcp|udp|icmp
eval: error: --seed: 'y' is not a whole number
eval: error: how long? --for 30s
eval: error: latency needs --max-ms MS (longest delay, decimals allowed)" latency --min-ms x --protocol sctp --seed y "${there[@]}"
refused 2 "${error}--seed: 'x' is not a whole number" "${delay[@]}" --seed x "${there[@]}"
refused 2 "${error}--allow: 'everything' is none of gateway, root_fs, shared_fs, ssh, stacked" "${delay[@]}" --allow everything "${there[@]}"
refused 2 "${argp}unrecognized option '--bogus'" "${delay[@]}" --bogus "${there[@]}"
refused 2 "${argp}Too many arguments" "${delay[@]}" "${there[@]}" stray
refused 2 "${error}'22' is not a port to protect: write tcp/PORT or udp/PORT, like tcp/22" \
	"${delay[@]}" --protect 22 "${there[@]}"
check_fails "no type: exit 2" 2 "$eval_bin" inject
check_match "no type: the help names all" "$output" 'latency .*network_partition '
for type in latency network_partition; do
	check_match "$type --help" "$("$eval_bin" inject $type --help)" '--for=TIME .*--peer='
done

# --- Devices, namespaces and addresses that do not exist ------------------------------------------------------
refused 2 "${error}no device 'nope0' here; there are: lo, eth0" "${delay[@]}" "${there[@]}" --dev nope0
refused 2 "${error}cannot open network namespace 'gone$$' (/run/netns/gone$$): No such file or directory" \
	"${delay[@]}" --netns gone$$ --peer 10.99.0.2
refused 2 "${error}cannot open network namespace '4194999' (/proc/4194999/ns/net): No such file or directory" \
	"${delay[@]}" --netns 4194999 --peer 10.99.0.2
# `ip netns delete` leaves a plain file where the namespace was mounted, for a moment or after a crash.
touch "$work/deleted"
for path in "$work/deleted" /proc/self/ns/mnt /proc/self; do
	refused 2 "${error}'$path' ($path) is not a network namespace: was it deleted?" \
		"${delay[@]}" --netns "$path" --peer 10.99.0.2
done
refused 2 "${error}no route to peer 10.98.0.1 from the target" "${delay[@]}" --netns "$n1" --peer 10.98.0.1
check_fails "a host name that nobody knows: exit 2" 2 "$eval_bin" inject "${delay[@]}" --netns "$n1" --peer n2
check_match "… and where it was looked up" "$output" "${error}host name 'n2' has no address on $n1: "
refused 2 "${error}'n/2' is neither an IP address (10.0.0.1, 10.0.0.1:2380, fd00::1, [fd00::1]:2380) nor a host name" \
	"${delay[@]}" --netns "$n1" --peer n/2
refused 2 "${error}the target does not own its address 10.99.0.7: wrong netns or address?" \
	"${delay[@]}" "${there[@]}" --address 10.99.0.7
refused 2 "${error}which traffic? name the other end by --peer ADDR[:PORT], or --peer all" "${delay[@]}" --netns "$n1"
refused 2 "${error}--peer all stands alone" "${delay[@]}" --netns "$n1" --peer all --peer 10.99.0.2
refused 2 "${error}this type takes no --peer all: name the peers" \
	network_partition --for 1s --netns "$n1" --peer all

# --- Guards ---------------------------------------------------------------------------------------------------
loopback="a peer is reached through lo (loopback), which is not yet supported: narrow \`peers\` to nodes with addresses of their own"
refused 2 "$error$loopback" "${delay[@]}" --peer 127.0.0.1
refused 2 "$error$loopback" "${delay[@]}" --peer ::1
# An address of the target's own namespace: the route names eth0, but the packets take the loopback.
refused 2 "$error$loopback" "${delay[@]}" --netns "$n1" --peer 10.99.0.1
refused 2 "$error$loopback" "${delay[@]}" --netns "$n1" --peer fd99::1
refused 2 "${error}peers: all in this host's own namespace would touch the default gateway: name the peers, or allow: [gateway]" \
	"${delay[@]}" --peer all
inject first latency --min-ms 1 --max-ms 2 --for 60s "${there[@]}"
refused 1 "${error}the target already has a fault (pid $(pid_of first), on '$n1', has the same network namespace $n1): wait, end it, or allow: [stacked]" \
	"${delay[@]}" "${there[@]}"
inject second "${delay[@]}" --for 60s "${there[@]}" --allow stacked
check_eq "a second fault with --allow stacked" $? 0
revert second
revert first
inject third "${delay[@]}" --for 60s "${there[@]}"
check_eq "after the first the target is free" $? 0
revert third

# --- Not root -------------------------------------------------------------------------------------------------
# A copy, because other users may have no access to the build tree.
install -m 0755 "$eval_bin" "$work/eval" && chmod 0711 "$work"
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$work/eval" "$@"; }
check_fails "not root: exit 3" 3 as_nobody inject "${delay[@]}" --peer 10.99.0.2
check_eq "not root: message" "$output" "eval: error: injecting needs root: run it with sudo"
check_fails "not root: wrong usage is told first" 2 as_nobody inject latency --for 1s --peer 10.99.0.2

# --- Too many devices -----------------------------------------------------------------------------------------
make_ns many
peers=()
for ((i = 1; i <= 17; i++)); do
	ip -n "$(ns many)" link add "v0-$i" type veth peer name "v1-$i"
	for side in 0 1; do
		ip -n "$(ns many)" addr add "10.8$side.$i.1/24" dev "v$side-$i"
		ip -n "$(ns many)" link set "v$side-$i" up
		peers+=(--peer "10.8$side.$i.2")
	done
done
check_fails "34 devices lead to the peers: exit 2" 2 "$eval_bin" inject network_partition --for 1s --netns "$(ns many)" "${peers[@]}"
check_eq "… and why" "$output" "eval: error: more than 32 devices lead to the peers: name one (interface, --dev)"

# --- A fault that touches nothing -----------------------------------------------------------------------------
check_fails "nothing hit: exit 1" 1 "$eval_bin" inject latency --for 300ms --min-ms 1 --max-ms 2 --netns "$n1" --peer 10.99.0.77
check_match "nothing hit: said so" "$output" "eval: warning: the fault touched nothing: no packet matched while it was live"

# --- Devices and namespaces that are removed ------------------------------------------------------------------
for type in latency network_partition; do
	options=() && [[ $type == latency ]] && options=(--min-ms 300 --max-ms 300 --direction both)
	make_ns a b
	ip -n "$(ns a)" link add eth0 type veth peer name eth0 netns "$(ns b)"
	for node in a b; do
		ip -n "$(ns $node)" addr add "10.97.0.$([[ $node == a ]] && echo 1 || echo 2)/24" dev eth0
		ip -n "$(ns $node)" link set eth0 up
	done
	inject vanish $type --for 60s --netns "$(ns a)" --peer 10.97.0.2 "${options[@]}"
	in_ns a ping -n -q -c 5 -i 0.02 -W 0.1 10.97.0.2 >/dev/null
	in_ns a ip link delete eth0
	inject_end vanish 5
	check_eq "$type, device removed: it ends at once with 1" "$inject_status" 1
	check_eq "$type, device removed: message" "$(grep error "$work/vanish.err")" \
		"eval: error: the fault's hooks on eth0 went away: was the device removed, or were they detached by force?"
	check_number "$type, device removed: its counters are kept" "$(evidence vanish .hit) >= 5"
	check "$type, device removed: nothing is left" wait_for 3 nothing_left_in a

	ip -n "$(ns a)" link add eth0 type veth peer name eth0 netns "$(ns b)"
	for node in a b; do
		ip -n "$(ns $node)" addr add "10.97.0.$([[ $node == a ]] && echo 1 || echo 2)/24" dev eth0
		ip -n "$(ns $node)" link set eth0 up
	done
	inject vanish $type --for 60s --netns "$(ns a)" --peer 10.97.0.2 "${options[@]}"
	in_ns a ping -n -q -c 5 -i 0.02 -W 0.1 10.97.0.2 >/dev/null
	inode=$(stat -L -c %i "/run/netns/$(ns a)")
	ip netns delete "$(ns a)"
	ip netns delete "$(ns b)"
	inject_end vanish 6
	check_eq "$type, namespace removed: it ends at once with 1" "$inject_status" 1
	check_match "$type, namespace removed: message" "$(cat "$work/vanish.err")" \
		"eval: error: the fault's hooks on eth0 went away: was the device removed"
	faults_there() { "$eval_bin" bpf-status --json | jq ".faults[] | select(.netns_ino == $inode)"; }
	none_there() { [[ -z $(faults_there) ]]; }
	check "$type, namespace removed: nothing is left" wait_for 3 none_there
done

# --- A full line ----------------------------------------------------------------------------------------------
for node in n1 n2; do
	in_ns $node ip link set eth0 mtu 15500
	ip -n "$(ns sw)" link set $node mtu 15500
done
inject full latency --for 60s --line tap --min-ms 10000 --max-ms 10000 "${there[@]}"
# Packets that arrive faster than the line copies them are lost before it, so that one burst may not fill it. After 10 s, its
# delay, the line drains.
line_is_full() { (($(our_faults | jq .egress.line.line_dropped) > 0)); }
peak_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid_of full)/status"; }
for _ in {1..8}; do
	in_ns n1 "$traffic" datagrams -n 20000 -s 15000 -i 0 10.99.0.2
	! line_is_full || (($(peak_kib) < 200 * 1024)) || break
done
check "full line: counted while live" wait_for 10 line_is_full
# Its peak, once the line was full: what waits in the TAP device comes later.
kib=$(peak_kib)
check_number "full line: memory is bounded, $((kib / 1024)) MiB at most" "$kib > 200 * 1024 && $kib < 300 * 1024"
revert full
check_eq "full line: ends well" "$inject_status" 130
got=$(evidence full '.devices[0].egress | "\(.hit == .line.delivered + .line.line_dropped) \(.line.line_dropped > 0)"')
check_eq "full line: what was hit was delivered or counted as dropped" "$got" "true true"
check_match "full line: said" "$(cat "$work/full.err")" \
	"^eval: warning: the line dropped [1-9][0-9]* packets: chaos was loss, not only delay$"
check "nothing is left" wait_for 3 nothing_left_in n1

# --- What is said while it holds ------------------------------------------------------------------------------
in_ns n1 ip link set eth0 mtu 1500
spawn_in n1 ping -n -i 0.02 10.99.0.2
screen=$(TERM=xterm script -qec "$eval_bin inject latency --min-ms 1 --max-ms 2 --for 2s --netns $n1 --peer 10.99.0.2" /dev/null </dev/null)
check_match "on a terminal: the target and its peers" "$screen" $'\ntarget: '"$n1"$'\r?\npeers: 10.99.0.2\r?\n'
check_match "on a terminal: the parameters" "$screen" $'\nparameters:.* min_ms=1.0 max_ms=2.0|\nparameters:.*min_ms'
check_match "on a terminal: the time left and the hits" "$screen" $'\r\033\\[K[12] s left, hits: [1-9][0-9]*'
check_match "at the end: the delays" "$screen" $'eth0 egress\r?\n +delay drawn, mean 1\\.[0-9]+ ms.*delay applied, mean'
silent=$("$eval_bin" inject latency --min-ms 1 --max-ms 2 --for 1s --netns "$n1" --peer 10.99.0.2)
check_eq "into a file: no line is rewritten" "$(grep -c 's left' <<<"$silent")" 0

check_fails "another address: exit 1" 1 "$eval_bin" inject network_partition --for 1s --netns "$n1" --dev eth0 --peer 10.99.0.77
check_match "… says what passed instead" "$output" \
	"touched nothing: no packet matched while it was live; [1-9][0-9]* packets passed \(eth0 egress [1-9][0-9]*, ingress [1-9][0-9]*\), none of them between"
in_ns n1 ip link add quiet0 type veth peer name quiet1
in_ns n1 ip link set quiet0 up
in_ns n1 sysctl -qw net.ipv6.conf.quiet0.disable_ipv6=1
check_fails "another device: exit 1" 1 "$eval_bin" inject network_partition --for 300ms --netns "$n1" --dev quiet0 --peer 10.99.0.2
check_match "… says that nothing passed there" "$output" "no packet at all passed quiet0: is it another device, or another namespace\?"

# --- Other words ----------------------------------------------------------------------------------------------
check_eq "other tools' words: status" "$("$eval_bin" status 2>&1)" "eval: error: no command 'status'; did you mean 'eval bpf-status'?"
check_eq "a slip of the finger" "$("$eval_bin" valdate 2>&1)" "eval: error: no command 'valdate'; did you mean 'eval validate'?"
check_eq "no such word" "$("$eval_bin" qqqqqq 2>&1)" "eval: error: no command 'qqqqqq'; 'eval --help' lists them"
cat >"$work/words.yaml" <<END
include_baseline: true
chaos_types: []
subjects:
  - {name: a, reset: none, nodes: [{name: n1, address: 10.1.1.1}]}
  - {name: b, reset: none, nodes: [{name: n1, address: 10.1.1.2}, {name: n2, address: 10.1.1.3}]}
END
check_eq "no such node: which there are" "$("$eval_bin" inject "${delay[@]}" --config "$work/words.yaml" --node n9 2>&1)" \
	"eval: error: no node 'n9' in the file; there are a/n1, b/n1, b/n2"
done_testing

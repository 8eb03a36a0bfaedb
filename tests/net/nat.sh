#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# not in guests: their kernels have conntrack only as a module
# A fault that touched nothing because of NAT names the address that stands in the peer's place.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 3
n1=$(ns n1) n3=$(ns n3)
# translate NODE HOOK RULE: DNAT or SNAT in a node's namespace.
translate() {
	in_ns "$1" nft -f - <<END
table inet test$1$2 {
	chain nat {
		type nat hook $2 priority 0; policy accept;
		$3
	}
}
END
}
# touches_nothing NAME ADDRESS OPTION…: runs a fault while n1 talks to ADDRESS, and sets $output to what it says.
touches_nothing() {
	local name=$1 address=$2
	shift 2
	spawn_in n1 sh -c "while sleep 0.1; do $traffic reach -p 7000 $address; done >/dev/null"
	check_fails "$name: touches nothing" 1 "$eval_bin" inject network_partition --for 2s --netns "$n1" "$@"
	end_pids "$spawned"
}
advice='name the addresses that NAT puts in the peers'\'' place as peers, too'

# --- The node's own namespace translates: its packets have the pod's address ----------------------------------

ip -n "$n1" route add 10.96.0.0/16 dev eth0
translate n1 output 'ip daddr 10.96.0.10 dnat to 10.99.0.2'
touches_nothing service 10.96.0.10 --peer 10.96.0.10
check_match "its own NAT: the pod behind the service" "$output" \
	"10\.99\.0\.2 \(egress [0-9]+, by NAT peer 10\.96\.0\.10\).*$advice"
inject both network_partition --for 60s --netns "$n1" --peer 10.96.0.10 --peer 10.99.0.2 || not_ok "with that address"
check_match "with that address, it is cut" "$(in_ns n1 "$traffic" reach -t 1000 -p 7000 10.96.0.10)" ' no$'
revert both

# --- A router translates, as a host does for its pods: the node's packets have the service's address -----------

ip -n "$n1" route add 10.97.0.0/16 via 10.99.0.3
in_ns n3 sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0
translate n3 prerouting 'ip daddr 10.97.0.10 dnat to 10.99.0.2'
translate n3 postrouting 'ip daddr 10.99.0.2 masquerade'
# The eval of the host that translates.
printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s -- %s "$@"\n' "$n3" "$eval_bin" >"$work/eval" && chmod +x "$work/eval"
on_host=$eval_bin eval_bin=$work/eval
touches_nothing pod 10.97.0.10 --peer 10.99.0.2
eval_bin=$on_host
check_match "the host's NAT: the service before the pod" "$output" \
	"10\.97\.0\.10 \(egress [0-9]+, by NAT peer 10\.99\.0\.2\).*$advice"

# --- No NAT -----------------------------------------------------------------------------------------------------

touches_nothing other 10.99.0.3 --peer 10.99.0.2
check_match "without NAT: the question" "$output" '10\.99\.0\.3 \(egress [0-9]+\).*is there a service address or NAT between them'

done_testing

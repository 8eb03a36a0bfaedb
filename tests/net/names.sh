#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# not in guests: names are read before anything is attached, and guests have no name server
# Host names, ranges of ports and networks as addresses: looked up where the node is, all of their addresses, recorded.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 3
n1=$(ns n1)
etc=/etc/netns/$n1
mkdir -p "$etc" || exit 1
on_cleanup rm -rf "$etc"
cat >"$etc/hosts" <<END
10.99.0.2 db.test
fd99::2   db.test
127.0.0.1 me.test
END
echo "nameserver 10.99.0.2" >"$etc/resolv.conf"
cut=(network_partition --for 60s --netns "$n1")
slow=(latency --for 60s --min-ms 20 --max-ms 20)

reaches() { in_ns "$1" "$traffic" reach -t 1500 -p "$3" "$2" | grep -q ' yes$'; }
ping_of() { rtts n1 "$1" 5 | median; }

# --- By the namespace's own hosts file ------------------------------------------------------------------------

inject name "${slow[@]}" --netns "$n1" --peer db.test || not_ok "a peer by its name"
check_eq "the name's addresses are told" "$(event_of name injected | jq -c '.names["db.test"] | sort')" '["10.99.0.2","fd99::2"]'
check_number "its IPv4 address is delayed" "$(ping_of 10.99.0.2) >= 20"
check_number "its IPv6 address, too" "$(ping_of fd99::2) >= 20"
check_number "no other" "$(ping_of 10.99.0.3) < 20"
revert name
check_number "both have hits" "$(evidence name '[.peers[] | select(.egress > 0)] | length') == 2"

# A container's root is another one, and so are the links in it.
box=$work/box
mkdir -p "$box"/{bin,etc,real}
cp "$(command -v busybox)" "$box/bin/"
echo "10.99.0.3 box.test" >"$box/real/hosts"
ln -s /real/hosts "$box/etc/hosts"
spawn_in n1 chroot "$box" /bin/busybox sleep 60
pid=$spawned
is_in_box() { [[ $(readlink "/proc/$pid/root") == "$box" ]]; }
wait_for 5 is_in_box
inject box "${slow[@]}" --netns "$pid" --peer box.test || not_ok "a peer by its name, in a container"
check_eq "by a pid: the files of its root" "$(event_of box injected | jq -c '.names["box.test"]')" '["10.99.0.3"]'
revert box
# Whoever was started by `ip netns exec` has these files by its mounts.
spawn ip netns exec "$n1" sleep 60
pid=$spawned
wait_for 5 grep -q sleep "/proc/$pid/comm"
inject pid "${slow[@]}" --netns "$pid" --peer db.test || not_ok "a peer by its name, the namespace by a pid"
check_eq "by a pid: the files of its mounts" "$(event_of pid injected | jq -c '.names["db.test"] | sort')" '["10.99.0.2","fd99::2"]'
revert pid

check_fails "this host does not know the name" 2 timeout 30 "$eval_bin" inject "${slow[@]}" --peer db.test
check_match "… and says where it asked" "$output" "host name 'db.test' has no address on this host: "
check_fails "a name of loopback" 2 "$eval_bin" inject "${cut[@]}" --peer me.test
check_match "… is no peer" "$output" "a peer is reached through lo \(loopback\)"

# --- By a name server that only the namespace reaches ---------------------------------------------------------

spawn_in n2 dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
	--listen-address=10.99.0.2 --bind-interfaces --host-record=kv.test,10.99.0.2,fd99::2 \
	--host-record=kv.test,10.99.0.3 --local=/test/
asked() { ip netns exec "$n1" getent ahosts kv.test >/dev/null; }
check "a name server in the lab" wait_for 10 asked
inject dns "${cut[@]}" --peer kv.test || not_ok "a peer by a name server"
check_eq "all addresses" "$(event_of dns injected | jq -c '.names["kv.test"] | sort')" '["10.99.0.2","10.99.0.3","fd99::2"]'
check "each is cut" eval '! reaches n1 10.99.0.2 7000 && ! reaches n1 10.99.0.3 7000'
revert dns
check_fails "a name that it does not know" 2 "$eval_bin" inject "${cut[@]}" --peer nobody.test
check_match "… is told with the namespace" "$output" "host name 'nobody.test' has no address on $n1: Name or service not known"

# --- A name server that does not answer: a lookup ends ---------------------------------------------------------

printf 'nameserver 10.99.0.77\noptions timeout:30 attempts:5\n' >"$etc/resolv.conf"
started=$EPOCHREALTIME
check_fails "a silent name server" 1 timeout 60 "$eval_bin" inject "${cut[@]}" --peer kv.test
check_match "… is told" "$output" "host name 'kv.test' was not looked up within 10 s on $n1: are its name servers there\?"
check_number "… after 10 s" "$EPOCHREALTIME - $started >= 9.5 && $EPOCHREALTIME - $started < 25"
inject_start stopped "${cut[@]}" --peer kv.test
sleep 1
started=$EPOCHREALTIME
kill -INT "$inject_pid"
inject_end stopped
check_eq "Ctrl+C while it looks up: exit status 130" "$inject_status" 130
check_number "… at once" "$EPOCHREALTIME - $started < 2"
inject_start killed "${cut[@]}" --peer kv.test
children_of() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
has_child() { [[ -n $(children_of "$1") ]]; }
wait_for 5 has_child "$inject_pid"
child=$(children_of "$inject_pid")
kill -KILL "$inject_pid"
check "killed while it looks up: nobody is left" wait_for 5 is_over "$child"
echo "nameserver 10.99.0.2" >"$etc/resolv.conf"

# --- Ranges and networks ----------------------------------------------------------------------------------------

inject ports "${cut[@]}" --peer 10.99.0.2:6999-7000 || not_ok "a range of ports"
check "a port in the range is cut" eval '! reaches n1 10.99.0.2 7000'
check "one beside it is not" reaches n1 10.99.0.2 7001
revert ports
check_eq "the evidence has the range" "$(evidence ports '.peers[0].peer')" 10.99.0.2:6999-7000
check_number "… and its hits" "$(evidence ports '.peers[0].egress') >= 1"

ip -n "$n1" addr add 10.97.0.1/24 dev eth0
ip -n "$(ns n2)" route add 10.97.0.0/24 via 10.99.0.1
inject own "${slow[@]}" --netns "$n1" --address 10.99.0.0/24 --peer 10.99.0.2 || not_ok "a network of its own"
check_number "own addresses in the network are the node's" "$(ping_of 10.99.0.2) >= 20"
check_number "one outside is not" "$(rtts n1 10.99.0.2 5 -I 10.97.0.1 | median) < 20"
revert own
check_fails "a network that the node is not in" 2 "$eval_bin" inject "${slow[@]}" --netns "$n1" --address 10.96.0.0/16 \
	--peer 10.99.0.2
check_match "… is told" "$output" 'the target has no address in 10.96.0.0/16: wrong netns or network\?'

# --- In a campaign ----------------------------------------------------------------------------------------------

cat >"$work/names.yaml" <<END
defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 5, params: {latency: {min_ms: 5, max_ms: 5}}}
subjects:
  - name: s
    reset: none
    nodes:
      - {name: a, netns: $n1, address: "own.test:1024-65535"}
      - {name: b, address: "db.test:7000-7001"}
    probes: [{name: p, exec: "nsenter --net=/run/netns/$n1 $traffic reach -p 7000 10.99.0.2", every_ms: 100}]
chaos_types: [{type: latency, target: a}]
END
echo "10.99.0.1 own.test" >>"$etc/hosts"
export EVAL_DB=$work/names.db
check "names, ranges: valid without a lookup" "$eval_bin" validate "$work/names.yaml"
check "a campaign by names" timeout 60 "$eval_bin" run campaign "$work/names.yaml"
check_eq "the record has what the names were" \
	"$("$eval_bin" show --json "$("$eval_bin" list --json | jq -r '.campaigns[0].id')" |
		jq -cS '.trials[0].params_effective | {names: (.names | map_values(sort)), peers: (.peers | sort)}')" \
	'{"names":{"db.test:7000-7001":["10.99.0.2","fd99::2"],"own.test:1024-65535":["10.99.0.1"]},"peers":["10.99.0.2:7000-7001","[fd99::2]:7000-7001"]}'

done_testing

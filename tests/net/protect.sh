#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1: has filters, which differ most from the links of this host; net/match runs the programs on all kernels
# Traffic that no network fault touches: tcp/22, `protect`, and the addresses and ports that root's sshd serves; which processes
# count as sshd; allow: [ssh]; and the outputs that list protected ports.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

sshd=$(type -P sshd) || skip_all "no sshd here"
make_nodes 2
ip -n "$(ns n1)" addr add 10.99.0.11/24 dev eth0
n1=10.99.0.1 second=10.99.0.11
chmod 0711 "$work"
mkdir -p /run/sshd "$work/upgraded" "$work/nobody" "$work/link" "$work/loose"
ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
cp "$sshd" "$work/upgraded/sshd"
cp "$sshd" "$work/other"
cp "$sshd" "$work/loose/sshd"
chmod 0666 "$work/loose/sshd" && chmod a+x "$work/loose/sshd"
cp "$traffic" "$work/nobody/sshd"
ln -s "$traffic" "$work/link/sshd"

banner() {
	# shellcheck disable=SC2016 # its own
	in_ns n2 timeout "$(patience 2)" bash -c 'read -r line <"/dev/tcp/$1/$2" && [[ $line == SSH* ]]' _ "$@" || return 1
}
echoes() { in_ns n2 "$traffic" reach -t 500 -p "$2" "$1" | grep -q yes; }
# serve_ssh BINARY ADDRESS PORT: starts an sshd in n1.
serve_ssh() {
	spawn_in n1 "$1" -D -e -f /dev/null -o ListenAddress="$2:$3" -h "$work/host_key" -o PidFile=none -o UsePAM=no
	check "${1#"$work/"} serves $2:$3" wait_for 5 banner "${2/0.0.0.0/$n1}" "$3"
}
serve_ssh "$sshd" $n1 2222
serve_ssh "$work/other" $second 2222
serve_ssh "$work/upgraded/sshd" 0.0.0.0 2224
serve_ssh "$work/loose/sshd" $n1 2225
rm "$work/upgraded/sshd" && cp "$sshd" "$work/upgraded/sshd"
spawn_in n1 setpriv --reuid=65534 --regid=65534 --clear-groups "$work/nobody/sshd" serve 7005
spawn_in n1 "$work/link/sshd" serve 7006
check "nobody's sshd" wait_for 5 echoes $n1 7005
check_eq "nobody's sshd is called so" "$(cat "/proc/${test_pids[-2]}/comm")" sshd
check "root's process called sshd" wait_for 5 echoes $n1 7006
check_eq "root's process called sshd is called so" "$(cat "/proc/${test_pids[-1]}/comm")" sshd

cut() { inject "$1" network_partition --for 60s --netns "$(ns n1)" --peer 10.99.0.2 "${@:2}"; }
cut all --protect tcp/7001
check "root's sshd: its address and port are left alone" banner $n1 2222
check_fails "root's sshd: its port of another address is not" 1 banner $second 2222
check "root's sshd, upgraded on disk since it started" banner $n1 2224
check "root's sshd on all addresses: on the other one, too" banner $second 2224
check_fails "a binary that others may write is no sshd of root's" 1 banner $n1 2225
check_fails "nobody's process called sshd changes nothing" 1 echoes $n1 7005
check_fails "root's process called sshd, of another binary, changes nothing" 1 echoes $n1 7006
check "--protect: the port is left alone" echoes $n1 7001
check "--protect adds to tcp/22" echoes $n1 22
check_fails "other ports are cut" 1 echoes $n1 7000

wanted="sshd *:2224, sshd $n1:2222, tcp/22, tcp/7001"
listed() { jq -r "$1 | sort | join(\", \")"; }
check_eq "inject --json tells what is protected" "$(event_of all injected | listed .protect)" "$wanted"
check_eq "bpf-status --json tells it" "$(our_faults | listed .protect)" "$wanted"
in_text() { "$eval_bin" bpf-status | sed -n "/ $(ns n1),/,/^  [a-z]/s/^    untouched *//p"; }
check_eq "bpf-status tells it" "$(in_text | sed 's/, /\n/g' | sort | paste -sd , | sed 's/,/, /g')" "$wanted"
revert all

cut lifted --allow ssh
check_fails "allow: ssh lifts tcp/22" 1 echoes $n1 22
check_fails "allow: ssh lifts sshd's ports" 1 banner $n1 2222
check_eq "allow: ssh: nothing is protected" "$(event_of lifted injected | jq -c .protect) $(our_faults | jq -c .protect)" "[] []"
check_match "bpf-status tells that nothing is" "$(in_text)" "^nothing is protected"
revert lifted
cut named --allow ssh --protect tcp/22
check "allow: ssh and --protect tcp/22: just that" echoes $n1 22
check_fails "… and not sshd's ports" 1 banner $n1 2222
revert named
check_match "inject tells it in words" "$("$eval_bin" inject network_partition --for 0.1s --netns "$(ns n1)" --peer 10.99.0.2)" \
	"never touched: tcp/22, sshd "

# --- In a campaign's record -----------------------------------------------------------------------------------
for allow in gateway ssh; do
	cat >"$work/$allow.yaml" <<END
protect: [udp/53]
allow: [$allow]
defaults: {warmup_seconds: 0, duration_seconds: 0.2, recovery_seconds: 1}
subjects:
  - name: pair
    reset: "true"
    nodes:
      - {name: n1, address: $n1, netns: $(ns n1)}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2)}
chaos_types: [{type: network_partition, target: n1}]
END
	"$eval_bin" run campaign "$work/$allow.yaml" --db "$work/$allow.db" >"$work/$allow.log" 2>&1
done
recorded() { sqlite3 "$work/$1.db" "SELECT chaos_metadata FROM trials" | listed '.faults[0].protect'; }
check_eq "the record tells what was protected" "$(recorded gateway)" "sshd *:2224, sshd $n1:2222, tcp/22, udp/53"
check_eq "the record of allow: [ssh]" "$(recorded ssh)" "udp/53"
check_match "eval show tells it" "$("$eval_bin" show --db "$work/gateway.db" "$(sqlite3 "$work/gateway.db" 'SELECT id FROM campaigns')" \
	"$(sqlite3 "$work/gateway.db" 'SELECT id FROM trials')")" "sshd $n1:2222"
check "nothing is left" wait_for 3 nothing_left_in n1
done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.1 6.12: one kernel for each way to attach is enough to test what programs do with packets
# A kernel without TUN or veth: auto takes the other delay line, and a forced line reports what is missing.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

# A bridge instead of a veth pair, because the test removes veth's module. No packet has to leave it.
make_ns n1 || exit 1
ip -n "$(ns n1)" link add eth0 type bridge && ip -n "$(ns n1)" link set eth0 up || exit 1
in_ns n1 ip addr add "$(address4 n1)/24" dev eth0
delay() { "${hidden[@]}" "$eval_bin" inject latency --for 1s --netns "$(ns n1)" --peer "$(address4 n2)" "$@"; }
hidden=()
fq=
has_fq && fq=1

# line_is NAME ENGINE OPTION…: checks which engine a fault with these options gets.
line_is() {
	local engine
	engine=$(delay "${@:3}" --json 2>"$work/error" | jq -r 'select(.event == "injected").engine')
	check_eq "$1 $(cat "$work/error")" "$engine" "$2"
}

# line_fails NAME ERROR OPTION…: checks that the fault fails with this error.
line_fails() {
	check_fails "$1" 1 delay "${@:3}"
	check_match "$1: why" "$(delay "${@:3}" 2>&1)" "$2"
}

hidden=(unshare --mount sh -c 'mount -t tmpfs none /dev/net && exec "$@"' sh)
line_fails "no TUN: tap" "there is no /dev/net/tun here" --min-ms 5 --max-ms 5 --line tap
[[ -z $fq ]] || line_is "no TUN: auto, longer than 1 s" fq --min-ms 1 --max-ms 1001
hidden=()

veth_is_gone() { modprobe -r veth 2>/dev/null; ! grep -q '^veth ' /proc/modules; }
if [[ -n ${EVAL_GUEST:-} ]]; then
	# The kernel may still be removing earlier tests' devices.
	check "veth's module can be removed" wait_for 10 veth_is_gone
	on_cleanup rm -f /etc/modprobe.d/eval-test.conf
	echo 'install veth /bin/false' >/etc/modprobe.d/eval-test.conf
	line_fails "no veth: fq" "this kernel has no veth" --min-ms 5 --max-ms 5 --line fq
	line_is "no veth: auto" tap --min-ms 5 --max-ms 5
	rm /etc/modprobe.d/eval-test.conf
	line_is "veth is back: auto" fq --min-ms 5 --max-ms 5
else
	skip "no veth" "it removes a module that a host's other users need"
fi
done_testing

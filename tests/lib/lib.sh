# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# The library of tests in bash: TAP output, unique names, waiting, and a cleanup at exit. A test starts with
#     source "$(dirname "$0")/../lib/lib.sh"
# and ends with done_testing, which prints the plan: a test that dies earlier has no plan and fails.
# A comment "# time limit: N s" in its first lines replaces the default of tests/run.
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # for tests
eval_bin=$top/eval
# The number in the names of namespaces. $$ alone would be 2 in every PID namespace of own_namespaces.
test_id=${EVAL_TEST_ID:-$$}
work=$(mktemp -d "${TMPDIR:-/tmp}/eval-test.XXXXXX") || exit 1
test_count=0
test_namespaces=()
test_pids=()
test_cleanups=()

# Remove the namespaces of a killed test that had the same pid.
for netns in "/run/netns/et$test_id"-*; do
	[[ ! -e $netns ]] || ip netns delete "${netns##*/}" 2>/dev/null
done

# --- Results --------------------------------------------------------------------------------------------------

ok() {
	echo "ok $((++test_count)) - $1"
}

# not_ok NAME [DIAGNOSTIC…]
not_ok() {
	echo "not ok $((++test_count)) - $1"
	shift
	(($# == 0)) || diag "$@"
}

skip() {
	echo "ok $((++test_count)) - $1 # SKIP $2"
}

diag() {
	printf '%s\n' "$@" | sed 's/^/# /'
}

# check NAME COMMAND…: ok if the command succeeds.
check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		ok "$name"
	else
		not_ok "$name" "failed: $*" "$output"
	fi
}

# check_fails NAME STATUS COMMAND…: ok if the command exits with exactly STATUS. Its output is in $output.
check_fails() {
	local name=$1 wanted=$2 status=0
	shift 2
	output=$("$@" 2>&1) || status=$?
	if [[ $status == "$wanted" ]]; then
		ok "$name"
	else
		not_ok "$name" "exit status $status, not $wanted: $*" "$output"
	fi
}

check_eq() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "got:" "$2" "wanted:" "$3"
	fi
}

# check_match NAME TEXT EXTENDED_REGEX
check_match() {
	if [[ $2 =~ $3 ]]; then
		ok "$1"
	else
		not_ok "$1" "got:" "$2" "no match for: $3"
	fi
}

# check_number NAME 'EXPRESSION': ok if the awk expression is true, such as "3.2 <= 5".
check_number() {
	local right=''
	# Bash evaluates whole numbers without a process, unless a leading zero would make one octal.
	if [[ $2 =~ ^[0-9\ +*\<\>=!\&|()-]+$ && ! $2 =~ (^|[^0-9])0[0-9] ]]; then
		(($2)) && right=yes
	else
		awk "BEGIN { exit !($2) }" && right=yes
	fi
	if [[ -n $right ]]; then
		ok "$1"
	else
		not_ok "$1" "not true: $2"
	fi
}

done_testing() {
	echo "1..$test_count"
}

# skip_all REASON: skips a file that this host cannot run; call it before any test.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

need_root() {
	[[ $EUID == 0 ]] || { echo "Bail out! needs root"; exit 1; }
}

# own_namespaces "$@": restarts the test in new PID and mount namespaces with empty /run/netns and lab folders. There it sees
# only its own processes, network namespaces, labs and faults, 'eval cleanup --now' stops only its own faults, and whatever it
# leaves ends with it. Call it before the test creates anything. Does nothing in a guest, which runs one test at a time.
own_namespaces() {
	[[ -z ${EVAL_TEST_ID:-}${EVAL_GUEST:-} ]] || return 0
	need_root
	rm -rf "$work"
	# shellcheck disable=SC2016 # the inner shell's. Process 1 is not the test, so that it reaps the test's orphans.
	EVAL_TEST_ID=$$ exec unshare --pid --fork --kill-child --mount --mount-proc -- bash -c '
		awk "\$2 ~ /\/run\/netns\/|\/evlab\/|\/eval-test\./ { print \$2 }" /proc/self/mounts | sort -r | xargs -r umount -l
		for folder in /run/netns /run/evlab /var/lib/evlab; do
			mkdir -p "$folder" && mount -t tmpfs own "$folder" || exit 1
		done
		"$@"
		exit $?' - "$0" "$@"
}

# --- Waiting --------------------------------------------------------------------------------------------------

now_ms() {
	local now=$EPOCHREALTIME
	echo $((${now/./} / 1000))
}

# True in an emulated guest, where everything takes longer; see scripts/vm.sh.
is_emulated() { ((${EVAL_TIME_FACTOR:-1} > 1)); }

# patience SECONDS: prints how long to wait for something that takes at most SECONDS on an idle host: more in an emulated
# guest, but at most a minute more.
patience() {
	local more=$(($1 * (${EVAL_TIME_FACTOR:-1} - 1)))
	echo $(($1 + (more < 60 ? more : 60)))
}

# A pipe that is never written to: `read -t` on it sleeps without a process. (An emulated guest starts ten processes a second.)
exec {test_nothing}<> <(:)

# wait_for SECONDS COMMAND…: polls until the command succeeds; fails after SECONDS, or more in an emulated guest.
wait_for() {
	local deadline=$((${EPOCHREALTIME/./} + $(patience "$1") * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/./} < deadline)) || return 1
		read -r -t 0.02 -u "$test_nothing" || :
	done
}

is_running() {
	local line
	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
	[[ ${line##*) } != [ZX]* ]]
}

is_over() { ! is_running "$1"; }

# --- What a test makes ----------------------------------------------------------------------------------------

# spawn COMMAND…: starts it in the background, with its output in $work/spawn.N and its pid in $spawned.
spawn() {
	"$@" >"$work/spawn.${#test_pids[@]}" 2>&1 </dev/null &
	# shellcheck disable=SC2034 # for tests
	spawned=$!
	test_pids+=("$!")
}

# on_cleanup COMMAND…: runs it when the test exits for any reason; the command added last runs first.
on_cleanup() {
	test_cleanups+=("$(printf '%q ' "$@")")
}

ns() { echo "et$test_id-$1"; }
in_ns() {
	local name
	name=$(ns "$1")
	shift
	nsenter --net="/run/netns/$name" -- "$@"
}

# make_ns NAME…: creates namespaces named $(ns NAME), with loopback up; test_exit deletes them.
make_ns() {
	local name
	for name; do
		ip netns add "$(ns "$name")" || return 1
		test_namespaces+=("$(ns "$name")")
		ip -n "$(ns "$name")" link set lo up || return 1
	done
}

# make_switch NAME MEMBER=ADDRESS/LENGTH[,ADDRESS/LENGTH]…: makes a namespace for each, and connects each member's eth0 to
# NAME's bridge.
make_switch() {
	local switch=$1 member name addresses address
	shift
	make_ns "$switch" || return 1
	ip -n "$(ns "$switch")" link add bridge type bridge
	ip -n "$(ns "$switch")" link set bridge up
	for member; do
		name=${member%%=*}
		make_ns "$name" || return 1
		ip -n "$(ns "$switch")" link add "$name" type veth peer name eth0 netns "$(ns "$name")" || return 1
		ip -n "$(ns "$switch")" link set "$name" master bridge up
		ip -n "$(ns "$name")" link set eth0 up
		mapfile -t -d , addresses < <(printf '%s' "${member#*=}")
		for address in "${addresses[@]}"; do
			[[ $address == *:* ]] && ip -n "$(ns "$name")" addr add "$address" dev eth0 nodad && continue
			ip -n "$(ns "$name")" addr add "$address" dev eth0 || return 1
		done
	done
}

# end_pids PID…: ends them by SIGTERM, after 3 s by SIGKILL. Background jobs ignore SIGINT, and a child that has just been
# forked may lose SIGINT and SIGTERM, so that a plain wait could block forever.
end_pids() {
	local pid
	for pid; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid; do
		wait_for 3 is_over "$pid" || kill -KILL "$pid" 2>/dev/null
	done
}

test_exit() {
	local status=$? i
	# A forked child that gets a signal before it has reset the inherited traps must not clean up.
	[[ $BASHPID == "$$" ]] || exit "$status"
	trap '' INT TERM HUP
	for ((i = ${#test_cleanups[@]} - 1; i >= 0; i--)); do
		eval "${test_cleanups[i]}" >/dev/null 2>&1
	done
	((${#test_pids[@]} == 0)) || end_pids "${test_pids[@]}" 2>/dev/null
	for i in "${test_namespaces[@]}"; do
		ip netns delete "$i" 2>/dev/null
	done
	rm -rf --one-file-system "$work"
	exit "$status"
}
trap test_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT HUP

# sqlite3 creates a missing database: make it private, or eval as root would refuse to write it.
sqlite3() { (umask 077 && exec sqlite3 "$@"); }

# --- State to compare before and after ------------------------------------------------------------------------

# The names of our BPF programs, one per line, cut to 15 characters as the kernel does.
bpf_programs() {
	sed -n 's/^int \([a-z0-9_]*\)(struct .*/\1/p; s/^int BPF_PROG(\([a-z0-9_]*\).*/\1/p' "$top"/bpf/*.bpf.c | cut -c 1-15
}

# The programs and maps of faults whose holder is or was in this PID namespace; for tests that use own_namespaces.
bpf_state() { "$top/build/tools/own_bpf" | sort; }

# network_state [NETNS…]: prints links, addresses, qdiscs, filters, tcx and XDP programs of this namespace and NETNS,
# without timers, lifetimes and the state "tentative", which change by themselves.
network_state() {
	local netns device inside
	for netns in '' "$@"; do
		inside=()
		[[ -z $netns ]] || inside=(nsenter --net="/run/netns/$netns" --)
		echo "== ${netns:-this namespace}"
		"${inside[@]}" ip -details -oneline link show | sed -E 's/ [a-z_]+_timer +[0-9.]+//g'
		"${inside[@]}" ip -oneline addr show | sed -E 's/ tentative//; s/ (valid|preferred)_lft [0-9a-z]+//g'
		"${inside[@]}" tc qdisc show
		for device in $("${inside[@]}" ip -oneline link show | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }'); do
			"${inside[@]}" tc filter show dev "$device" ingress 2>&1
			"${inside[@]}" tc filter show dev "$device" egress 2>&1
		done
		"${inside[@]}" bpftool net show 2>&1
	done
}

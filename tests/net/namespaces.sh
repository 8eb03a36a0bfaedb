#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 5.10 6.1: time namespaces differ between them
# time limit: 150 s
# eval in a separate time, cgroup or PID namespace: its faults seen from the host, and the host's faults seen from there.
# disk/guard tests the hook engine in a PID namespace.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
n1=$(ns n1)
plain=$eval_bin
reaches() { in_ns n1 "$traffic" reach -t 500 -p 7000 "$(address4 n2)" | grep -q yes; }
not() { ! "$@"; }
fault() { our_faults | jq -r "$1"; }
cut=(network_partition --netns "$n1" --peer "$(address4 n2)")

# in_file NAME COMMAND…: writes a program that runs eval by COMMAND; its path is in $program.
in_file() {
	program=$work/$1
	shift
	printf '#!/bin/bash\nexec %s%q "$@"\n' "$(printf '%q ' "$@")" "$plain" >"$program"
	chmod 0755 "$program"
}

# --- Time -----------------------------------------------------------------------------------------------------
# check_seen NAME: $eval_bin shows the fault as live, with a live holder and the right time left.
check_seen() {
	local name=$1 left
	check_eq "$name: it is live, and its holder lives" "$(fault '[.live, .holder_alive] | join(" ")')" "true true"
	left=$(fault .seconds_left)
	check_number "$name: its time is right: ${left:-none}" "${left:-0} > 450 && ${left:-0} <= 500"
}

# time_namespace NAME OFFSET…: tests a fault from such a time namespace, then a fault of the host seen from it.
time_namespace() {
	local name=$1 hooks
	shift
	in_file "shifted-$name" unshare --time "$@" --
	local shifted=$program

	eval_bin=$shifted
	inject inside "${cut[@]}" --for 500s || not_ok "time $name: a fault from there"
	check "time $name: it cuts" not reaches
	check_seen "time $name: seen from there"
	eval_bin=$plain
	check_seen "time $name: seen from outside"
	hooks=$(fault '.hooks | length')
	"$plain" list --db "$work/none.db" >/dev/null 2>&1
	check "time $name: a look from outside does it no harm" not reaches
	check_eq "time $name: … nor to its hooks" "$(fault '.hooks | length')" "$hooks"
	kill -STOP "$(pid_of inside)"
	check "time $name: its holder stopped, the kernel ends it with its lease" wait_for 4 reaches
	kill -CONT "$(pid_of inside)"
	revert inside
	check_eq "time $name: ends well" "$inject_status" 130

	inject outside "${cut[@]}" --for 500s || not_ok "time $name: a fault from outside"
	"$shifted" list --db "$work/none.db" >/dev/null 2>&1
	"$shifted" cleanup --db "$work/none.db" >/dev/null 2>&1
	check "time $name: one of outside, a look from there does it no harm" not reaches
	eval_bin=$shifted check_seen "time $name: one of outside, seen from there"
	check_eq "time $name: … and its hooks" "$(fault '.hooks | length')" "$hooks"
	revert outside
}

if [[ -e /proc/self/ns/time ]]; then
	time_namespace ahead --monotonic 100000 --boottime 200000
	time_namespace behind --monotonic -3 --boottime -7
	in_file shifted unshare --time --monotonic 100000 --boottime 200000 --
	eval_bin=$program
	inject short "${cut[@]}" --for 1s
	kill -STOP "$(pid_of short)"
	check "time: … and its time is over when it is" wait_for 4 reaches
	kill -CONT "$(pid_of short)"
	inject_end short
	cat >"$work/campaign.yaml" <<-END
		defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 5}
		subjects:
		  - name: s
		    reset: "true"
		    nodes: [{name: n1, netns: "$n1", address: "$(address4 n1)"}, {name: n2, netns: "$(ns n2)", address: "$(address4 n2)"}]
		    workload: {exec: "ip netns exec $n1 ping -n -q -i 0.05 -W 0.1 $(address4 n2); true"}
		chaos_types: [{type: network_partition, target: n1}]
	END
	check "time: a campaign from there" "$program" run campaign "$work/campaign.yaml" --db "$work/campaign.db" --quiet
	check_eq "time: … bites" "$(sqlite3 "$work/campaign.db" "SELECT status, json_extract(evidence, '\$.hit') > 0 FROM trials")" \
		"completed|1"
	root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	pid_namespace=$(stat -L -c %i /proc/self/ns/pid) time_namespace=$(stat -L -c %i /proc/self/ns/time)
	start=$(cut -d ' ' -f 22 "/proc/$$/stat")
	for scope in "$start-$pid_namespace-$time_namespace" "$start-$pid_namespace"; do
		mkdir "$root/eval-$$-$scope-1w"
		on_cleanup rmdir "$root/eval-$$-$scope-1w"
		check "time: the cgroup of a run of outside, $scope, is left alone from there" \
			bash -c "'$program' cleanup --db '$work/none.db' && [[ -d $root/eval-$$-$scope-1w ]]"
	done
	mkdir "$root/eval-$$-1-$pid_namespace-$time_namespace-1w"
	on_cleanup rmdir "$root/eval-$$-1-$pid_namespace-$time_namespace-1w"
	check "time: a dead run's is removed from there" \
		bash -c "'$program' cleanup --db '$work/none.db' && [[ ! -d $root/eval-$$-1-$pid_namespace-$time_namespace-1w ]]"
	eval_bin=$plain
else
	skip "time" "this kernel has no time namespaces"
fi

# --- Cgroup ---------------------------------------------------------------------------------------------------
# The node's cgroup is two levels below the cgroup namespace's root, which is two levels below the host's root.
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
outer=$root/et$test_id-outer
mkdir -p "$outer/inner/node/deep"
on_cleanup rmdir "$outer/inner/node/deep" "$outer/inner/node" "$outer/inner" "$outer"
# node_reaches FOLDER: reaches, from a process in the cgroup FOLDER.
node_reaches() {
	# shellcheck disable=SC2016 # for the inner shell
	bash -c 'echo $$ >"$0/cgroup.procs" && shift && exec "$@"' "$1" - \
		ip netns exec "$n1" "$traffic" reach -t 500 -p 7000 "$(address4 n2)" | grep -q yes
}
node=(network_partition --for 60s --netns "$n1" --peer "$(address4 n2)" --address "$(address4 n1):7000")
# shellcheck disable=SC2016 # for the inner shell
in_file contained bash -c 'echo $$ >"$0/cgroup.procs" && exec unshare --cgroup --mount -- bash -c '"'"'
	umount -l "$0" && mount -t cgroup2 none "$0" && exec "$@"'"'"' "$1" "${@:2}"' "$outer/inner" "$root"
contained=$program
for path in /node/deep "$root/node/deep"; do
	eval_bin=$contained
	inject cut "${node[@]}" --cgroup "$path" || not_ok "cgroup $path: a fault"
	eval_bin=$plain
	check "cgroup $path, in a cgroup namespace: what the node sends is cut" not node_reaches "$outer/inner/node/deep"
	check "cgroup $path: and nothing else" node_reaches "$outer/inner/node"
	revert cut
done
inject cut "${node[@]}" --cgroup "et$test_id-outer/inner/node/deep" || not_ok "cgroup: a fault of outside"
check "cgroup: outside, too" not node_reaches "$outer/inner/node/deep"
check_eq "cgroup: seen from there it lives" \
	"$("$contained" bpf-status --json | jq -c ".faults[] | select(.netns == \"$n1\") | [.live, .holder_alive]")" "[true,true]"
revert cut
without=(setpriv --bounding-set -dac_read_search --inh-caps -dac_read_search --)
check_fails "cgroup: the level cannot be told there" 3 "${without[@]}" "$contained" inject "${node[@]}" --cgroup /node/deep
check_match "cgroup: … which it says" "$output" "cannot tell how deep below the host's root cgroup"
check_fails "cgroup: a folder that is none" 2 "$plain" inject "${node[@]}" --cgroup ../../..
check_match "cgroup: … which it says" "$output" "is no cgroup"

# --- PID ------------------------------------------------------------------------------------------------------
foreign() { unshare --pid --fork "$plain" "$@"; }
check_fails "a PID namespace without a /proc of its own: exit 3" 3 foreign inject "${cut[@]}" --for 1s
check_match "… and why" "$output" "/proc shows the processes of another PID namespace.*--mount-proc"
inject cut "${cut[@]}" --for 60s
foreign list --db "$work/none.db" >/dev/null 2>&1
foreign cleanup --db "$work/none.db" >/dev/null 2>&1
check "… a look from there does faults of outside no harm" not reaches
revert cut

done_testing

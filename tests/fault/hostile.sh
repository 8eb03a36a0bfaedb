#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 150 s
# not in guests: it tests the coordinator and its children
# Hostile environments: commands that hang, flood, fork away or are killed; devices and namespaces that are removed during a
# trial; few descriptors, closed outputs, odd locales and names.
# shellcheck disable=SC2016 # the commands' own variables
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

unset EVAL_DB
net=10.$((RANDOM % 200 + 20)).$((RANDOM % 250))
cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)

# write NAME [REPETITIONS] <SUBJECTS: writes a campaign of baseline trials.
write() {
	{
		printf 'trials_per_combination: %s\ninclude_baseline: true\nchaos_types: []\n' "${2:-1}"
		echo "defaults: {warmup_seconds: 0.1, duration_seconds: ${hold:-0.2}, recovery_seconds: ${recovery:-1}, retries: 0}"
		echo "subjects:"
		cat
	} >"$work/$1.yaml"
}
nodes="nodes: [{name: n1, address: $net.1}]"
sql() { sqlite3 -cmd '.timeout 5000' "$work/$1.db" "$2"; }
run() {
	local name=$1
	shift
	status=0
	out=$(timeout 60 "$@" "$eval_bin" run campaign "$work/$name.yaml" --db "$work/$name.db" 2>&1 </dev/null) || status=$?
}
outcome() { sql "$1" "SELECT status || ' ' || coalesce(error_stage, '-') || ' ' || coalesce(error_text, '-') FROM trials LIMIT 1"; }

# --- Commands -------------------------------------------------------------------------------------------------

write hangs <<END
  - {name: one, reset: {exec: "trap '' TERM INT HUP; echo \$\$ >$work/hangs; sleep 300", timeout_seconds: 1}, $nodes}
END
run hangs
check_match "a reset that hangs" "$status $(outcome hangs)" "^1 failed reset reset failed: timed out after [12]"
check "a reset that hangs is dead" wait_for 3 is_over "$(cat "$work/hangs")"

write never <<END
  - {name: one, reset: "true", ready: {exec: "echo no leader; exit 3", timeout_seconds: 1}, $nodes}
END
run never
check_match "ready that never comes" "$status $(outcome never)" "^1 failed ready not ready in time, after [0-9]+ tries: exit 3: no leader$"

# The workload forks twice, into a new session, and ignores TERM, INT and HUP.
write forks <<END
  - {name: one, reset: "true", $nodes,
     workload: "(setsid sh -c 'trap \"\" TERM INT HUP; cd /; echo \$\$ >$work/forked; sleep 300 & wait' </dev/null >/dev/null 2>&1 &) & sleep 300"}
END
run forks
check_eq "a workload that forks away" "$status $(outcome forks)" "0 completed - -"
check "a workload that forks away is dead" wait_for 3 is_over "$(cat "$work/forked")"

hold=2 write flood <<END
  - {name: one, reset: "true", $nodes, workload: "exec cat /dev/zero",
     probes: [{name: p, exec: "head -c 100000000 /dev/zero", every_ms: 100, timeout_ms: 5000}]}
END
"$eval_bin" run campaign "$work/flood.yaml" --db "$work/flood.db" >/dev/null 2>&1 </dev/null &
coordinator=$!
test_pids+=("$coordinator")
most=0
while is_running "$coordinator"; do
	for pid in $coordinator $(cat "/proc/$coordinator/task/$coordinator/children" 2>/dev/null); do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) == eval* ]] || continue
		kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
		((${kib:-0} <= most)) || most=$kib
	done
	sleep 0.05
done
wait "$coordinator"
check_number "probes and a workload that print gigabytes: $most KiB at most" "0 < $most && $most < 65536"
check_eq "what they printed is kept within bounds" "$(sql flood 'SELECT max(length(commands_json)) < 200000 FROM trials')" 1

write killed <<END
  - {name: one, reset: "kill -KILL \$\$", $nodes}
END
run killed
check_eq "a command that is killed" "$status $(outcome killed)" "1 failed reset reset failed: signal 9 (Killed)"
hold=0.5 write oom <<END
  - {name: one, reset: "true", $nodes, workload: "sleep 0.3; kill -KILL \$\$", probes: [{name: p, exec: "kill -KILL \$\$", every_ms: 100, timeout_ms: 500}]}
END
run oom
check_match "a workload and probes that are killed" "$status $(outcome oom)" "^1 "
check_eq "a workload that is killed is recorded" "$(sql oom "SELECT json_extract(value, '\$.signal') FROM trials, json_each(commands_json)
	WHERE json_extract(value, '\$.name') = 'workload'")" 9

# The kernel's OOM killer: each command moves into a cgroup of 16 MiB and grows.
memory=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
if [[ -n $memory ]]; then
	limit=memory.limit_in_bytes kills=memory.oom_control
else
	memory=$cgroups limit=memory.max kills=memory.events
	if ! grep -qw memory "$cgroups/cgroup.subtree_control"; then
		on_cleanup sh -c "echo -memory >$cgroups/cgroup.subtree_control"
		echo +memory >"$cgroups/cgroup.subtree_control"
	fi
fi
memory+=/eval-test-$$
on_cleanup rmdir "$memory"
mkdir "$memory" && echo 16M >"$memory/$limit" || exit 1
[[ ! -e $memory/memory.swap.max ]] || echo 0 >"$memory/memory.swap.max"
grow="echo \$\$ >$memory/cgroup.procs; exec tail /dev/zero"
oom_kills() { sed -n 's/^oom_kill //p' "$memory/$kills"; }
check_eq "out of memory: nobody yet" "$(oom_kills)" 0
write starved <<END
  - {name: one, reset: "$grow", $nodes}
END
run starved
check_eq "out of memory: a reset" "$status $(outcome starved)" "1 failed reset reset failed: signal 9 (Killed)"
check_eq "out of memory: it was the kernel" "$(oom_kills)" 1
hold=1 write hungry <<END
  - {name: one, reset: "true", $nodes, workload: "sleep 0.3; $grow", probes: [{name: p, exec: "$grow", every_ms: 200, timeout_ms: 1000}]}
END
run hungry
check_eq "out of memory: a workload and probes" "$status $(sql hungry 'SELECT status, error_stage, error_text FROM trials')" \
	"1 failed|hold|the workload failed in the hold: signal 9 (Killed)"
check_eq "out of memory: the workload's signal" "$(sql hungry "SELECT json_extract(value, '\$.signal') FROM trials, json_each(commands_json)
	WHERE json_extract(value, '\$.name') = 'workload'")" 9
check_number "out of memory: probes were killed, too" "$(oom_kills) >= 3"

# --- Devices and namespaces that are removed ------------------------------------------------------------------

# reset makes a new pair each time; in vanish, the workload removes it during the trial.
make_ns sw || exit 1
cat >"$work/pair" <<END
for name in va vb; do ip netns delete et$test_id-\$name 2>/dev/null; ip netns add et$test_id-\$name || exit 1; done
. $work/link
END
cat >"$work/link" <<END
ip -n et$test_id-va link add eth0 type veth peer name eth0 netns et$test_id-vb
ip -n et$test_id-va addr add 10.99.1.1/24 dev eth0; ip -n et$test_id-vb addr add 10.99.1.2/24 dev eth0
ip -n et$test_id-va link set eth0 up; ip -n et$test_id-vb link set eth0 up
END
test_namespaces+=("et$test_id-va" "et$test_id-vb")
# Scripts that replace the device or the namespace by a new one of the same name, and record the new one's hooks.
cat >"$work/hooks" <<END
for way in ingress egress; do ip netns exec et$test_id-va tc filter show dev eth0 \$way; done
ip -n et$test_id-va link show dev eth0 | grep -o 'xdp.*'
END
cat >"$work/other_device" <<END
ip -n et$test_id-va link delete eth0
. $work/link
ip netns exec et$test_id-va ping -n -q -c 3 -i 0.05 -W 1 10.99.1.2 >$work/pinged 2>&1 && touch $work/passes
sh $work/hooks >$work/new_hooks 2>&1
END
cat >"$work/other_namespace" <<END
ip netns delete et$test_id-va
ip netns add et$test_id-va
ip -n et$test_id-va link add eth0 type veth peer name eth1
ip -n et$test_id-va addr add 10.99.1.1/24 dev eth0
ip -n et$test_id-va link set eth0 up
sh $work/hooks >$work/new_hooks 2>&1
END
# vanishing NAME COMMAND TYPE: writes two trials. The first one's workload runs COMMAND during the hold, which abort_if marks by
# $work/held; the second waits for $work/looked.
vanishing() {
	cat >"$work/$1.yaml" <<END
trials_per_combination: 2
defaults: {warmup_seconds: 0.1, duration_seconds: 2, recovery_seconds: 10, retries: 0, abort_if: "touch $work/held; false"}
subjects:
  - name: pair
    reset: "case \$EVAL_TRIAL in *-2) while ! test -e $work/looked; do sleep 0.05; done;; esac; rm -f $work/held; sh $work/pair"
    nodes:
      - {name: a, address: 10.99.1.1, netns: et$test_id-va}
      - {name: b, address: 10.99.1.2, netns: et$test_id-vb}
    workload: |
      nsenter --net=/run/netns/et$test_id-va ping -q -i 0.02 10.99.1.2 &
      case \$EVAL_TRIAL in *-1) while ! test -e $work/held; do sleep 0.05; done; sleep 0.3; $2;; esac
      sleep 300
chaos_types: [{type: $3, target: a}]
END
	sed -i "s/latency, target: a/&, params: {min_ms: 10, max_ms: 10}/" "$work/$1.yaml"
}
# is_told NAME ERE: checks the first trial's outcome, that the second is completed, and that nothing is left.
is_told() {
	check_match "$1: the trial is told of it" "$(outcome "$1")" "$2"
	check_eq "$1: the next trial is completed" "$(sql "$1" "SELECT status FROM trials WHERE id LIKE '%-2'")" completed
	check "$1: nothing is left" wait_for 3 nothing_left_in va
}
# vanish NAME COMMAND TYPE ERE: the workload runs COMMAND.
vanish() {
	touch "$work/looked"
	vanishing "$1" "$2" "$3"
	run "$1"
	is_told "$1" "$4"
}
vanish "device gone" "ip -n et$test_id-va link delete eth0" network_partition "^failed hold the fault's hooks on eth0 went away"
vanish "device gone, delayed" "ip -n et$test_id-va link delete eth0" latency "^failed hold the fault's hooks on eth0 went away"
# back NAME SCRIPT TYPE ERE: runs SCRIPT from outside, as the workload may end with the trial; the new device has no hook.
back() {
	rm -f "$work/new_hooks" "$work/passes" "$work/held" "$work/looked"
	vanishing "$1" true "$3"
	timeout 60 "$eval_bin" run campaign "$work/$1.yaml" --db "$work/$1.db" >"$work/back.out" 2>&1 </dev/null &
	test_pids+=("$!")
	check "$1: the trial holds" wait_for 10 test -e "$work/held"
	[[ -e $work/held ]] || diag "$(cat "$work/back.out")" "$(sql "$1" 'SELECT at, trial_id, phase, kind, text FROM events ORDER BY rowid')"
	sh "$work/$2"
	touch "$work/looked"
	wait "${test_pids[-1]}"
	is_told "$1" "$4"
	check_eq "$1: the new one has no hook of ours" "$(cat "$work/new_hooks" 2>&1)" ""
}
for type in network_partition latency; do
	back "device gone and back, $type" other_device $type "^failed hold the fault's hooks on eth0 went away"
	check "device gone and back, $type: packets pass the new one" test -e "$work/passes"
done
# Only the namespace's name is removed: the fault's descriptors keep the namespace, and the chaos continues.
vanish "namespace gone" "ip netns delete et$test_id-va" network_partition "^completed - -"
back "namespace gone and back" other_namespace network_partition "^completed - -"
vanish "device down and up" "ip -n et$test_id-va link set eth0 down; sleep 0.2; ip -n et$test_id-va link set eth0 up" network_partition "^completed - -"

# --- Limits, outputs, locales, names --------------------------------------------------------------------------

recovery=20 write plain 2 <<END
  - {name: one, instances: 2, reset: "true", nodes: [{name: n1, address: "$net.{instance}"}], probes: [{name: p, exec: "true", every_ms: 50, timeout_ms: 500}]}
END
plain() {
	rm -f "$work"/plain.db*
	run plain "$@"
}
complete() { [[ $(sql plain "SELECT group_concat(status) FROM trials") == completed,completed ]]; }
for limit in 12 16 24; do
	plain prlimit --nofile=$limit
	check_number "$limit descriptors: an error or a failed trial, no crash ($status)" "$status == 0 || $status == 1 || $status == 3"
	((status < 124)) || diag "$out"
done
plain prlimit --nofile=64
check_eq "64 descriptors are enough" "$status" 0
for type in network_partition latency; do
	cat >"$work/limited-$type.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: 0.1, duration_seconds: 0.3, recovery_seconds: 10, retries: 0}
subjects:
  - name: pair
    reset: "sh $work/pair"
    nodes:
      - {name: a, address: 10.99.1.1, netns: et$test_id-va}
      - {name: b, address: 10.99.1.2, netns: et$test_id-vb}
    workload: "exec nsenter --net=/run/netns/et$test_id-va ping -q -i 0.02 10.99.1.2"
    probes: [{name: p, exec: "true", every_ms: 50, timeout_ms: 500}]
chaos_types: [{type: $type, target: a$([[ $type != latency ]] || echo ", params: {min_ms: 10, max_ms: 10}")}]
END
	run "limited-$type" prlimit --nofile=64
	check_eq "64 descriptors are enough for $type" "$status $(outcome "limited-$type")" "0 completed - -"
	((!status)) || diag "$out"
done
plain prlimit --stack=262144 --core=0 --memlock=0
check_eq "256 KiB of stack, no locked memory" "$status" 0
plain prlimit --as=200000000
check_number "200 MB of address space ($status)" "$status == 0 || $status == 1 || $status == 3"

rm -f "$work"/plain.db*
# shellcheck disable=SC2094
"$eval_bin" run campaign "$work/plain.yaml" --db "$work/plain.db" <&- >&- 2>&-
check_eq "closed descriptors: completed" "$?" 0
check_eq "closed descriptors: the database is sound" "$(sql plain 'PRAGMA integrity_check')" ok
rm -f "$work"/plain.db*
timeout 60 "$eval_bin" run campaign "$work/plain.yaml" --db "$work/plain.db" 2>&1 </dev/null | head -n 1 >/dev/null
check "nobody reads the output: the campaign goes on" complete
rm -f "$work"/plain.db*
timeout 60 "$eval_bin" run campaign "$work/plain.yaml" --db "$work/plain.db" --json >/dev/full 2>&1 </dev/null
check "a full disk under the output: the campaign goes on" complete

# A full pipe, like that of a pager that waits for a key.
mkfifo "$work/unread"
exec 9<>"$work/unread"
head -c 65536 /dev/zero >&9
# unread WHAT ERRORS [OPTION…]: runs a campaign with a full standard output; errors go to ERRORS.
unread() {
	local what=$1 errors=$2
	shift 2
	rm -f "$work"/plain.db*
	sed 's/duration_seconds: [0-9.]*/duration_seconds: 60/' "$work/plain.yaml" >"$work/unread.yaml"
	"$eval_bin" run campaign "$work/unread.yaml" --db "$work/plain.db" "$@" >&9 2>"$errors" </dev/null &
	spawned=$!
	test_pids+=("$spawned")
	holds() { [[ $(sql plain "SELECT count(*) FROM events WHERE phase = 'hold'") -gt 0 ]]; }
	check "$what: the campaign goes on" wait_for 10 holds
	kill -INT "$spawned"
	check "$what: Ctrl+C ends it" wait_for 10 is_over "$spawned"
	wait "$spawned"
	check_eq "$what: exit status" "$?" 130
	check_match "$what: how much was lost is in the record" "$(sql plain "SELECT text FROM events WHERE kind = 'output_lost'")" \
		"^[1-9][0-9]* lines of the output are lost"
}
for mode in --json ""; do
	# shellcheck disable=SC2086 # none or one
	unread "an output that is full ($mode)" "$work/unread.err" $mode
	check_match "an output that is full ($mode): is told" "$(cat "$work/unread.err")" "nobody reads the output: [1-9][0-9]* lines"
	# Like `2>&1 | less`.
	# shellcheck disable=SC2086
	unread "output and errors that are full ($mode)" "$work/unread" $mode
done
check_fails "errors that are full: an error is no obstacle" 2 timeout 20 sh -c "exec '$eval_bin' nonsense 2>'$work/unread'"
exec 9>&-

# Without Debian's package locales, tr_TR and de_DE are not available and count as unknown locales.
mkdir "$work/locales"
for locale in C.UTF-8 tr_TR.UTF-8 de_DE.UTF-8 nonsense; do
	there=''
	[[ $locale != *_* ]] || localedef -i "${locale%.*}" -f UTF-8 "$work/locales/$locale" >/dev/null 2>&1 ||
		there=" (no localedef or no source of it here: as nonsense)"
	plain env LOCPATH="$work/locales" LC_ALL=$locale LANG=$locale
	check_eq "locale $locale$there" "$status" 0
	((!status)) || diag "$out"
done
if [[ -e $work/locales/de_DE.UTF-8 ]]; then
	check_eq "locale de_DE.UTF-8: has a comma" "$(LOCPATH="$work/locales" LC_ALL=de_DE.UTF-8 locale decimal_point)" ,
	plain env LOCPATH="$work/locales" LC_ALL='' LANG=C LC_NUMERIC=de_DE.UTF-8
	check_eq "locale C with LC_NUMERIC=de_DE.UTF-8" "$status" 0
	check_eq "locale C with LC_NUMERIC=de_DE.UTF-8: numbers are as always" \
		"$(LOCPATH="$work/locales" LC_ALL='' LC_NUMERIC=de_DE.UTF-8 "$eval_bin" show campaign --json --db "$work/plain.db" | jq -r 'if type == "array" then .[0] else . end | .id' | cut -c 1-9)" campaign-
fi
plain env -i
check_eq "no environment at all" "$status" 0

odd="$work/it's \"odd\" \$HOME ; ü/sub dir"
mkdir -p "$odd"
cat >"$odd/a file.yaml" <<END
trials_per_combination: 2
include_baseline: true
chaos_types: []
defaults: {warmup_seconds: 0, duration_seconds: 0.1, recovery_seconds: 1}
subjects: [{name: one, reset: 'sh "./it''s here.sh"', $nodes}]
END
printf 'pwd >here\ntest ! -e stop || sleep 300\n' >"$odd/it's here.sh"
cd "$odd" || exit 1
touch stop
"$eval_bin" run campaign "a file.yaml" --db "a base.db" >"$work/odd.out" 2>&1 </dev/null &
coordinator=$!
test_pids+=("$coordinator")
check "odd names: commands run in the file's folder" wait_for 10 test -s here
check_eq "odd names: which has just that name" "$(cat here)" "$odd"
kill -INT "$coordinator"
wait "$coordinator"
rm -f stop
check "odd names: the printed command resumes, as it stands there" \
	sh -c "$(sed -n 's/^eval: \(.* run campaign .*\)/\1/p' "$work/odd.out")"
check_eq "odd names: completed" "$(sqlite3 "a base.db" 'SELECT group_concat(status) FROM trials')" completed,completed
cd / || exit 1

done_testing

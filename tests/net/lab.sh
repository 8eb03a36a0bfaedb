#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# alone: it measures how soon a lab is up
# not in guests: it tests a script and etcd, which do not depend on the kernel
# scripts/lab.sh: the lab comes up, takes writes, survives its leader's death, and leaves nothing.
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
need_root

lab=$top/scripts/lab.sh
# Instances that no other test uses.
a=231 b=232
on_cleanup "$lab" down --instance $a
on_cleanup "$lab" down --instance $b

# Prints everything that exists of these two labs.
traces() {
	ip netns list | grep -E "^evlab($a|$b)-"
	losetup --list --noheadings --output BACK-FILE | grep -E "/evlab/($a|$b)/"
	grep -E "/evlab/($a|$b)/" /proc/mounts
	ls -d /run/evlab/$a* /run/evlab/$b* /var/lib/evlab/$a* /var/lib/evlab/$b* 2>/dev/null
	grep -lzE "^/run/evlab/($a|$b)/" /proc/[0-9]*/cmdline 2>/dev/null
	true
}

put_ms() {
	local began
	began=$(now_ms)
	"$lab" put --instance "$1" || return 1
	echo $(($(now_ms) - began))
}

host_before=$(network_state)
check_eq "nothing there before" "$(traces)" ""
check "down without a lab" "$lab" down --instance $a

# `| cat` ends only if no daemon holds the pipe.
began=$(now_ms)
text=$(timeout 20 "$lab" up --instance $a 2>&1 | cat)
check_eq "up says nothing and holds no pipe" "$text" ""
took=$(($(now_ms) - began))
# A slow one of three may be the machine.
for ((i = 0; i < 2 && took >= 2000; i++)); do
	"$lab" down --instance $a
	began=$(now_ms)
	"$lab" up --instance $a
	took=$(($(now_ms) - began))
done
check_number "up takes less than 2 s" "$took < 2000"
check "ready at once" "$lab" ready --instance $a
check_eq "the host's network is as it was" "$(network_state)" "$host_before"

check_match "every node has its own disk" "$(grep -c "^/dev/loop.* /run/evlab/$a/n[123] ext4" /proc/mounts)" '^3$'
check_match "leader" "$("$lab" leader --instance $a)" '^n[123]$'
check_eq "leader by \$EVAL_INSTANCE" "$(EVAL_INSTANCE=$a "$lab" leader)" "$("$lab" leader --instance $a)"
check_match "status" "$("$lab" status --instance $a)" $'\nn1 +10\.77\.231\.1 +[0-9]+ +ok +(leader|follower) '

times=()
for ((i = 0; i < 21; i++)); do
	times+=("$(put_ms $a)")
done
median=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 11p)
check_match "writes succeed" "$median" '^[0-9]+'
diag "a write takes $median ms"

# Each daemon leads its own session and holds none of the caller's descriptors.
exec 8<"$0"
"$lab" reset --instance $b
exec 8<&-
for node in n1 n2 n3; do
	pid=$(cat /run/evlab/$b/$node.pid)
	check_eq "$node of the second lab leads its session" "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid"
	check_eq "$node holds nothing of its caller" "$(readlink /proc/"$pid"/fd/* | grep -cE '/tests/|pipe:.*x|\.lock$|/dev/pts')" 0
done
check "the first lab goes on beside it" "$lab" put --instance $a
check_fails "neither reaches the other" 2 \
	nsenter --net=/run/netns/evlab$b-client ping -c 1 -W 1 10.77.$a.1

# load runs until it is killed, and its child ends with it.
load_pids() { pgrep -f "10\.77\.$a\.[123]:2379/v3/kv/put\?" || true; }
revision() { "$lab" status --instance $a | awk '$1 == "n1" { print $7 }'; }
before=$(revision)
spawn "$lab" load --instance $a
load=$spawned
more_than() { (($(revision) > $1)); }
check "load writes" wait_for 5 more_than $((before + 20))
kill -TERM "$load"
check "load ends when told to" wait_for 2 is_over "$load"
check_eq "its child too" "$(load_pids)" ""
spawn "$lab" load --instance $a
load=$spawned
has_load() { [[ -n $(load_pids) ]]; }
no_load() { [[ -z $(load_pids) ]]; }
wait_for 3 has_load
kill -KILL "$load"
check "its child ends with it when it is killed" wait_for 2 no_load
# Also while it starts its child, which checks after its prctl whether its parent is already dead.
for ms in {100..190..10}; do
	spawn "$lab" load --instance $a
	sleep "0.$ms"
	kill -KILL "$spawned"
	wait_for 2 no_load || break
done
check "so it does when it is killed at its start" no_load

# The leader is killed: the other nodes elect a new one, and writes go there.
old=$("$lab" leader --instance $a)
kill -KILL "$(cat /run/evlab/$a/"$old".pid)"
began=$(now_ms)
check_fails "no write without a leader" 1 "$lab" put --instance $a
check "writes are back after its death" wait_for 10 "$lab" put --instance $a
took=$(($(now_ms) - began))
check_number "after $took ms: an election, 0.5 to 5 s" "$took > 500 && $took < 5000"
check_match "another leads" "$("$lab" leader --instance $a)" "^n[^${old#n}]$"
check_fails "not ready with two of three" 1 "$lab" ready --instance $a

check_eq "revive tells which node ended" "$("$lab" revive --instance $a)" "$old ended: killed?"
check "it comes back" wait_for 10 "$lab" ready --instance $a
check_eq "and tells it again" "$("$lab" revive --instance $a)" "$old ended: killed?"
kill -KILL "$(cat /run/evlab/$a/"$old".pid)"

# up replaces a broken lab.
check "up over a broken lab" "$lab" up --instance $a
check "ready again" "$lab" ready --instance $a

spawn nsenter --net=/run/netns/evlab$a-n1 -- sleep 300
stranger=$spawned
check "down" "$lab" down --instance $a
check "a process in its namespaces went with it" wait_for 2 is_over "$stranger"
check "down twice" "$lab" down --instance $a
check_eq "only the second lab is left" "$(traces | grep -cE "evlab/?$a")" 0
check "the second lab goes on" "$lab" put --instance $b

for delay in 0.02 0.05 0.1 0.2 0.4; do
	timeout --signal=KILL $delay "$lab" up --instance $a >/dev/null 2>&1
	check "up after one was killed after $delay s" "$lab" up --instance $a
	timeout --signal=KILL $delay "$lab" down --instance $a >/dev/null 2>&1
done
"$lab" up --instance $a >/dev/null 2>&1 &
"$lab" up --instance $a >/dev/null 2>&1
wait $!
check "two at once wait for each other" "$lab" ready --instance $a

# A damaged lab: an etcd whose namespace has lost its name, and a pid file with a stranger's pid.
ip netns delete evlab$a-n1
spawn sleep 300
stranger=$spawned
echo "$stranger" >/run/evlab/$a/n2.pid
check "down of a damaged lab" "$lab" down --instance $a
check "not with a stranger named in a pid file" is_running "$stranger"
kill "$stranger"

check_fails "ready without a lab" 1 "$lab" ready --instance $a
check_fails "put without a lab" 1 "$lab" put --instance $a
check_fails "load without a lab" 1 timeout 5 "$lab" load --instance $a
check_fails "wrong instance" 2 "$lab" up --instance 256
check_fails "wrong command" 2 "$lab" upp
check_fails "no command" 2 "$lab"

check "down of the second lab" "$lab" down --instance $b
check_eq "nothing is left" "$(traces)" ""
check_eq "the host's network is as it was at the end" "$(network_state)" "$host_before"

done_testing

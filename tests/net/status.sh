#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 5.10 6.1: they have filters; this host has links
# eval bpf-status: live faults, leftovers and faults of other versions, read from the kernel alone.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

fault() { our_faults | jq -r "select(.type == \"$1\") | $2"; }

hook=tcx has_tcx=true
has_tcx || hook=tc has_tcx=false
line=tap
has_fq && line=fq
make_nodes 2
n1=$(ns n1)
check "with nothing of ours live: exit 0" "$eval_bin" bpf-status
check_eq "nothing of ours is live" "$(fault_count)" 0
check_match "the kernel's features are told" "$("$eval_bin" bpf-status --json | jq -r '.features[] | "\(.name)=\(.usable)"' | tr '\n' ' ')" \
	"btf=true tcx=$has_tcx clsact=true .*tap=true "
check_eq "what is not usable has a reason" \
	"$("$eval_bin" bpf-status --json | jq '[.features[] | select(.usable | not) | select(.reason == "")] | length')" 0

inject slow latency --line tap --for 600s --netns "$n1" --peer 10.99.0.2 --peer fd99::2 --min-ms 20 --max-ms 20 --direction both
inject cut network_partition --for 300s --netns "$n1" --peer 10.99.0.2 --engine xdp --allow stacked
in_ns n1 ping -n -q -c 7 -i 0.02 -W 0.1 10.99.0.2 >/dev/null # cut
in_ns n1 ping -n -q -c 5 -i 0.02 -W 0.1 fd99::2 >/dev/null # delayed
inode=$(stat -L -c %i "/run/netns/$n1")
ifindex=$(in_ns n1 ip -j link show eth0 | jq '.[].ifindex')

check_eq "two faults are listed" "$(our_faults | jq -r .type | sort | tr '\n' ' ')" "latency network_partition "
check_eq "where" "$(fault latency '"\(.device) \(.ifindex) \(.netns) \(.netns_ino) \(.target)"')" \
	"eth0 $ifindex $n1 $inode $n1"
check_eq "who" "$(fault latency '"\(.holder_pid) \(.holder_alive) \(.live)"')" "$(pid_of slow) true true"
check_eq "by hand: no campaign, no trial" "$(fault latency '"\(.campaign)|\(.trial)"')" "|"
check_eq "engines" "$(fault latency .engine) $(fault network_partition .engine)" "tap xdp"
left=$(fault latency .seconds_left)
check_number "time left" "$left > 500 && $left < 600"
left=$(fault network_partition .seconds_left)
check_number "time left of the other" "$left > 200 && $left < 300"
left=$(fault latency .lease_seconds_left)
check_number "lease" "$left > 1 && $left <= 2"
check_eq "hooks of the partition" "$(fault network_partition '[.hooks[] | "\(.hook) \(.ifindex)"] | sort | join(", ")')" \
	"$hook/egress $ifindex, xdp $ifindex"
check_eq "hooks of the latency, the line's among them" \
	"$(fault latency "[.hooks[] | \"\(.hook) \(.program)\(.ifindex == $ifindex)\"] | sort | join(\", \")")" \
	"$hook/egress delay_egresstrue, $hook/ingress delay_ingresstrue, $hook/ingress line_egressfalse, $hook/ingress line_ingressfalse"
check_eq "hits of the partition: both ways" "$(fault network_partition '"\(.egress.hit) \(.ingress.hit)"')" "7 0"
check_number "hits of the latency" "$(fault latency .egress.hit) >= 5 && $(fault latency .ingress.hit) >= 5"
check_number "seen is at least hit" "$(fault latency '.egress.seen - .egress.hit') >= 0"
check_eq "histogram: 20 ms is in [16.384, 32.768)" \
	"$(fault latency '.egress.applied | (.log2_us | length) == 15 and .log2_us[14] == .count and .count >= 5')" true
check_eq "counters read while live are those of the end" \
	"$(fault latency .egress.drawn.mean_us | cut -d . -f 1)" 20000

text=$("$eval_bin" bpf-status | sed -n "/ $n1,/,/^  [a-z]/p")
check_match "text: type, engine, target, device, netns" "$text" "latency \(tap\) on $n1, device eth0, netns $n1"
check_match "text: holder" "$text" "holder    pid $(pid_of slow)"
check_match "text: trial" "$text" "trial     none: injected by hand"
check_match "text: time left" "$text" "time left 5[0-9][0-9]\.[0-9] s \(lease (1\.[0-9]|2\.0) s\)"
check_match "text: hooks" "$text" "hooks     .*$hook/egress on device $ifindex"
check_match "text: counters" "$text" "egress    seen [0-9]+, hit [0-9]+ \([0-9]+ bytes\), [0-9]+ held, line_dropped 0"
check_match "text: histogram" "$text" " 16 ms … 33 ms +\|#+ *\| [0-9]+"
check "exit 0 also when something is live" "$eval_bin" bpf-status --json

# A fault counts as live in a PID namespace that hides its holder; otherwise, before Linux 6.6, any command there would remove
# its filters.
elsewhere=(unshare --pid --fork --mount-proc "$eval_bin")
"${elsewhere[@]}" list --db "$work/none.db" >/dev/null 2>&1
check_eq "seen from another PID namespace its holder lives" \
	"$("${elsewhere[@]}" bpf-status --json | jq -c ".faults[] | select(.netns == \"$n1\") | [.holder_alive, .live]" | sort -u)" "[true,true]"
check_match "cleanup --now of another PID namespace leaves it alone, and says so" "$("${elsewhere[@]}" cleanup --now 2>&1)" \
	"warning: [0-9]+ faults held in other PID namespaces left alone.*0 faults stopped"
check_number "which did it no harm" "$(fault latency '.hooks | length') == 4 && $(fault network_partition '.hooks | length') == 2"

# If the holder is stopped, the fault becomes inert at the end of its lease, and bpf-status shows it as inert.
kill -STOP "$(pid_of cut)"
is_inert() { [[ $(fault network_partition .live) == false ]]; }
check "a stopped holder's fault is shown as inert" wait_for 4 is_inert
check_match "text: inert" "$("$eval_bin" bpf-status | sed -n "/network_partition (xdp) on $n1/,/hooks/p")" "time left none: inert"
kill -CONT "$(pid_of cut)"
revert cut
revert slow

# The default line of this kernel; an fq line has a hook in its private namespace, too.
private=
[[ $line != fq ]] || private=", $hook/ingress line_turn"
inject chosen latency --for 60s --netns "$n1" --peer 10.99.0.2 --min-ms 20 --max-ms 20
check_eq "the default line: engine and hooks" \
	"$(fault latency '"\(.engine): \([.hooks[] | "\(.hook) \(.program)"] | sort | join(", "))"')" \
	"$line: $hook/egress delay_egress, ${private:+$hook/egress line_depart, }$hook/ingress line_egress$private"
revert chosen
check "nothing is left" wait_for 3 nothing_left_in n1

install -m 0755 "$eval_bin" "$work/eval" && chmod 0711 "$work"
# --- Again and again ---------------------------------------------------------------------------------------------------
shown() { timeout 3 "$@" "$eval_bin" bpf-status --watch; }
check_eq "--watch into a pipe: what the kernel can do once" "$(shown env | grep -c '^kernel ')" 1
check_number "… and the faults each time" "$(shown env | grep -c '^left over\|left over:') >= 2"
screen() { TERM=$1 timeout 30 script -qec "timeout 2.5 $eval_bin bpf-status --watch ${2:-}" /dev/null </dev/null; }
check_number "--watch on a terminal draws it again" "$(screen xterm | grep -cF $'\033[H\033[2J') >= 2"
check_eq "… without what the kernel can do" "$(screen xterm | grep -c '^kernel ')" 0
check_number "… with it by --kernel" "$(screen xterm --kernel | grep -c '^kernel ') >= 2"
check_eq "a dumb terminal gets no codes" "$(screen dumb | grep -c $'\033') $(screen dumb | grep -c '^kernel ')" "0 1"

check_fails "not root: exit 3" 3 setpriv --reuid=65534 --regid=65534 --clear-groups "$work/eval" bpf-status
check_eq "not root: message" "$output" \
	"eval: error: bpf-status reads the kernel's BPF objects, which needs root: run it with sudo"
check_fails "unknown option: exit 2" 2 "$eval_bin" bpf-status --bogus
check_fails "stray argument: exit 2" 2 "$eval_bin" bpf-status stray
# --- Left over ------------------------------------------------------------------------------------------------
# A dead coordinator's cgroup: no process has this pid with this start time.
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
pid_namespace=$(stat -L -c %i /proc/self/ns/pid)
stale=eval-$$-1-$pid_namespace-1w
mkdir "$root/$stale"
on_cleanup bash -c "[[ ! -d $root/$stale ]] || rmdir $root/$stale"
check_match "a dead run's cgroup is left over" "$("$eval_bin" bpf-status)" "left over:.*$stale.*'eval cleanup' removes"
check "eval cleanup removes it" bash -c "'$eval_bin' cleanup --db '$work/none.db' && [[ ! -d $root/$stale ]]"
check_match "then nothing is left" "$("$eval_bin" bpf-status)" "left over: nothing"
# A live coordinator's cgroup; another PID namespace has no process with its pid and start time.
alive=eval-$$-$(cut -d ' ' -f 22 "/proc/$$/stat")-$pid_namespace-1w
mkdir "$root/$alive"
on_cleanup bash -c "[[ ! -d $root/$alive ]] || rmdir $root/$alive"
check_match "a live run's cgroup is not left over" "$("$eval_bin" bpf-status)" "left over: nothing"
check_match "… nor seen from another PID namespace" "$("${elsewhere[@]}" bpf-status)" "left over: nothing"
check "… nor removed from there" bash -c "$(printf '%q ' "${elsewhere[@]}") cleanup --db '$work/none.db' && [[ -d $root/$alive ]]"

# --- Of another version of eval -------------------------------------------------------------------------------
# A control block with our magic, another ABI version and size, and a distant deadline.
mkdir "$work/bpf" && mount -t bpf bpf "$work/bpf"
on_cleanup umount "$work/bpf"
bpftool map create "$work/bpf/ctl" type array key 4 value 352 entries 1 name eval_ctl flags 0x400
read -ra bytes < <(printf '%s ' 63 68 61 6f 65 76 61 6c  09 00 00 00  01 00 00 00; printf 'ff %.0s' {1..7}; printf '7f '; printf '00 %.0s' {25..352})
bpftool map update pinned "$work/bpf/ctl" key 0 0 0 0 value hex "${bytes[@]}"
others() { "$eval_bin" bpf-status --json | jq -c '.other_versions[] | [.abi_version, .stopped]'; }
check_eq "a fault of another version is no fault of this one" "$(fault_count)" 0
check_eq "but it is told" "$(others)" "[9,false]"
check_match "… and what stops it" "$("$eval_bin" bpf-status)" "of another version of eval \(ABI 9, map [0-9]+\): 'eval cleanup --now' stops it"
check_match "cleanup --now stops it, too" "$("$eval_bin" cleanup --now)" "stopped: a fault of another version of eval \(ABI 9, .*1 fault stopped"
check_eq "its deadline is gone" "$(others)" "[9,true]"
check_eq "… and nothing else changed" "$(bpftool -j map lookup pinned "$work/bpf/ctl" key 0 0 0 0 | jq -r '.value | join(" ")')" \
	"$(printf '0x%s ' "${bytes[@]:0:16}"; printf '0x00 %.0s' {17..24}; printf '0x%s ' "${bytes[@]:24}" | sed 's/ $//')"
check_match "the next one has nothing to stop" "$("$eval_bin" cleanup --now)" "^0 faults stopped$"
rm "$work/bpf/ctl"
no_others() { [[ -z $(others) ]]; }
check "and it is gone with its holder" wait_for 3 no_others

# Another version's cleanup --now sets the deadline of a fault of this version to 0.
inject other network_partition --for 60s --netns "$n1" --peer 10.99.0.2
map=$(our_faults | jq .map_id)
read -ra bytes < <(bpftool -j map lookup id "$map" key 0 0 0 0 | jq -r '.value | join(" ")')
for i in {16..23}; do bytes[i]=0; done # deadline_ns
bpftool map update id "$map" key 0 0 0 0 value "${bytes[@]}"
inject_end other 5
check_match "a fault that another version stopped: its holder ends" "$inject_status $(cat "$work/other.err")" \
	"^1 .*the fault was stopped from outside: by 'eval cleanup --now'\?"
check "… and nothing is left" wait_for 3 nothing_left_in n1

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 900 s
# Guests of scripts/vm.sh, on each of $KERNELS (default 6.1): what they provide, and how they end.
source "$(dirname "$0")/../lib/lib.sh"
need_root
vm=$top/scripts/vm.sh
read -ra kernels <<<"${KERNELS:-6.1}"
export TMPDIR=$work/tmp BUILD=$work/build
mkdir "$TMPDIR"

# --- Inside ---------------------------------------------------------------------------------------------------

# Runs in the guest; prints lines "NAME=VALUE".
# shellcheck disable=SC2317 # called there
inside() {
	echo "release=$(uname -r)"
	echo "folder=$PWD"
	echo "uptime=$(cut -d . -f 1 /proc/uptime)"
	modprobe -a veth tun sch_fq sch_netem cls_bpf act_mirred bridge loop xfs btrfs ext4 && echo modprobe=ok
	# The kernel itself loads the module dummy.
	ip link add type dummy && echo autoload=ok
	ip netns add a && ip -n a link set lo up && ip netns exec a ping -q -c 1 ::1 >/dev/null && echo ping=ok
	truncate -s 32M /tmp/image && mkfs.ext4 -q /tmp/image && mount -o loop /tmp/image /mnt && echo loop=ok
	echo "types=$(for type in cgroup2 bpf debugfs tracefs securityfs devpts; do findmnt -n -t "$type" >/dev/null && printf '%s ' "$type"; done)"
	touch written && echo writable=ok
	echo "lo=$(ip -br link show lo | grep -c LOWER_UP)"
	echo "again" >/dev/stderr
	./eval bpf-status --json >/dev/null && ./eval bpf-status
	echo "inputbytes=$(wc -c)"
	sleep 1000 &
	return 7
}

value() { sed -n "s/^$2=//p" "$1" | head -n 1; }

check_kernel() {
	local kernel=$1 out=$work/$1.out release status=0
	(cd "$top" && "$vm" run --timeout 300 "$kernel" -- bash -c "$(declare -f inside); inside" >"$out" 2>"$out.error") || status=$?
	if [[ $status == 77 ]]; then
		skip "$kernel: guest" "$(tail -n 1 "$out.error")"
		return
	fi
	check_eq "$kernel: exit status, though a daemon was left behind" "$status" 7
	release=$(value "$out" release)
	check_match "$kernel: another kernel than the host's ($release)" "$release" '^[0-9]+\.[0-9]+'
	[[ $kernel == sid ]] || check_match "$kernel: is it" "$release" "^${kernel//./\\.}\."
	check_eq "$kernel: the checkout is where it is here" "$(value "$out" folder)" "$top"
	check_eq "$kernel: modprobe" "$(value "$out" modprobe)" ok
	check_eq "$kernel: modules load by themselves" "$(value "$out" autoload)" ok
	check_eq "$kernel: ip netns and ping" "$(value "$out" ping)" ok
	check_eq "$kernel: loop devices and ext4" "$(value "$out" loop)" ok
	check_eq "$kernel: file systems" "$(value "$out" types)" "cgroup2 bpf debugfs tracefs securityfs devpts "
	check_eq "$kernel: the checkout can be written to" "$(value "$out" writable)" ok
	check "$kernel: which does not reach the host" test ! -e "$top/written"
	check_eq "$kernel: loopback is up" "$(value "$out" lo)" 1
	check_eq "$kernel: no input" "$(value "$out" inputbytes)" 0
	check_eq "$kernel: standard error is separate" "$(grep -v '^vm: ' "$out.error")" again
	check_match "$kernel: the host's eval: fmod_ret" "$(grep '^ *fmod_ret' "$out")" '^ *fmod_ret +yes'
	check_match "$kernel: the host's eval: sch_fq" "$(grep '^ *sch_fq' "$out")" '^ *sch_fq +yes'
	diag "$kernel: $release ran the command $(value "$out" uptime) s after it started"
}

for kernel in "${kernels[@]}"; do
	check_kernel "$kernel"
done

# --- Ends -----------------------------------------------------------------------------------------------------

kernel=${kernels[0]}
# Finds only this test's qemu processes, as other guests may run on this host.
our_guests() { pgrep -f "initrd $TMPDIR/" >/dev/null; }
none_of_ours() { ! our_guests && ! pgrep -f "$TMPDIR/eval-vm" >/dev/null; }
has_line() { grep -qx "$1" "$2"; }

# vm.sh test, with a quick test.
test_status=0
"$vm" test "$kernel" cli/store >"$work/test.out" 2>&1 || test_status=$?
check_match "test: the closing line" "$(tail -n 1 "$work/test.out")" '^[0-9]+ passed, [0-9]+ failed, 0 skipped$'
check_eq "test: its exit status" "$test_status" "$([[ $(tail -n 1 "$work/test.out") == *' 0 failed'* ]] && echo 0 || echo 1)"
check "test: the logs arrived" grep -q '^1\.\.' "$BUILD/vm/$kernel/cli-store.log"

# vm.sh shell, on a terminal.
mkfifo "$work/keys"
exec {keys}<>"$work/keys"
# shellcheck disable=SC2016 # the inner shell's
spawn bash -c 'exec timeout 300 script -qec "$1" /dev/null <"$2"' - "$vm shell $kernel" "$work/keys"
shell=$spawned screen=$work/spawn.$((${#test_pids[@]} - 1)) shell_status=0
check "shell: a prompt" wait_for 200 grep -q '# ' "$screen"
echo 'uname -r; exit 7' >&"$keys"
check "shell: exit ends it" wait_for 60 is_over "$shell"
wait "$shell" || shell_status=$?
exec {keys}>&-
check_eq "shell: its exit status" "$shell_status" 7
check_match "shell: was the guest's" "$(tr -d '\r' <"$screen")" $'\n'"[^ ]*$(value "$work/$kernel.out" release)"$'\n'

check_fails "a panic: exit 125" 125 "$vm" run "$kernel" -- sh -c 'echo c >/proc/sysrq-trigger'
check_match "a panic: said so" "$output" "vm: $kernel: the guest panicked: .*sysrq"
check "a panic: the console is kept" grep -q 'Kernel panic' "$BUILD/vm/$kernel.console"

check_fails "a guest that ends early: exit 125" 125 "$vm" run "$kernel" -- busybox poweroff -f
check_match "a guest that ends early: said so" "$output" "vm: $kernel: the guest ended before its command did"

# With --icount, the guest's clock skips idle time.
counting=$kernel
[[ $kernel != 5.10 ]] || counting=6.1
output=$("$vm" run --timeout 300 --icount "$counting" -- sh -c 'nproc; sleep 600; echo over')
check_eq "--icount: one processor, and 600 s of sleep in less than 300" "$output" $'1\nover'

# The first call of this qemu hangs, the second runs the real one.
mkdir "$work/bin"
cat >"$work/bin/qemu-system-x86_64" <<END
#!/bin/bash
[[ -e $work/second ]] || { touch $work/second; exec sleep 1000; }
exec $(command -v qemu-system-x86_64) "\$@"
END
chmod +x "$work/bin/qemu-system-x86_64"
check_fails "a guest that hangs on its way up: started again" 7 \
	env PATH="$work/bin:$PATH" EVAL_BOOT_LIMIT=30 "$vm" run "$kernel" -- sh -c 'exit 7'
check_match "a guest that hangs on its way up: said so" "$output" "vm: $kernel: not up after 30 s: killed, and started again"

check_fails "a guest that hangs: exit 124" 124 "$vm" run --timeout 60 "$kernel" -- sh -c 'echo waiting; sleep 1000'
check_match "a guest that hangs: what it printed until then" "$output" 'waiting'
check_match "a guest that hangs: said so" "$output" "vm: $kernel: still running after 60 s: killed"

output=$("$vm" run "$kernel" -- sh -c 'head -c 5000000 /dev/zero | tr "\0" x' | wc -c)
check_eq "much output: all of it" "$output" 5000000

# The kernel patches code that another processor is running, which crashes some emulators.
# shellcheck disable=SC2016 # the guest's shell
check "patching code under load" "$vm" run "$kernel" -- bash -c 'for _ in 1 2 3; do while :; do /bin/true; done & done
	for _ in {1..100}; do echo 1 >/proc/sys/kernel/sched_schedstats; echo 0 >/proc/sys/kernel/sched_schedstats; done'

# interrupted SIGNAL STATUS: sends SIGNAL to vm.sh's process group, as a terminal does (KILL only to vm.sh).
interrupted() {
	local out=$work/$1.out status=0 pid
	env --default-signal=INT setsid "$vm" run "$kernel" -- sh -c 'echo up; sleep 1000' >"$out" 2>&1 </dev/null &
	pid=$!
	test_pids+=("$pid")
	check "$1: the guest is up" wait_for 120 has_line up "$out"
	if [[ $1 == KILL ]]; then kill -KILL "$pid"; else kill "-$1" -- "-$pid"; fi
	wait "$pid" 2>/dev/null || status=$?
	check_eq "$1: exit $2" "$status" "$2"
	check "$1: no process is left" wait_for 5 none_of_ours
}
interrupted INT 130
interrupted TERM 143
check_eq "no temporary folder is left" "$(find "$TMPDIR" -mindepth 1)" ""
interrupted KILL 137
check "KILL: the next run of any kind" "$vm" list
check_eq "KILL: removes the temporary folder" "$(find "$TMPDIR" -mindepth 1)" ""

done_testing

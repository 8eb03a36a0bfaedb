#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs Debian's kernels under qemu, on the host's root: read-only, with a tmpfs over it. See usage() below.
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

usage() {
	cat <<'END'
usage: scripts/vm.sh COMMAND

  list                           the kernels, and which are in the cache
  fetch [KERNEL…]                downloads and unpacks them (default: all)
  run KERNEL -- COMMAND…         runs a command in a guest; its output and exit status are the command's
  test KERNEL [SUITE…]           runs tests/run in a guest; its logs are put into build/vm/KERNEL
  shell KERNEL                   a shell on the guest's console
  refresh                        renews scripts/kernels.lock

Options of run, test and shell, before KERNEL: --memory SIZE (2G), --cpus N (2), --timeout SECONDS (600; test 3600;
shell: none), --accel kvm|tcg (what works), --logs FOLDER (test: where its logs go), --disk FILE (an image: /dev/vda, once
the guest has loaded virtio_blk),
--icount (emulated, one processor: the guest's clock counts its instructions, 2 ns each, and skips idle time, so that a
busy host cannot make it late, but it leaps while the guest waits for the host's files: for figures that repeat, and to
try what fails now and then; 5.10 does not come up).
The guest is the host's root with Debian's kernel: what is written there is gone afterwards, but for the disk. The
checkout is at the same path, and a command starts in the folder where you are; it gets no input and a fresh environment,
with EVAL_GUEST (the KERNEL) and EVAL_TIME_FACTOR (how much longer than here it may wait). The cache is $EVAL_CACHE,
else ~/.cache/eval; about 1 GiB for all four.

Exit status: the command's; else 2 bad usage, 77 the kernel can no longer be had, 124 the time was over, 125 this host
or the guest failed.
END
}

die() {
	echo "vm: $*" >&2
	exit 125
}

gone() {
	echo "vm: $*" >&2
	exit 77
}

wrong_usage() {
	echo "vm: $*" >&2
	echo "scripts/vm.sh --help tells the rest" >&2
	exit 2
}

top=$(cd "$(dirname "$0")/.." && pwd -P)
build=${BUILD:-build}
[[ $build == /* ]] || build=$top/$build
run_folder='' partial_folder='' job_pid=''
# Seconds and tries to boot. A guest takes 7 to 15 s, on a busy host a minute.
boot_limit=${EVAL_BOOT_LIMIT:-180} boot_tries=3
apt_helper=/usr/lib/apt/apt-helper
fetch_tools=("$apt_helper:apt" dpkg-deb:dpkg xz:xz-utils depmod:kmod flock:util-linux)
guest_tools=(qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio modprobe:kmod setpriv:util-linux)
# shellcheck source=scripts/vm/kernels.sh
source "$top/scripts/vm/kernels.sh"

# need_tools PROGRAM:PACKAGE…
need_tools() {
	local tool packages=()
	for tool; do
		command -v "${tool%:*}" >/dev/null || packages+=("${tool#*:}")
	done
	((${#packages[@]} == 0)) || die "needs ${packages[*]}: apt-get install ${packages[*]}"
}

# --- Cleanup --------------------------------------------------------------------------------------------------

make_run_folder() {
	local base=${TMPDIR:-/tmp} old pid
	for old in "$base"/eval-vm.*; do
		pid=${old##*/eval-vm.}
		pid=${pid%.*}
		[[ -d $old && -O $old && ! -e /proc/$pid ]] && rm -rf "$old"
	done
	run_folder=$(mktemp -d "$base/eval-vm.$$.XXXXXX") || die "cannot make a folder in $base"
}

leave() {
	local status=$?
	trap '' INT TERM HUP
	# If the job is a guest, this is qemu's timeout, which kills qemu if it does not exit.
	[[ -z $job_pid ]] || kill -TERM "$job_pid" 2>/dev/null
	wait
	rm -rf "$run_folder" ${partial_folder:+"$partial_folder"}
	exit "$status"
}

# in_background COMMAND…: runs it and waits, because bash handles a signal only after a foreground command has ended.
in_background() {
	local status=0
	"$@" &
	job_pid=$!
	wait "$job_pid" || status=$?
	job_pid=
	return "$status"
}

# --- The guest ------------------------------------------------------------------------------------------------

# Tests KVM by booting, as it may exist but refuse the processor, or hang. The kernel has no root, so it panics, and the
# machine ends. The answer is kept until this host boots again.
choose_accel() {
	local boot answer="$cache/accel" known status=0
	[[ -z $accel ]] || return 0
	accel=tcg
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 0
	boot=$(cat /proc/sys/kernel/random/boot_id)
	if [[ -r $answer ]] && read -r known accel <"$answer" && [[ $known == "$boot" ]]; then
		return 0
	fi
	# In braces with 2>/dev/null: if qemu aborts, bash prints a message.
	{
		timeout -k 1 10 qemu-system-x86_64 -machine q35,accel=kvm -cpu max -m 256M -nodefaults -no-user-config \
			-display none -no-reboot -kernel "$1/vmlinuz" -append "panic=-1" </dev/null >/dev/null || status=$?
	} 2>/dev/null
	accel=kvm
	((status == 0)) || accel=tcg
	echo "$boot $accel" >"$answer"
}

make_initramfs() {
	local folder=$1 root=$run_folder/initramfs busybox
	busybox=$(command -v busybox)
	ldd "$busybox" >/dev/null 2>&1 && die "needs a busybox that is linked statically: apt-get install busybox-static"
	{
		mkdir -p "$root"/{bin,dev,proc,sys,job,modules} && cp "$busybox" "$root/bin/busybox" &&
			cp "$top/scripts/vm/initramfs.sh" "$root/init" && cp "$top/scripts/vm/guest.sh" "$root/job/" &&
			cp "$folder"/boot-modules/* "$root/modules/" && write_job "$folder" "$root/job" &&
			(cd "$root" && find . | cpio --quiet -o -H newc) >"$run_folder/initramfs.cpio"
	} || die "cannot make the initramfs in $run_folder"
}

# Both bash and ash read the settings; ${…@Q} quotes for both.
write_job() {
	local release directory=$PWD rows=24 columns=80 factor=1 term=${TERM:-dumb}
	release=$(cat "$1/release")
	[[ $PWD/ == "$top"/* ]] || directory=$top
	[[ $accel == kvm ]] || factor=10
	[[ ! -t 0 ]] || read -r rows columns < <(stty size)
	cat >"$2/settings" <<-END
		kernel=${kernel@Q} release=${release@Q} modules=${1@Q}/lib/modules/${release@Q} checkout=${top@Q}
		directory=${directory@Q} mode=${mode@Q} bring=${bring@Q} rows=${rows@Q} columns=${columns@Q}
		export TERM=${term@Q} EVAL_TIME_FACTOR=$factor EVAL_GUEST=${kernel@Q}
	END
	{
		echo "cd ${directory@Q} || exit 125"
		echo "exec ${command[*]@Q}"
	} >"$2/command"
}

# The guest writes to files, which never block, so that a slow reader here cannot stop it.
start_qemu() {
	local folder=$1 name console messages='' number=0 ports=()
	: >"$run_folder/console"
	for name in output error files status; do
		: >"$run_folder/$name"
		ports+=(-chardev "file,id=$name,path=$run_folder/$name"
			-device "virtserialport,chardev=$name,name=$name,nr=$((++number))")
	done
	console=file,id=console,path=$run_folder/console
	[[ $mode != shell ]] || console=stdio,id=console,mux=on,signal=off,logfile=$run_folder/console
	[[ $mode != shell ]] || ports+=(-mon chardev=console) messages=quiet
	[[ -z $icount ]] || ports+=(-icount "$icount")
	# shellcheck disable=SC2054 # qemu's own commas
	[[ -z $disk ]] || ports+=(-device virtio-blk-pci,drive=disk
		-blockdev "driver=raw,node-name=disk,file.driver=file,file.filename=${disk//,/,,}")
	# --pdeathsig: when this script or the timeout is killed, so is qemu. thread=single: with a thread per processor, QEMU
	# 7.2 may still run a breakpoint that the kernel patched over an instruction after it was removed ("Oops: int3"), and
	# attaching BPF patches a lot; a single thread costs 15 % of iperf3's throughput. no_timer_check: on a busy host the
	# kernel would take a late emulated timer for a broken one, and panic. norandmaps: QEMU translates a program again for
	# each new address; /bin/true takes 13 ms instead of 28 ms.
	set -- setpriv --pdeathsig TERM timeout --foreground -k 5 "$limit" setpriv --pdeathsig KILL \
		qemu-system-x86_64 -machine q35 -accel "${accel/tcg/tcg,thread=single}" -cpu max -smp "$cpus" -m "$memory" -nodefaults \
		-no-user-config -display none -no-reboot -kernel "$folder/vmlinuz" -initrd "$run_folder/initramfs.cpio" \
		-append "console=ttyS0 $messages panic=-1 oops=panic no_timer_check norandmaps" \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		-chardev "$console" -serial chardev:console -device virtio-serial-pci "${ports[@]}"
	if [[ $mode == shell ]]; then
		"$@" <&0 &
	else
		"$@" </dev/null >"$run_folder/qemu" 2>&1 &
	fi
	job_pid=$!
}

# Prints the console's last lines, and keeps all of it beside the test logs.
show_console() {
	local kept=$build/vm/$kernel.console
	echo "vm: $kernel: $1" >&2
	[[ ! -s $run_folder/qemu ]] || grep -v 'terminating on signal' "$run_folder/qemu" >&2
	[[ -s $run_folder/console ]] || return 0
	tr -d '\r' <"$run_folder/console" | tail -n 30 | sed 's/^/vm: | /' >&2
	mkdir -p "${kept%/*}" && tr -d '\r' <"$run_folder/console" >"$kept" && echo "vm: all of its console is in $kept" >&2
}

# Starts qemu again if the guest does not boot: it then hangs in the emulator, before anything of ours runs in it.
come_up() {
	local try deadline
	for ((try = 1; ; try++)); do
		start_qemu "$1"
		deadline=$((SECONDS + boot_limit))
		until [[ -s $run_folder/status ]] || ! kill -0 "$job_pid" 2>/dev/null; do
			((SECONDS < deadline)) || break
			sleep 0.1
		done
		((SECONDS >= deadline && try < boot_tries)) && [[ ! -s $run_folder/status ]] || return 0
		show_console "not up after $boot_limit s: killed, and started again"
		kill -TERM "$job_pid" 2>/dev/null
		wait "$job_pid"
	done
}

boot() {
	local folder status panic began ended=0
	need_tools "${guest_tools[@]}"
	fetch "$kernel"
	folder=$(kernel_folder "$kernel")
	use_folder "$folder" || die "$folder was removed meanwhile: try again"
	choose_accel "$folder"
	make_initramfs "$folder"
	began=$SECONDS
	if [[ $mode == shell ]]; then
		start_qemu "$folder"
	else
		come_up "$folder"
		tail -s 0.1 --pid="$job_pid" -c +1 -f "$run_folder/output" &
		tail -s 0.1 --pid="$job_pid" -c +1 -f "$run_folder/error" >&2 &
	fi
	wait "$job_pid" || ended=$?
	job_pid=
	wait
	# 137: qemu was killed, by its timeout or by somebody else.
	if ((ended == 124 || (ended == 137 && limit && SECONDS - began >= limit))); then
		show_console "still running after $limit s: killed"
		exit 124
	fi
	status=$(tail -n 1 "$run_folder/status")
	if [[ $status != [0-9]* ]]; then
		panic=$(tr -d '\r' <"$run_folder/console" | sed -n 's/.*Kernel panic - //p' | head -n 1)
		show_console "${panic:+the guest panicked: }${panic:-the guest ended before its command did}"
		exit 125
	fi
	bring_files
	exit "$status"
}

bring_files() {
	[[ -n $bring ]] || return 0
	[[ -n $target ]] || target=$build/vm/$kernel
	rm -rf "$target"
	{ mkdir -p "$target" && tar -C "$target" -xf "$run_folder/files" 2>/dev/null; } ||
		echo "vm: $kernel: its logs did not arrive" >&2
}

# --- Commands -------------------------------------------------------------------------------------------------

cmd_list() {
	local name package version state
	[[ -r $lock ]] || die "cannot read $lock: run scripts/vm.sh refresh"
	printf '%-7s %-42s %-14s %s\n' KERNEL PACKAGE VERSION STATE
	for name in "${kernel_names[@]}"; do
		state='not fetched'
		is_cached "$name" && state=cached
		read -r package version _ < <(lock_lines "$name") || { package=- version=- state='not in the lock'; }
		printf '%-7s %-42s %-14s %s\n' "$name" "$package" "$version" "$state"
	done
}

cmd_fetch() {
	local name
	(($#)) || set -- "${kernel_names[@]}"
	for name; do
		known_kernel "$name"
	done
	for name; do
		fetch "$name"
		echo "vm: $name: $(cat "$(kernel_folder "$name")/release")"
	done
}

# option_value NAME VALUE REGEX
option_value() {
	[[ $2 =~ ^$3$ ]] || wrong_usage "$1 does not take '$2'"
}

# --icount needs the emulator and a single processor.
check_icount() {
	[[ $accel != kvm ]] || wrong_usage "--icount counts instructions, which KVM cannot: leave out --accel kvm"
	[[ ${cpus:-1} == 1 ]] || wrong_usage "--icount takes one processor: leave out --cpus $cpus"
	[[ $kernel != 5.10 ]] || wrong_usage "--icount: 5.10 does not come up under it; 6.1 and later do"
	accel=tcg cpus=1
}

cmd_guest() {
	local memory=2G cpus='' limit=0 accel='' disk='' icount='' kernel bring='' target='' mode=run command=()
	while [[ ${1:-} == --* ]]; do
		[[ $1 == --icount ]] && { icount=shift=1,sleep=off; shift; continue; }
		(($# > 1)) || wrong_usage "$1 needs a value"
		case $1 in
		--memory) option_value "$1" "$2" '[1-9][0-9]*[MG]'; memory=$2 ;;
		--cpus) option_value "$1" "$2" '[1-9][0-9]?'; cpus=$2 ;;
		--timeout) option_value "$1" "$2" '[1-9][0-9]{0,6}'; limit=$2 ;;
		--accel) option_value "$1" "$2" '(kvm|tcg)'; accel=$2 ;;
		--logs) target=$2 ;;
		--disk) disk=$2; [[ -f $disk && -w $disk ]] || wrong_usage "--disk: cannot write to a file $disk" ;;
		*) wrong_usage "unknown option $1" ;;
		esac
		shift 2
	done
	[[ -n ${1:-} ]] || wrong_usage "$verb needs a kernel: ${kernel_names[*]}"
	kernel=$1
	shift
	known_kernel "$kernel"
	[[ -z $icount ]] || check_icount
	: "${cpus:=2}"
	case $verb in
	run)
		[[ ${1:-} == -- ]] && shift
		(($#)) || wrong_usage "run needs a command: scripts/vm.sh run $kernel -- COMMAND…"
		command=("$@")
		((limit)) || limit=600
		;;
	test)
		command=(env "BUILD=$build" "$top/tests/run" "$@")
		((limit)) || limit=3600
		bring=$build/test
		;;
	shell)
		(($# == 0)) || wrong_usage "shell takes no command: use run"
		[[ -t 0 && -t 1 ]] || wrong_usage "shell needs a terminal: use run"
		mode=shell
		;;
	esac
	boot
}

verb=${1:-}
(($# == 0)) || shift
case $verb in
list | fetch | refresh | run | test | shell) ;;
-h | --help) usage; exit 0 ;;
'') wrong_usage "a command is missing" ;;
*) wrong_usage "unknown command '$verb'" ;;
esac
[[ $(uname -m) == x86_64 ]] || die "only x86-64 guests for now, this host is $(uname -m)"
make_run_folder
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
case $verb in
list) cmd_list ;;
fetch) cmd_fetch "$@" ;;
refresh) refresh ;;
*) cmd_guest "$@" ;;
esac

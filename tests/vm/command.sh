#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# scripts/vm.sh without a guest: its usage, and the errors before a guest boots.
source "$(dirname "$0")/../lib/lib.sh"
vm=$top/scripts/vm.sh
export EVAL_CACHE=$work/cache TMPDIR=$work/tmp
mkdir -p "$EVAL_CACHE" "$TMPDIR" "$work/www"

# refused NAME STATUS REGEX ARGUMENT…: checks vm.sh's exit status and message.
refused() {
	local name=$1 status=$2 regex=$3
	shift 3
	check_fails "$name: exit $status" "$status" "$vm" "$@"
	check_match "$name: said so" "$output" "$regex"
}

check_match "help" "$("$vm" --help)" 'run KERNEL -- COMMAND'
refused "no command" 2 'a command is missing'
refused "unknown command" 2 "unknown command 'boot'" boot
refused "no kernel" 2 'run needs a kernel: 5.10 6.1 6.12 sid' run
refused "unknown kernel" 2 "unknown kernel '4.19': there are 5.10 6.1 6.12 sid" run 4.19 -- true
refused "one unknown of several" 2 "unknown kernel '9.9'" fetch 6.1 9.9
refused "nothing to run" 2 'run needs a command' run 6.1 --
refused "unknown option" 2 'unknown option --cpu' run --cpu 2 6.1 -- true
refused "wrong memory" 2 "--memory does not take '2'" run --memory 2 6.1 -- true
refused "wrong time" 2 "--timeout does not take '0'" run --timeout 0 6.1 -- true
refused "a disk that is not there" 2 "--disk: cannot write to a file $work/none" run --disk "$work/none" 6.1 -- true
refused "--icount with KVM" 2 '--icount counts instructions, which KVM cannot' run --icount --accel kvm 6.1 -- true
refused "--icount with two processors" 2 '--icount takes one processor: leave out --cpus 2' run --cpus 2 --icount 6.1 -- true
refused "--icount on 5.10" 2 '--icount: 5.10 does not come up under it; 6.1 and later do' test --icount 5.10
check_match "--icount is in the help" "$("$vm" --help)" '--icount \(emulated'
refused "option without a value" 2 '--timeout needs a value' test --timeout
refused "shell without a terminal" 2 'shell needs a terminal' shell 6.1
check_eq "list: four kernels, none fetched" "$("$vm" list | grep -c 'not fetched')" 4

# --- Missing programs -----------------------------------------------------------------------------------------

# lacking PROGRAM…: runs vm.sh with a PATH that lacks these programs.
lacking() {
	local programs
	programs=$(mktemp -d -p "$work") && ln -sf /usr/bin/* /bin/busybox "$programs" && (cd "$programs" && rm -f "$@")
	PATH=$programs "$vm" run 6.1 -- true
}
check_fails "no qemu: exit 125" 125 lacking qemu-system-x86_64
check_match "no qemu: names the package" "$output" 'needs qemu-system-x86: apt-get install qemu-system-x86'
check_fails "no busybox and cpio: exit 125" 125 lacking busybox cpio
check_match "no busybox and cpio: names the packages" "$output" 'apt-get install busybox-static cpio'

# --- Downloads, from a server of our own ----------------------------------------------------------------------

serve() {
	for _ in {1..20}; do
		port=$((20000 + RANDOM % 20000))
		spawn busybox httpd -f -p "127.0.0.1:$port" -h "$work/www"
		wait_for 3 curl -q --noproxy '*' --silent "http://127.0.0.1:$port/" && is_running "$spawned" && return
	done
	return 1
}
# lock_package FILE SHA256: writes a lock whose kernel 6.1 is that file of the server.
lock_package() {
	echo "6.1 linux-image-test 6.1.1-1 100000 1000 $2 http://127.0.0.1:$port/$1" >"$work/kernels.lock"
}
sha() { sha256sum "$1" | cut -c 1-64; }

no_proxy_here=${no_proxy-}
export EVAL_KERNELS_LOCK=$work/kernels.lock no_proxy='*'
serve || not_ok "a server for downloads"
head -c 100000 /dev/urandom >"$work/www/image.deb"
head -c 60000 "$work/www/image.deb" >"$work/www/short.deb"

lock_package image.deb "$(sha "$work/www/short.deb")"
refused "other content" 125 'checksum mismatch: http://127.0.0.1:.*/image.deb' fetch 6.1
lock_package short.deb "$(sha "$work/www/image.deb")"
refused "half a package" 125 'checksum mismatch' fetch 6.1
lock_package image.deb "$(sha "$work/www/image.deb")"
refused "no package at all" 125 'cannot unpack linux-image-test' fetch 6.1
lock_package gone.deb "$(sha "$work/www/image.deb")"
refused "no longer there: a skip" 77 'is no longer there: run scripts/vm.sh refresh' fetch 6.1
refused "no longer there, run: a skip" 77 'is no longer there' run 6.1 -- true

# vm.sh handles signals during a slow download.
mkdir "$work/www/cgi-bin"
printf '#!/bin/sh\necho; exec sleep 30\n' >"$work/www/cgi-bin/slow.deb"
chmod +x "$work/www/cgi-bin/slow.deb"
lock_package cgi-bin/slow.deb "$(sha "$work/www/image.deb")"
server=$spawned
spawn "$vm" fetch 6.1
downloads=$spawned
is_downloading() { compgen -G "$EVAL_CACHE/kernels/*.partial/package.deb.log" >/dev/null; }
check "a slow download: it has begun" wait_for 5 is_downloading
spawn "$vm" fetch 6.1
check "a slow download: whoever wants the same is told to wait" \
	wait_for 10 grep -q '6.1: waiting for another scripts/vm.sh' "$work/spawn.$((${#test_pids[@]} - 1))"
end_pids "$spawned"
status=0
kill -TERM "$downloads"
check "a slow download: SIGTERM ends it at once" wait_for 3 is_over "$downloads"
wait "$downloads" || status=$?
check_eq "a slow download: exit 143" "$status" 143
end_pids "$server"
refused "server down" 125 'broken download, try again: .*Could not connect' fetch 6.1
refused "kernel not in the lock" 125 'no kernel sid in ' fetch sid
EVAL_KERNELS_LOCK=$work/none refused "no lock" 125 'cannot read .*: run scripts/vm.sh refresh' list
check_eq "a failed fetch leaves nothing" "$(find "$EVAL_CACHE/kernels" -mindepth 1)" ""

# --- refresh, from Debian's mirrors and from none -----------------------------------------------------------

cp "$top/scripts/kernels.lock" "$work/unreachable.lock"
no_proxy=$no_proxy_here EVAL_KERNELS_LOCK=$work/fresh.lock spawn "$vm" refresh
refreshes=$spawned
no_proxy='' http_proxy=http://127.0.0.1:1 EVAL_KERNELS_LOCK=$work/unreachable.lock \
	refused "refresh: no mirror can be reached" 125 'not refreshed: 5.10 6.1 6.12 sid' refresh
check_match "refresh: says why" "$output" "sid: cannot read Debian's sid: .*Could not connect"
check "refresh: what the lock had is kept" cmp "$work/unreachable.lock" "$top/scripts/kernels.lock"
status=0
wait "$refreshes" || status=$?
check_eq "refresh: Debian's mirrors" "$status" 0
check_eq "refresh: an image of each kernel" \
	"$(awk '$2 ~ "^linux-image-[0-9]" && NF == 7 && length($6) == 64 && $6 !~ /[^0-9a-f]/ { print $1 }' "$work/fresh.lock")" \
	$'5.10\n6.1\n6.12\nsid'
no_proxy=$no_proxy_here check "refresh: the newest is there to be had" curl -q --silent --fail --head --output /dev/null \
	"$(awk '$1 == "sid" { print $7; exit }' "$work/fresh.lock")"

# --- The cache ------------------------------------------------------------------------------------------------

mkdir "$work/small"
lock_package image.deb "$(sha "$work/www/image.deb")"
sed -i 's/ 1000 / 100000 /' "$work/kernels.lock"
check "a small file system" mount -t tmpfs -o size=20m small "$work/small"
on_cleanup umount "$work/small"
EVAL_CACHE=$work/small refused "no space" 125 'not enough space in .*/small for kernel 6.1: needs 161 MiB, (19|20) are left' fetch 6.1
mount -o remount,ro "$work/small"
EVAL_CACHE=$work/small/cache refused "read-only cache" 125 'cannot write to the cache folder .*/small/cache' fetch 6.1
# fetch removes a kernel's older folders, except those that a guest uses.
# shellcheck disable=SC2317 # called there
older_kernels() {
	source "$top/scripts/vm/kernels.sh"
	mkdir -p "$cache/kernels/6.1-"{new,old,used}
	touch "$cache/kernels/6.1-"{new,old,used}/release
	(use_folder "$cache/kernels/6.1-used" && remove_older 6.1 "$cache/kernels/6.1-new")
	ls "$cache/kernels"
	remove_older 6.1 "$cache/kernels/6.1-new"
	ls "$cache/kernels"
	use_folder "$cache/kernels/6.1-used" || echo none
}
check_eq "older kernels are removed, but for one that a guest runs" \
	"$(EVAL_CACHE=$work/older older_kernels 2>&1 | tr '\n' ' ')" \
	"vm: 6.1: 6.1-used is in use and stays for now 6.1-new 6.1-used 6.1-new none "

check_eq "no temporary folder is left" "$(find "$TMPDIR" -mindepth 1)" ""

done_testing

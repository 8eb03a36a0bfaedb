#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Process 1 of a guest, after initramfs.sh: runs one command or a shell, then powers off. The command's output and exit status
# go to the host by virtio ports, separate from the kernel's messages.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LOGNAME=root
export SHELL=/bin/bash LANG=C.UTF-8
exec </dev/null >/dev/console 2>&1
job=/run/eval-vm
release='' checkout='' directory='' mode='' bring='' rows='' columns=''
# shellcheck source=/dev/null
source "$job/settings"
declare -A ports

power_off() { "$job/busybox" poweroff -f; }

# Maps the ports' names to their devices, which may take a moment to appear.
find_ports() {
	local file name tries
	for ((tries = 0; tries < 100; tries++)); do
		for file in /sys/class/virtio-ports/*/name; do
			read -r name <"$file" && file=${file%/name} && ports[$name]=/dev/${file##*/}
		done
		((${#ports[@]} < 4)) || return 0
		sleep 0.05
	done 2>/dev/null
	echo "vm: guest: the ports to the host are missing"
	power_off
}

is_alive() { kill -0 "$1" 2>/dev/null; }

# Uses pipes, because a port can be opened only once while a command may open /dev/stderr again. Waits at most 2 s for the
# readers, because a daemon may keep a pipe open.
run_command() {
	local readers=() reader tries=0 status
	"$job/busybox" mkfifo "$job/output" "$job/error"
	"$job/busybox" cat "$job/output" >"${ports[output]}" &
	readers+=("$!")
	"$job/busybox" cat "$job/error" >"${ports[error]}" &
	readers+=("$!")
	"$job/busybox" setsid /bin/bash "$job/command" </dev/null >"$job/output" 2>"$job/error" &
	wait "$!"
	status=$?
	for reader in "${readers[@]}"; do
		while is_alive "$reader" && ((++tries < 40)); do
			sleep 0.05
		done
	done
	return "$status"
}

run_shell() {
	stty -F /dev/ttyS0 sane rows "$rows" cols "$columns"
	echo "Linux $release; the checkout is $checkout. Nothing here is kept. Ctrl+D ends it, Ctrl+A X kills it."
	cd "$directory" && setsid -c -w /bin/bash -i </dev/ttyS0 >/dev/ttyS0 2>&1
}

find_ports
# From here on, only errors go to the console: it is slow, and the whole kernel waits for it.
echo 4 >/proc/sys/kernel/printk
echo up >"${ports[status]}"
# systemd's limit of open files.
ulimit -Hn 524288
if [[ $mode == shell ]]; then
	run_shell
else
	run_command
fi
status=$?
[[ -z $bring || ! -e $bring ]] || tar -C "$bring" -cf - . >"${ports[files]}"
echo "$status" >"${ports[status]}"
power_off

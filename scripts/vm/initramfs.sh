#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=dash
# /init of a guest: mounts the host's root read-only by 9p with a tmpfs over it, sets up the system and runs guest.sh as process
# 1. Uses only busybox, because each program of the host costs a tenth of a second under emulation. scripts/vm.sh writes
# /job/settings.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys

die() {
	echo "vm: guest: $*" >/dev/console
	poweroff -f
}
kernel='' release='' modules='' checkout=''
# shellcheck source=/dev/null
. /job/settings

make_root() {
	mkdir -p /lower /writable /checkout /root
	# Loose caching is safe because nothing writes to the root meanwhile; without caching, executables cannot be mapped.
	mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 host /lower || return 1
	mount -t tmpfs -o mode=755 writable /writable && mkdir /writable/upper /writable/work || return 1
	mount -t overlay -o lowerdir=/lower,upperdir=/writable/upper,workdir=/writable/work overlay /root
}

# Keeps a checkout below /tmp visible, which the guest's own /tmp would hide.
make_folders() {
	mount -o bind "/root$checkout" /checkout || return 1
	mount -t tmpfs -o mode=1777 tmp /root/tmp && mount -t tmpfs -o mode=755 run /root/run || return 1
	if [ -e "/root$checkout/scripts/vm.sh" ]; then
		umount /checkout
	else
		mkdir -p "/root$checkout" && mount -o move /checkout "/root$checkout" || return 1
	fi
	mkdir -p "/root/lib/modules/$release" /root/run/lock && chmod 1777 /root/run/lock
	mount -o bind "/lower$modules" "/root/lib/modules/$release"
}

# Some kernels lack some of these file systems; the tests find that out.
mount_rest() {
	mkdir -p /dev/pts /dev/shm
	mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /dev/pts
	mount -t tmpfs -o mode=1777 shm /dev/shm
	mount -t securityfs securityfs /sys/kernel/security
	mount -t debugfs debugfs /sys/kernel/debug
	mount -t tracefs tracefs /sys/kernel/tracing
	mount -t bpf -o mode=700 bpf /sys/fs/bpf
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

# Makes device nodes that load their module when opened, as udev and kmod do.
make_devices() {
	ln -s /proc/self/fd /dev/fd
	ln -s fd/0 /dev/stdin
	ln -s fd/1 /dev/stdout
	ln -s fd/2 /dev/stderr
	while read -r _ device numbers; do
		case $device in
		fuse | loop-control | net/tun | btrfs-control | mapper/control) ;;
		*) continue ;;
		esac
		[ "${device#*/}" = "$device" ] || mkdir -p "/dev/${device%/*}"
		numbers=${numbers#c}
		[ -e "/dev/$device" ] || mknod -m 666 "/dev/$device" c "${numbers%:*}" "${numbers#*:}"
	done <"/lower$modules/modules.devname"
}

for module in /modules/*; do
	insmod "$module" || die "cannot load ${module##*/}"
done
make_root || die "cannot mount the host's root"
make_folders || die "cannot mount $checkout and the modules of $release"
mount_rest
make_devices
hostname "eval-$(echo "$kernel" | tr . -)"
ip link set lo up
mkdir /root/run/eval-vm || die "cannot write to /run"
cp -R /job/. /bin/busybox /root/run/eval-vm/ || die "cannot hand over the job"
for name in dev proc sys; do
	mount -o move "/$name" "/root/$name"
done
# Keep the overlay's upper folder at the path in its mount options, where eval looks for it.
{ mkdir /root/writable && mount -o move /writable /root/writable; } || die "cannot keep /writable"
[ -x /root/bin/bash ] || die "no /bin/bash in the host's root"
exec switch_root /root /bin/bash /run/eval-vm/guest.sh

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Installs the Debian packages that building, testing and the lab need, and the npm packages of web/, as its lock file has
# them. Exits at once if all are installed.
# usage: scripts/install-deps.sh [--list]
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "install-deps: $*" >&2
	exit 1
}

packages=(
	# build
	gcc libc6-dev make clang bpftool pkg-config
	nodejs npm # uPlot, for reports
	libbpf-dev libelf-dev libyaml-dev libsqlite3-dev libmnl-dev libjansson-dev libmd-dev libgsl-dev libcurl4-openssl-dev
	# tests and figures
	libcmocka-dev iperf3 fping iputils-ping sqlite3 strace python3-minimal ethtool openssh-server openssh-client sudo tmux
	wireguard-tools dnsmasq-base nftables
	chromium fonts-dejavu-core libxml2-utils python3-jsonschema python3-prometheus-client openssl # reports, probes
	prometheus # promtool; its service stays off
	libaio-dev liburing-dev fio bindfs xfsprogs btrfs-progs
	# guests with other kernels
	qemu-system-x86 busybox-static cpio kmod xz-utils
	libclang-rt-dev # libFuzzer, ASan and UBSan of clang
	# the lab and its scripts
	etcd-server etcd-client iproute2 e2fsprogs mount util-linux curl jq procps
	# make check, make valgrind
	shellcheck clang-format clang-tidy cppcheck libc6-dbg
)
# Any etcd that is already installed will do; its service is left alone.
command -v etcd >/dev/null && packages=("${packages[@]/#etcd-server/}")
command -v etcdctl >/dev/null && packages=("${packages[@]/#etcd-client/}")
# Any npm that is already installed will do, with the Node.js that it has.
command -v npm >/dev/null && packages=("${packages[@]/#nodejs/}") && packages=("${packages[@]/#npm/}")

case ${1:-} in
'') ;;
--list) printf '%s\n' "${packages[@]}" | grep .; exit 0 ;;
*) echo "usage: scripts/install-deps.sh [--list]" >&2; exit 2 ;;
esac

command -v dpkg-query >/dev/null || die "needs Debian (12 or later): dpkg-query is not here"
missing() {
	local name
	for name in "${packages[@]}"; do
		[[ -z $name || $installed == *" $name "* ]] || echo "$name"
	done
}
# shellcheck disable=SC2016 # dpkg-query's own placeholders
installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | awk '$1 == "installed" { print $2 }' | tr '\n' ' ') "
mapfile -t wanted < <(missing)

web=$(dirname "$0")/../web
# No package's own scripts are run, and none needs any.
install_web() {
	[[ $web/package-lock.json -nt $web/node_modules/.package-lock.json ]] || return 0
	echo "install-deps: installing the npm packages of web/"
	npm --prefix "$web" ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || die "npm ci in web/ failed"
}
((${#wanted[@]})) || { install_web; exit 0; }
[[ $EUID == 0 ]] || die "needs root to install: ${wanted[*]}"

# Debian starts a service as soon as it is installed. The lab needs only the program etcd, tests only sshd and promtool, so
# their services are neither started nor left enabled. An existing policy of the host still applies to all other services.
policy=/usr/sbin/policy-rc.d
saved=$policy.before-install-deps
restore_policy() {
	if [[ -e $saved ]]; then
		mv -f "$saved" "$policy"
	elif grep -qs 'scripts/install-deps.sh' "$policy"; then
		rm -f "$policy"
	fi
}
hold_services() {
	restore_policy # in case an earlier run was killed
	[[ ! -e $policy ]] || mv "$policy" "$saved"
	cat >"$policy.new" <<-END
		#!/bin/sh
		# Made by scripts/install-deps.sh, for as long as it runs.
		case \$1 in etcd | ssh | sshd | prometheus) exit 101 ;; esac
		[ ! -x $saved ] || exec $saved "\$@"
		exit 0
	END
	chmod 0755 "$policy.new" && mv "$policy.new" "$policy"
}

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
apt() { apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null; }

# Retries: another update may hold the lock on the lists, which DPkg::Lock::Timeout does not cover, or a mirror may fail.
update() {
	local tries=0
	until apt update >"$log" 2>&1; do
		((++tries < 10)) || { cat "$log" >&2; return 1; }
		sleep 3
	done
}

log=$(mktemp) || die "cannot write below ${TMPDIR:-/tmp}"
trap 'rm -f "$log"; restore_policy' EXIT
trap 'exit 130' INT TERM HUP
echo "install-deps: installing ${wanted[*]}"
update || die "apt-get update failed"
# The services to disable afterwards, because this run installs them. is_new PACKAGE SERVICE
new_services=()
is_new() {
	[[ " ${wanted[*]} " == *" $1 "* && ! -e /etc/systemd/system/$2.service && ! -e /etc/init.d/$2 ]]
}
! is_new etcd-server etcd || new_services+=(etcd)
! is_new openssh-server ssh || new_services+=(ssh)
! is_new prometheus prometheus || new_services+=(prometheus)
((${#new_services[@]} == 0)) || hold_services ||
	die "cannot write $policy"
apt install -y --no-install-recommends "${wanted[@]}" >"$log" 2>&1 ||
	{ tail -n 20 "$log" >&2; die "apt-get install failed"; }
for service in "${new_services[@]}"; do
	update-rc.d "$service" disable >/dev/null 2>&1 || true
done
install_web

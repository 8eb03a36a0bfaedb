#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Compares netem with our delay lines on each kernel, in one boot of a guest. Prints figures, never pass or fail. See usage().
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

all_parts=(delay throughput rules disk)
parts=("${all_parts[@]}")
all_kernels=(5.10 6.1 6.12 sid)

usage() {
	cat <<'END'
usage: scripts/bench-vm.sh [--write] [--parts "PART…"] [KERNEL…]      a kernel takes about 15 minutes under emulation

  delay       error of 2,000 round trips each at 5, 20 and 100 ms, and spread from 20 to 80 ms
  throughput  iperf3 at 0, 20 and 100 ms: 11 interleaved pairs, and processor time a GB
  rules       1, 1,000 and 10,000 peers, with netem behind as many u32 filters
  disk        what a call costs under disk pressure, and fio outside scope, with bindfs beside it

Kernels: 5.10 6.1 6.12 sid (default: all). --write renews what was measured in docs/benchmarks-guests.md and keeps the rest. For a quick
look: COUNT (round trips), ROUNDS (pairs), DELAYS ("0 20 100"), LINE (fq or tap: what throughput and rules measure), WAYS
("netem fq tap": what delay measures), CPUS.
END
}

wrong_usage() {
	echo "bench-vm: $*" >&2
	usage >&2
	exit 2
}

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
# shellcheck source=scripts/bench/document.sh
source scripts/bench/document.sh
document=docs/benchmarks-guests.md
write=
kernels=()
while (($#)); do
	case $1 in
	--write) write=1 ;;
	--parts) read -ra parts <<<"${2:?}"; shift ;;
	-h | --help) usage; exit 0 ;;
	-*) wrong_usage "unknown option $1" ;;
	*) [[ " ${all_kernels[*]} " == *" $1 "* ]] || wrong_usage "no kernel '$1'"; kernels+=("$1") ;;
	esac
	shift
done
((${#kernels[@]})) || kernels=("${all_kernels[@]}")
for part in "${parts[@]}"; do
	[[ -x scripts/bench-vm/$part.sh && $part != guest ]] || wrong_usage "no part '$part'"
done

sections=$(mktemp -d "${TMPDIR:-/tmp}/eval-bench.XXXXXX") || exit 1
guest=
trap 'rm -rf "$sections"' EXIT
trap 'end 130' INT
trap 'end 143' TERM HUP

# end STATUS
end() {
	trap '' INT TERM HUP
	[[ -z $guest ]] || kill -TERM "$guest" 2>/dev/null
	wait
	exit "$1"
}

where() {
	local model
	model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	echo "In a guest (scripts/vm.sh) on ${model:-an unknown processor}, host load average $load at the start. \`scripts/bench-vm.sh $1\`"
}

settings() {
	local name
	for name in COUNT ROUNDS DELAYS LINE WAYS; do
		[[ -z ${!name:-} ]] || echo "$name=${!name}"
	done
}

# In the background, because bash handles a signal only after a foreground command has ended.
run_kernel() {
	local variables
	load=$(cut -d ' ' -f 1 /proc/loadavg)
	mapfile -t variables < <(settings)
	scripts/vm.sh run --timeout 3600 --cpus "${CPUS:-2}" "$1" -- \
		env "${variables[@]}" "$top/scripts/bench-vm/guest.sh" "${parts[@]}" &
	guest=$!
	wait "$guest"
}

# split KERNEL STATUS: writes and prints a section for each part that completed; if STATUS is not 0, the last part did not.
split() {
	local measured part
	mapfile -t measured < <(sed -n 's/^<!-- \([a-z]*\) -->$/\1/p' "$sections/whole")
	(($2 == 0 || ${#measured[@]} == 0)) || unset 'measured[-1]'
	for part in "${measured[@]}"; do
		{
			section_of "$sections/whole" "$part"
			echo
			echo "*$(where "$1")*"
		} >"$sections/$part.$1"
		cat "$sections/$part.$1"
		echo
	done
}

failed=0
for kernel in "${kernels[@]}"; do
	status=0
	run_kernel "$kernel" >"$sections/whole" || status=$?
	split "$kernel" "$status"
	((status == 0)) || { echo "bench-vm: $kernel failed" >&2; failed=1; }
done
if [[ -n $write ]]; then
	names=(summary) # written by hand and kept
	for part in "${all_parts[@]}"; do
		names+=("${all_kernels[@]/#/$part.}")
	done
	document_write "$document" "$sections" "${names[@]}" <<'END'
# Our delay lines and netem

`sudo make bench-vm` writes this page; `scripts/bench-vm.sh --help` lists its options. The setup is two network namespaces
connected by veth in an emulated guest. Absolute figures mean little. Figures of one kernel come from one boot and can be
compared with each other. netem is the root qdisc of the device. It has no filters, except in the test of the number of rules,
and a limit (1,000,000 packets) at which it never drops. Intervals are 95 % intervals by Student's t on the logarithms of the
ratios.
END
fi
exit "$failed"

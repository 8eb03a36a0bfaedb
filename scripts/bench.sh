#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Benchmarks: each part prints a section of Markdown with figures, never pass or fail. See usage() below.
set -u

usage() {
	cat <<'END'
usage: scripts/bench.sh [--write] [PART…]                               on this host, about ten minutes

  packet      what a packet costs in the programs; 10,000 rules against one
  throughput  iperf3 with a fault attached that does not match; through the delay line
  delay       how precise the delays are
  stop        from a signal to an inert fault
  stop_all    'eval cleanup --now' with 50 faults live, others' on this host included
  held        how exact delays of file calls are, and what calls cost that pass
  campaign    1,000 empty trials against the same number of forks, execs and fsyncs

usage: scripts/bench.sh --guests [--write] [--kernels "KERNEL…"] [PART…]   a kernel takes about 15 minutes under emulation

  delay       error of 2,000 round trips each at 5, 20 and 100 ms, and spread from 20 to 80 ms, with netem beside it
  throughput  iperf3 at 0, 20 and 100 ms: 11 interleaved pairs with netem, and processor time a GB
  rules       1, 1,000 and 10,000 peers, with netem behind as many u32 filters
  disk        what a call costs under disk pressure, and fio outside scope, with bindfs beside it

--write renews what was measured in docs/benchmarks.md or docs/benchmarks-guests.md and keeps the rest. Kernels: 5.10 6.1 6.12
sid (default: all); a kernel's figures come from one boot. For a quick look: COUNT (round trips), ROUNDS (pairs), DELAYS
("0 20 100"), LINE (fq or tap: what throughput and rules measure), WAYS ("netem fq tap": what delay measures), CPUS.
$EVAL is the program measured (default ./eval), $TOOLS the folder of scripts/bench/tools (default build/bench): 'make bench'
and 'make bench-vm' build both.
END
}

wrong_usage() {
	echo "bench: $*" >&2
	usage >&2
	exit 2
}

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
# shellcheck source=scripts/bench/lib.sh
source scripts/bench/lib.sh
export EVAL=${EVAL:-$top/eval} TOOLS=${TOOLS:-$top/build/bench}

# --- Options --------------------------------------------------------------------------------------------------

all_kernels=(5.10 6.1 6.12 sid)
kernels=("${all_kernels[@]}")
all_parts=(packet throughput delay stop stop_all held campaign)
place=host document=docs/benchmarks.md write=
parts=()
while (($#)); do
	case $1 in
	--write) write=1 ;;
	--guests) place=guest document=docs/benchmarks-guests.md all_parts=(delay throughput rules disk) ;;
	--kernels) read -ra kernels <<<"${2:-}"; shift ;;
	-h | --help) usage; exit 0 ;;
	-*) wrong_usage "unknown option $1" ;;
	*) parts+=("$1") ;;
	esac
	shift || break
done
((${#kernels[@]})) || wrong_usage "--kernels needs some of ${all_kernels[*]}"
((${#parts[@]})) || parts=("${all_parts[@]}")
for part in "${parts[@]}"; do
	[[ " ${all_parts[*]} " == *" $part "* ]] || wrong_usage "no part '$part' of those for a $place"
done
for kernel in "${kernels[@]}"; do
	[[ " ${all_kernels[*]} " == *" $kernel "* ]] || wrong_usage "no kernel '$kernel'"
done

[[ $EUID == 0 ]] || die "needs root (BPF, namespaces)"
for file in "$EVAL" "$TOOLS/stats"; do
	[[ -x $file ]] || die "$file is missing: run make bench"
done
for tool in iperf3 jq ip nsenter strace; do
	command -v "$tool" >/dev/null || die "$tool is missing: run scripts/install-deps.sh"
done

sections=$(mktemp -d "${TMPDIR:-/tmp}/eval-bench.XXXXXX") || exit 1
running=
trap 'rm -rf "$sections"' EXIT
trap 'end 130' INT
trap 'end 143' TERM HUP

# end STATUS
end() {
	trap '' INT TERM HUP
	[[ -z $running ]] || kill -TERM "$running" 2>/dev/null
	wait
	exit "$1"
}

# in_background COMMAND…: waits for it, but not in the foreground, because bash handles a signal only after a foreground command.
in_background() {
	"$@" &
	running=$!
	wait "$running"
}

processor() {
	sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1 | grep . || echo "an unknown processor"
}

# --- On this host ---------------------------------------------------------------------------------------------

measure_host() {
	local part where failed=0
	for part in "${parts[@]}"; do
		echo "bench: $part …" >&2
		where="$(date -u +'%Y-%m-%d %H:%M UTC'), Linux $(uname -r) $(uname -m), $(nproc) × $(processor),"
		where+=" load average $(cut -d ' ' -f 1 /proc/loadavg) at the start."
		if in_background "scripts/bench/host/$part.sh" >"$sections/$part"; then
			printf '\n*%s %s*\n' "$where" "\`scripts/bench.sh $part\`" >>"$sections/$part"
			cat "$sections/$part"
			echo
		else
			echo "bench: $part failed" >&2
			rm -f "$sections/$part"
			failed=1
		fi
	done
	return "$failed"
}

introduce_host() {
	cat <<'END'
# Figures

`sudo scripts/bench.sh --write` writes this page; `sudo make bench` only prints the figures. They are not tests: nothing passes
or fails by them. Each ratio compares runs of one session; the runs are interleaved, and their order alternates from pair to
pair. Each interval is the 95 % interval of the median by the sign test, which assumes nothing about the distribution: for 11
pairs, it runs from the second lowest to the second highest value.
END
}

# --- In guests ------------------------------------------------------------------------------------------------

settings() {
	local name
	for name in COUNT ROUNDS DELAYS LINE WAYS; do
		[[ -z ${!name:-} ]] || echo "$name=${!name}"
	done
}

# run_kernel KERNEL
run_kernel() {
	local variables
	mapfile -t variables < <(settings)
	in_background scripts/vm.sh run --timeout 3600 --cpus "${CPUS:-2}" "$1" -- \
		env "${variables[@]}" "$top/scripts/bench/guest/run.sh" "${parts[@]}"
}

# split KERNEL STATUS WHERE: writes and prints a section for each part that completed; if STATUS is not 0, the last part did not.
split() {
	local measured part
	mapfile -t measured < <(sed -n 's/^<!-- \([a-z]*\) -->$/\1/p' "$sections/whole")
	(($2 == 0 || ${#measured[@]} == 0)) || unset 'measured[-1]'
	for part in "${measured[@]}"; do
		{
			section_of "$sections/whole" "$part"
			printf '\n*%s*\n' "$3"
		} >"$sections/$part.$1"
		cat "$sections/$part.$1"
		echo
	done
}

measure_guest() {
	local kernel status where failed=0
	for kernel in "${kernels[@]}"; do
		status=0
		where="In a guest (scripts/vm.sh) on $(processor), host load average $(cut -d ' ' -f 1 /proc/loadavg) at the start."
		where+=" \`scripts/bench.sh --guests --kernels $kernel\`"
		run_kernel "$kernel" >"$sections/whole" || status=$?
		split "$kernel" "$status" "$where"
		((status == 0)) || { echo "bench: $kernel failed" >&2; failed=1; }
	done
	return "$failed"
}

introduce_guest() {
	cat <<'END'
# Our delay lines and netem

`sudo make bench-vm` writes this page; `scripts/bench.sh --help` lists its options. The setup is two network namespaces
connected by veth in an emulated guest. Absolute figures mean little. Figures of one kernel come from one boot and can be
compared with each other. netem is the root qdisc of the device. It has no filters, except in the test of the number of rules,
and a limit (1,000,000 packets) at which it never drops. Intervals are 95 % intervals by Student's t on the logarithms of the
ratios.
END
}

# --- Measure --------------------------------------------------------------------------------------------------

# Prints the names of all sections, in the document's order. The summary is written by hand and kept.
section_names() {
	local part
	echo summary
	for part in "${all_parts[@]}"; do
		if [[ $place == host ]]; then echo "$part"; else printf '%s\n' "${all_kernels[@]/#/$part.}"; fi
	done
}

status=0
"measure_$place" || status=$?
if [[ -n $write ]]; then
	mapfile -t names < <(section_names)
	document_write "$document" "$sections" "${names[@]}" < <("introduce_$place")
fi
exit "$status"

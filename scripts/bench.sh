#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Benchmarks: each part prints a section of Markdown with figures, never pass or fail. See usage() below.
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

parts=(packet throughput delay stop stop_all campaign)

usage() {
	cat <<'END'
usage: scripts/bench.sh [--write] [PART…]      all parts take about ten minutes

  packet      what a packet costs in the programs; 10,000 rules against one
  throughput  iperf3 with a fault attached that does not match; through the delay line
  delay       how precise the delays are
  stop        from a signal to an inert fault
  stop_all    'eval cleanup --now' with 50 faults live, others' on this host included
  campaign    1,000 empty trials against the same number of forks, execs and fsyncs

--write renews these parts' sections of docs/benchmarks.md and keeps the others'. $EVAL is the program measured
(default ./eval), $TOOLS the folder of tests/tools (default build/tools): 'make bench' builds both.
END
}

die() {
	echo "bench: $*" >&2
	exit 1
}

wrong_usage() {
	echo "bench: $*" >&2
	usage >&2
	exit 2
}

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
# shellcheck source=scripts/bench/document.sh
source scripts/bench/document.sh
export EVAL=${EVAL:-$top/eval} TOOLS=${TOOLS:-$top/build/tools}
document=docs/benchmarks.md
write=
wanted=()
while (($#)); do
	case $1 in
	--write) write=1 ;;
	-h | --help) usage; exit 0 ;;
	-*) wrong_usage "unknown option $1" ;;
	*) [[ " ${parts[*]} " == *" $1 "* ]] || wrong_usage "no part '$1'"; wanted+=("$1") ;;
	esac
	shift
done
((${#wanted[@]})) || wanted=("${parts[@]}")

[[ $EUID == 0 ]] || die "needs root (BPF, namespaces)"
for file in "$EVAL" "$TOOLS/stats"; do
	[[ -x $file ]] || die "$file is missing: run make bench"
done
for tool in iperf3 jq ip nsenter strace; do
	command -v "$tool" >/dev/null || die "$tool is missing: run scripts/install-deps.sh"
done

sections=$(mktemp -d "${TMPDIR:-/tmp}/eval-bench.XXXXXX") || exit 1
trap 'rm -rf "$sections"' EXIT
trap 'exit 130' INT TERM HUP

where() {
	local model
	model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	echo "$(date -u +'%Y-%m-%d %H:%M UTC'), Linux $(uname -r) $(uname -m), $(nproc) × ${model:-unknown processor}," \
		"load average $(cut -d ' ' -f 1 /proc/loadavg) at the start."
}

run_part() {
	{
		"scripts/bench/$1.sh" || return 1
		echo
		echo "*$2 \`scripts/bench.sh $1\`*"
	} >"$sections/$1"
}

write_document() {
	# The summary is written by hand and kept.
	document_write "$document" "$sections" summary "${parts[@]}" <<'END'
# Figures

`sudo scripts/bench.sh --write` writes this page; `sudo make bench` only prints the figures. They are not tests: nothing passes
or fails by them. Each ratio compares runs of one session; the runs are interleaved, and their order alternates from pair to
pair. Each interval is the 95 % interval of the median by the sign test, which assumes nothing about the distribution: for 11
pairs, it runs from the second lowest to the second highest value.
END
}

failed=0
for part in "${wanted[@]}"; do
	echo "bench: $part …" >&2
	if run_part "$part" "$(where)"; then
		cat "$sections/$part"
		echo
	else
		echo "bench: $part failed" >&2
		rm -f "$sections/$part"
		failed=1
	fi
done
[[ -z $write ]] || write_document
exit "$failed"

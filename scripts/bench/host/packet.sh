#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the time that the programs take per packet, with 1 and with 10,000 rules.
source "$(dirname "$0")/../lib.sh" && begin

rounds=${ROUNDS:-11}
"$TOOLS/packet_cost" "$rounds" >"$work/packet" || exit 1

loop_of() {
	awk -v name="empty_$1" '$1 == name { print $4 }' "$work/packet" | "$TOOLS/stats" median | cut -f 1
}
loop_tc=$(loop_of tc)
loop_xdp=$(loop_of xdp)

cat <<END
## What a packet costs

Processor time by \`BPF_PROG_TEST_RUN\` with warm caches, $rounds rounds of 256,000 packets per case. The packets are TCP. A
*stranger*'s packets match no fault; a *peer*'s packets are dropped by the partition. Times are medians. The time of the kernel's
measuring loop with an empty program ($(round 0 "$loop_tc") ns for tc, $(round 0 "$loop_xdp") ns for XDP) is subtracted, also before the ratio of 10,000 rules
to one rule is computed.

END
row program family packet "1 rule" "10,000 rules" ratio "95 %"
row --- --- --- ---: ---: ---: ---:
awk '$1 !~ /^empty/ && !seen[$1, $2, $3]++ { print $1, $2, $3 }' "$work/packet" |
	while read -r program family packet; do
		[[ $program == *_xdp ]] && loop=$loop_xdp || loop=$loop_tc
		awk -v p="$program" -v f="$family" -v k="$packet" -v loop="$loop" \
			'$1 == p && $2 == f && $3 == k { print $4 - loop, $5 - loop }' "$work/packet" >"$work/case"
		one=$(awk '{ print $1 }' "$work/case" | "$TOOLS/stats" median | cut -f 1)
		many=$(awk '{ print $2 }' "$work/case" | "$TOOLS/stats" median | cut -f 1)
		read -r ratio low high _ < <("$TOOLS/stats" ratio <"$work/case")
		row "$program" "$family" "$packet" "$(round 0 "$one") ns" "$(round 0 "$many") ns" "$(round 3 "$ratio")" \
			"$(round 3 "$low") to $(round 3 "$high")"
	done

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the time from a signal until the fault is inert and until packets pass untouched.
source "$(dirname "$0")/../lib.sh" && begin

tries=${TRIES:-100}
network_up

# measure NAME COMMAND…
measure() {
	"$TOOLS/stop_time" "$target" "$peer_address" "$tries" "${@:2}" >"$work/times" 2>"$work/said" ||
		die "$1: $(tail -n 3 "$work/said")"
	read -r _ p50 p99 max _ < <(cut -d ' ' -f 1 "$work/times" | "$TOOLS/stats" summary)
	read -r _ free50 free99 free_max _ < <(cut -d ' ' -f 2 "$work/times" | "$TOOLS/stats" summary)
	row "$1" "$(round 2 "$p50")" "$(round 2 "$p99")" "$(round 2 "$max")" "$(round 2 "$free50")" "$(round 2 "$free99")" \
		"$(round 2 "$free_max")"
}

# campaign TYPE PARAMS: writes a campaign of one trial. The coordinator gets the signal; a worker holds the fault.
campaign() {
	cat >"$work/$1.yaml" <<END
trials_per_combination: 1
defaults: {warmup_seconds: 0, duration_seconds: 60, recovery_seconds: 1}
subjects:
  - name: pair
    reset: "true"
    ready: "true"
    nodes: [{name: n1, address: $target_address, netns: $target}]
    peers: [{name: p1, address: $peer_address}]
chaos_types:
  - {type: $1, target: n1, params: {$2}}
END
	echo "$work/$1.yaml"
}

cat <<END
## From a signal to an inert fault

$tries tries per fault, in milliseconds after SIGINT. *Inert*: the fault's control block says that the fault is over; from then on its
programs do nothing. *Free*: the first packet that was sent after the signal came back without chaos (a packet is sent every
0.5 ms).

END
row fault "inert, p50" p99 max "free, p50" p99 max
row --- ---: ---: ---: ---: ---: ---:
measure "inject latency (200 ms)" "$EVAL" inject latency --min-ms 200 --max-ms 200 --for 60s --netns "$target" \
	--peer "$peer_address"
measure "inject network_partition" "$EVAL" inject network_partition --for 60s --netns "$target" --peer "$peer_address"
# A new database for each try, because a campaign's id has its start in seconds only.
# shellcheck disable=SC2016 # the inner shell's
fresh=(sh -c 'rm -f "$0"*; exec "$@" --db "$0"' "$work/db")
measure "run campaign: latency (200 ms)" "${fresh[@]}" "$EVAL" run campaign --quiet \
	"$(campaign latency "min_ms: 200, max_ms: 200")"
measure "run campaign: network_partition" "${fresh[@]}" "$EVAL" run campaign --quiet "$(campaign network_partition "")"

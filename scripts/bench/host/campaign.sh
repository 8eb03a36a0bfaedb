#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prints the cost of a campaign of empty trials against a program that only forks, execs and syncs as often.
source "$(dirname "$0")/../lib.sh" && begin

rounds=${ROUNDS:-6}
trials=${TRIALS:-1000}

# write TRIALS: writes a campaign of trials without chaos or durations, with `true` as every command.
write() {
	cat >"$work/$1.yaml" <<END
trials_per_combination: $1
include_baseline: true
chaos_types: []
defaults: {warmup_seconds: 0, duration_seconds: 0, recovery_seconds: 0}
subjects:
  - name: nothing
    reset: "true"
    cleanup: "true"
    ready: "true"
    roles: "true"
    workload: "true"
    nodes: [{name: n1, address: 10.78.0.1}]
END
}

ms_now() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# Sets wall_ms, and peak_kib to the coordinator's peak memory.
run_campaign() {
	local start pid key value rest
	rm -f "$work"/db*
	start=$(ms_now)
	"$EVAL" run campaign "$work/$trials.yaml" --db "$work/db" --fresh --quiet >"$work/out" 2>&1 &
	pid=$!
	fault_pid=$pid # remove_all ends it
	while [[ -r /proc/$pid/status ]]; do
		while read -r key value rest; do
			[[ $key != VmHWM: ]] || peak_kib=$value
		done <"/proc/$pid/status"
		sleep 0.2
	done 2>/dev/null
	wait "$pid" || die "the campaign failed: $(tail -n 3 "$work/out")"
	fault_pid=
	wall_ms=$(($(ms_now) - start))
}

run_floor() {
	local start
	start=$(ms_now)
	"$TOOLS/floor" "$work/floor" "$trials" "$commands" "$syncs" || exit 1
	wall_ms=$(($(ms_now) - start))
}

# Counts the forks, execs and syncs of a campaign of 50 trials; scales execs and syncs to 1,000 trials for the floor.
write 50
strace -f -qq -e trace=clone,clone3,fork,vfork,execve,fsync,fdatasync -e signal=none -o "$work/trace" \
	"$EVAL" run campaign "$work/50.yaml" --db "$work/db" --fresh --quiet >"$work/out" 2>&1 ||
	die "the campaign failed: $(tail -n 3 "$work/out")"
count() { grep -cE "^[0-9]+ +($1)\(" "$work/trace"; }
forks=$(count 'clone|clone3|fork|vfork')
commands=$(($(count execve) * 1000 / 50))
syncs=$(($(count 'fsync|fdatasync') * 1000 / 50))

write "$trials"
for ((i = 0; i < rounds; i++)); do
	if ((i % 2)); then
		run_campaign
		campaign_ms=$wall_ms
		run_floor
		floor_ms=$wall_ms
	else
		run_floor
		floor_ms=$wall_ms
		run_campaign
		campaign_ms=$wall_ms
	fi
	echo "$floor_ms $campaign_ms $peak_kib"
done >"$work/runs"

median_of() {
	awk -v column="$1" -v trials="$trials" '{ print $column / trials }' "$work/runs" | "$TOOLS/stats" median | cut -f 1
}
read -r ratio low high _ < <(cut -d ' ' -f 1,2 "$work/runs" | "$TOOLS/stats" ratio)
cat <<END
## A campaign of empty trials

$trials trials with \`true\` as every command and without durations; $rounds interleaved pairs of a campaign and its *floor*. According to
strace, 50 such trials make $forks processes, $((commands / 20)) execs and $((syncs / 20)) syncs. The floor is a program that makes as many of
them for as many trials and does nothing else.

END
row trials "floor, ms per trial" "campaign, ms per trial" ratio "95 %" "coordinator's peak, MiB"
row ---: ---: ---: ---: ---: ---:
row "$trials" "$(round 2 "$(median_of 1)")" "$(round 2 "$(median_of 2)")" "$(round 2 "$ratio")" \
	"$(round 2 "$low") to $(round 2 "$high")" \
	"$(awk '$3 > max { max = $3 } END { printf "%.1f", max / 1024 }' "$work/runs")"

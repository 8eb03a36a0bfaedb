#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every command that the README shows works. `make demo` is run, and its campaign's results and leftovers are checked; it also
# stands for the README's run of that campaign. `make test` is what runs this test.
# time limit: 300 s
# alone: it measures writes on an idle host
# not in guests: it tests the README and the demo; net/lab tests the lab, fault/resume campaigns
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
own_namespaces "$@"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"
cd "$top" || exit 1

database=$work/demo/eval.db
export EVAL_DB=$database
on_cleanup scripts/lab.sh down --instance 1
on_cleanup scripts/lab.sh down

# --- The demo ----------------------------------------------------------------------------------------------------

traces() {
	ip netns list | grep -E '^evlab[01]-'
	grep -E '/evlab/[01]/' /proc/mounts
	bpf_state
	true
}
no_traces() { [[ -z $(traces) ]]; }

host_before=$(network_state)
began=$SECONDS
check_fails "the demo ends well" 0 scripts/demo.sh "$work/demo"
table=$output
took=$((SECONDS - began))
check_number "in $took s: under 4 minutes" "$took < 240"
sql() { sqlite3 -readonly "$database" "$1"; }

# of CHAOS JSON_PATH: prints a value of that trial's summary of the probe `put`.
of() { sql "SELECT json_extract(summary, '\$.probes.put.$2') FROM trials WHERE chaos = '$1'"; }

check_eq "six trials, all completed and as expected" \
	"$(sql "SELECT chaos, status, verdict FROM trials ORDER BY trial_index")" "\
baseline|completed|pass
slow-leader|completed|pass
slow-follower|completed|pass
cut-leader|completed|pass
cut-follower|completed|pass
full-follower|completed|pass"
if [[ $(feature precontent) == true ]]; then
	check_match "a slow disk under the leader slows writes" "$table" "slow-disk-leader: put [^"$'\n'"]*is [0-9.]+ times slower"
else
	check_match "no slow disk, and why" "$table" "No slow disk under the leader: writes are delayed by Linux 6.14"
fi
check_match "it ends with its findings and the page" "$table" $'\nFindings\n([^\n]+\n)*  cut-leader: put stops for [^\n]+\n.*\nThat took [0-9]+ s.*What it shows: [^ ]+/demo/report.html$'
for chaos in baseline slow-leader slow-follower cut-leader cut-follower full-follower; do
	check_match "the table shows $chaos" "$table" "trial-etcd-lab-$chaos-[0-9]+ +completed +pass"
done

check_eq "baseline: 100 % available" "$(of baseline during.availability)" 1.0
# fastest CHAOS PHASE: ms of the fastest tenth of the writes. A host that is busy for a while slows the median, but not these.
fastest() {
	sql "WITH s AS (SELECT latency_ns, row_number() OVER (ORDER BY latency_ns) AS place, count(*) OVER () AS total
			FROM samples JOIN trials t ON trial_id = t.id AND samples.attempt = t.attempt
			WHERE chaos = '$1' AND phase = '$2' AND ok)
		SELECT latency_ns / 1e6 FROM s WHERE place = 1 + total / 10"
}
slow=$(fastest slow-leader hold) quick=$(fastest slow-leader warmup)
check_number "a slow leader slows writes: the fastest tenth took $quick ms, then $slow ms" "$slow > $quick + 50"
slow=$(fastest slow-follower hold) quick=$(fastest slow-follower warmup)
check_number "a slow follower does not: the fastest tenth took $quick ms, then $slow ms" "$slow < $quick + 40"

# How long no write succeeded: from the start of the last good write before the cut to the end of the first good one after.
gap=$(sql "WITH t AS (SELECT * FROM trials WHERE chaos = 'cut-leader'),
	s AS (SELECT s.* FROM samples s JOIN t ON s.trial_id = t.id AND s.attempt = t.attempt WHERE s.ok)
	SELECT ((SELECT min(started_at_ns + latency_ns) FROM s, t WHERE started_at_ns > chaos_injected_at_monotonic_ns)
	- (SELECT max(started_at_ns + latency_ns) FROM s, t
		WHERE started_at_ns + latency_ns <= chaos_injected_at_monotonic_ns)) / 1000000")
check_number "a leader that is cut off costs $gap ms of writes: an election" "$gap > 500 && $gap < 4000"
check_number "a follower that is cut off costs none" "$(of cut-follower during.availability) >= 0.99"
check_number "nor does one whose disk is full" "$(of full-follower during.availability) >= 0.99"
full=$(sql "SELECT target_node FROM trials WHERE chaos = 'full-follower'")
check_match "that one ended for want of space, and no other" "$(sql "SELECT chaos, json_extract(value, '\$.output')
	FROM trials, json_each(commands_json) WHERE json_extract(value, '\$.output') LIKE '%ended:%'")" \
	"^full-follower\|$full ended: .*no space left on device.?$"
if [[ $(feature fmod_ret) == true || $(feature precontent) == true ]]; then
	check_eq "its disk seemed to have no block left" "$(sql "SELECT json_extract(evidence, '\$.engine'),
		json_extract(evidence, '\$.spaces[0].left_bytes') FROM trials WHERE chaos = 'full-follower'")" "$([[ $(feature fmod_ret) == true ]] && echo hook || echo precontent)|0"
else
	check_eq "its disk had no block left" "$(sql "SELECT json_extract(evidence, '\$.engine'), json_extract(evidence,
		'\$.spaces[0].available_at_start_bytes') - json_extract(evidence, '\$.spaces[0].fell_bytes') < 4096
		FROM trials WHERE chaos = 'full-follower'")" "fill|1"
fi
if [[ $(feature fmod_ret) != true ]]; then
	check_match "and why not by the hook is recorded" "$(sql "SELECT json_extract(evidence, '\$.why_not_hook')
		FROM trials WHERE chaos = 'full-follower'")" "fmod_ret programs, which kernel lockdown refuses"
fi
for chaos in slow-leader slow-follower cut-leader cut-follower full-follower; do
	hits=$(sql "SELECT json_extract(evidence, '\$.hit') FROM trials WHERE chaos = '$chaos'")
	check_number "the kernel counted hits of $chaos: $hits" "${hits:-0} > 0"
done

check "no lab, program or map of ours is left" wait_for 3 no_traces
check_eq "the host's network is as it was" "$(network_state)" "$host_before"

# --- The README --------------------------------------------------------------------------------------------------

# Prints the lines of all ```sh blocks, without comments and sudo (root runs this).
commands() {
	awk '/^```sh$/ { in_block = 1; next } /^```/ { in_block = 0 } in_block' README.md |
		sed -e 's/ \+#.*//' -e 's/^sudo //' | grep .
}

# Faults need traffic to hit: the lab's nodes send it themselves.
run_line() {
	local line=$1
	if [[ $line == *CAMPAIGN* ]]; then
		line=${line//CAMPAIGN/$(./eval list --json | jq -r '.campaigns[0].id')}
	fi
	check "$line" bash -c "$line"
}

count=0
while read -r line; do
	case $line in
	# The demo runs this command and prints it.
	'./eval run campaign examples/etcd-lab.yaml') check_match "$line: the demo runs it" "$table" "\\\$ $line --db" ;;
	'make demo' | 'make test') check_match "$line is a target" "$(make -n "${line#make }" 2>&1 | head -n 1)" . ;;
	*) run_line "$line" ;;
	esac
	((++count))
done < <(commands)
check_number "the README shows commands: $count" "$count >= 12"

# The files that the text links to, and the commands in its prose.
while read -r file; do
	check "README links to $file" test -e "$file"
done < <(grep -o '](\([^)#]*\))' README.md | sed 's/](\(.*\))/\1/' | grep -v '^http' | sort -u)
for target in test-unit test-cli test-net test-fault test-smoke test-vm test-matrix test-gate test-all bench check install; do
	check "make $target is a target" make -n "$target"
done
check "cleanup --now" ./eval cleanup --now
check_fails "run --resume, with everything done" 2 ./eval run campaign examples/etcd-lab.yaml --resume
check_match "… says so" "$output" "nothing to resume"

done_testing

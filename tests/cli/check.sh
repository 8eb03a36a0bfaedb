#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# eval check, and what eval run checks before its first trial: everything that is missing, in one go, and nothing is injected.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
cd "$work" || exit 1
mkdir data
printf '#!/bin/sh\ntrue\n' >good.sh
printf '#!/bin/sh\ntrue\n' >plain.sh
chmod +x good.sh

# check_file NAME STATUS: runs eval check; its findings in $output.
check_file() { check_fails "$1: exit $2" "$2" "$eval_bin" check "$work/$1.yaml" --db "$work/x/y.db"; }
nodes() { echo "nodes: [{name: n1, address: 10.99.0.1, netns: $(ns n1), data_dir: $1}, {name: n2, address: 10.99.0.2, netns: $2}]"; }
settings='defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 1}'
cut='{type: network_partition, target: n1}'

cat >good.yaml <<END
$settings
subjects:
  - name: up
    reset: none
    ready: ./good.sh
    probes: [{name: p, exec: ./good.sh, every_ms: 100, timeout_ms: 1000}]
    $(nodes "$work/data" "$(ns n2)")
chaos_types: [$cut, {type: disk_pressure, target: n1, params: {fill_percent: 10}}]
END
"$eval_bin" check good.yaml --db x/y.db >out 2>&1
check_eq "all is there: exit status" $? 0
check_match "all is there: says so" "$(<out)" "good.yaml: this host can run it"
check_fails "all is there: no database is made" 1 test -e x

cat >bad.yaml <<END
$settings
subjects:
  - name: script
    reset: none
    ready: scripts/gone.sh
    probes: [{name: put, exec: ./plain.sh, every_ms: 100, timeout_ms: 1000}]
    nodes: [{name: n1, address: 10.99.0.1, netns: gone-$$}]
  - name: places
    reset: none
    nodes:
      - {name: n1, address: 10.99.0.1, netns: $(ns n1), data_dir: $work/nowhere}
      - {name: n2, address: 10.99.0.2, netns: $(ns n2), cgroup: /eval-none-$$}
chaos_types:
  - $cut
  - {type: disk_pressure, target: n1, params: {fill_percent: 10, engine: hook}}
  - {type: latency, name: slow, target: n2, params: {min_ms: 1, max_ms: 2, line: fq}}
END
sed -i '/name: script/,/gone-/ { s/nodes: \[{name: n1, address: 10.99.0.1, netns: gone-'$$'}\]/nodes: [{name: n1, address: 10.99.0.1, netns: gone-'$$', data_dir: '"${work//\//\\/}"'\/data}, {name: n2, address: 10.99.0.2}]/ }' bad.yaml
before=$EPOCHREALTIME
check_file bad 2
diag "$(awk -v a="$before" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f s", b - a }')"
check_match "a script that is missing" "$output" "script: ready: there is no 'scripts/gone.sh' in $work"$'\n'
check_match "a probe that may not be executed" "$output" "script: probe 'put': './plain.sh' in $work may not be executed"
check_match "a node that is missing" "$output" "script, instance 0: network_partition on n1: .*namespace 'gone-$$'"
check_match "a data_dir that is missing" "$output" "places, instance 0: disk_pressure on n1: .*'$work/nowhere'"
check_match "a cgroup that is missing" "$output" "places, instance 0: slow on n2: .*/eval-none-$$"
"$eval_bin" bpf-status | grep -q 'sch_fq *yes' ||
	check_match "an engine that is missing" "$output" "this kernel has no sch_fq \(.*\): latency trials will fail"
check_eq "nothing is live" "$("$eval_bin" bpf-status --json | jq "[.faults[] | select(.holder_pid == $$)] | length")" 0
check_fails "no database is made" 1 test -e x

check_fails "run: exit 2" 2 "$eval_bin" run campaign bad.yaml --db "$work/x/y.db"
check_match "run: the same findings" "$output" "there is no 'scripts/gone.sh'.*nothing was started; --no-check starts all the same"
check_fails "run: no database is made" 1 test -e x
check_fails "only what is selected is checked" 2 "$eval_bin" check bad.yaml --only '*-places-*'
check_eq "… not the other subject" "$(grep -c gone <<<"$output")" 0

# --- Before a reset -------------------------------------------------------------------------------------------

cat >fresh.yaml <<END
$settings
subjects:
  - {name: lab, reset: ./good.sh, ready: ./good.sh, nodes: [{name: n1, address: 10.1.2.3, netns: not-yet}]}
include_baseline: true
chaos_types: []
END
"$eval_bin" check fresh.yaml --db x/y.db >out 2>&1
check_eq "reset makes it: exit status" $? 0
check_match "reset makes it: says that it was not checked" "$(<out)" "not checked, because reset makes them: .* of lab"
sed 's/reset: .\/good.sh/reset: none-such-program -x/' fresh.yaml >program.yaml
check_file program 2
check_match "a program that is not in PATH" "$output" "lab: reset: 'none-such-program' is not in PATH"
sed "s|ready: ./good.sh|ready: 'X=1 exec $work/data'|" fresh.yaml >folder.yaml
check_file folder 2
check_match "a folder is no program" "$output" "lab: ready: '$work/data' in $work may not be executed"
# shellcheck disable=SC2016 # the shell's own variable
for exec in 'cd /nowhere \&\& ./x' '$X/y' 'test -e x' '"./a b"' 'for i in 1; do x; done'; do
	sed "s|ready: ./good.sh|ready: '$exec'|" fresh.yaml >shell.yaml
	"$eval_bin" check shell.yaml --db x/y.db >out 2>&1
	check_eq "only a shell can tell: $exec" $? 0
done

# --- Subjects that are up -------------------------------------------------------------------------------------

sed 's|ready: ./good.sh|ready: "echo not yet; exit 3"|; s|exec: ./good.sh|exec: "sleep 5"|; s/timeout_ms: 1000/timeout_ms: 100/' good.yaml >down.yaml
check_file down 2
check_match "it is not ready" "$output" "up, instance 0: ready failed: exit 3: not yet"
check_match "a probe fails" "$output" "up, instance 0: probe 'p' failed: timed out after"
sed "s/target: n1}/target: leader}/; s|reset: none|reset: none\n    roles: ./good.sh|; s/netns: $(ns n2)/netns: gone-$$/" good.yaml >role.yaml
"$eval_bin" check role.yaml --db x/y.db >out 2>&1
check_match "a role that some nodes cannot have" "$(<out)" "warning: up, instance 0: network_partition on leader cannot act on 1 of 2 nodes"
sed 's/recovery_seconds: 1}/recovery_seconds: 1, expect: {p99_ms_max: 5}}/' good.yaml >few.yaml
"$eval_bin" check few.yaml --db x/y.db >out 2>&1
check_match "too few samples for a percentile" "$(<out)" "up, network_partition: of probe p 10 samples come in 1 s, which cannot confirm p99_ms_max: 368 could"

# --- A ready that can never end well --------------------------------------------------------------------------

sed 's|ready: ./good.sh|ready: {exec: "exec /nowhere/ready", timeout_seconds: 60}|' fresh.yaml >never.yaml
before=$SECONDS
check_fails "ready cannot be run: exit 1" 1 "$eval_bin" run campaign never.yaml --db never.db --no-check
check_number "ready cannot be run: fails at once" "$((SECONDS - before)) < 30"
check_match "ready cannot be run: why" "$(sqlite3 never.db 'SELECT error_stage, error_text FROM trials')" "^ready.ready cannot be run: exit 127"

# --- How long it takes ----------------------------------------------------------------------------------------

check_match "the plan says how long" "$("$eval_bin" run campaign good.yaml --dry-run)" $'\ntakes 0:02 to 2:04, and what reset'
check_match "of a baseline trial" "$("$eval_bin" run campaign fresh.yaml --dry-run)" $'\ntakes 0:01 to 1:02, '
done_testing

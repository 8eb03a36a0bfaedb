#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# not in guests: it tests the coordinator
# notify: what it is told and when; it holds up nothing, also if it fails, hangs or is too slow; nothing of it is left.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
make_switch sw n1=10.99.0.1/24 n2=10.99.0.2/24 || exit 1
n1=$(ns n1)

# write NAME COMMAND: a campaign of two trials, one of them a baseline, that notifies by COMMAND.
write() {
	cat >"$work/$1.yaml" <<END
name: told
include_baseline: true
notify: {exec: '$2'}
defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 5}
subjects:
  - name: lab
    reset: "true"
    nodes: [{name: n1, netns: $n1, address: 10.99.0.1}, {name: n2, netns: $(ns n2), address: 10.99.0.2}]
    workload: "exec ip netns exec $n1 ping -n -i 0.05 10.99.0.2 >/dev/null"
chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2}}]
END
}
run() { "$eval_bin" run campaign "$work/$1.yaml" --db "$work/$1.db" --quiet; }
sql() { sqlite3 "$work/$1.db" "$2"; }

write good "cat >>$work/facts; env | grep -c EVAL_PHASE= >>$work/phases"
check "a campaign that notifies" run good
check_eq "what it is told, in this order" "$(jq -r '[.event, .chaos, .status // "-", .verdict // "-"] | join(" ")' "$work/facts")" \
	$'end baseline completed pass\ninject latency - -\nrevert latency - -\nend latency completed pass'
check_eq "with all facts" "$(jq -c 'select(.event == "revert") | [.format, .label, .subject, .type, .target_node, .attempt, (.params.min_ms | floor)]' "$work/facts")" \
	'[1,"told","lab","latency","n1",1,1]'
check_eq "the trial is that of the record" "$(jq -r 'select(.event == "inject").trial' "$work/facts")" \
	"$(sql good "SELECT id FROM trials WHERE NOT baseline")"
check_eq "the environment, too" "$(sort -u "$work/phases")" 1

write bad "echo no way >&2; exit 3"
check "a command that fails does not fail the trial" run bad
check_eq "… each failure is recorded" "$(sql bad "SELECT count(*), min(text) FROM events WHERE kind = 'notify_failed'")" \
	"4|notify failed: exit 3: no way"
check_eq "… and told once" "$(rm -f "$work"/bad.db*; run bad 2>&1 | grep -c 'warning: notify failed')" 1

write slow "sleep 77"
started=$SECONDS
check "a command that hangs does not hold up the trials" run slow
check_number "… the end waits for its timeout only" "$((SECONDS - started)) >= 10 && $((SECONDS - started)) < 40"
check_eq "… no trial took longer" "$(sql slow "SELECT count(*) FROM trials WHERE status = 'completed' AND
	ended_at_monotonic_ns - started_at_monotonic_ns < 9e9")" 2
check_match "… it is recorded" "$(sql slow "SELECT text FROM events WHERE kind = 'notify_failed'")" "timed out after"
sleepers() { pgrep -f '^sleep 77$' | grep -c .; }
check_eq "… and gone" "$(sleepers)" 0

write killed "setsid sleep 77 & sleep 77"
"$eval_bin" run campaign "$work/killed.yaml" --db "$work/killed.db" --quiet >/dev/null 2>&1 &
pid=$!
test_pids+=("$pid")
has_sleepers() { (($(sleepers) >= 2)); }
check "it runs, with a child that leaves its session" wait_for 20 has_sleepers
kill -KILL "$pid"
no_sleepers() { (($(sleepers) == 0)); }
check "killed: nothing of it is left" wait_for 5 no_sleepers

sed '/^notify/d' "$work/good.yaml" >"$work/without.yaml"
hash_of() { "$eval_bin" run campaign "$1" --dry-run --json | jq -r '.campaign'; }
check_eq "it is no part of the hash" "$(hash_of "$work/good.yaml" | sed 's/.*-//')" "$(hash_of "$work/without.yaml" | sed 's/.*-//')"

# --- The example, against a server that stands for Grafana ------------------------------------------------------

/usr/bin/python3 - "$work" >"$work/port" <<'END' &
import http.server, sys
class Grafana(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        open(sys.argv[1] + "/posted", "w").write(self.path + "\nAuthorization: " + self.headers["Authorization"] + "\n" + body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Grafana)
print(server.server_port, flush=True)
server.handle_request()
END
test_pids+=("$!")
has_port() { [[ -s $work/port ]]; }
wait_for 10 has_port
echo "Authorization: Bearer secret" >"$work/token"
check "the example posts" env GRAFANA_URL="http://127.0.0.1:$(<"$work/port")" GRAFANA_TOKEN_FILE="$work/token" \
	sh -c "tail -n 1 '$work/facts' | examples/notify-grafana.sh"
check_eq "… to the right place, with its token" "$(head -n 2 "$work/posted")" $'/api/annotations\nAuthorization: Bearer secret'
check_match "… an annotation" "$(tail -n 1 "$work/posted")" '"tags":\["eval","end","lab","latency"\],"text":"end: trial-lab-latency-[0-9]+ on n1: completed, verdict pass"'

done_testing

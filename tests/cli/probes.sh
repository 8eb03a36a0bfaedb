#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Probes of all kinds in the namespaces where they belong, against a real server; what is expected of single ones; final checks.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"

make_nodes 2
here=$(address4 n1) there=$(address4 n2)
db=$work/probes.db
sql() { sqlite3 "$db" "$1"; }
serves() { grep -q ready "$work/$1.web"; }
# web NAME NODE ADDRESS PORT [CERT…]: a server in the node's namespace.
web() {
	local name=$1 node=$2
	shift 2
	spawn_in "$node" "$top/tests/tools/web.py" "$@"
	ln -sf "$work/spawn.$((${#test_pids[@]} - 1))" "$work/$name.web"
	wait_for 10 serves "$name" || exit 1
}

# --- Certificates: an authority, one of the server for its address, one of a client, and a stranger's --------------
cd "$work" || exit 1
# certificate NAME [SUBJECT_ALT_NAME]: signed by `ca`.
certificate() {
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null &&
		openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" \
			-extfile <(echo "subjectAltName=${2:-DNS:$1}") 2>/dev/null
}
for name in ca other; do
	openssl req -x509 -newkey rsa:2048 -nodes -keyout $name.key -out $name.pem -subj "/CN=eval $name" -days 2 2>/dev/null || exit 1
done
certificate server "IP:$there" && certificate client || exit 1
web plain n2 "$there" 8080
web tls n2 "$there" 8443 server.pem server.key ca.pem
web own n2 127.0.0.1 8090
web six n2 "$(address6 n2)" 8086

# --- Each kind, good and bad -------------------------------------------------------------------------------------------
nodes="nodes: [{name: n1, address: $here, netns: $(ns n1)}, {name: n2, address: $there, netns: $(ns n2)}]"
cat >kinds.yaml <<END
defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 0.5, retries: 0}
subjects:
  - name: lab
    reset: "true"
    probes:
      - {name: exec-in, exec: "ip -4 -o address show dev eth0 | grep -q $here", node: n1}
      - {name: exec-out, exec: "ip -4 -o address show dev eth0 2>/dev/null | grep -q $here"}
      - {name: tcp-in, tcp: "$there:8080", node: n1, every_ms: 20}
      - {name: tcp-six, tcp: "[$(address6 n2)]:8086", netns: $(ns n1)}
      - {name: tcp-own, tcp: "127.0.0.1:8090", node: n2}
      - {name: tcp-out, tcp: "127.0.0.1:8090"}
      - {name: tcp-closed, tcp: "$there:9", node: n1}
      - {name: get, http: "http://$there:8080/", node: n1, every_ms: 20}
      - {name: get-six, http: "http://[$(address6 n2)]:8086/", node: n1}
      - {name: values, node: n1, http: {url: "http://$there:8080/", status: 200, body: "health.*true",
          json: {/health: "true", /count: 3, /half: 0.50, /up: true, /none: null, /list/0/a~1b: x, /list/0/m~0n: 8}}}
      - {name: wrong, node: n1, http: {url: "http://$there:8080/", json: {/count: 4}}}
      - {name: status, node: n1, http: "http://$there:8080/status/503"}
      - {name: status-asked, node: n1, http: {url: "http://$there:8080/status/503", status: 503}}
      - {name: moved, node: n1, http: "http://$there:8080/moved"}
      - {name: big, node: n1, http: "http://$there:8080/big/1048577"}
      - {name: not-json, node: n1, http: {url: "http://$there:8080/text", json: {/a: b}}}
      - {name: cut, node: n1, http: "http://$there:8080/cut", timeout_ms: 500}
      - {name: hang, node: n1, http: "http://$there:8080/hang", timeout_ms: 250}
      - {name: tls, node: n1, http: {url: "https://$there:8443/", ca: ca.pem, cert: client.pem, key: client.key}}
      - {name: tls-stranger, node: n1, http: {url: "https://$there:8443/", ca: other.pem, cert: client.pem, key: client.key}}
      - {name: tls-nobody, node: n1, http: {url: "https://$there:8443/", ca: ca.pem}}
      - {name: tls-no-file, node: n1, http: {url: "https://$there:8443/", ca: none.pem}}
      - {name: no-name, node: n1, http: "http://no-such-host.invalid/", timeout_ms: 3000}
    $nodes
chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 1}}]
END
check_fails "a trial with probes of all kinds; some of them never recover: exit 1" 1 "$eval_bin" run campaign kinds.yaml --db "$db" --quiet --no-check
check_eq "it runs to its end" "$(sql "SELECT status, error_text FROM trials")" "completed|"
errors_of() {
	sql "SELECT DISTINCT coalesce(error, 'good') FROM samples WHERE probe = '$1' ORDER BY 1" | paste -sd,
}
for name in exec-in tcp-in tcp-own tcp-six get get-six values status-asked tls; do
	check_eq "$name: good" "$(errors_of $name)" good
done
while IFS=: read -r name error; do
	# On a busy host one of the samples may time out instead.
	check_match "$name: bad, in words that stay the same" "$(errors_of "$name")" "^$error(,timed out after 0.5 s)?\$"
done <<END
exec-out:exit 1
tcp-out:cannot connect: Connection refused
tcp-closed:cannot connect: Connection refused
wrong:/count is '3', not '4'
status:status 503
moved:status 302
big:the answer is longer than 1048576 bytes
not-json:the answer is no JSON
cut:(Transferred a partial file|timed out after 0.5 s)
hang:timed out after 0.25 s
tls-stranger:.*certificate.*
tls-nobody:the server broke the connection off
tls-no-file:.*(CA|certificate).*
no-name:.*resolve.*
END
check_number "samples on their schedule, also those that cost no process" \
	"$(sql "SELECT count(*) FROM samples WHERE probe = 'tcp-in' AND phase = 'hold'") >= 40"
check_eq "no connection is left waiting" "$(in_ns n1 ss -Htan state time-wait | grep -c ":80[0-9][0-9]")" 0
check_eq "the output of an error is kept" "$(sql "SELECT json_extract(summary, '\$.probes.wrong.errors[0].output') LIKE '%\"count\": 3%' FROM trials")" 1

# --- What is expected of one probe, and the checks at the end ---------------------------------------------------------
cat >expect.yaml <<END
defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 5, retries: 0, expect: {availability_min: 1}}
subjects:
  - name: lab
    reset: "true"
    probes:
      - {name: up, tcp: "$there:8080", node: n1, every_ms: 50}
      - {name: down, exec: "test \$EVAL_PHASE != hold", every_ms: 50}
    $nodes
chaos_types:
  - {type: latency, name: strict, target: n1, params: {min_ms: 1, max_ms: 1}}
  - {type: latency, name: lenient, target: n1, params: {min_ms: 1, max_ms: 1}, expect: {probes: {down: {availability_min: 0}}}}
  - type: latency
    name: checked
    target: n1
    params: {min_ms: 1, max_ms: 1}
    expect:
      probes: {down: {availability_min: 0, errors_max: 100000}}
      checks: [{name: sums, exec: "echo all sums agree"}, {exec: 'echo "\$EVAL_TARGET lost 3 rows in \$EVAL_PHASE"; exit 4'}, {name: late, exec: "sleep 9", timeout_seconds: 0.2}]
END
check_fails "expectations fail: exit 1" 1 "$eval_bin" run campaign expect.yaml --db "$work/e.db" --no-check
db=$work/e.db
check_eq "verdicts" "$(sql "SELECT chaos, verdict FROM trials ORDER BY trial_index" | paste -sd' ')" "strict|fail lenient|pass checked|fail"
check_match "what each check showed" "$(sql "SELECT json_extract(value, '\$.check'), json_extract(value, '\$.result'), json_extract(value, '\$.verdict')
	FROM trials, json_each(expectations) WHERE chaos = 'checked' AND json_extract(value, '\$.name') = 'check'" | paste -sd,)" \
	"^sums\|exit 0: all sums agree\|pass,2\|exit 4: n1 lost 3 rows in check\|fail,late\|timed out after 0.[0-9]+ s\|fail$"
check_match "the table says which" "$output" "check 2: exit 4: n1 lost 3 rows in check, expected exit 0; check late: timed out"
check_eq "a check's command is recorded" "$(sql "SELECT count(*) FROM trials, json_each(commands_json) WHERE json_extract(value, '\$.name') LIKE 'check %'")" 3
id=$(sql "SELECT id FROM campaigns")
check "show has them" "$eval_bin" show "$id" checked-3 --db "$db"
check_match "the page has them" "$("$eval_bin" report "$id" --markdown - --db "$db")" "lost 3 rows"
"$eval_bin" report "$id" --json - --db "$db" >report.json
check "the report keeps to its schema" /usr/bin/python3 -c "import json, jsonschema
jsonschema.validate(json.load(open('report.json')), json.load(open('$top/docs/report.schema.json')))"
check_match "the plan shows probes and limits" "$("$eval_bin" run campaign expect.yaml --dry-run)" \
	"probe      up every 50 ms, at most 1000 ms, in the namespace of n1: tcp $there:8080.*expect     of down availability_min=0 errors_max=100000.*check      sleep 9"

# --- check tries them on a subject that is never reset ------------------------------------------------------------------
sed 's/reset: "true"/reset: none/; /name: down/d; /name: lenient/,$d; s/tcp: "[^"]*"/tcp: "'"$there"':9"/' expect.yaml >up.yaml
check_fails "check: a port that is closed" 2 "$eval_bin" check up.yaml
check_match "… says which and why" "$output" "lab, instance 0: probe 'up' failed: cannot connect: Connection refused"
sed "s/$there:9/$there:8080/" up.yaml >good.yaml
check "check: one that is open" "$eval_bin" check good.yaml
sed "s/node: n1/netns: none-such/" up.yaml >nowhere.yaml
check_fails "check: a namespace that is not there" 2 "$eval_bin" check nowhere.yaml
check_match "… is named" "$output" "cannot open network namespace 'none-such'"
done_testing

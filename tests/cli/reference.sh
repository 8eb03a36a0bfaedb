#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# not in guests: it reads the sources
# shellcheck disable=SC2016 # backquotes of Markdown
# The reference pages say what the program does: keys and parameters with their places, ranges and defaults, placeholders,
# variables, exit codes, statuses, events and messages.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
cd "$top" || exit 1

# --- Keys and parameters ------------------------------------------------------------------------------------------

# Leaves out what can be left out; the trial fails at once, but what is effective is in the records.
cat >"$work/least.yaml" <<'END'
subjects:
  - name: s
    reset: "false"
    nodes: [{name: n, address: 10.0.0.1, data_dir: /tmp, cgroup: c}, {name: m, address: 10.0.0.2, data_dir: /tmp, cgroup: c}]
    probes: [{name: p, exec: "true"}, {name: h, http: {url: "http://127.0.0.1/"}}]
    metrics: [{name: q, url: "http://127.0.0.1/", series: up}]
chaos_types:
  - {type: latency, params: {min_ms: 1, max_ms: 1}, expect: {checks: [{exec: "true"}]}}
  - {type: network_partition}
  - {type: disk_pressure, params: {fill_percent: 1}}
  - {type: disk_latency, params: {min_ms: 1, max_ms: 1}}
  - {type: io_error}
  - {type: io_hang}
  - {type: disk_stall, params: {stall_ms: 1, every_ms: 2}}
  - {type: disk_throttle, params: {write_bps: 1}}
END
"$eval_bin" run campaign "$work/least.yaml" --dry-run --json >"$work/plan"
check_fails "a campaign whose trial fails" 1 "$eval_bin" run campaign "$work/least.yaml" --only '*latency*' --no-check --quiet --db "$work/db"
sqlite3 "$work/db" "SELECT config FROM campaigns" >"$work/config"

# differences DOCS [PART…]
differences() { /usr/bin/python3 tests/tools/reference.py "$eval_bin" "$1" "$work/plan" "$work/config" "${@:2}" 2>&1; }
check_eq "keys and parameters: the pages and the program agree" "$(differences docs)" ""

mkdir "$work/wrong" && ln -s "$top/user" "$work/wrong/user"
# finds NAME PART PAGE SED EXPECTED: pages that are wrong in one thing are found out.
finds() {
	rm -rf "$work/wrong/docs" && cp -r docs "$work/wrong/docs"
	sed -i "$4" "$work/wrong/docs/$3"
	check_eq "found out: $1" "$(differences "$work/wrong/docs" "$2")" "$5"
}
finds "a wrong default" top campaign-file.md '/^| `cooldown_seconds`/s/| 0 |/| 1 |/' \
	'top: cooldown_seconds: the page has the default 1, eval 0.0'
finds "a wrong range" top campaign-file.md '/^| `parallel`/s/256/255/' "top: parallel: the page has the range [1.0, 255.0], eval [1.0, 256.0]"
finds "a key in the wrong place" 'chaos type' campaign-file.md '/^| `default_target`/s/defaults, subject/each/' "$(printf '%s\n' 'chaos type: default_target: eval does not take it' \
	'chaos type: default_target: the page has the default `random`, eval None')"
finds "a key that is missing" node campaign-file.md '/^| `interface`/d' "node: interface: not on the page"
finds "a wrong time limit" commands campaign-file.md '/^| `reset` | 600/s/600/60/' "commands: reset: the page has 60 s, eval 600 s"
finds "a placeholder too many" placeholders campaign-file.md 's/`{subject}` are replaced in/& `body`,/' \
	"$(printf 'placeholders: the page has %s, eval %s' \
		"['address', 'body', 'cgroup', 'data_dir', 'http', 'interface', 'netns', 'tcp', 'url']" \
		"['address', 'cgroup', 'data_dir', 'http', 'interface', 'netns', 'tcp', 'url']")"
finds "a wrong default of a parameter" latency chaos/latency.md '/^| `protocol`/s/| `any` |/| `tcp` |/' \
	"latency: protocol: the page has the default \`tcp\`, eval any"
finds "a choice that is missing" network_partition chaos/network_partition.md '/^| `engine`/s/`tc`, `xdp`/`tc`/' \
	"network_partition: engine: the page has ['tc'], eval takes ['tc', 'xdp']"
finds "a parameter that is not required" latency chaos/latency.md '/^| `min_ms`/s/required/none/' \
	"latency: the page requires [], eval ['max_ms', 'min_ms']"

# --- Tables of words ------------------------------------------------------------------------------------------------

# words PAGE SECTION: what stands in backquotes in the first column of the section's tables.
words() {
	awk -v section="## $2" '$0 == section || $0 == "#" section { on = 1; next } /^###? / { on = 0 } on && /^\| `/ { split($0, cells, "|"); print cells[2] }' "docs/$1" |
		grep -o '`[^`]*`' | tr -d '`' | sort -u
}
# literals REGEX FILE…: the first string behind the regex.
literals() { grep -ohE "$1\"[^\"]*\"" "${@:2}" | grep -o '"[^"]*"' | tr -d '"' | sort -u; }

check_eq "the environment of commands" "$(words campaign-file.md 'The environment of commands')" \
	"$(grep -oh '"EVAL_[A-Z]*"' user/process/environment.c user/process/scope.h | tr -d '"' | sort -u)"
check_eq "what eval reads from its environment" "$(words command-line.md 'What eval reads from its environment')" \
	"$(grep -rohE 'getenv\("[A-Z_]+"\)' user | grep -oE '[A-Z_]{4,}' | sort -u)"
check_eq "the commands" "$(words command-line.md Commands)" "$("$eval_bin" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' | sort -u)"
exit_codes=$(sed -n '/^enum exit_code/,/^}/s/.*EXIT_[A-Z]* = \([0-9]*\),.*/\1/p' user/util/error.h | sort -n | xargs)
check_eq "exit codes" "$(sed -n 's/^| \([0-9]*\) | .*/\1/p' docs/command-line.md | sort -nu | xargs)" "$exit_codes"
check_eq "exit codes in README.md" "$(sed -n '/^| exit status/,/^$/s/^| \([0-9]*\) | .*/\1/p' README.md | sort -nu | xargs)" "$exit_codes"
statuses=$(literals '\[STATUS_[A-Z]*\] = ' user/plan/status.c)
verdicts=$(literals '\[VERDICT_[A-Z]*\] = ' user/plan/status.c)
check_eq "statuses and verdicts" "$(words results.md 'Status and verdict' | grep -vE '^(--.*|error_.*|stuck|recovery_seconds)$')" "$(sort -u <<<"$statuses
$verdicts")"
phases=$(literals '\[PHASE_[A-Z]*\] = ' user/trial/phase.c)
check_eq "phases" "$(words results.md Phases)" "$phases"
# column NAME: the words of a row of docs/database.md that lists them.
column() { sed -n "s/^| \`$1\`.* | [a-z]* | \([a-z, ]*\).*/\1/p" docs/database.md | head -n "${2:-1}" | tail -n 1 | tr -d ' ' | tr ',' '\n' | grep . | sort -u; }
check_eq "docs/database.md: statuses of a trial" "$(column status 2)" "$statuses"
check_eq "docs/database.md: verdicts" "$(column verdict)" "$verdicts"
check_eq "docs/database.md: stages of errors" "$(column error_stage)" "$phases"
check_eq "events" "$(words results.md Events)" "$({
	literals 'trial_event\(trial, ' user/trial/*.c
	literals '(record_event|clean_up_failed)\(campaign, (campaign->resumed \? )?' user/campaign/*.c
	echo started
	echo phase
	echo completed
	echo interrupted
} | sort -u)"

# --- Messages -------------------------------------------------------------------------------------------------------

mapfile -t sources < <(git ls-files 'user/*.c')
messages() { /usr/bin/python3 tests/tools/messages.py "$1" "${sources[@]}"; }
check_eq "docs/troubleshooting.md: eval says these words, and each refusal is there" "$(messages docs/troubleshooting.md)" ""
check_number "… some eighty" "$(sed -n 's/^| \(`[^|]*\) |.*/\1/p' docs/troubleshooting.md | grep -o '`[^`]*`' | wc -l) >= 80"
sed '/^| `is on a network file system/d; s/`injecting needs root`/`injecting needs luck`/' docs/troubleshooting.md >"$work/wrong.md"
check_eq "found out: what eval does not say, and what is missing" "$(messages "$work/wrong.md" | sort)" "$(printf '%s\n' 'gone: injecting needs luck' \
	'missing: user/kernel/features.c: injecting needs root: run it with sudo' \
	"missing: user/target/directory.c: data_dir '…' is on a network file system (…), whose space is another host's: inject there")"
done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tests/run itself: what counts as passed, failed and skipped, lanes, and cleanup.
source "$(dirname "$0")/../lib/lib.sh"

tree=$work/tree
mkdir -p "$tree/tests/cli" "$tree/tests/net" "$tree/tests/lib" "$tree/build/unit"
cp "$top/tests/run" "$tree/tests/"
cp "$top/tests/lib/lib.sh" "$tree/tests/lib/"
echo "$(uname -r) cli/listed* *may be left out # for this test" >"$tree/tests/skips.list"

# script NAME LINE…: writes a test of the tree.
script() {
	local file=$tree/tests/cli/$1.sh
	shift
	printf '%s\n' '#!/bin/bash' "$@" >"$file"
	chmod +x "$file"
}

# case_is NAME STATUS SUMMARY [REGEX [VARIABLE=VALUE…]]: runs the tree's tests, checks the result and deletes them.
case_is() {
	local status=0 text
	# shellcheck disable=SC2086 # words
	text=$(env -u EVAL_GUEST EVAL_TIME_FACTOR=1 "${@:5}" "$tree/tests/run" ${options:-} "${wanted:-cli}" 2>&1) || status=$?
	check_eq "$1: summary" "$(tail -n 1 <<<"$text") ($status)" "$3 ($2)"
	[[ -z ${4:-} ]] || check_match "$1: reason" "$text" "$4"
	rm -f "$tree"/tests/cli/*.sh
}

script good 'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2'
case_is "all good" 0 "2 passed, 0 failed, 0 skipped"

script bad 'echo "ok 1 - a"; echo "not ok 2 - b"; echo "# got: 7"; echo 1..2'
case_is "one bad" 1 "1 passed, 1 failed, 0 skipped" $'# got: 7.*\n  cli/bad: b'

script silent 'exit 0'
case_is "no output" 1 "0 passed, 1 failed, 0 skipped" "cli/silent: no plan"

script dies 'echo "ok 1 - a"; exit 3'
case_is "dies" 1 "1 passed, 1 failed, 0 skipped" "cli/dies: exit status 3"

script short 'echo "ok 1 - a"; echo 1..3'
case_is "fewer than planned" 1 "1 passed, 1 failed, 0 skipped" "cli/short: 3 tests planned, 1 ran"

script slow '# time limit: 1 s' 'echo "ok 1 - a"; echo 1..1; sleep 30'
case_is "over its time" 1 "1 passed, 1 failed, 0 skipped" "cli/slow: ran longer than 1 s"

script listed 'echo "ok 1 - this may be left out # SKIP no such thing here"; echo 1..1'
case_is "listed skip" 0 "0 passed, 0 failed, 1 skipped" "this may be left out: no such thing here"

script unlisted 'echo "ok 1 - this may be left out # SKIP lazy"; echo 1..1'
case_is "unlisted skip" 1 "0 passed, 1 failed, 0 skipped" "skipped \(lazy\), which tests/skips.list does not allow"

script elsewhere 'echo "ok 1 - this may be left out # SKIP no such thing here"; echo 1..1'
case_is "a skip that is listed for another file" 1 "0 passed, 1 failed, 0 skipped" "cli/elsewhere: this may be left out"
echo "9.9.* cli/listed* *" >>"$tree/tests/skips.list"
script listed 'echo "ok 1 - anything # SKIP"; echo 1..1'
case_is "a skip that is listed for another kernel" 1 "0 passed, 1 failed, 0 skipped" "cli/listed: anything: skipped"

script whole 'echo "1..0 # SKIP no such kernel"'
case_is "an unlisted skip of a whole file" 1 "0 passed, 1 failed, 0 skipped" "cli/whole: all: skipped \(no such kernel\)"
echo "$(uname -r) cli/whole all # for this test" >>"$tree/tests/skips.list"
script whole 'echo "1..0 # SKIP no such kernel"'
case_is "a listed skip of a whole file" 0 "0 passed, 0 failed, 1 skipped" "cli/whole: all: no such kernel"
script none 'echo 1..0'
case_is "a plan of nothing" 1 "0 passed, 1 failed, 0 skipped" "cli/none: a plan of no tests"

script groups 'printf "1..2\nok 1 - a\nok 2 - b\n1..1\nnot ok 1 - c\n"; exit 1'
case_is "several plans, as cmocka prints them" 1 "2 passed, 1 failed, 0 skipped" "cli/groups: c"

# In guests.
script slow '# time limit: 1 s' 'echo "ok 1 - a"; echo 1..1; sleep 2'
case_is "emulated guests have more time" 0 "1 passed, 0 failed, 0 skipped" "" EVAL_TIME_FACTOR=10
script host '# not in guests: it is about the host' 'echo "ok 1 - a"; echo 1..1'
case_is "what is not for guests" 1 "0 passed, 1 failed, 0 skipped" "cli: no such tests.*not on this kernel: cli/host" EVAL_GUEST=6.1
script host '# not in guests: it is about the host' 'echo "ok 1 - a"; echo 1..1'
wanted=cli/host case_is "unless it is named" 0 "1 passed, 0 failed, 0 skipped" "" EVAL_GUEST=6.1
script some '# guests: 6.1 6.12: two are enough' 'echo "ok 1 - a"; echo 1..1'
case_is "what is for some guests" 1 "0 passed, 1 failed, 0 skipped" "cli: no such tests.*not on this kernel: cli/some" EVAL_GUEST=sid
script some '# guests: 6.1 6.12: two are enough' 'echo "ok 1 - a"; echo 1..1'
case_is "… in one of them" 0 "1 passed, 0 failed, 0 skipped" "" EVAL_GUEST=6.12
script some '# guests: 6.1 6.12: two are enough' 'echo "ok 1 - a"; echo 1..1'
case_is "… and on the host" 0 "1 passed, 0 failed, 0 skipped"
script some '# gate: 6.1: one is enough' 'echo "ok 1 - a"; echo 1..1'
case_is "what is for the gate on another kernel: outside the gate" 0 "1 passed, 0 failed, 0 skipped" "" EVAL_GUEST=sid
script some '# gate: 6.1: one is enough' 'echo "ok 1 - a"; echo 1..1'
options=--gate case_is "… in it" 1 "0 passed, 1 failed, 0 skipped" "not on this kernel: cli/some" EVAL_GUEST=sid
script some '# gate: 6.1: one is enough' 'echo "ok 1 - a"; echo 1..1'
options=--gate case_is "… and on its own" 0 "1 passed, 0 failed, 0 skipped" "" EVAL_GUEST=6.1
for factor in 1 10; do
	: >"$work/times"
	script late "echo once >>$work/times" "(( \$(wc -l <$work/times) > 1)) && echo 'ok 1 - in time' || echo 'not ok 1 - in time'" "echo 1..1"
	case_is "a failure is a failure, time factor $factor" 1 "0 passed, 1 failed, 0 skipped" 'failed:.  cli/late: in time' \
		EVAL_TIME_FACTOR=$factor
	check_eq "… and is not run again, time factor $factor" "$(wc -l <"$work/times")" 1
done

# Lanes: each test logs its start and end to $work/lanes; all but c wait until $STARTED tests have started.
lane() { # NAME HEAD…
	# shellcheck disable=SC2016 # for the script
	script "$1" "${@:2}" "echo \"+$1\" >>$work/lanes; [[ $1 == c ]] || until ((\$(grep -c ^+ $work/lanes) >= \${STARTED:-0})); do sleep 0.05; done
		sleep 0.1; echo \"-$1\" >>$work/lanes" 'echo "ok 1 - a"; echo 1..1'
}
lanes_are() {
	: >"$work/lanes"
	lane a
	lane b '# time limit: 200 s'
	lane c '# alone: it measures'
	lane d '# time limit: 300 s'
	options=$2 case_is "$1" 0 "$3" "${4:-}" "${@:5}"
}
lanes_are "three lanes" "" "4 passed, 0 failed, 0 skipped" $'^4 tests: 1 one by one, 3 in 3 lanes\n  1 of 4  ok +cli/c .*\n  4 of 4 .*\ncli +4 tests, [0-9.]+ s\nall of them in' STARTED=4
check_match "the one that must be alone ran first, and alone" "$(tr -d '\n' <"$work/lanes")" '^\+c-c(\+[abd]){3}-'
lanes_are "two lanes" "--lanes 2" "4 passed, 0 failed, 0 skipped" "" STARTED=3
check_match "never more than two at once" "$(tr -d '\n' <"$work/lanes")" '^\+c-c(\+[db]){2}-[db](-[db])?\+a-'
lanes_are "alone ones only" "--only alone" "1 passed, 0 failed, 0 skipped"
lanes_are "the others only" "--only beside" "3 passed, 0 failed, 0 skipped"
lanes_are "in a guest one by one" "" "4 passed, 0 failed, 0 skipped" "0 one by one, 4 in 1 lane" EVAL_GUEST=6.1
check_eq "… in the order of names" "$(tr -d '\n' <"$work/lanes")" "+a-a+b-b+c-c+d-d"

case_is "a suite without tests" 1 "0 passed, 1 failed, 0 skipped" "cli: no such tests"

# A test removes the namespaces of a killed test with the same pid. exec keeps the pid.
# shellcheck disable=SC2016 # for the script
script stale '[[ -n ${1:-} ]] || { ip netns add "et$$-n1" && exec "$0" again; exit 1; }' 'source "$(dirname "$0")/../lib/lib.sh"' \
	'if make_ns n1; then ok "a namespace"; else not_ok "a namespace"; fi' 'done_testing'
case_is "a namespace that a killed test left" 0 "1 passed, 0 failed, 0 skipped"

# A killed test still cleans up after itself.
# shellcheck disable=SC2016 # for the script
script cleanup '# time limit: 1 s' 'source "$(dirname "$0")/../lib/lib.sh"' \
	"echo \"\$work\" >$work/where" 'spawn sleep 60' "echo \"\$spawned\" >$work/pid" 'sleep 60'
case_is "cleanup" 1 "0 passed, 1 failed, 0 skipped" "ran longer than 1 s"
check_fails "its folder is gone" 1 test -e "$(cat "$work/where")"
check "its process is gone" is_over "$(cat "$work/pid")"

done_testing

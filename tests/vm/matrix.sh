#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# How matrix.sh and tests/all add up the results of guests and of this host. A script stands in for the guests.
source "$(dirname "$0")/../lib/lib.sh"

tree=$work/tree
mkdir -p "$tree/scripts/vm" "$tree/tests/cli"
cp "$top/scripts/vm/matrix.sh" "$tree/scripts/vm/"
cp "$top/tests/run" "$top/tests/all" "$top/tests/skips.list" "$tree/tests/"
mkdir "$tree/tests/lib"
cp "$top/tests/lib/lib.sh" "$tree/tests/lib/"
printf '#!/bin/bash\necho "ok 1 - a"; echo 1..1\n' >"$tree/tests/cli/good.sh"
cat >"$tree/scripts/vm.sh" <<'END'
#!/bin/bash
# test --timeout SECONDS --logs FOLDER KERNEL [--gate] SUITE
shift 5
kernel=$1
me=$0.$1.${!#}
echo "$*"
trap 'rm "$me"; exit 143' TERM && touch "$me"
case $kernel in
good) echo "5 passed, 0 failed, 1 skipped" ;;
bad) printf 'failed:\n  net/a: b\n  net/c: d\n\n'; echo "3 passed, 2 failed, 0 skipped"; status=1 ;;
odd) echo "1 passed, 0 failed, 0 skipped"; status=125 ;;
hung) echo "vm: hung: still running: killed"; status=124 ;;
gone) echo "vm: http://x/linux.deb is no longer there: run scripts/vm.sh refresh"; status=77 ;;
pair*) while (($(ls "$0".pair* 2>/dev/null | wc -l) < 2)); do sleep 0.02; done; sleep 0.2; echo "1 passed, 0 failed, 0 skipped" ;;
one*) sleep 0.3; echo "1 passed, 0 failed, 0 skipped" ;;
waits) sleep 60 & wait ;;
esac
ls "$0".* 2>/dev/null | wc -l >>"${0%/*}/together"
rm "$me"
exit "${status:-0}"
END
chmod +x "$tree"/tests/cli/good.sh "$tree/scripts/vm.sh"
unset BUILD

gate='' suites=''
# matrix_is NAME KERNELS CLOSING: runs $suites (default net) on KERNELS; checks the closing line and exit status.
# shellcheck disable=SC2086 # words
matrix_is() {
	local status=0
	text=$("$tree/scripts/vm/matrix.sh" $gate "$2" ${suites:-net} 2>&1) || status=$?
	check_eq "$1" "$(tail -n 1 <<<"$text") ($status)" "$3"
}

matrix_is "one guest" good "5 passed, 0 failed, 1 skipped (0)"
check_match "its output is shown, and had the suite" "$text" $'\n''good net'
gate=--gate matrix_is "for the gate" good "5 passed, 0 failed, 1 skipped (0)"
check_match "… says so to the guest" "$text" $'\n''good --gate net'
suites="net fault" matrix_is "each suite has a guest of its own" good "10 passed, 0 failed, 2 skipped (0)"
check_match "… which is told" "$text" $'== good (net|fault): [0-9]+ s\n.*== good (net|fault): '
matrix_is "several: the sum" "good bad good2" "8 passed, 3 failed, 1 skipped (1)"
check_match "what failed is told again at the end" "$text" $'failed: bad net: net/a: b\nfailed: bad net: net/c: d\n.*skipped$'
check_match "a guest without a closing line is one failure" "$text" "failed: good2 net: its tests did not run to their end \(exit status 0\)"
matrix_is "a status that no test explains" odd "1 passed, 1 failed, 0 skipped (1)"
matrix_is "a guest that hung" "good hung" "5 passed, 1 failed, 1 skipped (1)"
check_match "which is told" "$text" "failed: hung net: .*exit status 124"
matrix_is "a kernel that can no longer be had" "gone good" "5 passed, 0 failed, 2 skipped (0)"
check_match "… and what to do" "$text" "skipped: gone net: .* is no longer there: run scripts/vm.sh refresh"
rm -f "$tree/scripts/together"
matrix_is "two at a time" "pair1 pair2 pair3 pair4" "4 passed, 0 failed, 0 skipped (0)"
check_eq "never more" "$(sort -n "$tree/scripts/together" | tail -n 1)" 2
rm -f "$tree/scripts/together"
BESIDE=$tree/absent matrix_is "one at a time beside this host's tests" "one1 one2" "2 passed, 0 failed, 0 skipped (0)"
check_eq "… never more" "$(sort -n "$tree/scripts/together" | tail -n 1)" 1
rm -f "$tree/scripts/together"
BESIDE=$tree/scripts/vm.sh matrix_is "two once these have ended" "pair1 pair2 pair3 pair4" "4 passed, 0 failed, 0 skipped (0)"
check_eq "… at a time" "$(sort -n "$tree/scripts/together" | tail -n 1)" 2
check_fails "no kernel: usage" 2 "$tree/scripts/vm/matrix.sh" "" net

spawn "$tree/scripts/vm/matrix.sh" "waits" net
check "interrupted: a guest runs" wait_for 5 test -e "$tree/scripts/vm.sh.waits.net"
kill -TERM "$spawned"
check "interrupted: it ends" wait_for 5 is_over "$spawned"
check "interrupted: the guest does, too" test ! -e "$tree/scripts/vm.sh.waits.net"

cat >"$tree/tests/cli/slow.sh" <<'END'
#!/bin/bash
echo $$ >"$SLOW_PID.new" && mv "$SLOW_PID.new" "$SLOW_PID"
sleep 60 & wait
END
chmod +x "$tree/tests/cli/slow.sh"
SLOW_PID=$work/slow.pid spawn "$tree/tests/run" cli/slow cli/good
check "interrupted: a test runs" wait_for 5 test -s "$work/slow.pid"
kill -TERM "$spawned"
check "interrupted: tests/run ends, and runs no other" wait_for 5 is_over "$spawned"
check "interrupted: the test does, too" is_over "$(cat "$work/slow.pid")"
check "interrupted: no result" test ! -e "$tree/build/test/summary"

# interrupted_all NAME FILE SUITE KERNEL: sends tests/all a SIGTERM once FILE exists, and checks that it ends.
interrupted_all() {
	local status=0
	rm -f "$2"
	SLOW_PID=$work/slow.pid spawn "$tree/tests/all" "$3" "$4" net
	check "tests/all, interrupted $1: it runs" wait_for 5 test -e "$2"
	kill -TERM "$spawned"
	check "tests/all, interrupted $1: it ends" wait_for 5 is_over "$spawned"
	wait "$spawned" || status=$?
	check_eq "tests/all, interrupted $1: exit status" "$status" 143
	check "tests/all, interrupted $1: no result" test ! -e "$tree/build/summary"
}
interrupted_all here "$work/slow.pid" cli/slow ""
check "tests/all, interrupted here: the test does, too" is_over "$(cat "$work/slow.pid")"
echo "9 passed, 0 failed, 0 skipped" >"$tree/build/vm/summary"
interrupted_all "in a guest" "$tree/scripts/vm.sh.waits.net" "" waits
check "tests/all, interrupted in a guest: the guest does, too" test ! -e "$tree/scripts/vm.sh.waits.net"
check "tests/all, interrupted in a guest: an earlier result is gone" test ! -e "$tree/build/vm/summary"
rm "$tree/tests/cli/slow.sh"

# --- This host and the guests ---------------------------------------------------------------------------------

all_is() {
	local status=0
	text=$("$tree/tests/all" "$2" "$3" smoke 2>&1) || status=$?
	check_eq "$1" "$(tail -n 1 <<<"$text") ($status)" "$4"
	check_eq "$1: in build/summary" "$(cat "$tree/build/summary")" "$(tail -n 1 <<<"$text")"
}
all_is "here and in guests" cli "good bad" "9 passed, 2 failed, 1 skipped (1)"
all_is "here alone" cli "" "1 passed, 0 failed, 0 skipped (0)"
all_is "no such suite here" none good "5 passed, 1 failed, 1 skipped (1)"
check_match "what failed here is told again at the end" "$text" $'\nfailed: this host: none: no such tests\nall of it in 0 min [0-9]+ s\n.*skipped$'

# --- A machine that was late ----------------------------------------------------------------------------------

# Fails at first, and passes once its file is there.
# shellcheck disable=SC2016 # for the script
once='[[ -e $0.ran ]] && echo "ok 1 - a" || echo "not ok 1 - a"; touch "$0.ran"; echo 1..1'
for name in once twice thrice; do
	printf '#!/bin/bash\n%s\n' "$once" >"$tree/tests/cli/$name.sh"
	chmod +x "$tree/tests/cli/$name.sh"
done
mkdir -p "$tree/build/tools"
printf '#!/bin/bash\necho "12:00:00 processor 0 stood still for 900 ms"\nexec sleep 60\n' >"$tree/build/tools/pauses"
all_is "a machine that was never late: a failure is a failure" cli/once "" "0 passed, 1 failed, 0 skipped (1)"
check_eq "… and is not run again" "$(grep -c 'Once more' <<<"$text")" 0
chmod +x "$tree/build/tools/pauses"
rm -f "$tree"/tests/cli/*.ran
all_is "a machine that was late: two tests run again" "cli/once cli/twice" "" "2 passed, 0 failed, 0 skipped (0)"
check_eq "… and are named" "$(sed -n 's/^failed at first, passed when run again: //p' <<<"$text" | sort)" \
	$'this host: cli/once: a\nthis host: cli/twice: a'
check_match "… with their logs" "$(cat "$tree/build/first/test/cli-once.log")" "not ok 1 - a"
rm -f "$tree"/tests/cli/*.ran
all_is "… three do not" "cli/once cli/twice cli/thrice" "" "0 passed, 3 failed, 0 skipped (1)"
printf '#!/bin/bash\necho "not ok 1 - a"; echo "ok 2 - b"; echo 1..2\n' >"$tree/tests/cli/once.sh"
all_is "… one that fails again has failed" cli/once "" "1 passed, 1 failed, 0 skipped (1)"
check_match "… and is named so" "$text" $'\nfailed: this host: cli/once: a\n'
all_is "… in a guest: all that failed there runs again" "" bad "3 passed, 2 failed, 0 skipped (1)"
check_match "… by name, in that guest" "$text" $'== Once more: bad net/a\nbad net/a\n'
all_is "… not if no test is named" "" hung "0 passed, 1 failed, 0 skipped (1)"
check_eq "… and nothing does" "$(grep -c 'Once more' <<<"$text")" 0
rm -r "$tree"/tests/cli/{once,twice,thrice}.sh* "$tree/build/tools"

# Another user's fault is live on the host.
cat >"$tree/eval" <<'END'
#!/bin/bash
[[ "$*" == "bpf-status --json" ]] || exit 9
echo '{"faults": [{"type": "latency", "target": "n1", "device": "eth0", "holder_pid": 77}]}'
END
chmod +x "$tree/eval"
all_fails() { "$tree/tests/all" cli ""; }
check_fails "a fault is live on the host: nothing runs" 1 all_fails
check_match "… and which one, and what to do" "$output" "latency on n1, held by pid 77.*sudo ./eval cleanup --now"
check "… and no result" test ! -e "$tree/build/summary"
sed -i 's/\[{.*}\]/[]/' "$tree/eval"
all_is "no fault is live" cli "" "1 passed, 0 failed, 0 skipped (0)"
mv "$tree/tests/run" "$tree/tests/run.gone"
all_is "what does not run is one failure" cli good "5 passed, 1 failed, 1 skipped (1)"

done_testing

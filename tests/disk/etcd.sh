#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 6.12: one kernel is enough to test how etcd reacts to a full disk
# time limit: 120 s
# A real Raft cluster with the hook engine on a follower's disk (the demo has the fill engine): the follower exits for lack of
# space, the others continue, and after the revert it can be restarted.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

have_hooks || skip_all "fmod_ret is refused: the demo has the fill engine"
lab=$top/scripts/lab.sh
export EVAL_INSTANCE=233
on_cleanup "$lab" down
"$lab" up || { not_ok "a cluster"; done_testing; exit 1; }
leader=$("$lab" leader)
[[ $leader == n1 ]] && follower=n2 || follower=n1
is_put() { "$lab" put; }
spawn "$lab" load
load=$spawned
pressure full "/run/evlab/$EVAL_INSTANCE/$follower" --engine hook --fill-percent 100 || { not_ok "a fault"; done_testing; exit 1; }
log=/run/evlab/$EVAL_INSTANCE/$follower.log
ended() { grep -qE '"level":"(fatal|panic)"' "$log"; }
check "$follower, a follower, ends" wait_for 30 ended
check_match "for want of space" "$(grep -E '"level":"(fatal|panic)"' "$log")" "no space left on device"
check "the cluster goes on" wait_for 5 is_put
check_eq "the others run" "$(grep -lE '"level":"(fatal|panic)"' /run/evlab/$EVAL_INSTANCE/n?.log)" "$log"
check_eq "by the hook" "$(event_of full injected | jq -r '.engine | startswith("hook")')" true
revert full
check_number "the kernel refused calls" "$(evidence full .hit) > 0"
check_number "its disk is not full at all" "$(available "/run/evlab/$EVAL_INSTANCE/$follower") > 100 * $mib"
# Not a wait without a limit: bash may lose a signal while it starts a process substitution.
end_pids "$load"
check_match "started again, it tells why it ended" "$("$lab" revive)" "^$follower ended: .*no space left on device"
check "and comes back" wait_for 30 "$lab" ready

done_testing

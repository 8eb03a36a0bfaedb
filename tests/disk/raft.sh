#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 300 s
# not in guests: emulated, etcd is too slow for its own timeouts
# examples/etcd-disks.yaml on a real Raft cluster: a slow, a failing and a hanging disk under the leader and under a follower.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
need_root
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"
[[ $(feature precontent) == true ]] || skip_all "writes cannot be held before Linux 6.14"

# On labs of its own, 90 and 91, as the demo may run on the example's.
sed -E -e "s|\.\./scripts/lab\.sh ([a-z]+)|$top/scripts/lab.sh \1 --instance 9\$EVAL_INSTANCE|g" \
	-e 's/(evlab|10\.77\.|evlab\/)\{instance\}/\19{instance}/g' "$top/examples/etcd-disks.yaml" >"$work/raft.yaml"
for instance in 90 91; do on_cleanup "$top/scripts/lab.sh" down --instance "$instance"; done
export EVAL_DB=$work/raft.db
check "the campaign ends as expected" "$eval_bin" run campaign "$work/raft.yaml" --quiet

sql() { sqlite3 -readonly "$EVAL_DB" "$1"; }
# of CHAOS PATH: a value of that trial's summary of the probe `put`.
of() { sql "SELECT json_extract(summary, '\$.probes.put.$2') FROM trials WHERE chaos = '$1'"; }
hits() { sql "SELECT json_extract(evidence, '\$.operations.write.hit') FROM trials WHERE chaos = '$1'"; }
# The node's own log tells why it ended; revive prints it.
said() { sql "SELECT json_extract(commands_json, '\$') FROM trials WHERE chaos = '$1'"; }

check_eq "seven trials" "$(sql "SELECT group_concat(status || ' ' || verdict, ', ') FROM (SELECT DISTINCT status, verdict FROM trials)"), $(sql 'SELECT count(*) FROM trials')" \
	"completed pass, 7"
for chaos in slow-disk-leader slow-disk-follower failing-leader failing-follower hanging-leader hanging-follower; do
	check_number "$chaos: writes were hit" "$(hits $chaos) >= 1"
done
# A put waits for the leader's log: 50 ms more, and as much again if the next one is on its way.
check_number "a slow disk under the leader slows every put by 50 ms and more" \
	"$(of slow-disk-leader during.p50_ms) >= $(of slow-disk-leader before.p50_ms) + 40"
check_number "under a follower it slows none" "$(of slow-disk-follower during.p50_ms) < $(of slow-disk-follower before.p50_ms) + 40"
check_match "EIO in its log ends the leader" "$(said failing-leader)" "ended|died|exit|input/output error"
for chaos in failing-leader hanging-leader; do
	check_number "$chaos: no writes until the others have elected a leader" "$(of $chaos during.outage_seconds) >= 0.6"
	check_number "… but then" "$(of $chaos during.availability) >= 0.6"
done
for chaos in failing-follower hanging-follower; do check_number "$chaos: nobody misses it" "$(of $chaos during.availability) >= 0.9"; done

done_testing

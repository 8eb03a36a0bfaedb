#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The example files are valid and plan the right trials; the commands of the TiKV subject judge PD's answers right.
source "$(dirname "$0")/../lib/lib.sh"

examples=$top/examples
cd "$top" || exit 1

for file in examples/*.yaml; do
	check_match "$file is valid, without a warning" "$("$eval_bin" validate "$file" 2>&1)" \
		"^$file: valid: [^"$'\n'"]*\$"
done

# plan FILE: prints the plan of examples/FILE as JSON.
plan() { "$eval_bin" run campaign "examples/$1" --dry-run --json; }
trials() { jq -r '.trials[] | "\(.repetition) \(.chaos) \(.target // "-")"' <<<"$1"; }

lab=$(plan etcd-lab.yaml)
check_eq "etcd-lab: a baseline and five kinds of chaos" "$(trials "$lab")" "\
1 baseline -
1 slow-leader leader
1 slow-follower follower
1 cut-leader leader
1 cut-follower follower
1 full-follower follower"
check_eq "etcd-lab: the same plan each time" "$(jq -c '[.trials[].seed]' <<<"$lab")" \
	"$(plan etcd-lab.yaml | jq -c '[.trials[].seed]')"
check_eq "etcd-lab: a seed for each trial" "$(jq -c '[.trials[].seed] | unique | length' <<<"$lab")" 6
check_eq "etcd-disks: a baseline, and slow, failing and hanging disks" "$(trials "$(plan etcd-disks.yaml)")" "\
1 baseline -
1 slow-disk-leader leader
1 slow-disk-follower follower
1 failing-leader leader
1 failing-follower follower
1 hanging-leader leader
1 hanging-follower follower"
check_eq "tikv-node: three rounds of all" "$(trials "$(plan tikv-node.yaml)" | awk '{ print $1 }' | uniq -c | xargs)" \
	"5 1 5 2 5 3"
check_eq "tikv-harness: three rounds of latency and a baseline" "$(trials "$(plan tikv-harness.yaml)" | xargs)" \
	"1 baseline - 1 latency tikv-1 2 baseline - 2 latency tikv-1 3 baseline - 3 latency tikv-1"

# The commands of subjects/tikv.yaml, with a curl that prints the prepared answer for the URL's path, as PD would.
mkdir "$work/bin"
cat >"$work/bin/curl" <<'END'
#!/bin/sh
for last; do :; done
case $last in
*/health) file=health ;;
*/stores) file=stores ;;
*) file=status ;;
esac
[ -s "$ANSWERS/$file" ] && cat "$ANSWERS/$file" || exit 7
END
chmod +x "$work/bin/curl"

# folded FILE KEY N: prints the Nth folded text (exec: >-) at or after KEY, on one line.
folded() {
	awk -v after="$2" -v nth="$3" '
		index($0, after) { armed = 1 }
		armed && /exec: >-/ { if (++seen == nth) { take = 1; next } }
		take && /^    +[^ ]/ && !/^    [a-z_]+:/ { printf "%s ", $0; next }
		take { exit }' "$1"
}
ready=$(folded "$examples/subjects/tikv.yaml" "ready:" 1)
stores_up=$(folded "$examples/subjects/tikv.yaml" "name: stores-up" 1)
check_match "the ready command was found" "$ready" 'health.*stores'
check_match "the probe's command was found" "$stores_up" 'state_name'

# says NAME COMMAND STATUS HEALTH STORES: runs COMMAND with these answers; STATUS 1 stands for any failure.
says() {
	local status=0 output
	printf '%s' "$4" >"$work/health"
	printf '%s' "$5" >"$work/stores"
	output=$(PATH=$work/bin:$PATH ANSWERS=$work /bin/sh -c "$2" 2>&1) || status=$?
	if ((status)) && [[ $3 != 0 ]] || [[ $status == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "exit status $status" "$output"
	fi
}
members() { printf '%s\n' "$@" | jq -sc 'map({name: "pd", member_id: 1, health: .})'; }
stores() { printf '"%s"\n' "$@" | jq -sc '{count: length, stores: map({store: {id: 1, state_name: .}})}'; }

good=$(members true true true) three=$(stores Up Up Up)
says "ready: all well" "$ready" 0 "$good" "$three"
says "ready: a PD member is ill" "$ready" 1 "$(members true false true)" "$three"
says "ready: a PD member is missing" "$ready" 1 "$(members true true)" "$three"
says "ready: a store is down" "$ready" 1 "$good" "$(stores Up Down Up)"
says "ready: a store is missing" "$ready" 1 "$good" "$(stores Up Up)"
says "ready: PD does not answer" "$ready" 1 "" "$three"
says "ready: PD does not answer any more" "$ready" 1 "$good" ""
says "stores-up: all well" "$stores_up" 0 "$good" "$three"
says "stores-up: one Disconnected" "$stores_up" 1 "$good" "$(stores Up Up Disconnected)"
says "stores-up: PD does not answer" "$stores_up" 1 "" ""

done_testing

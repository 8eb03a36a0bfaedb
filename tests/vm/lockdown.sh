#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# time limit: 600 s
# disk_pressure on a kernel that is locked down after boot, which cannot be undone. With "integrity" the hooks load, but BPF may
# not write to a process's memory, so that statfs (df) is not shrunk. With "confidentiality" no hook loads.
source "$(dirname "$0")/../lib/lib.sh"
need_root
kernel=6.12
export TMPDIR=$work/tmp
mkdir "$TMPDIR"

# Runs in the guest; prints lines "NAME=VALUE".
# shellcheck disable=SC2317 # called there
inside() {
	echo integrity >/sys/kernel/security/lockdown || return 1
	truncate -s 64M /tmp/image && mkfs.ext4 -q -m 0 /tmp/image && mount -o loop /tmp/image /mnt || return 1
	mkdir /mnt/data
	./eval bpf-status --json | jq -r '.features[] | select(.name == ("fmod_ret", "statfs")) |
		"feature.\(.name)=\(.usable) \(.reason)"'
	cat >/tmp/lockdown.yaml <<-END
		defaults: {warmup_seconds: 0, duration_seconds: 2, recovery_seconds: 5}
		subjects:
		  - name: own
		    reset: "true"
		    workload: {exec: "sh -c 'while :; do head -c 65536 /dev/zero >>/mnt/data/file; sleep 0.2; done'"}
		    nodes: [{name: n1, data_dir: /mnt/data}]
		chaos_types:
		  - {name: auto, type: disk_pressure, target: n1, params: {fill_percent: 100, engine: hook, statfs: auto}}
		  - {name: on, type: disk_pressure, target: n1, params: {fill_percent: 100, engine: hook, statfs: on}}
		  - {name: any, type: disk_pressure, target: n1, params: {fill_percent: 100, statfs: on}}
	END
	./eval run campaign /tmp/lockdown.yaml --db /tmp/lockdown.db >&2
	echo "exit=$?"
	sqlite3 /tmp/lockdown.db "SELECT 'trial.' || chaos || '=' || status || ' ' || coalesce(engine, '') || ' ' ||
		coalesce(error_stage, '') || ' ' || coalesce(error_text, '') || ' ' ||
		coalesce(json_extract(evidence, '\$.statfs'), '') FROM trials"
	echo confidentiality >/sys/kernel/security/lockdown || return 1
	./eval bpf-status --json | jq -r '.features[] | select(.name == "fmod_ret") | "secret=\(.usable) \(.reason)"'
	echo "secret.hook=$(./eval inject disk_pressure --for 1s --data-dir /mnt/data --fill-percent 50 --engine hook 2>&1)"
	echo "secret.auto=$(./eval inject disk_pressure --for 1s --data-dir /mnt/data --fill-percent 50 2>&1 | tr '\n' ' ')"
}

out=$work/out status=0
(cd "$top" && scripts/vm.sh run --timeout 300 "$kernel" -- bash -c "$(declare -f inside); inside" >"$out" 2>"$out.error") || status=$?
value() { sed -n "s/^$1=//p" "$out" | head -n 1; }
if [[ $status == 77 ]]; then
	skip "$kernel: guest" "$(tail -n 1 "$out.error")"
	done_testing
	exit
fi
why="kernel lockdown refuses programs that write to a process"
check_eq "the guest's script ends well" "$status" 0
check_match "bpf-status: the hooks load" "$(value feature.fmod_ret)" "^true"
check_match "bpf-status: statfs is refused, by lockdown" "$(value feature.statfs)" "^false kernel lockdown"
check_eq "the campaign has failed trials" "$(value exit)" 1
check_eq "statfs: auto goes on without, and records so" "$(value trial.auto)" "completed hook   off: $why"
check_match "statfs: on fails the trial, with the reason" "$(value trial.on)" "^failed .*inject statfs: on is not possible here: $why"
check_match "… also where the engine is free" "$(value trial.any)" "^failed .*inject statfs: on is not possible here: $why"
check_match "confidentiality: bpf-status says that the hooks are refused" "$(value secret)" "^false kernel lockdown"
check_match "confidentiality: engine: hook names lockdown" "$(value secret.hook)" \
	"engine: hook needs fmod_ret programs, which kernel lockdown refuses"
check_match "confidentiality: auto takes fill" "$(value secret.auto)" "disk_pressure \(fill\).*by engine fill, because .*lockdown"
diag "$(tail -n 5 "$out.error")"

done_testing

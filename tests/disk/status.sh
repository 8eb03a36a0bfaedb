#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# bpf-status on disk_pressure: the kernel's features, and a live fault.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

have_hooks || skip_all "fmod_ret is refused: cli/disk has what is said then"
status() { "$eval_bin" bpf-status --json | jq -r ".faults[] | select(.target == \"$disk\") | $1"; }

disk=$work/ext4
make_disk ext4 ext4 || { not_ok "a file system"; done_testing; exit 1; }
engine=hook hooks="tracing disk_fallocate, tracing disk_permission, tracing disk_write"
[[ $(feature growth) == true ]] || engine=hook-all-writes hooks="tracing disk_refuse_all"
check_eq "programs may write to their process's memory" "$(feature statfs)" true

pressure by "$disk" --engine hook --leave-bytes $((16 * mib)) --statfs on || { not_ok "a fault"; done_testing; exit 1; }
check_eq "the engine is what the features promise" "$(event_of by injected | jq -r .engine), $(status .engine)" "$engine, $engine"
# The kernel cuts names to 15 characters.
check_eq "every hook is shown" "$(status '[.hooks[] | "\(.hook) \(.program)"] | sort | join(", ")')" \
	"tracepoint disk_fstatfs_en, tracepoint disk_fstatfs_ex, tracepoint disk_statfs_ent, tracepoint disk_statfs_exi, $(
		printf '%s\n' "${hooks//, /$'\n'}" "tracing disk_statfs_fin" | sort | paste -sd , | sed 's/,/, /g')"
check_number "what is left" "$(status .disk.left_bytes) == 16 * $mib"
check_number "what seems gone is the rest" "$(status .disk.reserved_bytes) > 200 * $mib"
grow "$disk/some" $((8 * mib)) >"$work/grown"
is_half() { local left; left=$(status .disk.left_bytes) && ((left >= 7 * mib && left <= 8 * mib)); }
check "what is left follows what files grow by" wait_for 2 is_half
refused="1 1"
if [[ $engine == hook-all-writes ]]; then
	# This engine refuses no write until nothing is left, then every write; it counts them all as `write`.
	refused="0 0"
	grow "$disk/some" $((8 * mib)) >"$work/rest"
	is_gone() { [[ $(status .disk.left_bytes) == 0 ]]; }
	check "all of it is gone" wait_for 2 is_gone
fi
fallocate -l 64M "$disk/more" 2>"$work/refused"
grow "$disk/some" $((64 * mib)) >>"$work/grown"
available "$disk" >"$work/available"
check_eq "what it did: fallocate refused, or every write" "$(cat "$work/grown" "$work/refused" | sed 's/.*: //' | tr '\n' ',')" \
	"ok,$full,$full,"
check_eq "refusals by kind of call" "$(status '.disk.refused | "\(.fallocate) \(.append)"')" "$refused"
check_number "answers of statfs that were shrunk" "$(status .disk.statfs_shrunk) >= 1"
check_match "the same as text" "$("$eval_bin" bpf-status | sed -n "/ on ${disk//\//\\/}$/,/^[a-z]/p")" \
	"disk_pressure \($engine\) on $disk.*hooks .*tracing disk_.*disk +$disk: [0-9]+ bytes left, [0-9]+ are reported as used.*calls +seen [0-9]+; refused: write [0-9]+, append ${refused#* }, fallocate ${refused% *}; statfs shrunk [0-9]+"
revert by
check_eq "why it does not go by growth is recorded" "$(evidence by '.why_not_growth | type')" \
	"$([[ $engine == hook ]] && echo null || echo string)"
diag "$(evidence by '.why_not_growth')"
check_eq "afterwards nothing is live" "$(status .type)" ""

done_testing

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# gate: 5.10: it tests mounts, which hardly depend on the kernel
# Folders that disk_pressure refuses, and databases that it spares; cli/disk tests what the fill engine refuses.
# shellcheck source=tests/lib/lib.sh
source "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/lib/net.sh
source "$(dirname "$0")/../lib/net.sh"
# shellcheck source=tests/lib/disk.sh
source "$(dirname "$0")/../lib/disk.sh"

have_hooks || skip_all "fmod_ret is refused"
refused() { check_fails "$1: refused" "$2" "$eval_bin" inject disk_pressure --for 1s --fill-percent 100 "${@:4}"; check_match "$1: why" "$output" "$3"; }

# --- File systems ---------------------------------------------------------------------------------------------
# A guest mounts its kernel's modules by 9p, so it has a network file system.
remote=$(findmnt -n -l -o TARGET -t 9p | head -n 1)
if [[ -n $remote ]]; then
	refused "a network file system" 2 "data_dir '${remote//+/\\+}' is on a network file system \(9p\), whose space is another host's" \
		--data-dir "$remote"
else
	skip "a network file system" "none is mounted here"
fi
# The root folder by another path.
mkdir "$work/root" && mount --bind / "$work/root" && on_cleanup umount -l "$work/root"
refused "the root folder" 1 "'$work/root' is the root folder: .* allow: \[root_fs\]" --data-dir "$work/root" --engine hook
folder=$(mktemp -d /var/tmp/eval-test.XXXXXX)
on_cleanup rm -rf "$folder"
mkdir "$folder/data" "$folder/beside"
pressure below "$folder/data" --engine hook --fill-percent 100 || not_ok "a folder of the root file system: a fault"
check_eq "a folder of the root file system needs no leave" "$(grow "$folder/data/new"), $(grow "$folder/beside/new")" "$full, ok"
revert below
if [[ -n ${EVAL_GUEST:-} ]]; then
	pressure root / --allow root_fs --engine hook --fill-percent 100 || not_ok "allow: [root_fs]: a fault"
	# Checked after the revert, because this output may be on that file system.
	grown="$(grow "$folder/beside/newer"), $(grow "$work/elsewhere")"
	revert root
	check_eq "allow: [root_fs]: all of the root file system" "$grown" "$full, ok"
	check_eq "and afterwards nothing" "$(grow "$folder/beside/newer")" ok
else
	skip "allow: [root_fs]: all of the root file system" "this host's own: in guests only"
fi

make_disk ext4 ext4 || { not_ok "a file system"; done_testing; exit 1; }
disk=$work/ext4
mkdir "$disk"/{lower,upper,work,merged}
mount -t overlay -o "lowerdir=$disk/lower,upperdir=$disk/upper,workdir=$disk/work" overlay "$disk/merged" &&
	on_cleanup umount -l "$disk/merged"
mkdir "$disk/merged"/{data,beside}
head -c 65536 /dev/zero >"$disk/merged/data/old"
pressure overlay "$disk/merged/data" --engine hook --fill-percent 100 || not_ok "overlay: a fault"
check_eq "overlay: growth in data_dir and beside it" "$(grow "$disk/merged/data/old"), $(grow "$disk/merged/beside/new")" "$full, ok"
[[ $(feature growth) == false ]] || check "overlay: overwriting passes" \
	dd if=/dev/zero of="$disk/merged/data/old" bs=4k count=4 conv=notrunc
revert overlay
umount "$disk/merged"

# --- A PID namespace ----------------------------------------------------------------------------------------------
# Pids inside the namespace differ from those that the kernel's programs see.
mkdir "$disk/apart"
printf '#!/bin/bash\nexec unshare --pid --fork --kill-child --mount-proc %q "$@"\n' "$eval_bin" >"$work/apart"
chmod 0755 "$work/apart"
plain=$eval_bin eval_bin=$work/apart
pressure apart "$disk/apart" --engine hook --fill-percent 100 || not_ok "in a PID namespace of its own: a fault"
eval_bin=$plain
check_eq "in a PID namespace of its own: it bites outside, too" "$(grow "$disk/apart/new"), $(grow "$disk/outside")" "$full, ok"
check_eq "… and is seen from outside" "$("$eval_bin" bpf-status --json | jq -c ".faults[] | select(.disk.data_dirs == \"$disk/apart\") | [.live, .holder_alive]")" \
	"[true,true]"
# Send SIGINT to eval, which is unshare's child; unshare ends with it.
kill -INT "$(pgrep -P "$(pid_of apart)")"
inject_end apart
check_eq "… and ends well" "$inject_status $(grow "$disk/apart/new")" "130 ok"
cat >"$work/apart.yaml" <<-END
	defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 5}
	subjects:
	  - name: apart
	    reset: "true"
	    nodes: [{name: n1, data_dir: "$disk/apart"}]
	    workload: {exec: "while sleep 0.1; do head -c 65536 /dev/zero >>'$disk/apart/grown'; done"}
	chaos_types: [{type: disk_pressure, target: n1, params: {fill_percent: 100, engine: hook}}]
END
check "… and a campaign, whose database in data_dir is spared" "$work/apart" run campaign "$work/apart.yaml" --db "$disk/apart/own.db" --quiet
check_eq "… bites" "$(sqlite3 -readonly "$disk/apart/own.db" "SELECT status, json_extract(evidence, '\$.hit') > 0 FROM trials")" "completed|1"

# --- Databases of concurrent campaigns ------------------------------------------------------------------------
cat >"$work/other.yaml" <<-END
	include_baseline: true
	trials_per_combination: 3
	defaults: {warmup_seconds: 0, duration_seconds: 1, recovery_seconds: 5}
	subjects: [{name: other, reset: "true", nodes: [{name: n1, data_dir: "$work"}]}]
	chaos_types: [{type: disk_pressure, target: n1, params: {fill_percent: 1, engine: fill}}]
END
mkdir "$disk/data"
pressure beside "$disk/data" --engine hook --fill-percent 100 || not_ok "another campaign's database: a fault"
check_fails "another campaign's database in data_dir: it runs to its end" 0 "$eval_bin" run campaign "$work/other.yaml" \
	--only '*baseline*' --db "$disk/data/other.db"
mkdir "$disk/data/below"
check_fails "a folder in data_dir is the same target" 1 "$eval_bin" inject disk_pressure --for 0.1s \
	--data-dir "$disk/data/below" --engine fill --leave-bytes $((200 * mib))
check_match "… which is said" "$output" "already has a fault"
check_eq "others are refused meanwhile" "$(grow "$disk/data/new")" "$full"
revert beside
check_eq "all of it is recorded" "$(sqlite3 -readonly "$disk/data/other.db" \
	"SELECT status, count(*) FROM trials GROUP BY status")" "completed|3
planned|3"

done_testing

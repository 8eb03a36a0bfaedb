// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* io_error: reads and writes of files below data_dir fail, also of files that were opened before. */
#include "calls.bpf.h"
#include "disk/disk.bpf.h"
#include "disk/who.bpf.h"

#define THREADS_MAX 4096

const volatile struct eval_call_draw call_draw;
const volatile __u32 call_operations; /* a bit per enum eval_call */

/*
 * The file on which a thread is in fallocate, which the permission hook cannot tell from a write. Keyed by thread id:
 * 5.10 has no task storage. If it is full, a fallocate counts as a write.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, THREADS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} fallocates SEC(".maps");

SEC("fentry/vfs_fallocate")
int BPF_PROG(error_fallocate, struct file *file)
{
	__u32 thread = bpf_get_current_pid_tgid();
	const struct eval_disk *disk = disk_state();
	__u64 address = (__u64)file;

	if (disk && disk_space_of((struct eval_disk *)disk, file->f_inode->i_sb))
		bpf_map_update_elem(&fallocates, &thread, &address, BPF_ANY);
	return 0;
}

SEC("fexit/vfs_fallocate")
int BPF_PROG(error_allocated, struct file *file)
{
	__u32 thread = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&fallocates, &thread);
	return 0;
}

static __always_inline __u32 call_of(const struct file *file, int mask)
{
	__u32 thread = bpf_get_current_pid_tgid();
	const __u64 *allocated;

	if (!(mask & MAY_WRITE))
		return EVAL_CALL_READ;
	allocated = bpf_map_lookup_elem(&fallocates, &thread);
	return allocated && *allocated == (__u64)file ? EVAL_CALL_FALLOCATE : EVAL_CALL_WRITE;
}

/* Constant indexes: 6.1's verifier loses the bounds of an index that was spilled. */
static __always_inline void count_call(__u64 counts[EVAL_CALLS], __u32 call)
{
	if (call == EVAL_CALL_READ)
		__sync_fetch_and_add(&counts[EVAL_CALL_READ], 1);
	else if (call == EVAL_CALL_FALLOCATE)
		__sync_fetch_and_add(&counts[EVAL_CALL_FALLOCATE], 1);
	else
		__sync_fetch_and_add(&counts[EVAL_CALL_WRITE], 1);
}

/* Counts as the process that answers fanotify does. */
static __always_inline bool is_asked_for(struct eval_calls *calls, __u32 call)
{
	if (!disk_is_in_cgroup()) {
		__sync_fetch_and_add(&calls->other_cgroup, 1);
		return false;
	}
	count_call(calls->seen, call);
	if (call_operations & 1U << call)
		return true;
	__sync_fetch_and_add(&calls->other_operation, 1);
	return false;
}

/*
 * The number of a call. 5.10 can add, but not tell what was there before: calls at the same moment may then get the
 * same number, the highest of theirs, so that `first` refuses too few rather than too many.
 */
static __always_inline __u64 number_of_call(struct eval_calls *calls, bool exact)
{
	if (exact)
		return __sync_fetch_and_add(&calls->matched, 1);
	__sync_fetch_and_add(&calls->matched, 1);
	return *(volatile __u64 *)&calls->matched - 1;
}

static __always_inline int refuse_call(struct eval_calls *calls, __u32 call, __u64 now_ns)
{
	count_call(calls->hit, call);
	if (!calls->first_hit_ns)
		calls->first_hit_ns = now_ns;
	return disk_config.refusal;
}

static __always_inline int check_call(struct file *file, int mask, int ret, bool exact)
{
	struct eval_calls *calls = calls_state();
	struct eval_disk *disk = disk_state();
	struct eval_call_draw draw = {};
	__u64 now_ns;
	__u32 call;

	if (ret || !disk || !calls)
		return ret;
	if (disk->learning && !(mask & MAY_WRITE))
		disk_learn(disk, file);
	if (!(mask & (MAY_READ | MAY_WRITE)) || (file->f_inode->i_mode & MODE_TYPE) != MODE_REGULAR ||
	    !disk_space_of(disk, file->f_inode->i_sb))
		return 0;
	call = call_of(file, mask);
	if (disk_is_probe(disk))
		return disk_refuse_probe(disk, file,
					 call == EVAL_CALL_FALLOCATE ? EVAL_DISK_FALLOCATE : EVAL_DISK_WRITE);
	now_ns = bpf_ktime_get_ns();
	if (!fault_is_live(now_ns) || disk_is_exempt(disk) || !disk_is_below(disk, file->f_path.dentry) ||
	    program_of_current() == disk->program || !is_asked_for(calls, call))
		return 0;
	draw.seed = call_draw.seed;
	draw.every = call_draw.every;
	draw.first = call_draw.first;
	draw.share = call_draw.share;
	return eval_call_is_hit(&draw, number_of_call(calls, exact)) ? refuse_call(calls, call, now_ns) : 0;
}

SEC("fmod_ret/security_file_permission")
int BPF_PROG(error_permit, struct file *file, int mask, int ret)
{
	return check_call(file, mask, ret, true);
}

/* Replaces the program above if the verifier refuses it (5.10). */
SEC("fmod_ret/security_file_permission")
int BPF_PROG(error_permit_near, struct file *file, int mask, int ret)
{
	return check_call(file, mask, ret, false);
}

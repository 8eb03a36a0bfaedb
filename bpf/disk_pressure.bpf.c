// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* disk_pressure: calls that would make files below data_dir grow fail once the space is gone. */
#include "disk/growth.bpf.h"
#include "disk/statfs.bpf.h"
#include "disk/who.bpf.h"

static __always_inline void call_remember(struct file *file, __u64 offset, __u64 length, __u32 kind)
{
	struct disk_call *call =
		bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!call)
		return;
	call->file = (__u64)file;
	call->offset = offset;
	call->length = length;
	call->call = kind;
}

SEC("fentry/rw_verify_area")
int BPF_PROG(disk_write, int direction, struct file *file, const loff_t *position, size_t length)
{
	struct eval_disk *disk = disk_state();
	loff_t offset = 0;

	if (!direction || !disk || !disk_space_of(disk, file->f_inode->i_sb))
		return 0;
	if (position)
		bpf_probe_read_kernel(&offset, sizeof(offset), position);
	call_remember(file, offset, length, file->f_flags & OPEN_APPEND ? EVAL_DISK_APPEND : EVAL_DISK_WRITE);
	return 0;
}

SEC("fentry/vfs_fallocate")
int BPF_PROG(disk_fallocate, struct file *file, int mode, loff_t offset, loff_t length)
{
	struct eval_disk *disk = disk_state();

	if (!disk || !disk_space_of(disk, file->f_inode->i_sb))
		return 0;
	call_remember(file, offset, mode & ~FALLOCATE_ADDS ? 0 : length, EVAL_DISK_FALLOCATE);
	return 0;
}

static __always_inline int growth_check(struct eval_disk *disk, struct eval_disk_space *space, struct file *file)
{
	struct disk_call *call = bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL, 0);
	__u64 now_ns, bytes_max;

	/* A call whose entry was not seen passes: its offset and length are unknown. */
	if (!call || call->file != (__u64)file)
		return 0;
	call->file = 0;
	if (!call->length)
		return 0;
	if (disk_is_probe(disk))
		return disk_refuse_probe(disk, file, call->call);
	now_ns = bpf_ktime_get_ns();
	if (!fault_is_live(now_ns) || !disk_is_for_current(disk) || !disk_is_below(disk, file->f_path.dentry))
		return 0;
	disk_count_seen();
	if (call->call != EVAL_DISK_FALLOCATE) {
		bytes_max = call_bytes_max();
		if (call->length > bytes_max)
			call->length = bytes_max;
	}
	if (!call->length || disk_take(disk, space, file->f_inode, call))
		return 0;
	return disk_refuse(disk, call->call, now_ns, call->length);
}

/* The space that a write to a regular file charges, NULL for other calls. disk_learn() sees the reads. */
static __always_inline struct eval_disk_space *hook_space(struct eval_disk *disk, struct file *file, int mask)
{
	const struct inode *inode = file->f_inode;

	if (!(mask & MAY_WRITE)) {
		if (disk->learning)
			disk_learn(disk, file);
		return NULL;
	}
	return (inode->i_mode & MODE_TYPE) == MODE_REGULAR ? disk_space_of(disk, inode->i_sb) : NULL;
}

SEC("fmod_ret/security_file_permission")
int BPF_PROG(disk_permission, struct file *file, int mask, int ret)
{
	struct eval_disk *disk = disk_state();
	struct eval_disk_space *space;

	if (ret || !disk)
		return ret;
	space = hook_space(disk, file, mask);
	return space ? growth_check(disk, space, file) : 0;
}

/*
 * Replaces the three programs above if the verifier refuses them (5.10). It does not know which writes grow the file,
 * so it refuses all of them once nothing is left, and only samples change what is left.
 */
SEC("fmod_ret/security_file_permission")
int BPF_PROG(disk_refuse_all, struct file *file, int mask, int ret)
{
	struct eval_disk *disk = disk_state();
	struct eval_disk_space *space;
	__u64 now_ns;

	if (ret || !disk)
		return ret;
	space = hook_space(disk, file, mask);
	if (!space)
		return 0;
	if (disk_is_probe(disk))
		return disk_refuse_probe(disk, file, EVAL_DISK_WRITE);
	now_ns = bpf_ktime_get_ns();
	if (!fault_is_live(now_ns) || !disk_is_for_current(disk) || !disk_is_below(disk, file->f_path.dentry))
		return 0;
	disk_count_seen();
	return disk_left(space) ? 0 : disk_refuse(disk, EVAL_DISK_WRITE, now_ns, 0);
}

/* Run by the holder with each sample of an XFS. */
SEC("syscall")
int disk_sum_ahead(void *ctx)
{
	struct eval_disk *disk = disk_state();

	if (!disk)
		return 0;
	for (__u32 i = 0; i < EVAL_DISK_DIRS; i++)
		disk->spaces[i].ahead_bytes = 0;
	bpf_for_each_map_elem(&marks, add_ahead, NULL, 0);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which files and processes a disk fault affects, and how much space is left. */
#pragma once

#include "disk/state.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define MAY_WRITE 2
#define MAY_READ 4
#define MODE_TYPE 0170000
#define MODE_REGULAR 0100000
/* Deeper files are out of scope: a walk costs a few ns a level. */
#define ANCESTORS_MAX 48

const volatile struct eval_disk_config disk_config;

static __always_inline struct eval_disk_space *disk_space_of(struct eval_disk *disk, const struct super_block *super)
{
	__u64 address = (__u64)super;

	if (disk->spaces[0].super_block == address)
		return &disk->spaces[0];
	for (__u32 i = 1; i < EVAL_DISK_DIRS; i++)
		if (disk->spaces[i].super_block == address)
			return &disk->spaces[i];
	return NULL;
}

/* The caller has compared the super block. Results are not cached, because directories may be renamed. */
static __always_inline bool disk_is_below(const struct eval_disk *disk, const struct dentry *dentry)
{
	__u64 a = disk->directories[0], b = disk->directories[1], c = disk->directories[2], d = disk->directories[3];

	for (__u32 i = 0; i < ANCESTORS_MAX; i++) {
		const struct dentry *parent = dentry->d_parent;
		__u64 inode = (__u64)dentry->d_inode;

		if (inode && (inode == a || inode == b || inode == c || inode == d))
			return true;
		if (parent == dentry)
			return false;
		dentry = parent;
	}
	return false;
}

static __always_inline __u64 program_of_current(void)
{
	const struct task_struct *task = (void *)bpf_get_current_task();

	return (__u64)BPF_CORE_READ(task, mm, exe_file, f_inode);
}

/* struct cgroup has its ancestors' ids before 6.1 (commit 7f203bc89eb6). */
struct cgroup___ids {
	int level;
	__u64 ancestor_ids[1];
} __attribute__((preserve_access_index));

/* Older kernels' ids are read here: 5.10 refuses the helper in tracing programs. */
static __always_inline __u64 ancestor_of_current(__u32 level)
{
	if (bpf_core_field_exists(struct cgroup___ids, ancestor_ids)) {
		const struct task_struct *task = (void *)bpf_get_current_task();
		__u64 cgroup = (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp), id = 0;
		__u32 offset = bpf_core_field_offset(struct cgroup___ids, ancestor_ids);

		if (level <= (__u32)BPF_CORE_READ((const struct cgroup *)cgroup, level))
			bpf_probe_read_kernel(&id, sizeof(id), (void *)(cgroup + offset + level * sizeof(id)));
		return id;
	}
	return bpf_get_current_ancestor_cgroup_id(level);
}

/* The holder and its coordinator. */
static __always_inline bool disk_is_exempt(const struct eval_disk *disk)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;

	return process == disk->exempt[0] || process == disk->exempt[1];
}

/* True if no cgroup is given, too. */
static __always_inline bool disk_is_in_cgroup(void)
{
	const volatile struct eval_ctl *ctl;

	if (!disk_config.has_cgroup)
		return true;
	ctl = fault_ctl();
	return ctl && ctl->cgroup_id && ancestor_of_current(disk_config.cgroup_level) == ctl->cgroup_id;
}

static __always_inline bool disk_is_for_current(const struct eval_disk *disk)
{
	return !disk_is_exempt(disk) && disk_is_in_cgroup();
}

/* True for the thread of the holder's self-test, which runs before the fault is live. */
static __always_inline bool disk_is_probe(const struct eval_disk *disk)
{
	return disk->probe_thread && (__u32)bpf_get_current_pid_tgid() == disk->probe_thread;
}

static __always_inline int disk_refuse_probe(struct eval_disk *disk, const struct file *file, __u32 call)
{
	if (!disk_is_below(disk, file->f_path.dentry))
		return 0;
	disk->probed |= 1U << (call & 31);
	return disk_config.refusal;
}

static __always_inline __u64 disk_left(const struct eval_disk_space *space)
{
	__u64 limit = space->limit_bytes, charged = space->charged_bytes;

	return limit > charged ? limit - charged : 0;
}

/* Atomic, because these programs can preempt one another, unlike those of a network device. */
static __always_inline void disk_count_seen(void)
{
	struct eval_stats *stats = stats_of(0);

	if (stats)
		__sync_fetch_and_add(&stats->seen, 1);
}

static __always_inline void disk_count_hit(__u64 now_ns, __u64 bytes)
{
	struct eval_stats *stats = stats_of(0);

	if (!stats)
		return;
	if (!stats->first_hit_ns)
		stats->first_hit_ns = now_ns;
	__sync_fetch_and_add(&stats->hit, 1);
	/* Clang turns an atomic add of 0 into an atomic or, which 5.10 does not have. */
	if (bytes)
		__sync_fetch_and_add(&stats->bytes, bytes);
}

/* Spares eval's processes with other campaigns' databases. Checked here, so calls that pass do not pay for it. */
static __always_inline int disk_refuse(struct eval_disk *disk, __u32 call, __u64 now_ns, __u64 bytes)
{
	if (program_of_current() == disk->program)
		return 0;
	disk_count_hit(now_ns, bytes);
	/* Constant indexes: 6.1's verifier loses the bounds of an index that was spilled. */
	if (call == EVAL_DISK_FALLOCATE)
		__sync_fetch_and_add(&disk->refused[EVAL_DISK_FALLOCATE], 1);
	else if (call == EVAL_DISK_APPEND)
		__sync_fetch_and_add(&disk->refused[EVAL_DISK_APPEND], 1);
	else
		__sync_fetch_and_add(&disk->refused[EVAL_DISK_WRITE], 1);
	return disk_config.refusal;
}

/*
 * Records the kernel's address of the directory inode that the holder lists. Its number would not do: btrfs uses a
 * number several times, under device numbers that the super block does not have.
 */
static __always_inline void disk_learn(struct eval_disk *disk, const struct file *file)
{
	const struct inode *inode = file->f_inode;

	/* Ignore the holder's other threads, which sample its other faults. */
	if ((__u32)bpf_get_current_pid_tgid() != disk->learning)
		return;
	disk->program = program_of_current();
	disk->learned_directory = (__u64)inode;
	disk->learned_super_block = (__u64)inode->i_sb;
	bpf_probe_read_kernel_str(disk->file_system, sizeof(disk->file_system), inode->i_sb->s_type->name);
	disk->learning = 0;
}

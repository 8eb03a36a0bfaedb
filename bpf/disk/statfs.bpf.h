/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes df and statvfs report the space left. The entry of statfs and fstatfs saves the buffer's address, the LSM hook
 * finds whether the file is in scope, and the exit writes the space left into the buffer.
 */
#pragma once

#include "disk/disk.bpf.h"

struct statfs_call {
	__u64 buffer;
	__u64 left_bytes;
	__u32 in_scope;
	__u32 zero;
};

/* Keyed by thread id: 5.10 has no task storage for these programs. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct statfs_call);
} statfs_calls SEC(".maps");

static __always_inline int statfs_enter(__u64 buffer)
{
	struct statfs_call call = {.buffer = buffer};
	__u32 thread = bpf_get_current_pid_tgid();
	const struct eval_disk *disk = disk_state();

	if (disk && fault_is_live(bpf_ktime_get_ns()) && disk_is_for_current(disk))
		bpf_map_update_elem(&statfs_calls, &thread, &call, BPF_ANY);
	return 0;
}

SEC("tp/syscalls/sys_enter_statfs")
int disk_statfs_enter(struct trace_event_raw_sys_enter *ctx)
{
	return statfs_enter(ctx->args[1]);
}

SEC("tp/syscalls/sys_enter_fstatfs")
int disk_fstatfs_enter(struct trace_event_raw_sys_enter *ctx)
{
	return statfs_enter(ctx->args[1]);
}

/* Not on vfs_statfs(), because compilers inline it. */
SEC("fentry/security_sb_statfs")
int BPF_PROG(disk_statfs_find, struct dentry *dentry)
{
	__u32 thread = bpf_get_current_pid_tgid();
	struct statfs_call *call = bpf_map_lookup_elem(&statfs_calls, &thread);
	struct eval_disk *disk = disk_state();
	struct eval_disk_space *space;

	/* eval's own processes decide by the real space. */
	if (!call || !disk || program_of_current() == disk->program)
		return 0;
	space = disk_space_of(disk, dentry->d_sb);
	if (!space || !disk_is_below(disk, dentry))
		return 0;
	call->left_bytes = disk_left(space);
	call->in_scope = 1;
	return 0;
}

/* f_bfree and f_bavail shrink by the same amount, as if someone else used the space. */
static __always_inline void statfs_shrink(__u64 buffer, __u64 left_bytes)
{
	struct statfs *theirs = (struct statfs *)buffer;
	struct eval_disk *disk = disk_state();
	struct statfs answer;
	__u64 left, gone;

	if (bpf_probe_read_user(&answer, sizeof(answer), theirs) || !answer.f_bavail || !disk)
		return;
	left = left_bytes / (answer.f_frsize ? answer.f_frsize : answer.f_bsize ?: 1);
	if (left >= (__u64)answer.f_bavail)
		return;
	gone = answer.f_bavail - left;
	answer.f_bavail = left;
	answer.f_bfree -= gone;
	if (bpf_probe_write_user(theirs, &answer, sizeof(answer)))
		return;
	__sync_fetch_and_add(&disk->statfs_shrunk, 1);
	disk_count_hit(bpf_ktime_get_ns(), 0);
}

static __always_inline int statfs_exit(long ret)
{
	__u32 thread = bpf_get_current_pid_tgid();
	struct statfs_call *call = bpf_map_lookup_elem(&statfs_calls, &thread);

	if (!call)
		return 0;
	if (!ret && call->in_scope)
		statfs_shrink(call->buffer, call->left_bytes);
	bpf_map_delete_elem(&statfs_calls, &thread);
	return 0;
}

SEC("tp/syscalls/sys_exit_statfs")
int disk_statfs_exit(struct trace_event_raw_sys_exit *ctx)
{
	return statfs_exit(ctx->ret);
}

SEC("tp/syscalls/sys_exit_fstatfs")
int disk_fstatfs_exit(struct trace_event_raw_sys_exit *ctx)
{
	return statfs_exit(ctx->ret);
}

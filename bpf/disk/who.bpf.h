/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The program by which the holder of hooks on file calls learns its own ids. */
#pragma once

#include "disk/disk.bpf.h"

/* Run by the holder to learn its own ids as the hooks see them: bpf_get_current_pid_tgid() ignores PID namespaces. */
SEC("raw_tp/sys_enter")
int disk_who_asks(void *ctx)
{
	const struct task_struct *task = (void *)bpf_get_current_task();
	struct eval_disk *disk = disk_state();
	__u64 ids = bpf_get_current_pid_tgid();

	if (!disk)
		return 0;
	disk->thread = ids;
	disk->process = ids >> 32;
	disk->parent = BPF_CORE_READ(task, real_parent, tgid);
	return 0;
}

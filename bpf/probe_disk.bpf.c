// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Like probe.bpf.c, for disk_pressure's hooks. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("fmod_ret/security_file_permission")
int probe_fmod_ret(void *ctx)
{
	long value;

	/* Lockdown may refuse this helper but not the program type. */
	return bpf_probe_read_kernel(&value, sizeof(value), NULL) && 0;
}

SEC("fentry/rw_verify_area")
int BPF_PROG(probe_growth, int direction, struct file *file, const loff_t *position)
{
	const struct pt_regs *registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	loff_t offset;

	return bpf_probe_read_kernel(&offset, sizeof(offset), position) && registers->orig_ax && 0;
}

SEC("tp/syscalls/sys_exit_statfs")
int probe_statfs(struct trace_event_raw_sys_exit *ctx)
{
	long value = ctx->ret;

	return bpf_probe_write_user(NULL, &value, sizeof(value)) && 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Attaches disk_pressure's programs; those for statfs may be missing. */
#include <stdio.h>
#include <string.h>

#include "chaos/disk/hook.h"

static bool is_for_statfs(const struct bpf_program *program)
{
	return strstr(bpf_program__name(program), "statfs") != NULL;
}

static bool is_not_for_statfs(const struct bpf_program *program)
{
	return !is_for_statfs(program);
}

/* The tracepoints need tracefs, which not every host has mounted. */
static int attach_for_statfs(struct disk_hook *hook, struct error *err)
{
	struct error why = {};
	int ret = hook->with_statfs ? disk_attach_programs(&hook->attach, is_for_statfs, &why) : 0;

	if (!ret)
		return 0;
	if (!strcmp(disk_hook_statfs(hook->attach.spec), "on")) {
		*err = why;
		return ret;
	}
	disk_attach_detach(&hook->attach);
	hook->with_statfs = false;
	snprintf(hook->why_no_statfs, sizeof(hook->why_no_statfs), "%.127s", why.text);
	return 0;
}

/*
 * Attaches the programs that refuse last: if the process is killed, the kernel closes the newest files first (the works
 * of a task are a stack), and each link takes time.
 */
int disk_hook_attach(struct disk_hook *hook, struct error *err)
{
	int ret = attach_for_statfs(hook, err);

	if (!ret)
		ret = disk_attach_programs(&hook->attach, is_not_for_statfs, err);
	return ret ?: disk_attach_learn(&hook->attach, err);
}

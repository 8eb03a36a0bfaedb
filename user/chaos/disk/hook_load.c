/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Loads those of the hook engine's programs that this kernel accepts. */
#include <errno.h>
#include <string.h>

#include "chaos/disk/hook.h"
#include "chaos/fault.h"
#include "eval_disk.h"
#include "kernel/features.h"
#include "kernel/object.h"
#include "util/cleanup.h"

const char *disk_hook_statfs(const struct fault_spec *spec)
{
	return fault_text_param(spec, "statfs");
}

int disk_hook_refusal(const struct fault_spec *spec)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = {{"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO}, {"EROFS", EROFS}};
	const char *asked = fault_text_param(spec, "errno");

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (!strcmp(codes[i].name, asked))
			return -codes[i].code;
	return -ENOSPC;
}

static void configure(const struct fault_spec *spec, struct eval_disk_config *config)
{
	config->refusal = disk_hook_refusal(spec);
	config->has_cgroup = spec->target->cgroup_path != NULL;
	config->cgroup_level = spec->target->cgroup_level;
}

static void choose_programs(struct disk_pressure_bpf *skel, bool by_growth, bool with_statfs)
{
	bpf_program__set_autoload(skel->progs.disk_write, by_growth);
	bpf_program__set_autoload(skel->progs.disk_fallocate, by_growth);
	bpf_program__set_autoload(skel->progs.disk_permission, by_growth);
	bpf_program__set_autoload(skel->progs.disk_sum_ahead, by_growth);
	bpf_program__set_autoload(skel->progs.disk_refuse_all, !by_growth);
	bpf_program__set_autoload(skel->progs.disk_statfs_enter, with_statfs);
	bpf_program__set_autoload(skel->progs.disk_fstatfs_enter, with_statfs);
	bpf_program__set_autoload(skel->progs.disk_statfs_find, with_statfs);
	bpf_program__set_autoload(skel->progs.disk_statfs_exit, with_statfs);
	bpf_program__set_autoload(skel->progs.disk_fstatfs_exit, with_statfs);
	/* 5.10 has no task storage (commit 4cf1bc1f1045). */
	bpf_map__set_autocreate(skel->maps.calls, by_growth);
	bpf_map__set_autocreate(skel->maps.marks, by_growth);
	bpf_map__set_autocreate(skel->maps.statfs_calls, with_statfs);
}

static int load_as(struct disk_hook *hook, bool by_growth, bool with_statfs, struct error *err)
{
	struct disk_pressure_bpf *skel = disk_pressure_bpf__open();
	int ret;

	if (!skel)
		return error_set_errno(err, -errno, "cannot open the disk program");
	configure(hook->attach.spec, (struct eval_disk_config *)&skel->rodata->disk_config);
	choose_programs(skel, by_growth, with_statfs);
	ret = object_load(skel->obj, err);
	if (ret) {
		disk_pressure_bpf__destroy(skel);
		return ret;
	}
	hook->skel = skel;
	hook->by_growth = by_growth;
	hook->with_statfs = with_statfs;
	return 0;
}

int disk_hook_load(struct disk_hook *hook, struct error *err)
{
	const char *statfs = disk_hook_statfs(hook->attach.spec);
	struct error without = {};
	int ret = -EINVAL;

	for (int by_growth = 1; strcmp(statfs, "off") && ret && by_growth >= 0; by_growth--)
		ret = load_as(hook, by_growth, true, by_growth ? &hook->why_not_growth : &without);
	if (!ret)
		return 0;
	for (int by_growth = 1; ret && by_growth >= 0; by_growth--)
		ret = load_as(hook, by_growth, false, by_growth ? &hook->why_not_growth : &without);
	if (ret) {
		if (err)
			*err = without;
		return disk_explain_refusal("hook", disk_fill_engine.name, ret, err);
	}
	if (!strcmp(statfs, "off"))
		return 0;
	snprintf(hook->why_no_statfs, sizeof(hook->why_no_statfs), "%s",
		 features_locked_down() ? "kernel lockdown refuses programs that write to a process"
					: "the kernel refuses programs that write to a process");
	if (!strcmp(statfs, "on"))
		return error_set(err, -EINVAL,
				 "statfs: on is not possible here: %s; use statfs: auto or off, or engine: fill, which "
				 "df always sees",
				 hook->why_no_statfs);
	return 0;
}

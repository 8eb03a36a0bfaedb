/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all engines for file calls begin with: the data_dirs, and the counters that bpf-status reads. */
#include <bpf/bpf.h>
#include <errno.h>

#include "chaos/calls/calls.h"
#include "chaos/disk/disk.h"
#include "kernel/object.h"
#include "util/text.h"

int calls_check_directories(const struct target *target, size_t count_max, struct error *err)
{
	int ret = 0;

	if (target->directory_count > count_max)
		return error_set(err, -EINVAL, "at most %zu data_dirs for one fault, found %zu", count_max,
				 target->directory_count);
	for (size_t i = 0; !ret && i < target->directory_count; i++)
		ret = disk_guard_root(target, &target->directories[i], "would be under chaos", err);
	return ret;
}

int calls_share(struct eval_calls **out, struct bpf_object *obj, const struct target *target, struct error *err)
{
	struct bpf_map_info ctl = {};
	__u32 size = sizeof(ctl);
	struct eval_calls *shared;

	if (bpf_obj_get_info_by_fd(object_map_fd(obj, EVAL_CTL_MAP), &ctl, &size))
		return error_set_errno(err, -errno, "cannot ask for the control block's id");
	shared = object_map_state(obj, EVAL_CALLS_MAP, sizeof(*shared), err);
	if (!shared)
		return err ? err->code : -EIO;
	for (size_t i = 0; i < target->directory_count; i++)
		text_append(shared->data_dirs, sizeof(shared->data_dirs), "%s%s", i ? "," : "",
			    target->directories[i].path);
	shared->ctl_map = ctl.id;
	*out = shared;
	return 0;
}

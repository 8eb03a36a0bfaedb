/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all engines for file calls begin with: the data_dirs, and the counters that bpf-status reads. */
#include <errno.h>

#include "chaos/calls/calls.h"
#include "chaos/disk/disk.h"
#include "kernel/object.h"

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
	struct eval_calls *shared;
	unsigned int ctl_map;
	int ret = object_ctl_id(obj, &ctl_map, err);

	if (ret)
		return ret;
	shared = object_map_state(obj, EVAL_CALLS_MAP, sizeof(*shared), err);
	if (!shared)
		return -EIO;
	target_directories_text(target, shared->data_dirs, sizeof(shared->data_dirs));
	shared->ctl_map = ctl_map;
	*out = shared;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type disk_throttle: the target's cgroup reads and writes its disks no faster than it is told. */
#include <errno.h>

#include "chaos/fault.h"
#include "chaos/kinds.h"
#include "chaos/throttle/throttle.h"

/* More than any disk does, and what every kernel computes with. */
#define BPS_MAX 1e12
#define IOPS_MAX 1e9

static const struct chaos_field fields[] = {
	{.name = "read_bps",
	 .type = FIELD_INTEGER,
	 .min = 1,
	 .max = BPS_MAX,
	 .arg = "BYTES",
	 .help = "bytes per second that are read at most (one of the four limits is needed)"},
	{.name = "write_bps",
	 .type = FIELD_INTEGER,
	 .min = 1,
	 .max = BPS_MAX,
	 .arg = "BYTES",
	 .help = "bytes per second that are written at most"},
	{.name = "read_iops",
	 .type = FIELD_INTEGER,
	 .min = 1,
	 .max = IOPS_MAX,
	 .arg = "N",
	 .help = "reads per second at most"},
	{.name = "write_iops",
	 .type = FIELD_INTEGER,
	 .min = 1,
	 .max = IOPS_MAX,
	 .arg = "N",
	 .help = "writes per second at most"},
	{.name = "replace",
	 .type = FIELD_BOOL,
	 .fallback = "false",
	 .arg = "true|false",
	 .help = "replace limits that the cgroup has there already, until the fault ends (default: false)"},
	CHAOS_FIELD_DATA_DIRS,
	{},
};

static int check_limits(const json_t *params, const char **field, struct error *err)
{
	for (size_t i = 0; i < EVAL_THROTTLE_LIMITS; i++)
		if (json_object_get(params, throttle_limit_names[i]))
			return 0;
	*field = NULL;
	return error_set(err, -EINVAL, "one of read_bps, write_bps, read_iops and write_iops is needed");
}

const struct chaos_ops chaos_disk_throttle = {
	.name = "disk_throttle",
	.kind = EVAL_KIND_DISK_THROTTLE,
	.summary = "limit how fast the target's cgroup reads and writes its disks (cgroup v2's io.max)",
	.target = TARGET_DISK,
	.needs_cgroup = true,
	.fields = fields,
	.requires = (const struct chaos_requirement[]){{}},
	.verb = "throttle",
	.nothing = "limit was reached",
	.check = check_limits,
	.prepare = throttle_prepare,
	.activate = throttle_activate,
	.renew = throttle_renew,
	.stop = throttle_stop,
	.revert = throttle_revert,
	.evidence = throttle_evidence,
	.free = throttle_free,
	.describe = throttle_describe,
	.live = throttle_live,
};

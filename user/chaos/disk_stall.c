/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type disk_stall: writers of the target's files wait, again and again, for a while. */
#include <errno.h>

#include "chaos/calls/calls.h"
#include "chaos/fault.h"
#include "chaos/kinds.h"
#include "util/json.h"

static const struct chaos_field fields[] = {
	{.name = "stall_ms",
	 .type = FIELD_NUMBER,
	 .min = 1,
	 .max = 60000, /* the kernel complains of tasks that wait for 120 s */
	 .required = true,
	 .arg = "MS",
	 .help = "how long writers wait each time"},
	{.name = "every_ms",
	 .type = FIELD_NUMBER,
	 .min = 1,
	 .max = 600000,
	 .required = true,
	 .arg = "MS",
	 .help = "from the beginning of a stall to that of the next, more than --stall-ms"},
	CALLS_FIELD_FILES,
	CHAOS_FIELD_DATA_DIRS,
	{},
};

static int stall_check(const json_t *params, const char **field, struct error *err)
{
	const json_t *stall = json_object_get(params, "stall_ms"), *every = json_object_get(params, "every_ms");

	*field = "every_ms";
	if (stall && every && json_number_value(every) <= json_number_value(stall))
		return error_set(err, -EINVAL, "every_ms (%g) must be greater than stall_ms (%g)",
				 json_number_value(every), json_number_value(stall));
	return 0;
}

static int stall_prepare(struct fault *fault, void **state, struct error *err)
{
	return calls_prepare(fault, state, CALLS_STALL, err);
}

const struct chaos_ops chaos_disk_stall = {
	.name = "disk_stall",
	.kind = EVAL_KIND_DISK_STALL,
	.summary = "let writers of the target's files wait, again and again, for a while",
	.target = TARGET_DISK,
	.fields = fields,
	.requires = (const struct chaos_requirement[]){{}},
	.verb = "stall",
	.nothing = "writer of its files was found waiting",
	.check = stall_check,
	.prepare = stall_prepare,
	.activate = calls_activate,
	.renew = calls_renew,
	.stop = calls_stop,
	.revert = calls_revert,
	.evidence = calls_evidence,
	.free = calls_free,
	.describe = calls_describe,
	.live = calls_live,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type io_hang: calls on the target's files do not return before the fault ends. */
#include "chaos/calls/calls.h"
#include "chaos/fault.h"
#include "chaos/kinds.h"

static const struct chaos_field fields[] = {
	CALLS_FIELD_OPERATION("hang"), CALLS_FIELD_FILES, CALLS_FIELD_ENGINE, CHAOS_FIELD_DATA_DIRS, {},
};

static int hang_prepare(struct fault *fault, void **state, struct error *err)
{
	return calls_prepare(fault, state, CALLS_HANG, err);
}

const struct chaos_ops chaos_io_hang = {
	.name = "io_hang",
	.kind = EVAL_KIND_IO_HANG,
	.summary = "let reads and writes of the target's files hang until the fault ends",
	.target = TARGET_DISK,
	.watches_opens = true,
	.fields = fields,
	.requires = calls_requires,
	.verb = "hang",
	.nothing = "call on its files was held",
	.check = calls_check,
	.prepare = hang_prepare,
	.activate = calls_activate,
	.renew = calls_renew,
	.stop = calls_stop,
	.revert = calls_revert,
	.evidence = calls_evidence,
	.free = calls_free,
	.describe = calls_describe,
	.live = calls_live,
};

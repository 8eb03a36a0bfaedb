/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type io_error: calls on the target's files fail. */
#include <errno.h>

#include "chaos/calls/calls.h"
#include "chaos/fault.h"
#include "chaos/kinds.h"

#define CALLS_MAX 1e15 /* exact as a JSON number */

static const char *const engines[] = {"auto", "precontent", NULL};

static const struct chaos_field fields[] = {
	{.name = "errno",
	 .type = FIELD_CHOICE,
	 .choices = calls_errnos,
	 .fallback = "\"EIO\"",
	 .arg = "EIO|ENOSPC|EDQUOT|EPERM|EBUSY|EAGAIN|ETXTBSY",
	 .help = "what refused calls get (default: EIO)"},
	{.name = "percent",
	 .type = FIELD_NUMBER,
	 .max = 100,
	 .arg = "PERCENT",
	 .help = "share of the calls that fail, above 0 (default: 100)"},
	{.name = "every",
	 .type = FIELD_INTEGER,
	 .min = 1,
	 .max = CALLS_MAX,
	 .arg = "N",
	 .help = "instead: each Nth call"},
	{.name = "first",
	 .type = FIELD_INTEGER,
	 .min = 1,
	 .max = CALLS_MAX,
	 .arg = "N",
	 .help = "instead: the first N calls"},
	CALLS_FIELD_OPERATION("fail"),
	CALLS_FIELD_FILES,
	{.name = "engine",
	 .type = FIELD_CHOICE,
	 .choices = engines,
	 .fallback = "\"auto\"",
	 .arg = "auto|precontent",
	 .help = "precontent needs Linux 6.14 (default: auto)"},
	CALLS_FIELD_DATA_DIRS,
	{},
};

static const struct chaos_requirement requires[] = {
	{.feature = FEATURE_PRECONTENT},
	{},
};

static int error_prepare(struct fault *fault, void **state, struct error *err)
{
	return calls_prepare(fault, state, CALLS_REFUSE, err);
}

const struct chaos_ops chaos_io_error = {
	.name = "io_error",
	.kind = EVAL_KIND_IO_ERROR,
	.summary = "make reads and writes of the target's files fail",
	.target = TARGET_DISK,
	.watches_opens = true,
	.fields = fields,
	.requires = requires,
	.verb = "refuse",
	.nothing = "call on its files was refused",
	.check = calls_check,
	.prepare = error_prepare,
	.activate = calls_activate,
	.renew = calls_renew,
	.stop = calls_stop,
	.revert = calls_revert,
	.evidence = calls_evidence,
	.free = calls_free,
	.describe = calls_describe,
	.live = calls_live,
};

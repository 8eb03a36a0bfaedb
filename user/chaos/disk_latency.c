/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type disk_latency: calls on the target's files take longer. */
#include <errno.h>

#include "chaos/calls/calls.h"
#include "chaos/fault.h"
#include "chaos/kinds.h"

/* As in eval_draw_ns(): the span must be below 2^34 ns. */
#define DELAY_MS_MAX 10000

static const struct chaos_field fields[] = {
	{.name = "min_ms",
	 .type = FIELD_NUMBER,
	 .max = DELAY_MS_MAX,
	 .required = true,
	 .arg = "MS",
	 .help = "shortest delay of a call"},
	{.name = "max_ms",
	 .type = FIELD_NUMBER,
	 .max = DELAY_MS_MAX,
	 .required = true,
	 .arg = "MS",
	 .help = "longest delay of a call"},
	{.name = "percent",
	 .type = FIELD_NUMBER,
	 .max = 100,
	 .fallback = "100",
	 .arg = "PERCENT",
	 .help = "share of the calls that are delayed, above 0 (default: 100)"},
	CALLS_FIELD_OPERATION("are delayed"),
	CALLS_FIELD_FILES,
	CALLS_FIELD_ENGINE,
	CHAOS_FIELD_DATA_DIRS,
	{},
};

static int delays_check(const json_t *params, const char **field, struct error *err)
{
	int ret = chaos_check_delays(params, field, err);

	return ret ? ret : calls_check(params, field, err);
}

static int delays_prepare(struct fault *fault, void **state, struct error *err)
{
	return calls_prepare(fault, state, CALLS_DELAY, err);
}

const struct chaos_ops chaos_disk_latency = {
	.name = "disk_latency",
	.kind = EVAL_KIND_DISK_LATENCY,
	.summary = "delay reads and writes of the target's files by a random time",
	.target = TARGET_DISK,
	.watches_opens = true,
	.fields = fields,
	.requires = calls_requires,
	.verb = "delay",
	.nothing = "call on its files was delayed",
	.check = delays_check,
	.prepare = delays_prepare,
	.activate = calls_activate,
	.renew = calls_renew,
	.stop = calls_stop,
	.revert = calls_revert,
	.evidence = calls_evidence,
	.free = calls_free,
	.describe = calls_describe,
	.live = calls_live,
};

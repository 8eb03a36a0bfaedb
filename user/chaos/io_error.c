/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type io_error: calls on the target's files fail, by one of two engines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/calls/calls.h"
#include "chaos/disk/disk.h"
#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/kinds.h"

#define CALLS_MAX 1e15 /* exact as a JSON number */

static const char *const engines[] = {"auto", "bpf", "precontent", NULL};

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
	 .arg = "auto|bpf|precontent",
	 .help = "precontent needs Linux 6.14, bpf a kernel without lockdown (default: auto, precontent if possible)"},
	CHAOS_FIELD_DATA_DIRS,
	{},
};

static const struct chaos_requirement requires[] = {
	{.feature = FEATURE_PRECONTENT, .param = "engine", .value = "precontent"},
	{.feature = FEATURE_FMOD_RET, .param = "engine", .value = "bpf"},
	{},
};

static int error_precontent_open(void **state, const struct fault_spec *spec, const char **shown, struct error *err)
{
	return calls_open(state, spec, CALLS_REFUSE, shown, err);
}

static const struct disk_engine precontent_engine = {
	.name = "precontent",
	.open = error_precontent_open,
	.activate = calls_activate,
	.renew = calls_renew,
	.stop = calls_stop,
	.revert = calls_revert,
	.evidence = calls_evidence,
	.free = calls_free,
};

struct error_fault {
	struct disk_chosen chosen;
	struct error why_not_precontent; /* why auto took bpf; .code 0: it did not */
};

/* Precontent first: it has truncate, mmap and files. */
static int open_error_engine(struct error_fault *own, const struct fault_spec *spec, const char **shown,
			     struct error *err)
{
	const char *asked = fault_text_param(spec, "engine");
	struct error bpf = {};
	int ret;

	if (strcmp(asked, "bpf") != 0) {
		own->chosen.engine = &precontent_engine;
		ret = own->chosen.engine->open(&own->chosen.state, spec, shown, err);
		if (ret != -EOPNOTSUPP || !strcmp(asked, "precontent"))
			return ret;
		own->why_not_precontent = *err;
	}
	own->chosen.engine = &calls_refuse_engine;
	ret = own->chosen.engine->open(&own->chosen.state, spec, shown, &bpf);
	if (ret && own->why_not_precontent.code)
		error_set(err, ret, "%.240s; and %.240s", own->why_not_precontent.text, bpf.text);
	else
		*err = bpf;
	return ret;
}

static int error_prepare(struct fault *fault, void **state, struct error *err)
{
	struct error_fault *own = calloc(1, sizeof(*own));
	const char *shown = NULL;
	struct error why = {};
	int ret;

	if (!own)
		return error_set(err, -ENOMEM, "out of memory");
	ret = open_error_engine(own, fault_get_spec(fault), &shown, &why);
	if (ret) {
		free(own);
		return error_set(err, ret, "%s", why.text);
	}
	fault_set_engine(fault, shown);
	*state = own;
	return 0;
}

static json_t *error_evidence(void *state)
{
	struct error_fault *own = state;
	json_t *evidence = disk_chosen_evidence(own);

	if (evidence && own->why_not_precontent.code)
		evidence_add_note(evidence, "engine: bpf, because %.300s", own->why_not_precontent.text);
	return evidence;
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
	.activate = disk_chosen_activate,
	.renew = disk_chosen_renew,
	.stop = disk_chosen_stop,
	.revert = disk_chosen_revert,
	.evidence = error_evidence,
	.free = disk_chosen_free,
	.describe = calls_describe,
	.live = calls_live,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "plan/status.h"

#include <string.h>

static const char *const status_names[STATUS_COUNT] = {
	[STATUS_PLANNED] = "planned", [STATUS_RUNNING] = "running", [STATUS_COMPLETED] = "completed",
	[STATUS_FAILED] = "failed",   [STATUS_VOID] = "void",       [STATUS_INTERRUPTED] = "interrupted",
};

static const char *const verdict_names[VERDICT_COUNT] = {
	[VERDICT_NONE] = "none",
	[VERDICT_PASS] = "pass",
	[VERDICT_FAIL] = "fail",
	[VERDICT_INCONCLUSIVE] = "inconclusive",
};

const char *status_name(enum trial_status status)
{
	return status_names[status];
}

enum trial_status status_find(const char *name)
{
	enum trial_status status = 0;

	while (status < STATUS_COUNT && strcmp(status_names[status], name))
		status++;
	return status;
}

bool status_is_final(enum trial_status status)
{
	return status == STATUS_COMPLETED || status == STATUS_FAILED || status == STATUS_VOID;
}

const char *verdict_name(enum trial_verdict verdict)
{
	return verdict_names[verdict];
}

enum trial_verdict verdict_find(const char *name)
{
	enum trial_verdict verdict = 0;

	while (verdict < VERDICT_COUNT && strcmp(verdict_names[verdict], name))
		verdict++;
	return verdict;
}

enum trial_verdict verdict_worse(enum trial_verdict a, enum trial_verdict b)
{
	return a == VERDICT_FAIL || b == VERDICT_FAIL                   ? VERDICT_FAIL
	       : a == VERDICT_INCONCLUSIVE || b == VERDICT_INCONCLUSIVE ? VERDICT_INCONCLUSIVE
									: VERDICT_PASS;
}

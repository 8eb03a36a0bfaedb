/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/outcome.h"

#include <stdio.h>
#include <string.h>

#include "analysis/expectations.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

static enum trial_status status_of(const json_t *trial)
{
	return status_find(json_text_or(trial, "status", ""));
}

static enum trial_verdict verdict_of(const json_t *trial)
{
	return verdict_find(json_text_or(trial, "verdict", ""));
}

bool outcome_passed(const json_t *trial)
{
	return status_of(trial) == STATUS_COMPLETED && verdict_of(trial) != VERDICT_FAIL;
}

int outcome_reason(char *out, size_t size, const json_t *trial)
{
	const char *stage = json_text_or(trial, "error_stage", NULL), *text = json_text_or(trial, "error_text", NULL);
	enum trial_status status = status_of(trial);
	const json_t *summary = json_object_get(trial, "summary");

	out[0] = '\0';
	if (text)
		return snprintf(out, size, "%s%s%s: %s", json_text_or(trial, "status", ""), stage ? " in " : "",
				stage ?: "", text);
	if (status == STATUS_VOID)
		return snprintf(out, size, "void: the evidence shows no hit");
	if (status == STATUS_FAILED)
		return snprintf(out, size, "failed%s%s, no text recorded", stage ? " in " : "", stage ?: "");
	if (verdict_of(trial) != VERDICT_FAIL && verdict_of(trial) != VERDICT_INCONCLUSIVE)
		return 0;
	expectations_list(out, size, json_object_get(trial, "expectations"), verdict_of(trial));
	/* Older records do not say "stuck". */
	if (json_is_true(json_object_get(summary, "stuck")) ||
	    (!*out && json_is_null(json_object_get(summary, "recovery_seconds"))))
		text_append(out, size, "%sstuck: did not recover in time", *out ? "; " : "");
	if (!*out)
		text_append(out, size, "verdict %s", verdict_name(verdict_of(trial)));
	return (int)strlen(out);
}

enum exit_code outcome_exit_code(const json_t *trials)
{
	const json_t *trial;
	size_t i;

	json_array_foreach (trials, i, trial)
		if (!outcome_passed(trial))
			return EXIT_TRIALS;
	return EXIT_OK;
}

json_t *outcome_count(const json_t *trials)
{
	json_t *counts = json_object();
	const json_t *trial;
	size_t i;

	json_array_foreach (trials, i, trial) {
		const char *status = json_text_or(trial, "status", "?");

		json_object_set_new(counts, status, json_integer(json_integer_at(counts, status) + 1));
	}
	return counts;
}

const char *outcome_progress(char *out, size_t size, const json_t *counts)
{
	static const enum trial_status order[] = {STATUS_COMPLETED,   STATUS_FAILED,  STATUS_VOID,
						  STATUS_INTERRUPTED, STATUS_RUNNING, STATUS_PLANNED};
	json_int_t failed = json_integer_at(counts, "verdict_fail");
	json_int_t open = json_integer_at(counts, "verdict_inconclusive");

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		json_int_t count = json_integer_at(counts, status_name(order[i]));

		if (count)
			text_append(out, size, "%s%s %d", *out ? ", " : "", status_name(order[i]), (int)count);
	}
	if (failed)
		text_append(out, size, "; verdict fail %d", (int)failed);
	if (open)
		text_append(out, size, "; inconclusive %d", (int)open);
	return out;
}

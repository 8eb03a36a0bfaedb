/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JUnit's XML, as CI systems read it: a suite is a chaos type, a case a trial; what proves nothing is skipped. */
#include "report/formats.h"

#include <string.h>

#include "analysis/outcome.h"
#include "plan/status.h"
#include "util/json.h"

enum outcome { OUTCOME_PASSED, OUTCOME_FAILED, OUTCOME_ERROR, OUTCOME_SKIPPED };

static enum outcome outcome_of(const json_t *trial)
{
	enum trial_verdict verdict = verdict_find(json_text_or(trial, "verdict", ""));
	enum trial_status status = status_find(json_text_or(trial, "status", ""));

	if (status == STATUS_FAILED)
		return OUTCOME_ERROR;
	if (status != STATUS_COMPLETED || verdict == VERDICT_INCONCLUSIVE)
		return OUTCOME_SKIPPED;
	return verdict == VERDICT_FAIL ? OUTCOME_FAILED : OUTCOME_PASSED;
}

static double seconds_of(const json_t *trial)
{
	json_int_t start = json_integer_at(trial, "started_at_monotonic_ns");
	json_int_t end = json_integer_at(trial, "ended_at_monotonic_ns");

	return end > start && start ? (double)(end - start) / 1e9 : 0;
}

static void put_case(FILE *out, const json_t *trial)
{
	static const char *const elements[] = {
		[OUTCOME_FAILED] = "failure", [OUTCOME_ERROR] = "error", [OUTCOME_SKIPPED] = "skipped"};
	enum outcome outcome = outcome_of(trial);
	char reason[1024];

	fputs("    <testcase classname=\"", out);
	markup_text(out, json_text_or(trial, "subject", "?"));
	fputs("\" name=\"", out);
	markup_text(out, json_text_or(trial, "id", "?"));
	fprintf(out, "\" time=\"%.3f\"", seconds_of(trial));
	if (outcome == OUTCOME_PASSED) {
		fputs("/>\n", out);
		return;
	}
	report_reason(reason, sizeof(reason), trial);
	fprintf(out, ">\n      <%s message=\"", elements[outcome]);
	markup_text(out, *reason ? reason : json_text_or(trial, "status", "?"));
	fputs("\"/>\n    </testcase>\n", out);
}

/* The counts of a chaos type's trials, or of all if chaos is NULL. */
static void put_counts(FILE *out, const json_t *trials, const char *chaos)
{
	unsigned int counts[4] = {}, all = 0;
	const json_t *trial;
	double seconds = 0;
	size_t i;

	json_array_foreach (trials, i, trial) {
		if (chaos && strcmp(json_text_or(trial, "chaos", ""), chaos) != 0)
			continue;
		counts[outcome_of(trial)]++;
		seconds += seconds_of(trial);
		all++;
	}
	fprintf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\"", all,
		counts[OUTCOME_FAILED], counts[OUTCOME_ERROR], counts[OUTCOME_SKIPPED], seconds);
}

static void put_suite(FILE *out, const json_t *trials, const char *chaos)
{
	const json_t *trial;
	size_t i;

	fputs("  <testsuite name=\"", out);
	markup_text(out, chaos);
	fputc('"', out);
	put_counts(out, trials, chaos);
	fputs(">\n", out);
	json_array_foreach (trials, i, trial)
		if (!strcmp(json_text_or(trial, "chaos", ""), chaos))
			put_case(out, trial);
	fputs("  </testsuite>\n", out);
}

int report_junit(FILE *out, const struct report_source *source)
{
	json_t *seen = json_object();
	const json_t *trial;
	size_t i;

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"", out);
	markup_text(out, json_text_or(source->campaign, "id", "?"));
	fputc('"', out);
	put_counts(out, source->trials, NULL);
	fputs(">\n", out);
	json_array_foreach (source->trials, i, trial) {
		const char *chaos = json_text_or(trial, "chaos", "");

		if (json_object_get(seen, chaos))
			continue;
		json_object_set_new(seen, chaos, json_true());
		put_suite(out, source->trials, chaos);
	}
	fputs("</testsuites>\n", out);
	json_decref(seen);
	return 0;
}

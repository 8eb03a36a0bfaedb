/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A trial's status and verdict, from its evidence and samples. */
#include "analysis/expectations.h"
#include "analysis/losses.h"
#include "chaos/evidence.h"
#include "plan/status.h"
#include "trial/internal.h"
#include "util/json.h"
#include "util/text.h"

static json_t *summarize(const struct trial *trial, const char *const *names)
{
	const struct subject *subject = trial->subject;
	json_t *summary = summary_make(&trial->samples, names, subject->probe_count, &trial->times);
	json_t *metrics = trial_metrics_summary(trial);

	for (size_t i = 0; trial->probes && i < subject->probe_count; i++)
		json_object_set_new(json_object_get(json_object_get(summary, "probes"), names[i]), "errors",
				    probes_errors(trial->probes, i));
	if (metrics)
		json_object_set_new(summary, "metrics", metrics);
	return summary;
}

/* Of several targets, only the first that explains it. */
static json_t *why_void(const struct trial *trial)
{
	char text[900] = "the evidence shows no hit: the chaos touched nothing", instead[768] = "";

	for (size_t i = 0; !*instead && i < trial->faults.count; i++)
		evidence_explain_nothing(instead, sizeof(instead), trial->faults.slots[i].evidence);
	if (*instead)
		text_append(text, sizeof(text), "; %s", instead);
	return json_outside(text);
}

int trial_check(struct trial *trial, bool recovered, struct error *err)
{
	const struct subject *subject = trial->subject;
	const char *names[subject->probe_count + 1];
	json_t *expectations = json_array(), *summary, *columns;
	enum trial_verdict verdict, checked = VERDICT_PASS;
	int ret = trial_final_checks(trial, expectations, &checked, err);

	if (ret) {
		json_decref(expectations);
		return ret;
	}
	for (size_t i = 0; i < subject->probe_count; i++)
		names[i] = subject->probes[i].name;
	summary = summarize(trial, names);
	if (!recovered)
		json_object_set_new(summary, "stuck", json_true());
	verdict = expectations_judge(&trial->settings->expect, names, subject->probe_count, summary, expectations);
	verdict = verdict_worse(verdict, metrics_judge(trial->settings->expect.metrics,
						       json_object_get(summary, "metrics"), expectations));
	verdict = verdict_worse(verdict, checked);
	columns = json_object();

	if (trial->plan->chaos && !fault_set_hits(&trial->faults)) {
		json_object_set_new(columns, "status", json_string(status_name(STATUS_VOID)));
		json_object_set_new(columns, "error_stage", json_string(trial_phase_name(trial->phase)));
		json_object_set_new(columns, "error_text", why_void(trial));
	} else {
		json_object_set_new(columns, "status", json_string(status_name(STATUS_COMPLETED)));
		json_object_set_new(columns, "verdict", json_string(verdict_name(recovered ? verdict : VERDICT_FAIL)));
	}
	/* By themselves, so that the status arrives also if one of the others is too long for a message. */
	trial_set(trial, columns);
	trial_set(trial, json_pack("{s:o}", "expectations", expectations));
	trial_set(trial, json_pack("{s:o}", "summary", summary ? summary : json_null()));
	return 0;
}

void trial_tell_losses(struct trial *trial)
{
	for (size_t i = 0; i < trial->faults.count; i++) {
		char text[256];

		if (losses_describe(text, sizeof(text), trial->faults.slots[i].evidence) > 0)
			trial_event(trial, "loss", "%s: %s", trial->faults.slots[i].node, text);
	}
}

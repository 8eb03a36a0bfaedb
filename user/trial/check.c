/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what happened to the trial's status and verdict. */
#include <math.h>

#include "trial/internal.h"
#include "util/cleanup.h"

/* asked and measured NAN: not asked, nothing measured. Returns whether it is met. */
static bool add_expectation(json_t *list, const char *name, double asked, double measured, bool met)
{
	json_array_append_new(list, json_pack("{s:s, s:f, s:o, s:b}", "name", name, "asked", asked, "measured",
					      isnan(measured) ? json_null() : json_real(measured), "ok", met));
	return met;
}

static double number_in(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Below 100 samples there is no p99; by nearest rank it is then the slowest. */
static double p99_of(const json_t *during)
{
	double p99_ms = number_in(during, "p99_ms");

	return isnan(p99_ms) ? number_in(during, "max_ms") : p99_ms;
}

/* An expectation that nothing was measured for is missed: NAN compares false. */
static bool check_expectations(const struct trial *trial, const json_t *summary, json_t *list)
{
	const struct expectations *expect = &trial->settings->expect;
	const json_t *during = json_object_get(summary, "during");
	double availability = number_in(during, "availability"), p99_ms = p99_of(during);
	double recovery_seconds = number_in(summary, "recovery_seconds");
	bool met = true;

	if (!isnan(expect->availability_min))
		met &= add_expectation(list, "availability_min", expect->availability_min, availability,
				       availability >= expect->availability_min);
	if (!isnan(expect->p99_ms_max))
		met &= add_expectation(list, "p99_ms_max", expect->p99_ms_max, p99_ms, p99_ms <= expect->p99_ms_max);
	if (!isnan(expect->recover_within_seconds))
		met &= add_expectation(list, "recover_within_seconds", expect->recover_within_seconds, recovery_seconds,
				       recovery_seconds <= expect->recover_within_seconds);
	return met;
}

void trial_check(struct trial *trial, bool recovered)
{
	json_t *expectations = json_array();
	json_t *summary = report_summarize(trial->samples, &trial->times);
	bool met = check_expectations(trial, summary, expectations);
	json_t *columns =
		json_pack("{s:o, s:o}", "summary", summary ? summary : json_null(), "expectations", expectations);

	if (trial->plan->chaos && !fault_set_hits(&trial->faults)) {
		json_object_set_new(columns, "status", json_string("void"));
		json_object_set_new(columns, "error_stage", json_string(trial_phase_name(trial->phase)));
		json_object_set_new(columns, "error_text",
				    json_string("the evidence shows no hit: the chaos touched nothing"));
	} else {
		json_object_set_new(columns, "status", json_string("completed"));
		json_object_set_new(columns, "verdict", json_string(recovered && met ? "pass" : "fail"));
	}
	trial_set(trial, columns);
}

void trial_tell_losses(struct trial *trial)
{
	for (size_t i = 0; i < trial->faults.count; i++) {
		char text[256];

		if (report_loss(text, sizeof(text), trial->faults.slots[i].evidence) > 0)
			trial_event(trial, "loss", "%s: %s", trial->faults.slots[i].node, text);
	}
}

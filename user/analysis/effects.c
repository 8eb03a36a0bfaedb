/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/effects.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "analysis/outcome.h"
#include "util/cleanup.h"
#include "util/json.h"

static const struct figure {
	const char *name, *window, *key; /* window: NULL: of the trial's summary */
} figures[] = {
	{"availability", "during", "availability"},
	{"p50_ms", "during", "p50_ms"},
	{"p99_ms", "during", "p99_ms"},
	{"outage_seconds", "during", "outage_seconds"},
	{"before_p50_ms", "before", "p50_ms"},
	{"recovery_seconds", NULL, "recovery_seconds"},
};

static void widen(json_t *effect, const char *name, const json_t *value)
{
	double number = json_number_value(value), least, most;

	if (!json_is_number(value))
		return;
	if (!effects_range(effect, name, &least, &most))
		least = most = number;
	json_object_set_new(effect, name, json_pack("[f, f]", fmin(least, number), fmax(most, number)));
}

static void add_trial(json_t *effect, const json_t *trial, const char *probe)
{
	const json_t *summary = json_object_get(trial, "summary");
	const json_t *windows = json_object_get(json_object_get(summary, "probes"), probe ?: "");

	json_object_set_new(effect, "trials", json_integer(json_integer_at(effect, "trials") + 1));
	json_object_set_new(effect, "passed", json_integer(json_integer_at(effect, "passed") + outcome_passed(trial)));
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		const struct figure *figure = &figures[i];

		widen(effect, figure->name,
		      json_object_get(figure->window ? json_object_get(windows, figure->window) : summary,
				      figure->key));
	}
}

static bool is_of(const json_t *effect, const json_t *trial, const char *probe)
{
	const char *own = json_text_or(effect, "probe", NULL);

	return json_equal(json_object_get(effect, "subject"), json_object_get(trial, "subject")) &&
	       json_equal(json_object_get(effect, "chaos"), json_object_get(trial, "chaos")) &&
	       (own && probe ? !strcmp(own, probe) : own == probe);
}

/* probe is NULL for a trial without samples, which has a line of its own. */
static void add_to_all(json_t *effects, const json_t *trial, const char *probe)
{
	json_t *effect;
	bool found = false;
	size_t i;

	json_array_foreach (effects, i, effect)
		if (is_of(effect, trial, probe)) {
			add_trial(effect, trial, probe);
			found = true;
		}
	if (found)
		return;
	effect = json_pack("{s:O?, s:O?, s:s?, s:b, s:i, s:i}", "subject", json_object_get(trial, "subject"), "chaos",
			   json_object_get(trial, "chaos"), "probe", probe, "baseline",
			   json_is_true(json_object_get(trial, "baseline")), "trials", 0, "passed", 0);
	for (i = 0; i < ARRAY_SIZE(figures); i++)
		json_object_set_new(effect, figures[i].name, json_null());
	add_trial(effect, trial, probe);
	json_array_append_new(effects, effect);
}

json_t *effects_make(const json_t *trials)
{
	json_t *effects = json_array();
	const json_t *trial;
	size_t i;

	json_array_foreach (trials, i, trial) {
		json_t *probes = json_object_get(json_object_get(trial, "summary"), "probes"), *windows;
		const char *probe;

		if (!json_object_size(probes))
			add_to_all(effects, trial, NULL);
		json_object_foreach (probes, probe, windows)
			add_to_all(effects, trial, probe);
	}
	return effects;
}

bool effects_range(const json_t *effect, const char *key, double *least, double *most)
{
	const json_t *range = json_object_get(effect, key);

	*least = json_number_value(json_array_get(range, 0));
	*most = json_number_value(json_array_get(range, 1));
	return json_is_array(range);
}

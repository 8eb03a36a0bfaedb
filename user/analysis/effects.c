/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/effects.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/outcome.h"
#include "analysis/summary.h"
#include "util/array.h"
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

struct effect {
	const json_t *like; /* the first trial's row */
	const char *probe;  /* NULL: none */
	size_t trials, passed, outages;
	double least[ARRAY_SIZE(figures)], most[ARRAY_SIZE(figures)]; /* NAN: none */
};

struct effects {
	struct effect *items;
	size_t count, room;
};

static bool is_of(const struct effect *effect, const json_t *trial, const char *probe)
{
	static const char *const keys[] = {"subject", "chaos"};

	if (effect->probe && probe ? strcmp(effect->probe, probe) : effect->probe != probe)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(json_text_or(effect->like, keys[i], ""), json_text_or(trial, keys[i], "")) != 0)
			return false;
	return true;
}

static struct effect *find(struct effects *effects, const json_t *trial, const char *probe)
{
	struct effect *items, *effect;

	for (size_t i = 0; i < effects->count; i++)
		if (is_of(&effects->items[i], trial, probe))
			return &effects->items[i];
	items = array_reserve(effects->items, effects->count, &effects->room, 16, sizeof(*items));
	if (!items)
		return NULL;
	effects->items = items;
	effect = &items[effects->count++];
	*effect = (struct effect){.like = trial, .probe = probe};
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		effect->least[i] = effect->most[i] = NAN;
	return effect;
}

/* A trial without samples is counted by itself. */
static void add_trial(const json_t *trial, const char *probe, const json_t *windows, void *effects)
{
	const json_t *summary = json_object_get(trial, "summary");
	struct effect *effect = find(effects, trial, probe);

	if (!effect)
		return;
	effect->trials++;
	effect->passed += outcome_passed(trial);
	effect->outages += json_number_at(json_object_get(windows, "during"), "outage_seconds") > 0;
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		const char *window = figures[i].window;
		double number = json_number_at(window ? json_object_get(windows, window) : summary, figures[i].key);

		/* Of a number and NAN, these take the number. */
		effect->least[i] = fmin(effect->least[i], number);
		effect->most[i] = fmax(effect->most[i], number);
	}
}

static json_t *effect_to_json(const struct effect *effect)
{
	json_t *json =
		json_pack("{s:O?, s:O?, s:s?, s:b, s:I, s:I, s:I}", "subject", json_object_get(effect->like, "subject"),
			  "chaos", json_object_get(effect->like, "chaos"), "probe", effect->probe, "baseline",
			  json_is_true(json_object_get(effect->like, "baseline")), "trials", (json_int_t)effect->trials,
			  "passed", (json_int_t)effect->passed, "outages", (json_int_t)effect->outages);

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		json_object_set_new(json, figures[i].name,
				    isnan(effect->least[i]) ? json_null()
							    : json_pack("[f, f]", effect->least[i], effect->most[i]));
	return json;
}

json_t *effects_make(const json_t *trials)
{
	struct effects effects = {};
	json_t *out = json_array();
	const json_t *trial;
	size_t i;

	json_array_foreach (trials, i, trial)
		summary_each_probe(trial, add_trial, &effects);
	for (i = 0; i < effects.count; i++)
		json_array_append_new(out, effect_to_json(&effects.items[i]));
	free(effects.items);
	return out;
}

bool effects_range(const json_t *effect, const char *key, double *least, double *most)
{
	const json_t *range = json_object_get(effect, key);

	*least = json_number_value(json_array_get(range, 0));
	*most = json_number_value(json_array_get(range, 1));
	return json_is_array(range);
}

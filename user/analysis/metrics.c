/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

static const struct metric_limit {
	const char *name, *key;
	const char *what; /* in words */
	const char *most; /* "at least" or "at most" */
} metric_limits[] = {
	{"metric_min", "min", "lowest value", "at least"},
	{"metric_max", "max", "highest value", "at most"},
	{"metric_change_max", "change_max", "change", "at most"},
};

enum { LIMIT_MIN, LIMIT_MAX, LIMIT_CHANGE };

static struct metric_series *series_of(struct metric_list *list, const struct metric_value *value)
{
	struct metric_series *items, *series;

	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].series, value->series) && !strcmp(list->items[i].source, value->source))
			return &list->items[i];
	items = array_reserve(list->items, list->count, &list->room, 8, sizeof(*items));
	if (!items)
		return NULL;
	list->items = items;
	series = &items[list->count];
	*series = (struct metric_series){.source = strdup(value->source),
					 .series = strdup(value->series),
					 .is_rate = value->is_rate};
	if (!series->source || !series->series) {
		free(series->source);
		free(series->series);
		return NULL;
	}
	list->count++;
	return series;
}

static enum summary_window window_at(const struct summary_times *times, uint64_t at_ns)
{
	return summary_window(times, &(struct summary_sample){.scheduled_ns = at_ns, .started_ns = at_ns});
}

int metrics_add(struct metric_list *list, const struct summary_times *times, const struct metric_value *value,
		enum summary_window *window)
{
	struct metric_series *series = series_of(list, value);
	struct metric_figures *figures;

	*window = window_at(times, value->at_ns);
	if (!series)
		return -ENOMEM;
	if (*window == WINDOW_NONE || (value->is_rate && window_at(times, value->since_ns) != *window))
		return 0;
	figures = &series->windows[*window];
	figures->least = figures->count ? fmin(figures->least, value->value) : value->value;
	figures->most = figures->count ? fmax(figures->most, value->value) : value->value;
	figures->sum += value->value;
	figures->count++;
	return 0;
}

void metrics_clear(struct metric_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].source);
		free(list->items[i].series);
	}
	free(list->items);
	*list = (struct metric_list){};
}

static json_t *figures_to_json(const struct metric_figures *figures)
{
	bool any = figures->count;

	return json_pack("{s:I, s:o, s:o, s:o}", "count", (json_int_t)figures->count, "mean",
			 any ? json_real(figures->sum / (double)figures->count) : json_null(), "min",
			 any ? json_real(figures->least) : json_null(), "max",
			 any ? json_real(figures->most) : json_null());
}

json_t *metrics_summarize(const struct metric_list *list)
{
	json_t *out = json_object();

	for (size_t i = 0; i < list->count; i++) {
		const struct metric_series *series = &list->items[i];
		json_t *source = json_object_get(out, series->source);

		if (!source) {
			source = json_pack("{s:{}}", "series");
			json_object_set_new(out, series->source, source);
		}
		json_object_set_new(json_object_get(source, "series"), series->series,
				    json_pack("{s:s, s:o, s:o, s:o}", "kind", series->is_rate ? "rate" : "gauge",
					      "before", figures_to_json(&series->windows[WINDOW_BEFORE]), "during",
					      figures_to_json(&series->windows[WINDOW_DURING]), "after",
					      figures_to_json(&series->windows[WINDOW_AFTER])));
	}
	return out;
}

struct metric_measured {
	double value, before, during; /* before and during: means, of a change only; NAN: none */
	json_int_t count;             /* of values that were looked at */
};

static struct metric_measured measure_limit(int limit, const json_t *windows)
{
	const json_t *before = json_object_get(windows, "before"), *during = json_object_get(windows, "during");
	struct metric_measured out = {
		.value = NAN,
		.before = NAN,
		.during = NAN,
		.count = json_integer_at(during, "count"),
	};

	if (limit != LIMIT_CHANGE) {
		out.value = json_number_at(during, limit == LIMIT_MIN ? "min" : "max");
		return out;
	}
	out.before = json_number_at(before, "mean");
	out.during = json_number_at(during, "mean");
	if (out.before != 0)
		out.value = fabs(out.during - out.before) / fabs(out.before);
	else if (out.during == 0)
		out.value = 0;
	return out;
}

static enum trial_verdict judge_limit(int limit, double asked, const json_t *one, const char *source,
				      const json_t *windows, json_t *list)
{
	struct metric_measured measured = measure_limit(limit, windows);
	enum trial_verdict verdict = VERDICT_INCONCLUSIVE;

	if (!isnan(measured.value))
		verdict = (limit == LIMIT_MIN ? measured.value >= asked : measured.value <= asked) ? VERDICT_PASS
												   : VERDICT_FAIL;
	json_array_append_new(list, json_pack("{s:s, s:n, s:O, s:s?, s:f, s:o, s:o, s:o, s:I, s:s}", "name",
					      metric_limits[limit].name, "probe", "series",
					      json_object_get(one, "series"), "source", source, "asked", asked,
					      "measured", json_number_or_null(measured.value), "low",
					      json_number_or_null(measured.before), "high",
					      json_number_or_null(measured.during), "samples", measured.count,
					      "verdict", verdict_name(verdict)));
	return verdict;
}

static enum trial_verdict judge_source(const json_t *one, const char *source, const json_t *windows, json_t *list)
{
	enum trial_verdict all = VERDICT_PASS;

	for (int limit = LIMIT_MIN; limit <= LIMIT_CHANGE; limit++) {
		double asked = json_number_at(one, metric_limits[limit].key);

		if (!isnan(asked))
			all = verdict_worse(all, judge_limit(limit, asked, one, source, windows, list));
	}
	return all;
}

static enum trial_verdict judge_series(const json_t *one, const json_t *metrics, json_t *list)
{
	const char *wanted = json_text_or(one, "source", NULL), *series = json_text_or(one, "series", ""), *source;
	enum trial_verdict all = VERDICT_PASS;
	bool any = false;
	json_t *of_source;

	json_object_foreach ((json_t *)metrics, source, of_source) {
		const json_t *windows = json_object_get(json_object_get(of_source, "series"), series);

		if (!windows || (wanted && strcmp(wanted, source) != 0))
			continue;
		any = true;
		all = verdict_worse(all, judge_source(one, source, windows, list));
	}
	return any ? all : judge_source(one, wanted, NULL, list);
}

enum trial_verdict metrics_judge(const json_t *asked, const json_t *metrics, json_t *list)
{
	enum trial_verdict all = VERDICT_PASS;
	const json_t *one;
	size_t i;

	json_array_foreach (asked, i, one)
		all = verdict_worse(all, judge_series(one, metrics, list));
	return all;
}

bool metrics_describe(char *out, size_t size, const json_t *expectation)
{
	const char *name = json_text_or(expectation, "name", ""), *source = json_text_or(expectation, "source", NULL);
	double value = json_number_at(expectation, "measured"), asked = json_number_at(expectation, "asked");
	size_t limit = 0;
	bool is_change;

	while (limit < ARRAY_SIZE(metric_limits) && strcmp(metric_limits[limit].name, name) != 0)
		limit++;
	if (limit == ARRAY_SIZE(metric_limits))
		return false;
	is_change = limit == LIMIT_CHANGE;
	snprintf(out, size, "%s of %.*s%s%s", metric_limits[limit].what,
		 text_cut(json_text_or(expectation, "series", "?"), 100), json_text_or(expectation, "series", "?"),
		 source ? " of " : "", source ?: "");
	if (isnan(value) && is_change && json_number_at(expectation, "low") == 0)
		text_append(out, size, " unknown: it was 0 before");
	else if (isnan(value))
		text_append(out, size, " unknown: no value%s", is_change ? " before or during the fault" : "");
	else if (is_change)
		text_append(out, size, " %.4g %% (from %.4g to %.4g)", value * 100, json_number_at(expectation, "low"),
			    json_number_at(expectation, "high"));
	else
		text_append(out, size, " %.4g", value);
	text_append(out, size, ", expected %s %.4g%s", metric_limits[limit].most, is_change ? asked * 100 : asked,
		    is_change ? " %" : "");
	return true;
}

/* index: the effects by what they are of. NULL: out of memory. */
static json_t *effect_of(json_t *effects, json_t *index, const json_t *trial, const char *source, const char *series)
{
	_cleanup_free_ char *key = NULL;
	json_t *effect;

	if (asprintf(&key, "%s\n%s\n%s\n%s", json_text_or(trial, "subject", ""), json_text_or(trial, "chaos", ""),
		     source, series) < 0) {
		key = NULL;
		return NULL;
	}
	effect = json_object_get(index, key);
	if (effect)
		return effect;
	effect = json_pack("{s:O?, s:O?, s:s, s:s, s:i, s:n, s:n, s:n}", "subject", json_object_get(trial, "subject"),
			   "chaos", json_object_get(trial, "chaos"), "source", source, "series", series, "trials", 0,
			   summary_window_names[0], summary_window_names[1], summary_window_names[2]);
	json_array_append(effects, effect);
	json_object_set_new(index, key, effect);
	return effect;
}

static void widen(json_t *effect, const char *phase, double mean)
{
	json_t *range = json_object_get(effect, phase);
	double least = mean, most = mean;

	if (isnan(mean))
		return;
	if (json_is_array(range)) {
		least = fmin(mean, json_number_value(json_array_get(range, 0)));
		most = fmax(mean, json_number_value(json_array_get(range, 1)));
	}
	json_object_set_new(effect, phase, json_pack("[f, f]", least, most));
}

static void add_effects(json_t *effects, json_t *index, const json_t *trial, const char *source,
			const json_t *of_source)
{
	const char *series;
	json_t *windows;

	json_object_foreach (json_object_get(of_source, "series"), series, windows) {
		json_t *effect = effect_of(effects, index, trial, source, series);

		json_object_set(effect, "kind", json_object_get(windows, "kind"));
		json_object_set_new(effect, "trials", json_integer(json_integer_at(effect, "trials") + 1));
		for (size_t i = 0; i < WINDOW_COUNT; i++)
			widen(effect, summary_window_names[i],
			      json_number_at(json_object_get(windows, summary_window_names[i]), "mean"));
	}
}

json_t *metrics_effects(const json_t *trials)
{
	_cleanup_json_ json_t *index = json_object();
	json_t *effects = json_array();
	const json_t *trial;
	size_t i;

	json_array_foreach (trials, i, trial) {
		json_t *metrics = json_object_get(json_object_get(trial, "summary"), "metrics"), *of_source;
		const char *source;

		json_object_foreach (metrics, source, of_source)
			add_effects(effects, index, trial, source, of_source);
	}
	return effects;
}

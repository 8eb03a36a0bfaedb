/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/compare.h"

#include <math.h>
#include <string.h>

#include "analysis/rank.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/json.h"

static const struct metric {
	const char *name;
	bool of_trial; /* not of a probe */
	bool more_is_better;
} metrics[] = {
	{.name = "p50_ms"},
	{.name = "p99_ms"},
	{.name = "availability", .more_is_better = true},
	{.name = "outage_seconds"},
	{.name = "recovery_seconds", .of_trial = true},
};

/* The numbers of one metric, one for each trial. */
struct group {
	double *numbers;
	size_t count, left_out;
};

static bool is_completed(const json_t *trial)
{
	return status_find(json_text_or(trial, "status", "")) == STATUS_COMPLETED;
}

static bool is_baseline(const json_t *trial)
{
	return json_is_true(json_object_get(trial, "baseline"));
}

/* NAN if the trial has none. A baseline has the same phases, without a fault. */
static double metric_of(const json_t *trial, const char *probe, const struct metric *metric)
{
	const json_t *summary = json_object_get(trial, "summary"), *windows;
	double after;

	if (metric->of_trial)
		return json_number_at(summary, metric->name);
	windows = json_object_get(json_object_get(summary, "probes"), probe);
	/* An outage may begin in the fault's last moment. */
	after = strcmp(metric->name, "outage_seconds")
			? NAN
			: json_number_at(json_object_get(windows, "after"), metric->name);
	return fmax(json_number_at(json_object_get(windows, "during"), metric->name), after);
}

/* trials may be NULL: none. */
static int collect(struct group *group, const json_t *trials, const char *probe, const struct metric *metric)
{
	const json_t *trial;
	size_t i;

	*group = (struct group){.numbers = calloc(json_array_size(trials) + 1, sizeof(*group->numbers))};
	if (!group->numbers)
		return -1;
	json_array_foreach (trials, i, trial) {
		double number = is_completed(trial) ? metric_of(trial, probe, metric) : NAN;

		if (isnan(number))
			group->left_out++;
		else
			group->numbers[group->count++] = number;
	}
	return 0;
}

static json_t *group_to_json(struct group *group)
{
	double median = rank_median(group->numbers, group->count);
	bool any = group->count;

	return json_pack("{s:I, s:o, s:o, s:o, s:I}", "trials", (json_int_t)group->count, "median",
			 json_number_or_null(median), "min", json_number_or_null(any ? group->numbers[0] : NAN), "max",
			 json_number_or_null(any ? group->numbers[group->count - 1] : NAN), "left_out",
			 (json_int_t)group->left_out);
}

static double deviation_of(const struct group *group)
{
	double mean = 0, squares = 0;

	for (size_t i = 0; i < group->count; i++)
		mean += group->numbers[i] / (double)group->count;
	for (size_t i = 0; i < group->count; i++)
		squares += (group->numbers[i] - mean) * (group->numbers[i] - mean);
	return group->count > 1 ? sqrt(squares / (double)(group->count - 1)) : NAN;
}

static json_t *trials_needed(const struct group *a, const struct group *b, double median, double smallest_effect)
{
	double deviation = fmax(deviation_of(a), deviation_of(b));
	size_t needed = isnan(deviation) || isnan(median) ? 0 : rank_trials_needed(smallest_effect * median, deviation);

	return needed ? json_integer((json_int_t)needed) : json_null();
}

static bool are_all_equal(const struct group *a, const struct group *b)
{
	for (size_t i = 0; i < a->count + b->count; i++)
		if ((i < a->count ? a->numbers[i] : b->numbers[i - a->count]) != a->numbers[0])
			return false;
	return true;
}

/*
 * One metric of a probe. *p gets the p-value, NAN if there is nothing to test: too few trials, or the same number in
 * all, which is no test that others must be adjusted for. NULL if a or b has no number.
 */
static json_t *compare_metric(struct group *a, struct group *b, const struct metric *metric, double smallest_effect,
			      double *p)
{
	struct rank_shift shift;
	json_t *of_a, *of_b;
	double median;

	*p = NAN;
	if (!a->count || !b->count)
		return NULL;
	shift = rank_shift(a->numbers, a->count, b->numbers, b->count);
	if (a->count >= COMPARE_TRIALS_LEAST && b->count >= COMPARE_TRIALS_LEAST && !are_all_equal(a, b))
		*p = rank_test(a->numbers, a->count, b->numbers, b->count);
	of_a = group_to_json(a);
	of_b = group_to_json(b);
	median = json_number_at(of_a, "median");
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "metric", metric->name, "a", of_a, "b", of_b,
			 "shift", json_number_or_null(shift.estimate), "low", json_number_or_null(shift.low), "high",
			 json_number_or_null(shift.high), "effect",
			 json_number_or_null(median > 0 ? shift.estimate / median : NAN), "p", json_number_or_null(*p),
			 "trials_needed", trials_needed(a, b, median, smallest_effect));
}

static bool has_enough(const json_t *comparison)
{
	return json_integer_at(json_object_get(comparison, "a"), "trials") >= COMPARE_TRIALS_LEAST &&
	       json_integer_at(json_object_get(comparison, "b"), "trials") >= COMPARE_TRIALS_LEAST;
}

/* Without a share, because a's median is 0, every shift counts that is one. */
static const char *result_of(const json_t *comparison, const struct metric *metric, double p, double smallest_effect)
{
	double shift = json_number_at(comparison, "shift"), effect = json_number_at(comparison, "effect");

	if (isnan(p))
		return shift == 0 && has_enough(comparison) ? "same" : "too few";
	if (p > 0.05)
		return "open";
	if (shift == 0 || fabs(effect) < smallest_effect)
		return "small";
	return (shift > 0) == metric->more_is_better ? "better" : "worse";
}

/* The metrics of one probe, which are one family of tests. a and b: the trials of two groups. */
static int compare_probe(json_t *out, const json_t *a, const json_t *b, const char *probe, double smallest_effect)
{
	const json_t *like = json_array_get(b, 0);
	json_t *found[ARRAY_SIZE(metrics)] = {};
	double p[ARRAY_SIZE(metrics)];
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		struct group of_a = {}, of_b = {};

		p[i] = NAN;
		if (!ret && metrics[i].of_trial == !probe) {
			ret = collect(&of_a, a, probe, &metrics[i]) || collect(&of_b, b, probe, &metrics[i]);
			if (!ret)
				found[i] = compare_metric(&of_a, &of_b, &metrics[i], smallest_effect, &p[i]);
		}
		free(of_a.numbers);
		free(of_b.numbers);
	}
	rank_holm(p, ARRAY_SIZE(metrics));
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		if (!found[i])
			continue;
		json_object_set(found[i], "subject", json_object_get(like, "subject"));
		json_object_set(found[i], "chaos", json_object_get(like, "chaos"));
		json_object_set_new(found[i], "probe", json_text_or_null(probe));
		json_object_set_new(found[i], "p_adjusted", json_number_or_null(p[i]));
		json_object_set_new(found[i], "result",
				    json_string(result_of(found[i], &metrics[i], p[i], smallest_effect)));
		ret |= json_array_append_new(out, found[i]);
	}
	return ret;
}

static char *key_of(const json_t *trial, bool with_chaos)
{
	char *key = NULL;

	return asprintf(&key, "%s\n%s", json_text_or(trial, "subject", ""),
			with_chaos ? json_text_or(trial, "chaos", "") : "") < 0
		       ? NULL
		       : key;
}

/* {KEY: [TRIAL, …]} by subject and chaos type, or the baselines by subject; in the order of the first trials. */
static json_t *group_trials(const json_t *trials, bool baselines)
{
	_cleanup_json_ json_t *groups = json_object();
	json_t *trial;
	size_t i;

	json_array_foreach (trials, i, trial) {
		_cleanup_free_ char *key = NULL;
		json_t *group;

		if (baselines && !is_baseline(trial))
			continue;
		key = key_of(trial, !baselines);
		if (!key)
			return NULL;
		if (!json_object_get(groups, key))
			json_object_set_new(groups, key, json_array());
		group = json_object_get(groups, key);
		if (json_array_append(group, trial))
			return NULL;
	}
	return TAKE_PTR(groups);
}

/* {NAME: …} of all probes that a trial of the group has samples of. */
static json_t *probes_of(const json_t *group)
{
	json_t *all = json_object();
	const json_t *trial;
	size_t i;

	json_array_foreach (group, i, trial)
		json_object_update_missing(all,
					   json_object_get(json_object_get(trial, "summary"), "probes") ?: json_null());
	return all;
}

/* The trial's own metrics come last. */
static int compare_groups(json_t *out, const json_t *a, const json_t *b, double smallest_effect)
{
	_cleanup_json_ json_t *probes = probes_of(b);
	const char *probe;
	json_t *windows;

	json_object_foreach (probes, probe, windows)
		if (compare_probe(out, a, b, probe, smallest_effect))
			return -1;
	return compare_probe(out, a, b, NULL, smallest_effect);
}

json_t *compare_trials(const json_t *a, const json_t *b, const struct compare_options *options)
{
	_cleanup_json_ json_t *out = json_array(), *groups_b = group_trials(b, false);
	_cleanup_json_ json_t *groups_a = group_trials(a, options->with_baseline);
	const char *name;
	json_t *group;

	if (!groups_a || !groups_b)
		return NULL;
	json_object_foreach (groups_b, name, group) {
		const json_t *first = json_array_get(group, 0);
		_cleanup_free_ char *key = key_of(first, !options->with_baseline);

		if (options->with_baseline && is_baseline(first))
			continue;
		if (!key || compare_groups(out, json_object_get(groups_a, key), group, options->smallest_effect))
			return NULL;
	}
	return TAKE_PTR(out);
}

json_t *compare_with_baseline(const json_t *trials)
{
	static const struct compare_options options = {.with_baseline = true,
						       .smallest_effect = COMPARE_EFFECT_DEFAULT};

	return compare_trials(trials, trials, &options);
}

bool compare_has_worse(const json_t *comparisons)
{
	const json_t *one;
	size_t i;

	json_array_foreach (comparisons, i, one)
		if (!strcmp(json_text_or(one, "result", ""), "worse"))
			return true;
	return false;
}

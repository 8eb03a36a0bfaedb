/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/expectations.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analysis/metrics.h"
#include "util/json.h"
#include "util/text.h"

#define CHECK "check" /* the name of a final check in the list */

/* How an expectation is judged and told. */
static const struct limit {
	const char *key;  /* in a window of the summary; NULL: it has a rule of its own */
	const char *what; /* in words */
	const char *unit;
	double scale; /* from the recorded number to the unit */
	bool is_min;
	bool has_interval;
	bool is_latency;
} limits[EXPECT_COUNT] = {
	[EXPECT_AVAILABILITY] = {"availability", "availability", " %", 100, .is_min = true, .has_interval = true},
	[EXPECT_P50] = {"p50_ms", "p50", " ms", 1, .has_interval = true, .is_latency = true},
	[EXPECT_P90] = {"p90_ms", "p90", " ms", 1, .has_interval = true, .is_latency = true},
	[EXPECT_P99] = {"p99_ms", "p99", " ms", 1, .has_interval = true, .is_latency = true},
	[EXPECT_OUTAGE] = {"outage_seconds", "longest outage", " s", 1},
	[EXPECT_ERRORS] = {NULL, "errors", "", 1},
	[EXPECT_RECOVERY] = {NULL, "recovery", " s", 1},
};

struct measured {
	double value, low, high; /* NAN: none; low and high: the interval does not end there */
	json_int_t samples;      /* that the value is of: of a percentile the good ones */
	bool all_bad;            /* there were samples, but none is good */
};

static double number_of(const json_t *value)
{
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static struct measured measure(const struct limit *limit, const json_t *during, const json_t *intervals)
{
	const json_t *interval = json_object_get(intervals, limit->key ?: "");
	struct measured measured = {
		.low = number_of(json_array_get(interval, 0)),
		.high = number_of(json_array_get(interval, 1)),
		.samples = json_integer_at(during, "count"),
	};
	json_int_t good = json_integer_at(during, "good");

	measured.value = limit->key ? json_number_at(during, limit->key) : (double)(measured.samples - good);
	if (limit->is_latency) {
		measured.all_bad = measured.samples && !good;
		measured.samples = good;
	}
	if (!limit->has_interval)
		measured.low = measured.high = measured.value;
	return measured;
}

/* An end that an interval does not have is beyond every limit, and a comparison with NAN is false. */
static enum trial_verdict compare(const struct limit *limit, double asked, const struct measured *measured)
{
	double good_end = limit->is_min ? measured->low : measured->high;
	double bad_end = limit->is_min ? measured->high : measured->low;

	/* No interval of a share excludes less than 1. */
	if (limit == &limits[EXPECT_AVAILABILITY] && asked >= 1)
		good_end = bad_end = measured->value;
	if (!measured->samples)
		return measured->all_bad ? VERDICT_FAIL : VERDICT_INCONCLUSIVE;
	if (limit->is_min ? good_end >= asked : good_end <= asked)
		return VERDICT_PASS;
	if (limit->is_min ? bad_end < asked : bad_end > asked)
		return VERDICT_FAIL;
	return VERDICT_INCONCLUSIVE;
}

static void add(json_t *list, enum expectation expectation, const char *probe, double asked,
		const struct measured *measured, enum trial_verdict verdict)
{
	json_array_append_new(list,
			      json_pack("{s:s, s:s?, s:f, s:o, s:o, s:o, s:I, s:s}", "name",
					expectation_name(expectation), "probe", probe, "asked", asked, "measured",
					json_number_or_null(measured->value), "low", json_number_or_null(measured->low),
					"high", json_number_or_null(measured->high), "samples", measured->samples,
					"verdict", verdict_name(verdict)));
}

static enum trial_verdict judge_probe(const struct expectations *asked, const char *probe, const json_t *summary,
				      json_t *list)
{
	const json_t *windows = json_object_get(json_object_get(summary, "probes"), probe);
	const json_t *intervals = json_object_get(json_object_get(summary, "intervals"), probe);
	enum trial_verdict all = VERDICT_PASS;

	for (enum expectation i = 0; i < EXPECT_RECOVERY; i++) {
		struct measured measured =
			measure(&limits[i], json_object_get(windows, "during"), json_object_get(intervals, "during"));
		double limit = expectation_limit(asked, probe, i);
		enum trial_verdict verdict = compare(&limits[i], limit, &measured);

		if (isnan(limit))
			continue;
		add(list, i, probe, limit, &measured, verdict);
		all = verdict_worse(all, verdict);
	}
	return all;
}

static enum trial_verdict judge_recovery(double asked, const json_t *summary, json_t *list)
{
	double seconds = json_number_at(summary, "recovery_seconds");
	struct measured measured = {.value = seconds, .low = seconds, .high = seconds};
	enum trial_verdict verdict = seconds <= asked ? VERDICT_PASS : VERDICT_FAIL;

	if (isnan(asked))
		return VERDICT_PASS;
	add(list, EXPECT_RECOVERY, NULL, asked, &measured, verdict);
	return verdict;
}

enum trial_verdict expectations_judge(const struct expectations *asked, const char *const *probes, size_t probe_count,
				      const json_t *summary, json_t *list)
{
	enum trial_verdict verdict = VERDICT_PASS;

	for (size_t i = 0; i < probe_count; i++)
		verdict = verdict_worse(verdict, judge_probe(asked, probes[i], summary, list));
	return verdict_worse(verdict, judge_recovery(asked->limits[EXPECT_RECOVERY], summary, list));
}

enum trial_verdict expectations_add_check(json_t *list, const char *check, bool good, const char *result)
{
	enum trial_verdict verdict = good ? VERDICT_PASS : VERDICT_FAIL;

	json_array_append_new(list,
			      json_pack("{s:s, s:n, s:s, s:o, s:n, s:n, s:n, s:n, s:i, s:s}", "name", CHECK, "probe",
					"check", check, "result", json_outside(result), "asked", "measured", "low",
					"high", "samples", 0, "verdict", verdict_name(verdict)));
	return verdict;
}

enum trial_verdict expectation_verdict(const json_t *expectation)
{
	const json_t *ok = json_object_get(expectation, "ok");

	if (json_is_boolean(ok))
		return json_is_true(ok) ? VERDICT_PASS : VERDICT_FAIL;
	return verdict_find(json_text_or(expectation, "verdict", ""));
}

/* "90", "10.6": at most four digits that count, none of them a useless zero. */
static const char *number_text(char out[32], const struct limit *limit, double value)
{
	snprintf(out, 32, "%.4g", value * limit->scale);
	return out;
}

static void describe_measured(char *out, size_t size, const struct limit *limit, const json_t *expectation)
{
	double value = json_number_at(expectation, "measured"), low = json_number_at(expectation, "low");
	double high = json_number_at(expectation, "high");
	json_int_t samples = json_integer_at(expectation, "samples");
	char number[32], ends[2][32];

	if (limit == &limits[EXPECT_RECOVERY] && isnan(value))
		text_append(out, size, " never");
	else if (isnan(value) && !samples)
		text_append(out, size, " unknown: no %ssample",
			    expectation_verdict(expectation) == VERDICT_FAIL ? "good " : "");
	else if (isnan(value) && !isnan(low))
		text_append(out, size, " at least %s%s (%lld samples)", number_text(number, limit, low), limit->unit,
			    (long long)samples);
	else if (isnan(value))
		text_append(out, size, " unknown: %lld sample%s", (long long)samples, text_plural(samples));
	else
		text_append(out, size, " %s%s", number_text(number, limit, value), limit->unit);
	if (isnan(value) || !limit->has_interval || !samples)
		return;
	text_append(out, size, " (%s–%s of %lld sample%s)", isnan(low) ? "?" : number_text(ends[0], limit, low),
		    isnan(high) ? "?" : number_text(ends[1], limit, high), (long long)samples, text_plural(samples));
}

void expectation_describe(char *out, size_t size, const json_t *expectation)
{
	const char *name = json_text_or(expectation, "name", "?"), *probe = json_text_or(expectation, "probe", NULL);
	const struct limit *limit = NULL;
	char asked[32];

	if (metrics_describe(out, size, expectation))
		return;
	if (!strcmp(name, CHECK)) {
		snprintf(out, size, "check %s: %s, expected exit 0", json_text_or(expectation, "check", "?"),
			 json_text_or(expectation, "result", "?"));
		return;
	}
	for (enum expectation i = 0; i < EXPECT_COUNT; i++)
		if (!strcmp(expectation_name(i), name))
			limit = &limits[i];
	if (!limit) {
		snprintf(out, size, "%s, which this eval does not know", name);
		return;
	}
	snprintf(out, size, "%s%s%s", limit->what, probe ? " of " : "", probe ?: "");
	describe_measured(out, size, limit, expectation);
	text_append(out, size, ", expected %s %s%s", limit->is_min ? "at least" : "at most",
		    number_text(asked, limit, json_number_at(expectation, "asked")), limit->unit);
}

void expectations_list(char *out, size_t size, const json_t *list, enum trial_verdict verdict)
{
	const json_t *expectation;
	char text[256];
	size_t i;

	out[0] = '\0';
	json_array_foreach (list, i, expectation) {
		if (expectation_verdict(expectation) != verdict)
			continue;
		expectation_describe(text, sizeof(text), expectation);
		text_append(out, size, "%s%s", *out ? "; " : "", text);
	}
}

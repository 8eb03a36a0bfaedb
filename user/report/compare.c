/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints the comparison of trials. */
#include "report/internal.h"

#include <math.h>
#include <string.h>

#include "analysis/compare.h"
#include "util/cleanup.h"
#include "util/json.h"

static bool is_share(const char *metric)
{
	return !strcmp(metric, "availability");
}

static const char *number(char out[REPORT_CELL_SIZE], const char *metric, const json_t *value)
{
	if (is_share(metric))
		return report_percent(out, value);
	return strstr(metric, "_seconds") ? report_seconds(out, value) : report_milliseconds(out, value);
}

/* A difference, with its sign. */
static const char *difference(char out[REPORT_CELL_SIZE], const char *metric, const json_t *value)
{
	double shift = json_number_value(value);
	char size[REPORT_CELL_SIZE];
	_cleanup_json_ json_t *plain = json_real(fabs(shift));

	if (is_share(metric))
		snprintf(out, REPORT_CELL_SIZE, "%+.1f %%", shift * 100);
	else
		snprintf(out, REPORT_CELL_SIZE, "%c%.30s", shift < 0 ? '-' : '+', number(size, metric, plain));
	return out;
}

/* "p50" of "p50_ms". */
static const char *title_of(const char *metric)
{
	static const char *const titles[][2] = {
		{"p50_ms", "p50"},
		{"p99_ms", "p99"},
		{"outage_seconds", "outage"},
		{"recovery_seconds", "recovery"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		if (!strcmp(metric, titles[i][0]))
			return titles[i][1];
	return metric;
}

static double in_group(const json_t *comparison, const char *group, const char *key)
{
	return json_number_value(json_object_get(json_object_get(comparison, group), key));
}

/* Of too few trials, the ratio of the medians and how far it may be off, which claims nothing. */
static void print_ratio(FILE *out, const json_t *one)
{
	double median = in_group(one, "a", "median"), least = in_group(one, "a", "min");

	if (median > 0 && least > 0)
		fprintf(out, "ratio %.2f", in_group(one, "b", "median") / median);
	else
		fputs("no ratio", out);
	if (median > 0 && least > 0 && in_group(one, "a", "trials") + in_group(one, "b", "trials") > 2)
		fprintf(out, " (%.2f to %.2f)", in_group(one, "b", "min") / in_group(one, "a", "max"),
			in_group(one, "b", "max") / least);
}

static void print_result(FILE *out, const json_t *one)
{
	const char *metric = json_text_or(one, "metric", "?"), *result = json_text_or(one, "result", "?");
	char shift[REPORT_CELL_SIZE], low[REPORT_CELL_SIZE], high[REPORT_CELL_SIZE];
	double effect = json_number_value(json_object_get(one, "effect"));

	if (!strcmp(result, "too few")) {
		print_ratio(out, one);
		return;
	}
	if (!strcmp(result, "same")) {
		fputs("the same in all trials", out);
		return;
	}
	fprintf(out, "%s (%s to %s)", difference(shift, metric, json_object_get(one, "shift")),
		difference(low, metric, json_object_get(one, "low")),
		difference(high, metric, json_object_get(one, "high")));
	if (json_is_number(json_object_get(one, "effect")))
		fprintf(out, ", %+.0f %%", effect * 100);
	fprintf(out, ", p %.3f: %s", json_number_value(json_object_get(one, "p_adjusted")),
		!strcmp(result, "open")    ? "not shown"
		: !strcmp(result, "small") ? "too small to count"
					   : result);
}

static void print_heading(FILE *out, const json_t *one)
{
	const char *probe = json_text_or(one, "probe", NULL);

	fputc('\n', out);
	report_text(out, json_text_or(one, "subject", "?"), "");
	fputs(", ", out);
	report_text(out, json_text_or(one, "chaos", "?"), "");
	if (probe) {
		fputs(", ", out);
		report_text(out, probe, "");
	}
	fprintf(out, ": %.0f and %.0f trials\n", in_group(one, "a", "trials"), in_group(one, "b", "trials"));
}

bool is_same_probe(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"subject", "chaos", "probe"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
			return false;
	return true;
}

/* with_needed: see struct report_comparison. */
static void print_comparisons(FILE *out, const json_t *comparisons, bool with_needed)
{
	const json_t *one, *last = NULL;
	bool too_few = false;
	size_t i;

	json_array_foreach (comparisons, i, one) {
		const char *metric = json_text_or(one, "metric", "?");
		char a[REPORT_CELL_SIZE], b[REPORT_CELL_SIZE];

		if (!last || !is_same_probe(last, one))
			print_heading(out, one);
		last = one;
		fprintf(out, "  %-13s%9s  %9s  ", title_of(metric),
			number(a, metric, json_object_get(json_object_get(one, "a"), "median")),
			number(b, metric, json_object_get(json_object_get(one, "b"), "median")));
		print_result(out, one);
		if (with_needed && json_is_integer(json_object_get(one, "trials_needed")))
			fprintf(out, "; needs %lld each", (long long)json_integer_at(one, "trials_needed"));
		fputc('\n', out);
		too_few |= !strcmp(json_text_or(one, "result", ""), "too few");
	}
	if (too_few)
		fprintf(out,
			"\nBelow %d and %d trials nothing can be claimed: ratios of the medians, with their range.\n",
			COMPARE_TRIALS_LEAST, COMPARE_TRIALS_LEAST);
}

/* Removes what claims nothing. True if something is left. */
static bool keep_claims(json_t *comparisons)
{
	for (size_t i = json_array_size(comparisons); i-- > 0;)
		if (!strcmp(json_text_or(json_array_get(comparisons, i), "result", ""), "too few"))
			json_array_remove(comparisons, i);
	return json_array_size(comparisons);
}

void print_baseline(FILE *out, const json_t *trials)
{
	_cleanup_json_ json_t *comparisons = compare_with_baseline(trials);
	bool any = json_array_size(comparisons);

	if (any && keep_claims(comparisons)) {
		fputs("\nBaseline against chaos\n", out);
		print_comparisons(out, comparisons, false);
	} else if (any) {
		fprintf(out, "\nToo few trials to compare with the baseline: it takes %d of each.\n",
			COMPARE_TRIALS_LEAST);
	}
}

static size_t count_baselines(const json_t *trials, const char *status)
{
	size_t i, count = 0;
	const json_t *trial;

	json_array_foreach (trials, i, trial)
		count += json_is_true(json_object_get(trial, "baseline")) &&
			 (!status || !strcmp(json_text_or(trial, "status", ""), status));
	return count;
}

static void print_comparison(FILE *out, const void *what)
{
	const struct report_comparison *comparison = what;
	size_t baselines = count_baselines(comparison->trials, NULL);
	size_t completed = count_baselines(comparison->trials, "completed");

	if (comparison->with_baseline)
		fprintf(out, "%s: chaos against its baseline\n", comparison->b);
	else
		fprintf(out, "%s against %s\n", comparison->b, comparison->a);
	if (comparison->with_baseline && !baselines)
		fputs("It has no baseline: include_baseline: true adds one.\n", out);
	else if (comparison->with_baseline && completed < baselines)
		fprintf(out, "%zu of %zu baseline trials did not complete, and are left out.\n", baselines - completed,
			baselines);
	print_comparisons(out, comparison->comparisons, comparison->with_needed);
	if (!json_array_size(comparison->comparisons))
		fputs("Nothing to compare: no trials of one subject and chaos type that completed in both.\n", out);
}

void report_compare(FILE *out, int reader_fd, const struct report_comparison *comparison)
{
	print_wrapped(out, reader_fd, print_comparison, comparison);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Says in words what each chaos type did to each probe. */
#include "report/internal.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/effects.h"
#include "analysis/metrics.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

#define FINDINGS_MAX 3
#define SLOWER_MIN 1.5 /* times */

typedef const char *(*number_format)(char out[REPORT_CELL_SIZE], const json_t *value);

/* Appends "98.2 %", or "98.2 % to 99.1 %"; before goes in front, but for a comma at the start. False if there is no
 * such number. */
static bool append_range(char *out, size_t size, const json_t *effect, const char *key, number_format format,
			 const char *before)
{
	_cleanup_json_ json_t *low = NULL, *high = NULL;
	char least_text[REPORT_CELL_SIZE], most_text[REPORT_CELL_SIZE];
	double least, most;

	if (!effects_range(effect, key, &least, &most))
		return false;
	low = json_real(least);
	high = json_real(most);
	format(least_text, low);
	format(most_text, high);
	text_append(out, size, "%s%s", before + (*out || *before != ',' ? 0 : strlen(", ")), least_text);
	if (strcmp(least_text, most_text))
		text_append(out, size, " to %s", most_text);
	return true;
}

void finding_describe(char *out, size_t size, const json_t *effect)
{
	double least, most;

	out[0] = '\0';
	if (append_range(out, size, effect, "availability", report_percent, ""))
		text_append(out, size, " available");
	if (append_range(out, size, effect, "p50_ms", report_milliseconds, ", p50 ") &&
	    append_range(out, size, effect, "before_p50_ms", report_milliseconds, " (before "))
		text_append(out, size, ")");
	if (effects_range(effect, "outage_seconds", &least, &most) && most > 0)
		append_range(out, size, effect, "outage_seconds", report_seconds, ", outage ");
	append_range(out, size, effect, "recovery_seconds", report_seconds, ", recovery ");
	text_append(out, size, "%s%lld of %lld passed", *out ? "; " : "", (long long)json_integer_at(effect, "passed"),
		    (long long)json_integer_at(effect, "trials"));
}

/* A number of any size, as "12.3" or "1.23e+09". */
static const char *number_text(char out[REPORT_CELL_SIZE], const json_t *value)
{
	snprintf(out, REPORT_CELL_SIZE, "%.4g", json_number_value(value));
	return out;
}

void finding_describe_metric(char *out, size_t size, const json_t *effect)
{
	out[0] = '\0';
	if (append_range(out, size, effect, "before", number_text, ""))
		text_append(out, size, " before");
	if (append_range(out, size, effect, "during", number_text, ", "))
		text_append(out, size, " during the fault");
	if (!*out)
		text_append(out, size, "no value");
}

static void print_metric_effects(FILE *out, const json_t *trials)
{
	_cleanup_json_ json_t *effects = metrics_effects(trials);
	const json_t *effect;
	char text[256];
	size_t i;

	json_array_foreach (effects, i, effect) {
		finding_describe_metric(text, sizeof(text), effect);
		fputs("  ", out);
		report_text(out, json_text_or(effect, "chaos", "?"), "");
		fputs(", ", out);
		report_text(out, json_text_or(effect, "source", "?"), "");
		fputs(": ", out);
		report_text(out, json_text_or(effect, "series", "?"), "");
		fprintf(out, "%s: %s\n", strcmp(json_text_or(effect, "kind", ""), "rate") ? "" : " a second", text);
	}
}

/* How bad an effect is: what stops is worse than what fails, and that is worse than what is slow. 0: no effect. */
struct badness {
	const json_t *effect;
	double outage_seconds, lost, slower; /* lost: 0…1; slower: a factor from SLOWER_MIN on, else 0 */
};

static struct badness badness_of(const json_t *effect)
{
	struct badness bad = {.effect = effect};
	double least, most, before;

	if (effects_range(effect, "outage_seconds", &least, &most))
		bad.outage_seconds = most;
	if (effects_range(effect, "availability", &least, &most))
		bad.lost = 1 - least;
	if (effects_range(effect, "before_p50_ms", &before, &most) && effects_range(effect, "p50_ms", &least, &most) &&
	    before > 0 && most / before >= SLOWER_MIN)
		bad.slower = most / before;
	return bad;
}

static int compare_badness(const void *a, const void *b)
{
	const struct badness *x = a, *y = b;
	double first = y->outage_seconds - x->outage_seconds, second = y->lost - x->lost, third = y->slower - x->slower;

	return first != 0    ? (first > 0) - (first < 0)
	       : second != 0 ? (second > 0) - (second < 0)
			     : (third > 0) - (third < 0);
}

/* "put stops for 1.2 s to 1.6 s, in 4 of 4 trials"; "put is 6.8 times slower: p50 116 ms (before 17 ms)". */
static void say_finding(char *out, size_t size, const struct badness *bad)
{
	const json_t *effect = bad->effect;
	long long trials = json_integer_at(effect, "trials");

	snprintf(out, size, "%s", json_text_or(effect, "probe", "?"));
	if (bad->outage_seconds > 0) {
		append_range(out, size, effect, "outage_seconds", report_seconds, " stops for ");
		text_append(out, size, ", in %lld of %lld trial%s", (long long)json_integer_at(effect, "outages"),
			    trials, text_plural(trials));
	}
	if (bad->lost > 0)
		append_range(out, size, effect, "availability", report_percent, ", is available ");
	if (bad->slower > 0) {
		text_append(out, size, "%s is %.*f times slower: p50 ",
			    bad->outage_seconds > 0 || bad->lost > 0 ? "," : "", bad->slower < 10, bad->slower);
		append_range(out, size, effect, "p50_ms", report_milliseconds, "");
		append_range(out, size, effect, "before_p50_ms", report_milliseconds, " (before ");
		text_append(out, size, ")");
	}
}

static json_t *finding_to_json(const struct badness *bad)
{
	bool is_bad = bad->outage_seconds > 0 || bad->lost > 0 || bad->slower > 0;
	char text[512];

	say_finding(text, sizeof(text), bad);
	return json_pack("{s:O, s:b, s:o}", "effect", bad->effect, "bad", is_bad, "text", json_outside(text));
}

json_t *findings_rank(const json_t *effects)
{
	_cleanup_free_ struct badness *all = calloc(json_array_size(effects) + 1, sizeof(*all));
	json_t *findings = json_array();
	const json_t *effect;
	size_t count = 0, i;

	json_array_foreach (effects, i, effect)
		if (all && !json_is_true(json_object_get(effect, "baseline")) &&
		    json_is_array(json_object_get(effect, "availability")))
			all[count++] = badness_of(effect);
	if (count)
		qsort(all, count, sizeof(*all), compare_badness);
	for (i = 0; i < count; i++)
		json_array_append_new(findings, finding_to_json(&all[i]));
	return findings;
}

static void print_finding(FILE *out, const json_t *finding, const char *before, const char *between)
{
	fputs(before, out);
	report_text(out, json_text_or(json_object_get(finding, "effect"), "chaos", "?"), "");
	fputs(between, out);
	report_text(out, json_text_or(finding, "text", ""), "");
}

/* What the faults did to the probes: the worst first, at most FINDINGS_MAX, and then what did nothing. */
static void print_findings(FILE *out, const json_t *effects)
{
	_cleanup_json_ json_t *findings = findings_rank(effects);
	size_t count = json_array_size(findings), bad = 0;

	if (count)
		fputs("\nFindings\n", out);
	for (; bad < count && json_is_true(json_object_get(json_array_get(findings, bad), "bad")); bad++) {
		if (bad >= FINDINGS_MAX)
			continue;
		print_finding(out, json_array_get(findings, bad), "  ", ": ");
		fputc('\n', out);
	}
	if (bad > FINDINGS_MAX)
		fprintf(out, "  and %zu more: see the effects above\n", bad - FINDINGS_MAX);
	for (size_t i = bad; i < count; i++)
		print_finding(out, json_array_get(findings, i), i > bad ? ", " : "  without effect: ", " on ");
	if (bad < count)
		fputc('\n', out);
}

static void print_effects(FILE *out, const json_t *effects)
{
	const json_t *effect;
	char text[512];
	size_t i;

	fputs("\nEffects\n", out);
	json_array_foreach (effects, i, effect) {
		const char *probe = json_text_or(effect, "probe", NULL);

		finding_describe(text, sizeof(text), effect);
		fputs("  ", out);
		report_text(out, json_text_or(effect, "chaos", "?"), "");
		if (probe) {
			fputs(", ", out);
			report_text(out, probe, "");
		}
		fprintf(out, ": %s\n", text);
	}
}

static void print_conclusions(FILE *out, const void *trials)
{
	_cleanup_json_ json_t *effects = effects_make(trials);

	print_effects(out, effects);
	print_metric_effects(out, trials);
	print_baseline(out, trials);
	print_findings(out, effects);
}

void report_conclusions(FILE *out, int reader_fd, const json_t *trials)
{
	print_wrapped(out, reader_fd, print_conclusions, trials);
}

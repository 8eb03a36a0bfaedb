/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Says in words what each chaos type did to each probe. */
#include "report/internal.h"

#include <string.h>

#include "analysis/effects.h"
#include "analysis/metrics.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

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

static void print_metric_effects(FILE *out, const json_t *trials)
{
	_cleanup_json_ json_t *effects = metrics_effects(trials);
	const json_t *effect;
	size_t i;

	json_array_foreach (effects, i, effect) {
		char text[256] = "";

		if (append_range(text, sizeof(text), effect, "before", number_text, ": "))
			text_append(text, sizeof(text), " before");
		if (append_range(text, sizeof(text), effect, "during", number_text, *text ? ", " : ": "))
			text_append(text, sizeof(text), " during the fault");
		fputs("  ", out);
		report_text(out, json_text_or(effect, "chaos", "?"), "");
		fputs(", ", out);
		report_text(out, json_text_or(effect, "source", "?"), "");
		fputs(": ", out);
		report_text(out, json_text_or(effect, "series", "?"), "");
		fprintf(out, "%s%s\n", strcmp(json_text_or(effect, "kind", ""), "rate") ? "" : " a second",
			*text ? text : ": no value");
	}
}

static void print_findings(FILE *out, const json_t *trials)
{
	_cleanup_json_ json_t *effects = effects_make(trials);
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
	print_metric_effects(out, trials);
}

static void print_conclusions(FILE *out, const json_t *trials)
{
	print_findings(out, trials);
	print_baseline(out, trials);
}

void report_conclusions(FILE *out, int reader_fd, const json_t *trials)
{
	print_wrapped(out, reader_fd, print_conclusions, trials);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Formats values, text and histograms for people. */
#include "report/report.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "util/cleanup.h"

const char *report_percent(char out[REPORT_CELL_SIZE], const json_t *value)
{
	double share = json_number_value(value);

	if (!json_is_number(value))
		return strcpy(out, "-");
	/* Rounds down, so that only a full share shows as 100 %; 1e-9 makes up for binary rounding of decimals. */
	if (share >= 1)
		return strcpy(out, "100 %");
	if (share > 0 && share < 0.001)
		return strcpy(out, "<0.1 %");
	snprintf(out, REPORT_CELL_SIZE, "%.1f %%", floor(share * 1000 + 1e-9) / 10);
	return out;
}

const char *report_milliseconds(char out[REPORT_CELL_SIZE], const json_t *value)
{
	double ms = json_number_value(value);

	if (!json_is_number(value))
		return strcpy(out, "-");
	if (ms < 0.995)
		snprintf(out, REPORT_CELL_SIZE, "%.2f ms", ms);
	else if (ms < 9.95)
		snprintf(out, REPORT_CELL_SIZE, "%.1f ms", ms);
	else if (ms < 999.5)
		snprintf(out, REPORT_CELL_SIZE, "%.0f ms", ms);
	else
		snprintf(out, REPORT_CELL_SIZE, ms < 99950 ? "%.1f s" : "%.0f s", ms / 1000);
	return out;
}

const char *report_percentile(char out[REPORT_CELL_SIZE], const json_t *window, const char *key)
{
	const json_t *value = json_object_get(window, key);

	if (json_is_null(value) && json_integer_value(json_object_get(window, "good")) > 0)
		return strcpy(out, !strcmp(key, "p99_ms") ? "<100" : "<10");
	return report_milliseconds(out, value);
}

const char *report_seconds(char out[REPORT_CELL_SIZE], const json_t *value)
{
	double seconds = json_number_value(value);

	if (!json_is_number(value))
		return strcpy(out, "-");
	snprintf(out, REPORT_CELL_SIZE, seconds < 9.995 ? "%.2f s" : "%.1f s", seconds);
	return out;
}

const char *report_count(char out[REPORT_CELL_SIZE], const json_t *value)
{
	static const struct {
		double from, unit;
		const char *suffix;
	} scales[] = {{999.95e9, 1e12, "T"}, {999.95e6, 1e9, "G"}, {999.95e3, 1e6, "M"}, {1e5, 1e3, "k"}};
	double count = json_number_value(value);

	if (!json_is_number(value))
		return strcpy(out, "-");
	for (size_t i = 0; i < ARRAY_SIZE(scales); i++)
		if (count >= scales[i].from) {
			snprintf(out, REPORT_CELL_SIZE, "%.1f%s", count / scales[i].unit, scales[i].suffix);
			return out;
		}
	snprintf(out, REPORT_CELL_SIZE, "%.0f", count);
	return out;
}

void report_text(FILE *out, const char *text, const char *indent)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		/* U+0080…U+009F are control characters too. */
		bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f;

		if (*c == '\n')
			fprintf(out, "\n%s", indent);
		else if ((*c < 0x20 && *c != '\t') || *c == 0x7f || c1)
			fputc('?', out);
		else
			fputc(*c, out);
		c += c1;
	}
}

/* Prints the buckets from the first to the last that is not empty. */
void report_histogram(FILE *out, const json_t *histogram, const char *indent)
{
	static const char bar[] = "########################################";
	const json_t *buckets = json_object_get(histogram, "log2_us"), *bucket;
	size_t first = json_array_size(buckets), last = 0, i;
	json_int_t most = 0;

	json_array_foreach (buckets, i, bucket) {
		if (!json_integer_value(bucket))
			continue;
		first = first < i ? first : i;
		last = i;
		if (json_integer_value(bucket) > most)
			most = json_integer_value(bucket);
	}
	for (i = first; most && i <= last; i++) {
		json_int_t count = json_integer_value(json_array_get(buckets, i));
		_cleanup_json_ json_t *low = json_real(ldexp(1, (int)i) / 1000);
		_cleanup_json_ json_t *high = json_real(ldexp(1, (int)i + 1) / 1000);
		char from[REPORT_CELL_SIZE], to[REPORT_CELL_SIZE];
		int length = count > 0 ? (int)ceil((double)count * (double)strlen(bar) / (double)most) : 0;

		fprintf(out, "%s%8s … %-8s |%-*.*s| %" JSON_INTEGER_FORMAT "\n", indent, report_milliseconds(from, low),
			report_milliseconds(to, high), (int)strlen(bar), length, bar, count);
	}
}

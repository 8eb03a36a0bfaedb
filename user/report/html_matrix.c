/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The matrix of a page: chaos types by subjects and their probes, shaded by effect, and a table with its numbers. */
#include "report/html.h"

#include <string.h>

#include "analysis/effects.h"
#include "report/formats.h"
#include "report/internal.h"
#include "util/json.h"

static const char *heat(const json_t *effect)
{
	double least, most, before, slow, slower = 1;

	if (!effects_range(effect, "availability", &least, &most))
		return "";
	if (effects_range(effect, "before_p50_ms", &before, &most) && before > 0 &&
	    effects_range(effect, "p50_ms", &most, &slow))
		slower = slow / before;
	if (least < 0.5 || slower > 100)
		return "h3";
	if (least < 0.9 || slower > 10)
		return "h2";
	return least < 0.999 || slower > 2 ? "h1" : "";
}

static void put_range(FILE *out, const json_t *effect, const char *key,
		      const char *(*format)(char out[REPORT_CELL_SIZE], const json_t *value))
{
	const json_t *range = json_object_get(effect, key);
	char least[REPORT_CELL_SIZE], most[REPORT_CELL_SIZE];

	format(least, json_array_get(range, 0));
	format(most, json_array_get(range, 1));
	fprintf(out, strcmp(least, most) ? "%s to %s" : "%s", least, most);
}

static void put_effect_row(FILE *out, const json_t *effect)
{
	const char *class = heat(effect);

	fputs("<tr><th scope=\"row\">", out);
	markup_member(out, "", effect, "chaos");
	fputs("</th><td class=\"text\">", out);
	markup_member(out, "", effect, "subject");
	fputs("</td><td class=\"text\">", out);
	markup_member(out, "", effect, "probe");
	fprintf(out, "</td><td>%lld of %lld</td><td class=\"%s\">", (long long)json_integer_at(effect, "passed"),
		(long long)json_integer_at(effect, "trials"), class);
	put_range(out, effect, "availability", report_percent);
	fprintf(out, "</td><td class=\"%s\">", class);
	put_range(out, effect, "p50_ms", report_milliseconds);
	fputs("</td><td>", out);
	put_range(out, effect, "p99_ms", report_milliseconds);
	fputs("</td><td>", out);
	put_range(out, effect, "outage_seconds", report_seconds);
	fputs("</td><td>", out);
	put_range(out, effect, "recovery_seconds", report_seconds);
	fputs("</td></tr>\n", out);
}

static void put_effect_table(FILE *out, const json_t *effects)
{
	const json_t *effect;
	size_t i;

	fputs("<details><summary>Its numbers</summary><div class=\"wide\" tabindex=\"0\"><table><thead><tr><th "
	      "scope=\"col\">chaos</th><th scope=\"col\">subject</th><th scope=\"col\">probe</th><th "
	      "scope=\"col\">passed</th><th scope=\"col\">availability</th><th scope=\"col\">p50</th><th "
	      "scope=\"col\">p99</th><th scope=\"col\">longest outage</th><th scope=\"col\">recovery</th></tr></thead>"
	      "<tbody>\n",
	      out);
	json_array_foreach (effects, i, effect)
		put_effect_row(out, effect);
	fputs("</tbody></table></div></details>\n", out);
}

static bool is_same(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

static bool is_same_column(const json_t *a, const json_t *b)
{
	return is_same(a, b, "subject") && is_same(a, b, "probe");
}

static bool is_same_row(const json_t *a, const json_t *b)
{
	return is_same(a, b, "chaos");
}

/* True if no effect before it is in its row, or column. */
static bool is_new(const json_t *effects, size_t number, bool (*is_beside)(const json_t *a, const json_t *b))
{
	for (size_t i = 0; i < number; i++)
		if (is_beside(json_array_get(effects, i), json_array_get(effects, number)))
			return false;
	return true;
}

static void put_cell(FILE *out, const json_t *effects, const json_t *row, const json_t *column)
{
	const json_t *effect;
	size_t i;

	json_array_foreach (effects, i, effect) {
		if (!is_same_row(effect, row) || !is_same_column(effect, column))
			continue;
		fprintf(out, "<td class=\"text %s\">", heat(effect));
		put_range(out, effect, "availability", report_percent);
		fputs(" good", out);
		if (json_is_array(json_object_get(effect, "p50_ms"))) {
			fputs("<br>p50 ", out);
			put_range(out, effect, "p50_ms", report_milliseconds);
		}
		fputs("</td>", out);
		return;
	}
	fputs("<td></td>", out);
}

void html_put_matrix(FILE *out, const json_t *effects)
{
	size_t count = json_array_size(effects);

	fputs("<section><h2>Chaos by subject</h2>\n<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th "
	      "scope=\"col\">chaos</th>",
	      out);
	for (size_t i = 0; i < count; i++) {
		if (!is_new(effects, i, is_same_column))
			continue;
		fputs("<th scope=\"col\">", out);
		markup_member(out, "", json_array_get(effects, i), "subject");
		markup_member(out, ", ", json_array_get(effects, i), "probe");
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; i < count; i++) {
		if (!is_new(effects, i, is_same_row))
			continue;
		fputs("<tr><th scope=\"row\">", out);
		markup_member(out, "", json_array_get(effects, i), "chaos");
		fputs("</th>", out);
		for (size_t j = 0; j < count; j++)
			if (is_new(effects, j, is_same_column))
				put_cell(out, effects, json_array_get(effects, i), json_array_get(effects, j));
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n<p class=\"soft\">Under the fault; of a baseline, in the same time without one. "
	      "The "
	      "darker, the fewer samples were good or the slower they were than before.</p>\n",
	      out);
	put_effect_table(out, effects);
	fputs("</section>\n", out);
}

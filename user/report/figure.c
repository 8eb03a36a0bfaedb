/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A timeline as a figure of a page: what it shows in words, the drawing, the numbers for scripts, its events, its
 * table. */
#include "report/formats.h"
#include "report/html.h"
#include "report/timeline.h"

#include "util/clock.h"
#include "util/json.h"

static unsigned int count_samples(const struct timeline *timeline, const struct timeline_curve *curve,
				  unsigned int *bad)
{
	unsigned int count = 0;

	*bad = 0;
	for (size_t i = 0; i < timeline->points; i++) {
		*bad += curve->buckets[i].bad;
		count += curve->buckets[i].bad + curve->buckets[i].good;
	}
	return count;
}

static void put_median(FILE *out, const json_t *windows, const char *window, const char *when)
{
	const json_t *row = json_object_get(windows, window);
	char cell[REPORT_CELL_SIZE];

	if (json_integer_at(row, "good"))
		fprintf(out, " %s%s", report_percentile(cell, row, "p50_ms"), when);
	else
		fprintf(out, " no good sample%s", when);
}

/* What the chart shows, also for who cannot see it. */
static void put_curve_words(FILE *out, const struct timeline *timeline, const json_t *trial, size_t number)
{
	const struct timeline_curve *curve = &timeline->curves[number];
	const json_t *probes = json_object_get(json_object_get(trial, "summary"), "probes");
	const json_t *windows = json_object_get(probes, curve->probe);
	unsigned int bad, count = count_samples(timeline, curve, &bad);

	fprintf(out, "<span class=\"key p%zu\"></span><span class=\"name\">", number);
	markup_text(out, curve->probe);
	fputs("</span>", out);
	put_median(out, windows, "before", " before,");
	if (timeline->phase_count > TIMELINE_DURING)
		put_median(out, windows, "during",
			   timeline->is_baseline ? " in place of a fault," : " under the fault,");
	if (timeline->phase_count > TIMELINE_AFTER)
		put_median(out, windows, "after", " after,");
	fprintf(out, " %u of %u samples bad. ", bad, count);
}

static void put_caption(FILE *out, const struct timeline *timeline, const json_t *trial, const char *label)
{
	const json_t *recovery = json_object_get(json_object_get(trial, "summary"), "recovery_seconds");
	char cell[REPORT_CELL_SIZE];

	fprintf(out, "<figcaption><p id=\"%s\">Median latency:", label);
	for (size_t i = 0; i < timeline->curve_count; i++)
		put_curve_words(out, timeline, trial, i);
	if (json_is_number(recovery) && !timeline->is_baseline)
		fprintf(out, "Recovered %s after the revert.", report_seconds(cell, recovery));
	fputs("</p></figcaption>", out);
}

static void put_events(FILE *out, const struct timeline *timeline)
{
	if (!timeline->mark_count)
		return;
	fputs("<ol>", out);
	for (size_t i = 0; i < timeline->mark_count; i++) {
		const struct timeline_mark *mark = &timeline->marks[i];

		fprintf(out, "<li>%.3f s: ", (mark->at_ns - timeline->start_ns) / (double)NSEC_PER_SEC);
		markup_text(out, mark->text);
		fputs("</li>", out);
	}
	fputs("</ol>", out);
}

void figure_put(FILE *out, const struct timeline *timeline, const json_t *trial, size_t number)
{
	char label[32];

	snprintf(label, sizeof(label), "t%zu", number);
	fputs("<figure data-plot='", out);
	timeline_put_data(out, timeline);
	fputs("'>", out);
	put_caption(out, timeline, trial, label);
	timeline_put_svg(out, timeline, label);
	put_events(out, timeline);
	if (timeline->is_cut)
		fputs("<p class=\"soft\">The database has more series or events than this chart.</p>", out);
	fputs("</figure>\n", out);
}

void figure_put_table(FILE *out, const struct timeline *timeline)
{
	if (!timeline->line_count)
		return;
	fputs("<div class=wide tabindex=0><table><thead><tr><th>mean, most", out);
	for (size_t i = 0; i < timeline->phase_count; i++)
		fprintf(out, "<th>%s", timeline->phases[i].name);
	fputs("<tbody>\n", out);
	for (size_t i = 0; i < timeline->line_count; i++) {
		const struct timeline_line *line = &timeline->lines[i];

		fputs("<tr><th>", out);
		markup_text(out, line->name);
		for (size_t j = 0; j < timeline->phase_count; j++) {
			fputs("<td>", out);
			if (line->phases[j].count) {
				timeline_put_number(out, line->phases[j].sum / line->phases[j].count);
				fputs(", ", out);
				timeline_put_number(out, line->phases[j].most);
			}
		}
	}
	fputs("</table></div>\n", out);
}

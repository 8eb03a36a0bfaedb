/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An article about a trial on a page: verdict, time series, numbers, parameters, evidence. */
#include "report/html.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/summary.h"
#include "plan/status.h"
#include "report/formats.h"
#include "report/timeline.h"
#include "util/cleanup.h"
#include "util/json.h"

/* Most of a page of many trials is tables, so they are without the closing tags that HTML makes optional. */
static void put_phase_rows(FILE *out, const char *probe, const json_t *windows)
{
	static const char *const latencies[] = {"p50_ms", "p90_ms", "p99_ms", "max_ms"};

	for (size_t i = 0; i < WINDOW_COUNT; i++) {
		const json_t *window = json_object_get(windows, summary_window_names[i]);
		char cell[REPORT_CELL_SIZE];

		fputs("<tr><th>", out);
		markup_text(out, probe);
		fprintf(out, "<td class=text>%s", summary_window_names[i]);
		fprintf(out, "<td>%s", report_count(cell, json_object_get(window, "count")));
		fprintf(out, "<td>%s", report_percent(cell, json_object_get(window, "availability")));
		for (size_t j = 0; j < ARRAY_SIZE(latencies); j++) {
			fputs("<td>", out);
			markup_text(out, report_percentile(cell, window, latencies[j]));
		}
		fprintf(out, "<td>%s", report_seconds(cell, json_object_get(window, "outage_seconds")));
	}
}

static void put_phase_table(FILE *out, const json_t *summary)
{
	json_t *probes = json_object_get(summary, "probes"), *windows;
	const char *probe;

	if (!json_object_size(probes))
		return;
	fputs("<div class=wide "
	      "tabindex=0><table><thead><tr><th>probe<th>phase<th>samples<th>availability<th>p50<th>p90<th>p99"
	      "<th>max<th>outage<tbody>\n",
	      out);
	json_object_foreach (probes, probe, windows)
		put_phase_rows(out, probe, windows);
	fputs("</table></div>\n", out);
}

/* A list without its brackets. */
static void put_parameter(FILE *out, const json_t *value)
{
	_cleanup_free_ char *text = NULL;
	const json_t *item;
	size_t i;

	json_array_foreach (value, i, item) {
		fputs(i ? " " : "", out);
		put_parameter(out, item);
	}
	if (json_is_array(value))
		return;
	if (!json_is_string(value))
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
	markup_text(out, json_string_value(value) ?: text ?: "?");
}

/* As they were in effect. */
static void put_parameters(FILE *out, const json_t *parameters)
{
	const char *separator = ", with ", *name;
	json_t *value;

	json_object_foreach ((json_t *)parameters, name, value) {
		fputs(separator, out);
		markup_text(out, name);
		fputc(' ', out);
		put_parameter(out, value);
		separator = ", ";
	}
}

static void put_trial_head(FILE *out, const json_t *trial)
{
	const char *verdict = json_text_or(trial, "verdict", "none"), *status = json_text_or(trial, "status", "?");
	const char *word = strcmp(verdict, "none") ? verdict : status;
	bool known = verdict_find(word) != VERDICT_COUNT || status_find(word) != STATUS_COUNT;
	char reason[1024];

	fputs("<article><h3>", out);
	markup_member(out, "", trial, "id");
	fprintf(out, " <span class=\"badge %s\">", known ? word : "");
	markup_text(out, word);
	fputs("</span></h3>\n<p class=\"soft\">", out);
	markup_member(out, "", trial, "type");
	markup_member(out, " on ", trial, "target_node");
	markup_member(out, ", engine ", trial, "engine");
	put_parameters(out, json_object_get(trial, "params_effective"));
	fputs("</p>\n", out);
	report_reason(reason, sizeof(reason), trial);
	if (!*reason)
		return;
	fputs("<p>", out);
	markup_text(out, reason);
	fputs("</p>\n", out);
}

int html_put_trial(FILE *out, const struct report_source *source, size_t number, const json_t *events, size_t trials)
{
	const json_t *trial = json_array_get(source->trials, number);
	struct timeline *timeline = NULL;
	int ret = timeline_read(&timeline, source, trial, events, trials);

	if (ret)
		return ret;
	put_trial_head(out, trial);
	if (timeline)
		figure_put(out, timeline, trial, number);
	fputs("<details><summary>Numbers and evidence</summary>\n", out);
	put_phase_table(out, json_object_get(trial, "summary"));
	if (timeline)
		figure_put_table(out, timeline);
	html_put_evidence(out, json_object_get(trial, "evidence"), number);
	fputs("</details></article>\n", out);
	timeline_free(timeline);
	return 0;
}

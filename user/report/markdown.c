/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A summary in Markdown, as CI systems show it: what failed first, then every trial. */
#include "report/formats.h"

#include <string.h>

#include "analysis/outcome.h"
#include "analysis/summary.h"
#include "util/json.h"

/* Nothing of untrusted text may be read as Markdown or HTML, nor end the table's cell. */
static void put_text(FILE *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '<' || *c == '>' || *c == '&')
			fputs(*c == '<' ? "&lt;" : *c == '>' ? "&gt;" : "&amp;", out);
		else if (strchr("\\`*_{}[]()#+!|~$:@", *c))
			fprintf(out, "&#%d;", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			fputc(' ', out);
		else
			fputc(*c, out);
	}
}

static void put_percentile(FILE *out, const json_t *window, const char *key)
{
	char cell[REPORT_CELL_SIZE];

	fprintf(out, " | %s", report_percentile(cell, window, key));
}

static void put_row(const json_t *trial, const char *probe, const json_t *windows, void *data)
{
	const json_t *before = json_object_get(windows, "before"), *during = json_object_get(windows, "during");
	char cell[REPORT_CELL_SIZE];
	FILE *out = data;

	fputs("| ", out);
	put_text(out, json_text_or(trial, "id", "?"));
	fprintf(out, " | %s | %s | ", json_text_or(trial, "status", "?"), json_text_or(trial, "verdict", "?"));
	put_text(out, probe ?: "-");
	fprintf(out, " | %s", report_percent(cell, json_object_get(before, "availability")));
	fprintf(out, " | %s", report_percent(cell, json_object_get(during, "availability")));
	put_percentile(out, before, "p50_ms");
	put_percentile(out, during, "p50_ms");
	put_percentile(out, during, "p99_ms");
	fprintf(out, " | %s",
		report_seconds(cell, json_object_get(json_object_get(trial, "summary"), "recovery_seconds")));
	fprintf(out, " | %s |\n", report_count(cell, json_object_get(json_object_get(trial, "evidence"), "hit")));
}

static void put_reasons(FILE *out, const json_t *trials)
{
	const json_t *trial;
	char reason[1024];
	bool any = false;
	size_t i;

	json_array_foreach (trials, i, trial) {
		report_reason(reason, sizeof(reason), trial);
		if (!*reason)
			continue;
		if (!any)
			fputs("\n", out);
		any = true;
		fputs("- **", out);
		put_text(out, json_text_or(trial, "id", "?"));
		fputs("**: ", out);
		put_text(out, reason);
		fputc('\n', out);
	}
}

int report_markdown(FILE *out, const struct report_source *source)
{
	char progress[160];
	const json_t *trial;
	size_t i;

	fputs("## ", out);
	put_text(out, json_text_or(source->campaign, "id", "?"));
	fprintf(out, "\n\n%s%s\n",
		outcome_progress(progress, sizeof(progress), json_object_get(source->campaign, "trials")),
		source->is_partial ? " (the campaign has not ended)" : "");
	put_reasons(out, source->trials);
	fputs("\n| trial | status | verdict | probe | available before | during | p50 before | during | p99 during | "
	      "recovery | hits |\n|---|---|---|---|--:|--:|--:|--:|--:|--:|--:|\n",
	      out);
	json_array_foreach (source->trials, i, trial)
		summary_each_probe(trial, put_row, out);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JSON for programs: the whole report, by docs/report.schema.json, and Grafana's annotations. */
#include "report/formats.h"

#include <string.h>
#include <time.h>

#include "analysis/compare.h"
#include "analysis/outcome.h"
#include "util/cleanup.h"
#include "util/json.h"

int report_json(FILE *out, const struct report_source *source)
{
	_cleanup_json_ json_t *comparisons = compare_with_baseline(source->trials);
	_cleanup_json_ json_t *all =
		json_pack("{s:O, s:b, s:O, s:O, s:O?}", "campaign", source->campaign, "partial", source->is_partial,
			  "trials", source->trials, "events", source->events, "comparisons", comparisons);

	json_print_document(all, JSON_INDENT(1), out);
	fputc('\n', out);
	return 0;
}

/* Milliseconds since 1970 of a moment in the records; 0 if there is none. */
static json_int_t moment_ms(const json_t *trial, const char *column)
{
	const char *text = json_text_or(trial, column, ""), *rest;
	struct tm at = {};

	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &at);
	if (!rest)
		return 0;
	return (json_int_t)timegm(&at) * 1000 + (*rest == '.' ? (json_int_t)(strtod(rest, NULL) * 1000) : 0);
}

/* As a POST to /api/annotations takes them, one by one. */
int report_annotations(FILE *out, const struct report_source *source)
{
	_cleanup_json_ json_t *all = json_array();
	const json_t *trial;
	size_t i;

	json_array_foreach (source->trials, i, trial) {
		json_int_t from = moment_ms(trial, "chaos_injected_at"), to = moment_ms(trial, "chaos_reverted_at");
		const char *id = json_text_or(trial, "id", "?"), *node = json_text_or(trial, "target_node", NULL);

		if (!from)
			continue;
		json_array_append_new(all, json_pack("{s:I, s:I, s:[s, s, s, s], s:o}", "time", from, "timeEnd",
						     to ?: from, "tags", "eval", json_text_or(trial, "subject", "?"),
						     json_text_or(trial, "chaos", "?"),
						     json_text_or(trial, "status", "?"), "text",
						     json_sprintf("%s%s%s: %s, verdict %s", id, node ? " on " : "",
								  node ?: "", json_text_or(trial, "status", "?"),
								  json_text_or(trial, "verdict", "?"))));
	}
	json_print(all, JSON_INDENT(1), out);
	fputc('\n', out);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* CSV by RFC 4180, but with plain newlines, for spreadsheets: text that one would take for a formula begins with an
 * apostrophe. */
#include "report/formats.h"

#include <inttypes.h>
#include <string.h>

#include "analysis/summary.h"
#include "util/cleanup.h"
#include "util/json.h"

static const char *const figures[] = {"count",  "good",   "availability", "p50_ms",
				      "p90_ms", "p99_ms", "max_ms",       "outage_seconds"};

static void put_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	if (text && *text && strchr("=+-@\t\r", *text))
		fputc('\'', out);
	for (const char *c = text ?: ""; *c; c++) {
		if (*c == '"')
			fputc('"', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

static void put_value(FILE *out, const json_t *value)
{
	_cleanup_free_ char *number = NULL;

	if (json_is_string(value)) {
		put_quoted(out, json_string_value(value));
		return;
	}
	number = json_is_number(value) || json_is_boolean(value)
			 ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9))
			 : NULL;
	fputs(number ?: "", out);
}

static void put_probe(const json_t *trial, const char *probe, const json_t *of_probe, void *data)
{
	FILE *out = data;
	static const char *const columns[] = {"id",
					      "subject",
					      "chaos",
					      "type",
					      "repetition",
					      "attempt",
					      "status",
					      "verdict",
					      "engine",
					      "target_node",
					      "started_at",
					      "chaos_injected_at",
					      "chaos_reverted_at",
					      "ended_at"};
	char reason[1024];

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		put_value(out, json_object_get(trial, columns[i]));
		fputc(',', out);
	}
	put_value(out, json_object_get(json_object_get(trial, "evidence"), "hit"));
	fputc(',', out);
	put_value(out, json_object_get(json_object_get(trial, "summary"), "recovery_seconds"));
	fputc(',', out);
	report_reason(reason, sizeof(reason), trial);
	put_quoted(out, reason);
	fputc(',', out);
	put_quoted(out, probe);
	for (size_t i = 0; i < WINDOW_COUNT; i++)
		for (size_t j = 0; j < ARRAY_SIZE(figures); j++) {
			fputc(',', out);
			put_value(out, json_object_get(json_object_get(of_probe, summary_window_names[i]), figures[j]));
		}
	fputs("\n", out);
}

int report_csv(FILE *out, const struct report_source *source)
{
	const json_t *trial;
	size_t i;

	fputs("trial,subject,chaos,type,repetition,attempt,status,verdict,engine,target,started_at,injected_at,"
	      "reverted_at,"
	      "ended_at,hits,recovery_seconds,reason,probe",
	      out);
	for (size_t w = 0; w < WINDOW_COUNT; w++)
		for (size_t f = 0; f < ARRAY_SIZE(figures); f++)
			fprintf(out, ",%s_%s", summary_window_names[w], figures[f]);
	fputs("\n", out);
	json_array_foreach (source->trials, i, trial)
		summary_each_probe(trial, put_probe, out);
	return 0;
}

struct trial_row {
	FILE *out;
	const char *trial;
};

static int put_sample(const struct report_sample *sample, void *data)
{
	const struct trial_row *row = data;

	put_quoted(row->out, row->trial);
	fprintf(row->out, ",%u,", sample->attempt);
	put_quoted(row->out, sample->probe);
	fprintf(row->out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,", sample->scheduled_ns, sample->started_at_ns,
		sample->latency_ns, sample->ok ? "true" : "false");
	put_quoted(row->out, sample->phase);
	fputc(',', row->out);
	put_quoted(row->out, sample->error);
	fputs("\n", row->out);
	return 0;
}

int report_csv_samples(FILE *out, const struct report_source *source)
{
	const json_t *trial;
	int ret = 0;
	size_t i;

	fputs("trial,attempt,probe,scheduled_ns,started_at_ns,latency_ns,ok,phase,error\n", out);
	json_array_foreach (source->trials, i, trial) {
		struct trial_row row = {.out = out, .trial = json_text_or(trial, "id", "")};

		ret = ret ?: source->each_sample(row.trial, put_sample, &row, source->own);
	}
	return ret;
}

static int put_metric(const struct report_metric *metric, void *data)
{
	const struct trial_row *row = data;

	put_quoted(row->out, row->trial);
	fprintf(row->out, ",%u,", metric->attempt);
	put_quoted(row->out, metric->source);
	fputc(',', row->out);
	put_quoted(row->out, metric->series);
	fprintf(row->out, ",%" PRId64 ",%.9g,%s,", metric->at_ns, metric->value, metric->is_rate ? "rate" : "gauge");
	put_quoted(row->out, metric->phase);
	fputs("\n", row->out);
	return 0;
}

int report_csv_metrics(FILE *out, const struct report_source *source)
{
	const json_t *trial;
	int ret = 0;
	size_t i;

	fputs("trial,attempt,source,series,at_ns,value,kind,phase\n", out);
	json_array_foreach (source->trials, i, trial) {
		struct trial_row row = {.out = out, .trial = json_text_or(trial, "id", "")};

		ret = ret ?: source->each_metric(row.trial, put_metric, &row, source->own);
	}
	return ret;
}

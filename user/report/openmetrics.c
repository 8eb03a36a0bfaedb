/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* OpenMetrics 1.0 text: what each trial did to each probe and metric. */
#include "report/formats.h"

#include <string.h>

#include "analysis/outcome.h"
#include "analysis/summary.h"
#include "util/cleanup.h"
#include "util/json.h"

static void put_metric_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (const char *c = value; *c; c++)
		if (*c == '\\' || *c == '"')
			fprintf(out, "\\%c", *c);
		else if (*c == '\n')
			fputs("\\n", out);
		else
			fputc(*c, out);
	fputc('"', out);
}

static void put_trial_labels(FILE *out, const struct report_source *source, const json_t *trial)
{
	fputc('{', out);
	put_metric_label(out, "campaign", json_text_or(source->campaign, "id", "?"));
	fputc(',', out);
	put_metric_label(out, "trial", json_text_or(trial, "id", "?"));
	fputc(',', out);
	put_metric_label(out, "subject", json_text_or(trial, "subject", "?"));
	fputc(',', out);
	put_metric_label(out, "chaos", json_text_or(trial, "chaos", "?"));
}

/* key of each probe's windows; scale: to base units. percentile is NULL if it is none. */
static void put_of_probes(FILE *out, const struct report_source *source, const char *family, const char *key,
			  const char *percentile, double scale)
{
	const json_t *trial;
	size_t i;

	json_array_foreach (source->trials, i, trial) {
		json_t *probes = json_object_get(json_object_get(trial, "summary"), "probes"), *windows;
		const char *probe;

		json_object_foreach (probes, probe, windows)
			for (size_t j = 0; j < WINDOW_COUNT; j++) {
				const json_t *value =
					json_object_get(json_object_get(windows, summary_window_names[j]), key);

				if (!json_is_number(value))
					continue;
				fprintf(out, "%s", family);
				put_trial_labels(out, source, trial);
				fputc(',', out);
				put_metric_label(out, "probe", probe);
				fprintf(out, ",phase=\"%s\"%s%s%s} %.9g\n", summary_window_names[j],
					percentile ? ",percentile=\"" : "", percentile ?: "", percentile ? "\"" : "",
					json_number_value(value) * scale);
			}
	}
}

static void put_family(FILE *out, const char *name, const char *unit, const char *help)
{
	fprintf(out, "# TYPE %s gauge\n", name);
	if (unit)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s %s\n", name, help);
}

static void put_of_trials(FILE *out, const struct report_source *source, const char *family, const char *part,
			  const char *key)
{
	const json_t *trial;
	size_t i;

	json_array_foreach (source->trials, i, trial) {
		const json_t *value = json_object_get(json_object_get(trial, part), key);

		if (!json_is_number(value))
			continue;
		fprintf(out, "%s", family);
		put_trial_labels(out, source, trial);
		fprintf(out, "} %.9g\n", json_number_value(value));
	}
}

static void put_means(FILE *out, const struct report_source *source, const json_t *trial, const char *from,
		      const json_t *of_source)
{
	json_t *windows;
	const char *series;

	json_object_foreach (json_object_get(of_source, "series"), series, windows)
		for (size_t i = 0; i < WINDOW_COUNT; i++) {
			const json_t *mean = json_object_get(json_object_get(windows, summary_window_names[i]), "mean");

			if (!json_is_number(mean))
				continue;
			fputs("eval_metric_mean", out);
			put_trial_labels(out, source, trial);
			fputc(',', out);
			put_metric_label(out, "source", from);
			fputc(',', out);
			put_metric_label(out, "series", series);
			fputc(',', out);
			put_metric_label(out, "kind", json_text_or(windows, "kind", "?"));
			fprintf(out, ",phase=\"%s\"} %.9g\n", summary_window_names[i], json_number_value(mean));
		}
}

static void put_metrics(FILE *out, const struct report_source *source)
{
	const json_t *trial;
	size_t i;

	put_family(out, "eval_metric_mean", NULL, "The mean of a series in a phase; of a rate, per second.");
	json_array_foreach (source->trials, i, trial) {
		json_t *metrics = json_object_get(json_object_get(trial, "summary"), "metrics"), *of_source;
		const char *from;

		json_object_foreach (metrics, from, of_source)
			put_means(out, source, trial, from, of_source);
	}
}

static void put_passed(FILE *out, const struct report_source *source)
{
	const json_t *trial;
	size_t i;

	put_family(out, "eval_trial_passed", NULL, "1 if the trial completed and did not fail its expectations.");
	json_array_foreach (source->trials, i, trial) {
		fputs("eval_trial_passed", out);
		put_trial_labels(out, source, trial);
		fputc(',', out);
		put_metric_label(out, "status", json_text_or(trial, "status", "?"));
		fputc(',', out);
		put_metric_label(out, "verdict", json_text_or(trial, "verdict", "?"));
		fprintf(out, "} %d\n", outcome_passed(trial));
	}
}

int report_openmetrics(FILE *out, const struct report_source *source)
{
	static const char *const percentiles[] = {"50", "90", "99"};

	put_passed(out, source);
	put_family(out, "eval_trial_hits", NULL, "What the fault acted on: packets, or calls.");
	put_of_trials(out, source, "eval_trial_hits", "evidence", "hit");
	put_family(out, "eval_trial_recovery_seconds", "seconds", "Time from the revert to the recovery.");
	put_of_trials(out, source, "eval_trial_recovery_seconds", "summary", "recovery_seconds");
	put_family(out, "eval_probe_samples", NULL, "Samples of a probe in a phase.");
	put_of_probes(out, source, "eval_probe_samples", "count", NULL, 1);
	put_family(out, "eval_probe_availability_ratio", "ratio", "The share of good samples.");
	put_of_probes(out, source, "eval_probe_availability_ratio", "availability", NULL, 1);
	put_family(out, "eval_probe_latency_seconds", "seconds", "Percentiles of the latency of good samples.");
	for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++) {
		char key[16];

		snprintf(key, sizeof(key), "p%s_ms", percentiles[i]);
		put_of_probes(out, source, "eval_probe_latency_seconds", key, percentiles[i], 1e-3);
	}
	put_family(out, "eval_probe_outage_seconds", "seconds", "The longest outage that began in the phase.");
	put_of_probes(out, source, "eval_probe_outage_seconds", "outage_seconds", NULL, 1);
	put_metrics(out, source);
	fputs("# EOF\n", out);
	return 0;
}

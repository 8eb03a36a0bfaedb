/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints everything about one trial. */
#include "report/internal.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "analysis/expectations.h"
#include "analysis/outcome.h"
#include "analysis/summary.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

#define OUTPUT_TAIL 600

static const char *const times[] = {
	"started_at",   "healthy_at", "chaos_injected_at", "first_effect_at", "chaos_reverted_at",
	"recovered_at", "ended_at",   "ticket_created_at", "resolved_at",
};

static void print_status(FILE *out, const json_t *trial)
{
	char text[128];

	snprintf(text, sizeof(text), "%s, verdict %s", json_text_or(trial, "status", "?"),
		 json_text_or(trial, "verdict", "?"));
	field_text(out, "status", text);
	if (json_text_or(trial, "error_text", NULL)) {
		json_int_t code = json_integer_at(trial, "error_errno");
		char error[1024];

		snprintf(error, sizeof(error), "%s%s%s%s%s%s", json_text_or(trial, "error_stage", ""),
			 json_text_or(trial, "error_stage", NULL) ? ": " : "", json_text_or(trial, "error_text", ""),
			 code ? " (" : "", code ? strerrorname_np(abs((int)code)) ?: "unknown errno" : "",
			 code ? ")" : "");
		field_text(out, "error", error);
	}
}

static void print_what(FILE *out, const json_t *trial)
{
	const json_t *instance = json_object_get(trial, "instance"), *fresh = json_object_get(trial, "fresh");
	const char *node = json_text_or(trial, "target_node", NULL), *asked = json_text_or(trial, "target_asked", NULL);
	const char *type = json_text_or(trial, "type", NULL), *role = json_text_or(trial, "target_role", NULL);
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s%s on %s, repetition %d, attempt %d", json_text_or(trial, "chaos", "?"),
		 type ? " (" : "", type ?: "", type ? ")" : "", json_text_or(trial, "subject", "?"),
		 (int)json_integer_at(trial, "repetition"), (int)json_integer_at(trial, "attempt"));
	field_text(out, "chaos", text);
	if (json_is_integer(instance)) {
		snprintf(text, sizeof(text), "%d%s", (int)json_integer_value(instance),
			 json_is_false(fresh)  ? ", not fresh"
			 : json_is_true(fresh) ? ", fresh"
					       : "");
		field_text(out, "instance", text);
	}
	if (node || asked) {
		snprintf(text, sizeof(text), "%s%s%s%s%s%s", node ?: "not chosen", role ? " (" : "", role ?: "",
			 role ? ")" : "", asked ? ", asked for: " : "", asked ?: "");
		field_text(out, "target", text);
	}
	field_string(out, "engine", trial, "engine");
	field_string(out, "seed", trial, "seed");
	field_json(out, "asked for", json_object_get(trial, "params_asked"));
	field_json(out, "parameters", json_object_get(trial, "params_effective"));
	field_json(out, "settings", json_object_get(trial, "settings"));
}

/* Prints seconds since the first moment by the monotonic clock, because the wall clock may have been set. */
static void print_times(FILE *out, const json_t *trial)
{
	json_int_t start = 0;

	fputs("\ntimes\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const char *text = json_text_or(trial, times[i], NULL);
		char companion[64];
		json_int_t at;

		if (!text)
			continue;
		snprintf(companion, sizeof(companion), "%s_monotonic_ns", times[i]);
		at = json_integer_at(trial, companion);
		start = start ?: at;
		fprintf(out, "  %-20s%s", times[i], text);
		if (at && at != start)
			fprintf(out, "  %+.3f s", (double)(at - start) / (double)NSEC_PER_SEC);
		fputc('\n', out);
	}
}

static void print_windows(FILE *out, const char *probe, const json_t *summary)
{
	static const char *const latencies[] = {"p50_ms", "p90_ms", "p99_ms", "max_ms"};

	for (size_t i = 0; i < WINDOW_COUNT; i++) {
		const json_t *window = json_object_get(summary, summary_window_names[i]), *outage;
		char cell[REPORT_CELL_SIZE];

		fprintf(out, "  %-16s%-8s", i ? "" : probe, summary_window_names[i]);
		fprintf(out, "%8s", report_count(cell, json_object_get(window, "count")));
		fprintf(out, "%14s", report_percent(cell, json_object_get(window, "availability")));
		for (size_t j = 0; j < ARRAY_SIZE(latencies); j++)
			fprintf(out, "%10s", report_percentile(cell, window, latencies[j]));
		outage = json_object_get(window, "outage_seconds");
		fprintf(out, "%10s\n", json_number_value(outage) > 0 ? report_seconds(cell, outage) : "-");
	}
	if (json_is_number(json_object_get(summary, "first_bad_seconds")))
		fprintf(out, "  %-16sfirst bad sample %.2f s after the injection\n", "",
			json_number_value(json_object_get(summary, "first_bad_seconds")));
}

/* "the median rose by 30.1 ms (29.9 to 30.4 within this trial)" */
static void print_shift(FILE *out, const json_t *shift)
{
	double median = json_number_at(shift, "p50_ms");

	if (!shift)
		return;
	fprintf(out, "  %-16sthe median %s by %.3g ms during the fault (95 %%: %.3g to %.3g), within this trial\n", "",
		median < 0 ? "fell" : "rose", fabs(median),
		median < 0 ? -json_number_at(shift, "high") : json_number_at(shift, "low"),
		median < 0 ? -json_number_at(shift, "low") : json_number_at(shift, "high"));
}

static void print_probe_errors(FILE *out, const json_t *errors)
{
	const json_t *error;
	size_t i;

	json_array_foreach (errors, i, error) {
		fprintf(out, "  %-16s%lld times: ", "", (long long)json_integer_at(error, "count"));
		report_text(out, json_text_or(error, "text", ""), FIELD_INDENT);
		fputc('\n', out);
	}
}

/* "before 3 (2 to 4 of 10 values)" */
static void print_metric(FILE *out, const char *series, const json_t *of_series)
{
	fputs("    ", out);
	report_text(out, series, FIELD_INDENT);
	fputs(!strcmp(json_text_or(of_series, "kind", ""), "rate") ? " (per second)\n" : "\n", out);
	for (size_t i = 0; i < WINDOW_COUNT; i++) {
		const json_t *window = json_object_get(of_series, summary_window_names[i]);
		json_int_t count = json_integer_at(window, "count");

		fprintf(out, "      %-8s", summary_window_names[i]);
		if (count)
			fprintf(out, "%.4g (%.4g to %.4g of %lld value%s)\n", json_number_at(window, "mean"),
				json_number_at(window, "min"), json_number_at(window, "max"), (long long)count,
				text_plural(count));
		else
			fputs("no value\n", out);
	}
}

static void print_metrics(FILE *out, const json_t *metrics)
{
	const char *source, *series;
	json_t *of_source, *of_series;

	if (json_object_size(metrics))
		fputs("\nmetrics, mean (least to most)\n", out);
	json_object_foreach ((json_t *)metrics, source, of_source) {
		fprintf(out, "  %s\n", source);
		json_object_foreach (json_object_get(of_source, "series"), series, of_series)
			print_metric(out, series, of_series);
		if (!json_object_size(json_object_get(of_source, "series")))
			fputs("    none of the wanted series was there\n", out);
		print_probe_errors(out, json_object_get(of_source, "errors"));
	}
	if (json_object_size(metrics))
		fputc('\n', out);
}

static void print_summary(FILE *out, const json_t *summary)
{
	json_t *probes = json_object_get(summary, "probes"), *value;
	char cell[REPORT_CELL_SIZE];
	const char *probe;

	if (!json_is_object(summary))
		return;
	fprintf(out, "\n%-18s%-8s%8s%14s%10s%10s%10s%10s%10s\n", "probes", "", "samples", "availability", "p50", "p90",
		"p99", "max", "outage");
	json_object_foreach (probes, probe, value) {
		print_windows(out, probe, value);
		print_shift(out, json_object_get(json_object_get(summary, "shifts"), probe));
		print_probe_errors(out, json_object_get(value, "errors"));
	}
	print_metrics(out, json_object_get(summary, "metrics"));
	fprintf(out, "  %-16s%s\n", "time to recover",
		json_is_true(json_object_get(summary, "stuck"))
			? "stuck: not in time"
			: report_seconds(cell, json_object_get(summary, "recovery_seconds")));
}

static void print_expectations(FILE *out, const json_t *expectations)
{
	const json_t *expectation;
	size_t i;

	if (!json_array_size(expectations))
		return;
	fputs("\nexpectations\n", out);
	json_array_foreach (expectations, i, expectation) {
		enum trial_verdict verdict = expectation_verdict(expectation);
		char text[256];

		expectation_describe(text, sizeof(text), expectation);
		fprintf(out, "  %-14s", verdict < VERDICT_COUNT ? verdict_name(verdict) : "?");
		report_text(out, text, FIELD_INDENT);
		fputc('\n', out);
	}
}

static void print_attempts(FILE *out, const json_t *attempts)
{
	const json_t *attempt;
	size_t i;

	if (!json_array_size(attempts))
		return;
	fputs("\nattempts\n", out);
	json_array_foreach (attempts, i, attempt) {
		char reason[1024];

		fprintf(out, "  %-4d%-12s%s to %s", (int)json_integer_at(attempt, "attempt"),
			json_text_or(attempt, "status", "?"), json_text_or(attempt, "started_at", "-"),
			json_text_or(attempt, "ended_at", "-"));
		if (outcome_reason(reason, sizeof(reason), attempt) > 0) {
			fputs("\n      ", out);
			report_text(out, reason, "      ");
		}
		fputc('\n', out);
	}
}

/* Returns the end of the output, which usually shows the cause, from the start of a line if there is one. */
static const char *tail_of(const char *output)
{
	size_t length = strlen(output);
	const char *tail, *line;

	if (length <= OUTPUT_TAIL)
		return output;
	tail = output + length - OUTPUT_TAIL;
	line = strchr(tail, '\n');
	return line && line[1] ? line + 1 : tail;
}

static void print_command(FILE *out, const json_t *command)
{
	const char *output = json_text_or(command, "output", "");
	json_int_t signal = json_integer_at(command, "signal");
	char seconds[REPORT_CELL_SIZE], end[64];
	size_t length = strlen(output);

	if (json_is_true(json_object_get(command, "timed_out")))
		snprintf(end, sizeof(end), "timed out");
	else if (signal)
		snprintf(end, sizeof(end), "signal %d", (int)signal);
	else if (json_is_integer(json_object_get(command, "exit_code")))
		snprintf(end, sizeof(end), "exit %d", (int)json_integer_at(command, "exit_code"));
	else
		snprintf(end, sizeof(end), "not ended");
	fprintf(out, "  %-10s%-10s%-10s%8s  ", json_text_or(command, "name", "?"), json_text_or(command, "phase", "?"),
		end, report_seconds(seconds, json_object_get(command, "seconds")));
	report_text(out, json_text_or(command, "exec", ""), FIELD_INDENT);
	if (json_object_get(command, "tries"))
		fprintf(out, " (%d tries)", (int)json_integer_at(command, "tries"));
	fputc('\n', out);
	if (length) {
		_cleanup_free_ char *text = strndup(output, length - (output[length - 1] == '\n'));

		fputs("    | ", out);
		report_text(out, tail_of(text ?: output), "    | ");
		fputc('\n', out);
	}
}

static void print_commands(FILE *out, const json_t *commands)
{
	const json_t *command;
	size_t i;

	if (!json_array_size(commands))
		return;
	fputs("\ncommands\n", out);
	json_array_foreach (commands, i, command)
		print_command(out, command);
}

static void print_events(FILE *out, const json_t *events)
{
	const json_t *event;
	size_t i;

	if (!json_array_size(events))
		return;
	fputs("\nevents\n", out);
	json_array_foreach (events, i, event) {
		const json_t *details = json_object_get(event, "details");

		fprintf(out, "  %s  %-10s%-12s", json_text_or(event, "at", "?"), json_text_or(event, "phase", ""),
			json_text_or(event, "kind", ""));
		report_text(out, json_text_or(event, "text", ""), "      ");
		if (json_object_size(details)) {
			_cleanup_free_ char *text = json_dumps(details, JSON_REAL_PRECISION(9));

			fputc(' ', out);
			report_text(out, text ?: "", "");
		}
		fputc('\n', out);
	}
}

void report_trial(FILE *out, const json_t *trial, const json_t *attempts, const json_t *events)
{
	static const char *const states[][2] = {
		{"initial state", "initial_state"},
		{"final state", "final_state"},
		{"metadata", "chaos_metadata"},
	};

	fprintf(out, "%s of %s\n", json_text_or(trial, "id", "?"), json_text_or(trial, "campaign_id", "?"));
	print_status(out, trial);
	print_what(out, trial);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		field_json(out, states[i][0], json_object_get(trial, states[i][1]));
	print_times(out, trial);
	print_summary(out, json_object_get(trial, "summary"));
	print_expectations(out, json_object_get(trial, "expectations"));
	evidence_print(out, json_object_get(trial, "evidence"));
	print_attempts(out, attempts);
	print_commands(out, json_object_get(trial, "commands_json"));
	print_events(out, events);
}

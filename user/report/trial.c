/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Everything about one trial or campaign, for people. */
#include "report/report.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

#define OUTPUT_TAIL 600
#define INDENT "                "

static const char *const times[] = {
	"started_at",   "healthy_at", "chaos_injected_at", "first_effect_at", "chaos_reverted_at",
	"recovered_at", "ended_at",   "ticket_created_at", "resolved_at",
};

static const char *const windows[] = {"before", "during", "after"};

static void print_field(FILE *out, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(out, "  %-14s", name);
	report_text(out, text, INDENT);
	fputc('\n', out);
}

static void print_string(FILE *out, const char *name, const json_t *row, const char *column)
{
	print_field(out, name, json_text_or(row, column, NULL));
}

/* A value of any shape; strings go without quotes. */
static void print_json(FILE *out, const char *name, const json_t *value)
{
	_cleanup_free_ char *text = NULL;

	if (!value || json_is_null(value))
		return;
	if (!json_is_string(value))
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	print_field(out, name, text ?: json_string_value(value));
}

static void print_status(FILE *out, const json_t *trial)
{
	char text[128];

	snprintf(text, sizeof(text), "%s, verdict %s", json_text_or(trial, "status", "?"),
		 json_text_or(trial, "verdict", "?"));
	print_field(out, "status", text);
	if (json_text_or(trial, "error_text", NULL)) {
		json_int_t code = json_integer_at(trial, "error_errno");
		char error[1024];

		snprintf(error, sizeof(error), "%s%s%s%s%s%s", json_text_or(trial, "error_stage", ""),
			 json_text_or(trial, "error_stage", NULL) ? ": " : "", json_text_or(trial, "error_text", ""),
			 code ? " (" : "", code ? strerrorname_np(abs((int)code)) ?: "unknown errno" : "",
			 code ? ")" : "");
		print_field(out, "error", error);
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
	print_field(out, "chaos", text);
	if (json_is_integer(instance)) {
		snprintf(text, sizeof(text), "%d%s", (int)json_integer_value(instance),
			 json_is_false(fresh)  ? ", not fresh"
			 : json_is_true(fresh) ? ", fresh"
					       : "");
		print_field(out, "instance", text);
	}
	if (node || asked) {
		snprintf(text, sizeof(text), "%s%s%s%s%s%s", node ?: "not chosen", role ? " (" : "", role ?: "",
			 role ? ")" : "", asked ? ", asked for: " : "", asked ?: "");
		print_field(out, "target", text);
	}
	print_string(out, "engine", trial, "engine");
	print_string(out, "seed", trial, "seed");
	print_json(out, "asked for", json_object_get(trial, "params_asked"));
	print_json(out, "parameters", json_object_get(trial, "params_effective"));
	print_json(out, "settings", json_object_get(trial, "settings"));
}

/* Seconds since the first moment, by the monotonic clock: the other one may have been set in between. */
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
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		const json_t *window = json_object_get(summary, windows[i]);
		char count[REPORT_CELL_SIZE], share[REPORT_CELL_SIZE], p50[REPORT_CELL_SIZE], p99[REPORT_CELL_SIZE];
		char max[REPORT_CELL_SIZE];

		fprintf(out, "  %-16s%-8s%8s%14s%10s%10s%10s\n", i ? "" : probe, windows[i],
			report_count(count, json_object_get(window, "count")),
			report_percent(share, json_object_get(window, "availability")),
			report_milliseconds(p50, json_object_get(window, "p50_ms")),
			report_milliseconds(p99, json_object_get(window, "p99_ms")),
			report_milliseconds(max, json_object_get(window, "max_ms")));
	}
}

static void print_summary(FILE *out, const json_t *summary)
{
	json_t *probes = json_object_get(summary, "probes"), *value;
	char cell[REPORT_CELL_SIZE];
	const char *probe;

	if (!json_is_object(summary))
		return;
	fprintf(out, "\n%-18s%-8s%8s%14s%10s%10s%10s\n", "probes", "", "samples", "availability", "p50", "p99", "max");
	json_object_foreach (probes, probe, value)
		print_windows(out, probe, value);
	if (json_object_size(probes) > 1)
		print_windows(out, "in total", summary);
	fprintf(out, "  %-16s%s\n", "time to recover",
		report_seconds(cell, json_object_get(summary, "recovery_seconds")));
}

static void print_expectations(FILE *out, const json_t *expectations)
{
	const json_t *expectation;
	size_t i;

	if (!json_array_size(expectations))
		return;
	fputs("\nexpectations\n", out);
	json_array_foreach (expectations, i, expectation) {
		_cleanup_free_ char *asked =
			json_dumps(json_object_get(expectation, "asked"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
		_cleanup_free_ char *measured =
			json_dumps(json_object_get(expectation, "measured"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

		fprintf(out, "  %-24s%-8sasked %s, measured %s\n", json_text_or(expectation, "name", "?"),
			json_is_true(json_object_get(expectation, "ok")) ? "met" : "missed", asked ?: "-",
			measured ?: "-");
	}
}

static void print_direction_loss(FILE *out, const json_t *counters)
{
	const json_t *dropped = json_object_get(json_object_get(counters, "line"), "line_dropped");
	const json_t *failed = json_object_get(counters, "failed");
	char cell[REPORT_CELL_SIZE];

	if (json_integer_value(dropped))
		fprintf(out, "    dropped by the line: %s\n", report_count(cell, dropped));
	if (json_integer_value(failed))
		fprintf(out, "    matched but passed untouched: %s\n", report_count(cell, failed));
}

static void print_direction(FILE *out, const char *device, const char *direction, const json_t *counters)
{
	static const char *const histograms[] = {"drawn", "applied"};
	char seen[REPORT_CELL_SIZE], hit[REPORT_CELL_SIZE], bytes[REPORT_CELL_SIZE];

	if (!json_is_object(counters))
		return;
	fprintf(out, "  %s %s: seen %s, hit %s, bytes %s\n", device, direction,
		report_count(seen, json_object_get(counters, "seen")),
		report_count(hit, json_object_get(counters, "hit")),
		report_count(bytes, json_object_get(counters, "bytes")));
	print_direction_loss(out, counters);
	for (size_t i = 0; i < ARRAY_SIZE(histograms); i++) {
		const json_t *histogram = json_object_get(counters, histograms[i]);

		if (!json_integer_at(histogram, "count"))
			continue;
		fprintf(out, "    delay %s, mean %.3f ms\n", histograms[i],
			json_number_value(json_object_get(histogram, "mean_us")) / 1000);
		report_histogram(out, histogram, "      ");
	}
}

/* What of the evidence the lines above and below do not show. */
static void print_other_evidence(FILE *out, const json_t *evidence)
{
	static const char *const shown[] = {"engine", "seen", "hit", "bytes", "devices", "targets"};
	_cleanup_json_ json_t *rest = json_copy((json_t *)evidence);

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		json_object_del(rest, shown[i]);
	if (json_object_size(rest))
		print_json(out, "also", rest);
}

/* target: the node's name, where there are several. */
static void print_fault(FILE *out, const char *target, const json_t *evidence)
{
	char seen[REPORT_CELL_SIZE], hit[REPORT_CELL_SIZE], bytes[REPORT_CELL_SIZE];
	const json_t *device;
	size_t i;

	fprintf(out, "  %s%sengine %s, seen %s, hit %s, bytes %s\n", target, target[0] ? ": " : "",
		json_text_or(evidence, "engine", "?"), report_count(seen, json_object_get(evidence, "seen")),
		report_count(hit, json_object_get(evidence, "hit")),
		report_count(bytes, json_object_get(evidence, "bytes")));
	json_array_foreach (json_object_get(evidence, "devices"), i, device) {
		const char *name = json_text_or(device, "device", "?");

		print_direction(out, name, "egress", json_object_get(device, "egress"));
		print_direction(out, name, "ingress", json_object_get(device, "ingress"));
	}
	print_other_evidence(out, evidence);
}

static void print_evidence(FILE *out, const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	const char *target;

	if (!json_is_object(evidence))
		return;
	fputs("\nevidence from the kernel\n", out);
	if (!targets)
		print_fault(out, "", evidence);
	json_object_foreach (targets, target, one)
		print_fault(out, target, one);
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
		if (report_reason(reason, sizeof(reason), attempt) > 0) {
			fputs("\n      ", out);
			report_text(out, reason, "      ");
		}
		fputc('\n', out);
	}
}

/* The end tells why; from a line's start where there is one. */
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
	report_text(out, json_text_or(command, "exec", ""), INDENT);
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
		print_json(out, states[i][0], json_object_get(trial, states[i][1]));
	print_times(out, trial);
	print_summary(out, json_object_get(trial, "summary"));
	print_expectations(out, json_object_get(trial, "expectations"));
	print_evidence(out, json_object_get(trial, "evidence"));
	print_attempts(out, attempts);
	print_commands(out, json_object_get(trial, "commands_json"));
	print_events(out, events);
}

const char *report_progress(char *out, size_t size, const json_t *counts)
{
	static const char *const statuses[] = {"completed", "failed", "void", "interrupted", "running", "planned"};
	json_int_t failed = json_integer_at(counts, "verdict_fail");

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		json_int_t count = json_integer_at(counts, statuses[i]);

		if (count)
			text_append(out, size, "%s%s %d", *out ? ", " : "", statuses[i], (int)count);
	}
	if (failed)
		text_append(out, size, "; verdict fail %d", (int)failed);
	return out;
}

void report_campaign(FILE *out, const json_t *campaign)
{
	char progress[160];

	fprintf(out, "%s\n", json_text_or(campaign, "id", "?"));
	print_string(out, "label", campaign, "label");
	print_string(out, "status", campaign, "status");
	print_field(out, "trials", report_progress(progress, sizeof(progress), json_object_get(campaign, "trials")));
	print_string(out, "file", campaign, "config_path");
	print_string(out, "config hash", campaign, "hash");
	print_string(out, "command", campaign, "command_line");
	print_string(out, "seed", campaign, "seed");
	print_string(out, "host", campaign, "host");
	print_string(out, "kernel", campaign, "kernel");
	print_string(out, "eval", campaign, "eval_version");
	print_json(out, "parallel", json_object_get(campaign, "parallel"));
	print_string(out, "started", campaign, "started_at");
	print_string(out, "ended", campaign, "ended_at");
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/progress.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/outcome.h"
#include "plan/status.h"
#include "report/live.h"
#include "report/report.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/output.h"
#include "util/terminal.h"
#include "util/text.h"

#define REDRAW_NS (200 * NSEC_PER_MSEC)
#define LINE_MAX_COLUMNS 240
#define LINE_SIZE (4 * LINE_MAX_COLUMNS + 1) /* a character has up to 4 bytes */
#define ID_WIDTH 40
#define ID_WIDTH_MIN 16 /* on a narrow terminal */
#define PHASE_WIDTH 8
#define LEFT_WIDTH 10
/* How long progress_end waits for a reader that does not read. */
#define DRAIN_NS NSEC_PER_SEC
#define PART_SIZE (1U << 20)
#define TABLE_TRIALS 200

/* The state that is shown of one running trial. */
struct progress_lane {
	const struct plan_trial *trial; /* NULL: idle, or cooling down until phase_ends_ns */
	uint64_t started_ns;
	char phase[16];
	uint64_t phase_ends_ns; /* 0: open-ended */
	struct live_trial live;
};

struct progress {
	enum progress_mode mode;
	int fd;
	struct output *output;
	FILE *memory; /* collects the next output in text */
	FILE *file;   /* writes to memory through the terminal filter */
	char *text;
	size_t text_size;
	bool live, utf8;
	struct progress_lane *lanes;
	unsigned int lane_count;
	unsigned int drawn; /* live lines on the screen */
	size_t to_run, ended, bad;
	uint64_t started_ns, redraw_ns;
	uint64_t trials_ns; /* spent in ended trials */
};

int progress_new(struct progress **out, enum progress_mode mode, FILE *file, unsigned int lanes, size_t to_run)
{
	struct progress *progress = calloc(1, sizeof(*progress));

	if (!progress)
		return -ENOMEM;
	progress->fd = terminal_fd(file);
	progress->lanes = calloc(lanes, sizeof(*progress->lanes));
	progress->output = output_new(progress->fd);
	progress->memory = open_memstream(&progress->text, &progress->text_size);
	progress->file = progress->memory ? terminal_stream(progress->memory) : NULL;
	if (!progress->lanes || !progress->output || !progress->file) {
		progress_free(progress);
		return -ENOMEM;
	}
	if (mode == PROGRESS_JSON)
		output_set_lost_text(progress->output, OUTPUT_LOST_JSON);
	progress->mode = mode;
	progress->live = mode == PROGRESS_LINES && terminal_has_codes(progress->fd);
	progress->utf8 = terminal_is_utf8();
	progress->lane_count = lanes;
	progress->to_run = to_run;
	progress->started_ns = clock_monotonic_ns();
	*out = progress;
	return 0;
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	if (progress->file) {
		progress_clear(progress);
		fclose(progress->file);
	}
	if (progress->memory)
		fclose(progress->memory);
	free(progress->text);
	output_free(progress->output);
	free(progress->lanes);
	free(progress);
}

/* Passes the text written to progress->file on to the output. */
static void emit(struct progress *progress)
{
	fflush(progress->file);
	/* Needed even if nothing was written: it sets text_size to the bytes since the rewind. */
	fflush(progress->memory);
	if (progress->text_size)
		output_add(progress->output, progress->text, progress->text_size);
	rewind(progress->memory);
}

void progress_clear(struct progress *progress)
{
	char code[32];

	snprintf(code, sizeof(code), "\033[%uA\033[J", progress->drawn);
	if (progress->drawn)
		terminal_code(progress->file, code);
	progress->drawn = 0;
	emit(progress);
}

static void print_json(struct progress *progress, const char *event, const char *trial, json_t *fields)
{
	_cleanup_json_ json_t *line = json_pack("{s:s}", "event", event);
	char at[RFC3339_SIZE];

	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	json_object_set_new(line, "at", json_string(at));
	if (trial)
		json_object_set_new(line, "trial", json_string(trial));
	if (fields)
		json_object_update_missing(line, fields);
	json_decref(fields);
	json_print_document(line, JSON_COMPACT, progress->file);
	fputc('\n', progress->file);
	emit(progress);
}

/* Prints a permanent line above the live lines. */
static void print_line(struct progress *progress, const char *trial, const char *text)
{
	char at[RFC3339_SIZE];

	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	progress_clear(progress);
	fprintf(progress->file, "%.8s ", at + strlen("2026-11-23T"));
	if (trial)
		fprintf(progress->file, "%s: ", trial);
	report_text(progress->file, text, "         ");
	fputc('\n', progress->file);
	emit(progress);
	progress->redraw_ns = 0;
}

void progress_campaign(struct progress *progress, const char *event, json_t *fields, const char *text)
{
	if (progress->mode == PROGRESS_JSON) {
		print_json(progress, event, NULL, fields);
		return;
	}
	json_decref(fields);
	if (progress->mode == PROGRESS_LINES)
		print_line(progress, NULL, text);
}

void progress_trial_start(struct progress *progress, unsigned int lane, const struct plan_trial *trial,
			  unsigned int attempt, unsigned int instance)
{
	progress->lanes[lane] = (struct progress_lane){.trial = trial, .started_ns = clock_monotonic_ns()};
	if (progress->mode == PROGRESS_JSON)
		print_json(progress, "trial_start", trial->id,
			   json_pack("{s:i, s:i}", "attempt", (int)attempt, "instance", (int)instance));
}

static void enter_phase(struct progress *progress, struct progress_lane *lane, const json_t *message)
{
	const char *phase = json_text_or(message, "phase", "");
	double seconds = json_number_value(json_object_get(message, "seconds"));
	char text[64];

	snprintf(lane->phase, sizeof(lane->phase), "%s", phase);
	lane->phase_ends_ns = seconds > 0 ? clock_monotonic_ns() + clock_from_seconds(seconds) : 0;
	progress->redraw_ns = 0;
	if (progress->mode != PROGRESS_LINES || progress->live)
		return;
	if (seconds > 0 && strcmp(phase, "warmup") && strcmp(phase, "hold"))
		snprintf(text, sizeof(text), "%s, at most %g s", phase, seconds);
	else if (seconds > 0)
		snprintf(text, sizeof(text), "%s for %g s", phase, seconds);
	else
		snprintf(text, sizeof(text), "%s", phase);
	print_line(progress, lane->trial->id, text);
}

void progress_message(struct progress *progress, unsigned int index, const json_t *message)
{
	const char *kind = json_text_or(message, "message", "");
	struct progress_lane *lane = &progress->lanes[index];

	if (!lane->trial)
		return;
	if (!strcmp(kind, "phase"))
		enter_phase(progress, lane, message);
	else if (!strcmp(kind, "samples"))
		live_take(&lane->live, message);
	else if (!strcmp(kind, "event") && progress->mode == PROGRESS_LINES && !progress->live)
		print_line(progress, lane->trial->id, json_text_or(message, "text", ""));
	if (progress->mode == PROGRESS_JSON && strcmp(kind, "columns") && strcmp(kind, "end")) {
		json_t *fields = json_copy((json_t *)message);

		json_object_del(fields, "message");
		json_object_del(fields, "at");
		print_json(progress, kind, lane->trial->id, fields);
	}
}

/* "completed, pass, put 98.0 % available, recovered in 1.20 s", of the probe with the least, or the reason why the
 * trial did not succeed */
static void describe_end(char *out, size_t size, const json_t *columns)
{
	const json_t *summary = json_object_get(columns, "summary");
	json_t *probes = json_object_get(summary, "probes"), *probe, *least = NULL;
	const char *name, *least_name = NULL;
	const char *verdict = json_text_or(columns, "verdict", verdict_name(VERDICT_NONE));
	bool judged = verdict_find(verdict) != VERDICT_NONE;
	char percent[REPORT_CELL_SIZE], seconds[REPORT_CELL_SIZE];

	if (outcome_reason(out, size, columns) > 0)
		return;
	snprintf(out, size, "%s%s%s", json_text_or(columns, "status", "?"), judged ? ", " : "", judged ? verdict : "");
	json_object_foreach (probes, name, probe) {
		json_t *share = json_object_get(json_object_get(probe, "during"), "availability");

		if (json_is_number(share) && (!least || json_number_value(share) < json_number_value(least))) {
			least = share;
			least_name = name;
		}
	}
	if (least)
		text_append(out, size, ", %s %s available", least_name, report_percent(percent, least));
	if (json_is_number(json_object_get(summary, "recovery_seconds")))
		text_append(out, size, ", recovered in %s",
			    report_seconds(seconds, json_object_get(summary, "recovery_seconds")));
}

void progress_trial_end(struct progress *progress, unsigned int index, const json_t *columns)
{
	struct progress_lane *lane = &progress->lanes[index];
	const char *id = lane->trial->id;
	char text[1024];

	progress->ended++;
	progress->bad += !outcome_passed(columns);
	progress->trials_ns += clock_monotonic_ns() - lane->started_ns;
	*lane = (struct progress_lane){};
	if (progress->mode == PROGRESS_JSON) {
		print_json(progress, "trial_end", id,
			   json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?}", "status",
				     json_object_get(columns, "status"), "verdict", json_object_get(columns, "verdict"),
				     "error_stage", json_object_get(columns, "error_stage"), "error_text",
				     json_object_get(columns, "error_text"), "target_node",
				     json_object_get(columns, "target_node"), "summary",
				     json_object_get(columns, "summary")));
	} else if (progress->mode == PROGRESS_LINES) {
		describe_end(text, sizeof(text), columns);
		print_line(progress, id, text);
	}
}

/* A table may be longer than what waits for its reader: passes it on in parts, until the reader stalls. */
static void emit_long(struct progress *progress)
{
	bool reads = true;
	size_t size;

	fflush(progress->file);
	fflush(progress->memory);
	for (size_t at = 0; at < progress->text_size; at += size) {
		const char *part = progress->text + at, *end = NULL;

		size = progress->text_size - at;
		if (size > PART_SIZE)
			end = memrchr(part, '\n', PART_SIZE);
		size = end ? (size_t)(end - part) + 1 : size;
		output_add(progress->output, part, size);
		if (reads)
			output_drain(progress->output, DRAIN_NS);
		reads = output_poll_fd(progress->output) < 0;
	}
	rewind(progress->memory);
}

void progress_cooldown(struct progress *progress, unsigned int index, double seconds)
{
	struct progress_lane *lane = &progress->lanes[index];
	char text[64];

	lane->phase_ends_ns = clock_monotonic_ns() + clock_from_seconds(seconds);
	snprintf(lane->phase, sizeof(lane->phase), "cooldown");
	if (progress->mode == PROGRESS_JSON) {
		print_json(progress, "cooldown", NULL, json_pack("{s:f}", "seconds", seconds));
	} else if (progress->mode == PROGRESS_LINES && !progress->live) {
		snprintf(text, sizeof(text), "cooldown for %g s", seconds);
		print_line(progress, NULL, text);
	}
}

/* Of a long campaign, only what did not pass: nobody reads thousands of lines. */
static void print_table(const struct progress *progress, const json_t *results)
{
	_cleanup_json_ json_t *shown = json_array();
	const json_t *trial;
	size_t i, bad = 0;

	json_array_foreach (results, i, trial) {
		bool matters = !outcome_passed(trial);

		bad += matters;
		if (json_array_size(results) <= TABLE_TRIALS || (matters && bad <= TABLE_TRIALS))
			json_array_append(shown, (json_t *)trial);
	}
	if (json_array_size(shown))
		report_table(progress->file, progress->fd, shown);
	if (json_array_size(shown) < json_array_size(results))
		fprintf(progress->file, "%zu trials, %zu of which did not pass%s; 'eval show' prints all of them\n",
			json_array_size(results), bad, bad > TABLE_TRIALS ? ", the first of which are above" : "");
}

void progress_table(struct progress *progress, const json_t *results)
{
	if (progress->mode != PROGRESS_JSON) {
		print_table(progress, results);
		report_conclusions(progress->file, progress->fd, results);
	}
	emit_long(progress);
}

size_t progress_end(struct progress *progress)
{
	size_t lost;

	progress_clear(progress);
	lost = output_end(progress->output, DRAIN_NS);
	if (lost)
		log_warning("nobody reads the output: %zu lines of it are lost", lost);
	return lost;
}

int progress_poll_fd(const struct progress *progress)
{
	return output_poll_fd(progress->output);
}

void progress_flush(struct progress *progress)
{
	output_flush(progress->output);
}

uint64_t progress_wake_ns(const struct progress *progress)
{
	return progress->live ? progress->redraw_ns : UINT64_MAX;
}

static size_t live_columns(const struct progress *progress)
{
	size_t columns = terminal_columns(progress->fd) ?: 80;

	return columns < LINE_MAX_COLUMNS ? columns : LINE_MAX_COLUMNS;
}

static uint64_t planned_ns(const struct plan_trial *trial)
{
	return clock_from_seconds(trial->settings->warmup_seconds + trial->settings->duration_seconds);
}

/* Estimates from the mean of ended trials, or from the plan before the first trial ends. 0: unknown. */
static uint64_t time_to_go_ns(const struct progress *progress)
{
	uint64_t now_ns = clock_monotonic_ns(), mean_ns = 0, left_ns;

	if (progress->ended)
		mean_ns = progress->trials_ns / progress->ended;
	for (unsigned int i = 0; !mean_ns && i < progress->lane_count; i++)
		if (progress->lanes[i].trial)
			mean_ns = planned_ns(progress->lanes[i].trial);
	left_ns = mean_ns * (progress->to_run - progress->ended);
	for (unsigned int i = 0; i < progress->lane_count; i++) {
		uint64_t spent_ns = now_ns - progress->lanes[i].started_ns;

		if (progress->lanes[i].trial)
			left_ns -= spent_ns < mean_ns && spent_ns < left_ns ? spent_ns
				   : mean_ns < left_ns                      ? mean_ns
									    : left_ns;
	}
	return left_ns / (progress->lane_count ?: 1);
}

static void draw_line(struct progress *progress, size_t columns, const char *text)
{
	fprintf(progress->file, "%.*s", text_start(text, columns - 1), text);
	terminal_code(progress->file, "\033[K");
	fputc('\n', progress->file);
	progress->drawn++;
}

/* True if a trial's probes and hits go to a line of their own: as for a table, but only if the terminal is high enough.
 */
static bool is_stacked(const struct progress *progress, size_t wanted, size_t columns)
{
	return wanted > columns && 2 * (size_t)progress->lane_count + 1 < (terminal_rows(progress->fd) ?: 24);
}

/* A narrow terminal shortens the id first, then the sparklines. */
static void draw_lane(struct progress *progress, const struct progress_lane *lane, size_t columns)
{
	size_t others = sizeof("     ") + PHASE_WIDTH + LEFT_WIDTH, live = live_width(&lane->live), id_width, used;
	bool stacked = live && is_stacked(progress, others + ID_WIDTH_MIN + live, columns);
	size_t wanted = others + (stacked ? 0 : live);
	char text[LINE_SIZE], id[128], left[32] = "";
	uint64_t now_ns = clock_monotonic_ns();

	id_width = columns > wanted + ID_WIDTH_MIN ? columns - wanted : ID_WIDTH_MIN;
	id_width = id_width < ID_WIDTH ? id_width : ID_WIDTH;
	if (lane->phase_ends_ns > now_ns)
		snprintf(left, sizeof(left), "%.0f s left", (double)(lane->phase_ends_ns - now_ns) / NSEC_PER_SEC);
	snprintf(id, sizeof(id), "%s", lane->trial ? lane->trial->id : "");
	text_shorten(id, id_width);
	used = (size_t)snprintf(text, sizeof(text), "  %-*s %-*s %-*s ", (int)id_width, id, PHASE_WIDTH, lane->phase,
				LEFT_WIDTH, left);
	if (stacked) {
		draw_line(progress, columns, text);
		used = (size_t)snprintf(text, sizeof(text), "    ");
	}
	live_describe(text + used, sizeof(text) - used, &lane->live, columns > used + 1 ? columns - used - 1 : 0,
		      progress->utf8);
	draw_line(progress, columns, text);
}

static void draw_total(struct progress *progress, size_t columns)
{
	uint64_t seconds = time_to_go_ns(progress) / NSEC_PER_SEC;
	char text[LINE_SIZE];

	snprintf(text, sizeof(text), "%zu of %zu trials done", progress->ended, progress->to_run);
	if (progress->bad)
		text_append(text, sizeof(text), ", %zu not passed", progress->bad);
	if (seconds)
		text_append(text, sizeof(text), ", about %llu:%02llu to go", (unsigned long long)(seconds / 60),
			    (unsigned long long)(seconds % 60));
	draw_line(progress, columns, text);
}

void progress_tick(struct progress *progress)
{
	size_t columns;

	if (!progress->live || clock_monotonic_ns() < progress->redraw_ns)
		return;
	/* Skips the redraw while earlier output still waits for its reader. */
	if (output_poll_fd(progress->output) >= 0) {
		progress->redraw_ns = clock_monotonic_ns() + REDRAW_NS;
		return;
	}
	columns = live_columns(progress);
	progress_clear(progress);
	for (unsigned int i = 0; i < progress->lane_count; i++)
		if (progress->lanes[i].trial || progress->lanes[i].phase_ends_ns > clock_monotonic_ns())
			draw_lane(progress, &progress->lanes[i], columns);
	draw_total(progress, columns);
	emit(progress);
	progress->redraw_ns = clock_monotonic_ns() + REDRAW_NS;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A trial's metrics: what its sources show, what the workload prints, and how often the kernel's programs hit. */
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define FLUSH_NS (500 * NSEC_PER_MSEC)
#define HITS_NS (500 * NSEC_PER_MSEC)
#define OUTPUT_NS (50 * NSEC_PER_MSEC) /* from a number in the workload's output to the next that counts */
/* Values per datagram: of one, the series alone may have 4 KiB. */
#define METRICS_A_MESSAGE 32
#define LINE_BYTES_MAX 1024 /* of the workload's output; the rest of a longer line is not looked at */
/*
 * How long patterns may be looked for of each OUTPUT_NS: meanwhile no sample starts, and no lease is renewed. Lines
 * that come after that are passed over.
 */
#define LOOK_NS (2 * NSEC_PER_MSEC)
#define GROUPS 2

struct trial_metrics {
	struct probes *sources; /* NULL: none */
	regex_t *patterns;      /* of subject.outputs */
	uint64_t *output_ns;    /* the last value of each */
	size_t pattern_count;
	char line[LINE_BYTES_MAX + 1];
	size_t line_used;
	uint64_t look_until_ns, looked_ns, lines_passed_over;
	struct metric_list list;
	json_t *rows; /* not sent yet */
	uint64_t flush_ns;
	/* Of each fault, at the last look: */
	json_int_t *hits;
	uint64_t hits_ns;
	bool hits_are_new;
};

/* The kernel's hits are recorded, but are no part of the summary: the evidence has them. */
static void add_row(struct trial *trial, const struct metric_value *value, enum summary_window window)
{
	json_array_append_new(trial->metrics->rows,
			      json_pack("{s:s, s:s, s:I, s:f, s:s, s:s}", "source", value->source, "series",
					value->series, "at_ns", (json_int_t)value->at_ns, "value", value->value, "kind",
					value->is_rate ? "rate" : "gauge", "phase",
					trial_phase_name(trial_phase_of_window(trial, window))));
}

static void add_value(struct trial *trial, const struct metric_value *value)
{
	enum summary_window window;

	metrics_add(&trial->metrics->list, &trial->times, value, &window);
	add_row(trial, value, window);
}

static int compile_patterns(struct trial *trial, struct error *err)
{
	const struct subject *subject = trial->subject;
	struct trial_metrics *metrics = trial->metrics;

	metrics->patterns = calloc(subject->output_count + 1, sizeof(*metrics->patterns));
	metrics->output_ns = calloc(subject->output_count + 1, sizeof(*metrics->output_ns));
	if (!metrics->patterns || !metrics->output_ns)
		return error_set(err, -ENOMEM, "out of memory");
	while (metrics->pattern_count < subject->output_count) {
		if (regcomp(&metrics->patterns[metrics->pattern_count],
			    subject->outputs[metrics->pattern_count].pattern, REG_EXTENDED))
			return error_set(err, -ENOMEM, "out of memory for a pattern");
		metrics->pattern_count++;
	}
	return 0;
}

int trial_start_metrics(struct trial *trial, struct error *err)
{
	const struct subject *subject = trial->subject;
	const struct probe_list list = {subject->metrics, subject->metric_count};
	int ret;

	trial->metrics = calloc(1, sizeof(*trial->metrics));
	if (!trial->metrics)
		return error_set(err, -ENOMEM, "out of memory");
	trial->metrics->rows = json_array();
	ret = compile_patterns(trial, err);
	if (ret || !list.count)
		return ret;
	ret = probes_new(&trial->metrics->sources, subject, list, trial->job->instance, -1, err);
	if (!ret)
		probes_start(trial->metrics->sources, clock_monotonic_ns());
	return ret;
}

static void read_line(struct trial *trial, const char *line)
{
	const struct trial_metrics *metrics = trial->metrics;
	uint64_t now_ns = clock_monotonic_ns();

	for (size_t i = 0; i < metrics->pattern_count; i++) {
		const char *name = trial->subject->outputs[i].name;
		regmatch_t groups[GROUPS];
		char *end;
		double value;

		/* A load that prints without end must not fill the database. */
		if (now_ns < metrics->output_ns[i] + OUTPUT_NS)
			continue;
		if (regexec(&metrics->patterns[i], line, GROUPS, groups, 0) || groups[1].rm_so < 0)
			continue;
		value = strtod(line + groups[1].rm_so, &end);
		if (end == line + groups[1].rm_so || !(fabs(value) <= METRIC_VALUE_MAX))
			continue;
		metrics->output_ns[i] = now_ns;
		add_value(trial,
			  &(struct metric_value){.source = name, .series = name, .at_ns = now_ns, .value = value});
	}
}

static void look_at_line(struct trial *trial, const char *line)
{
	struct trial_metrics *metrics = trial->metrics;
	uint64_t now_ns = clock_monotonic_ns();

	if (now_ns >= metrics->look_until_ns) {
		metrics->look_until_ns = now_ns + OUTPUT_NS;
		metrics->looked_ns = 0;
	}
	if (metrics->looked_ns >= LOOK_NS) {
		metrics->lines_passed_over++;
		return;
	}
	read_line(trial, line);
	metrics->looked_ns += clock_monotonic_ns() - now_ns;
}

void trial_read_output(void *arg, const char *bytes, size_t size)
{
	struct trial *trial = arg;
	struct trial_metrics *metrics = trial->metrics;

	for (size_t i = 0; metrics && metrics->pattern_count && i < size; i++) {
		/* Some loads draw one line again and again. */
		if (bytes[i] != '\n' && bytes[i] != '\r') {
			if (metrics->line_used < LINE_BYTES_MAX)
				metrics->line[metrics->line_used++] = bytes[i] ?: ' ';
			continue;
		}
		metrics->line[metrics->line_used] = '\0';
		metrics->line_used = 0;
		look_at_line(trial, metrics->line);
	}
}

void trial_record_hits(struct trial *trial, uint64_t at_ns)
{
	struct trial_metrics *metrics = trial->metrics;
	uint64_t since_ns = metrics && metrics->hits_ns ? metrics->hits_ns : trial->times.injected_ns;

	if (!metrics || at_ns <= since_ns || !trial->times.injected_ns)
		return;
	/* The revert may follow a look at once: a few hits in microseconds are no rate. */
	if (at_ns < since_ns + HITS_NS / 10)
		at_ns = since_ns + HITS_NS / 10;
	if (!metrics->hits)
		metrics->hits = calloc(trial->faults.count + 1, sizeof(*metrics->hits));
	for (size_t i = 0; metrics->hits && i < trial->faults.count; i++) {
		const struct fault_slot *slot = &trial->faults.slots[i];
		json_int_t hits = json_integer_at(slot->evidence, "hit");
		double seconds = (double)(at_ns - since_ns) / (double)NSEC_PER_SEC;

		add_row(trial,
			&(struct metric_value){.source = "kernel",
					       .series = slot->node,
					       .at_ns = at_ns,
					       .value = (double)(hits - metrics->hits[i]) / seconds,
					       .is_rate = true},
			WINDOW_DURING);
		metrics->hits[i] = hits;
	}
	metrics->hits_ns = at_ns;
	metrics->hits_are_new = true;
}

json_t *trial_new_hits(struct trial *trial)
{
	struct trial_metrics *metrics = trial->metrics;

	if (!metrics || !metrics->hits_are_new)
		return json_null();
	metrics->hits_are_new = false;
	return json_integer(fault_set_hits(&trial->faults));
}

uint64_t trial_hits_due_ns(const struct trial *trial)
{
	if (!trial->metrics || !trial->times.injected_ns)
		return UINT64_MAX;
	return (trial->metrics->hits_ns ?: trial->times.injected_ns) + HITS_NS;
}

static void take_values(struct trial *trial)
{
	_cleanup_json_ json_t *values = probes_take_values(trial->metrics->sources);
	const json_t *one;
	size_t i;

	json_array_foreach (values, i, one)
		add_value(trial, &(struct metric_value){.source = json_text_or(one, "source", ""),
							.series = json_text_or(one, "series", ""),
							.since_ns = (uint64_t)json_integer_at(one, "since_ns"),
							.at_ns = (uint64_t)json_integer_at(one, "at_ns"),
							.value = json_number_at(one, "value"),
							.is_rate = !strcmp(json_text_or(one, "kind", ""), "rate")});
	/* Of a source only the values count. */
	json_decref(probes_take_samples(trial->metrics->sources));
}

static void send_rows(struct trial *trial)
{
	json_t *rows = trial->metrics->rows;

	while (json_array_size(rows)) {
		json_t *part = json_array();

		for (size_t i = 0; i < METRICS_A_MESSAGE && json_array_size(rows); i++) {
			json_array_append(part, json_array_get(rows, 0));
			json_array_remove(rows, 0);
		}
		trial_send(trial, "metrics", json_pack("{s:o}", "metrics", part));
	}
}

json_t *trial_metrics_summary(const struct trial *trial)
{
	const struct subject *subject = trial->subject;
	json_t *summary;

	if (!trial->metrics || (!subject->metric_count && !subject->output_count))
		return NULL;
	summary = metrics_summarize(&trial->metrics->list);
	for (size_t i = 0; trial->metrics->sources && i < subject->metric_count; i++) {
		const char *name = subject->metrics[i].name;

		if (!json_object_get(summary, name))
			json_object_set_new(summary, name, json_pack("{s:{}}", "series"));
		json_object_set_new(json_object_get(summary, name), "errors",
				    probes_errors(trial->metrics->sources, i));
	}
	return summary;
}

void trial_stop_metrics(struct trial *trial)
{
	struct trial_metrics *metrics = trial->metrics;

	if (!metrics)
		return;
	if (metrics->sources)
		take_values(trial);
	send_rows(trial);
	if (metrics->lines_passed_over)
		trial_event(trial, "record_lost",
			    "%llu lines of the workload's output were not looked at: it prints too much",
			    (unsigned long long)metrics->lines_passed_over);
	probes_free(metrics->sources);
	for (size_t i = 0; i < metrics->pattern_count; i++)
		regfree(&metrics->patterns[i]);
	free(metrics->patterns);
	free(metrics->output_ns);
	free(metrics->hits);
	metrics_clear(&metrics->list);
	json_decref(metrics->rows);
	free(metrics);
	trial->metrics = NULL;
}

static void metrics_step(void *arg)
{
	struct trial *trial = arg;
	struct trial_metrics *metrics = trial->metrics;
	uint64_t now_ns = clock_monotonic_ns();

	if (!metrics)
		return;
	if (metrics->sources) {
		probes_step(metrics->sources, trial_phase_name(trial->phase), NULL);
		take_values(trial);
	}
	if (now_ns < metrics->flush_ns)
		return;
	send_rows(trial);
	metrics->flush_ns = now_ns + FLUSH_NS;
}

static uint64_t metrics_wake_ns(const void *arg)
{
	const struct trial *trial = arg;
	const struct trial_metrics *metrics = trial->metrics;
	uint64_t wake_ns = metrics && json_array_size(metrics->rows) ? metrics->flush_ns : UINT64_MAX;

	return metrics && metrics->sources ? clock_earlier(probes_wake_ns(metrics->sources), wake_ns) : wake_ns;
}

static size_t metrics_poll_count(const void *arg)
{
	const struct trial *trial = arg;

	return trial->metrics && trial->metrics->sources ? probes_poll_count(trial->metrics->sources) : 0;
}

static size_t metrics_poll_fds(const void *arg, struct pollfd *out)
{
	const struct trial *trial = arg;

	return trial->metrics && trial->metrics->sources ? probes_poll_fds(trial->metrics->sources, out) : 0;
}

const struct pump_source trial_metrics_source = {
	.step = metrics_step,
	.wake_ns = metrics_wake_ns,
	.poll_fds = metrics_poll_fds,
	.poll_count = metrics_poll_count,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Probes on their schedule: when each sample starts, how it ended, and whether all is well. */
#include "probe/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/placeholder.h"
#include "net/netns.h"
#include "probe/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* Kinds of errors kept per probe; errors of further kinds are counted together. */
#define ERRORS_MAX 20
#define ERROR_OUTPUT_MAX 1000

/* Samples that failed with the same text. */
struct probe_error {
	char *text;
	json_int_t count;
	json_t *output; /* of the last one; NULL: none */
};

struct sample {
	struct sample *next;
	void *work; /* of the probe's kind */
	uint64_t scheduled_ns;
	const char *phase;
	size_t fd_count; /* of its descriptors in the last poll() of probes_step() */
	bool recorded;   /* in samples; what is still there counts against at_once */
};

struct probe_run {
	struct probe probe; /* for the instance */
	const struct probe_ops *ops;
	int netns_fd;    /* 0: the caller's namespace */
	uint64_t due_ns; /* UINT64_MAX: no more samples */
	struct sample *running;
	size_t running_count;
	/* Statistics of ended samples (missed ones never started): */
	uint64_t count, missed;
	unsigned int good_row;
	uint64_t row_since_ns;  /* samples started earlier neither extend nor break the row */
	unsigned int last_good; /* one bit per sample, bit 0 the newest */
	double latency_ms;      /* of the last sample */
	char error[SAMPLE_ERROR_SIZE];
	struct probe_error errors[ERRORS_MAX];
	size_t error_count;
	json_int_t other_errors;
	void *state; /* of ops->prepare */
};

struct probes {
	struct probe_run *runs;
	size_t count;
	int cgroup_fd;
	json_t *samples, *values;
	struct pollfd *fds; /* of probes_step() */
	size_t fds_room;
};

static int run_open(struct probe_run *run, const struct probe *probe, const struct subject *subject,
		    unsigned int instance, struct error *err)
{
	int ret = probe_expand(&run->probe, probe, subject, instance, err), fd;

	run->ops = probe_ops_of(&run->probe);
	run->due_ns = UINT64_MAX;
	if (!ret && run->ops->prepare)
		ret = run->ops->prepare(&run->state, &run->probe, err);
	if (ret || !run->probe.netns)
		return ret;
	fd = netns_open(run->probe.netns, err);
	if (fd < 0)
		return fd;
	run->netns_fd = fd;
	return 0;
}

int probes_new(struct probes **out, const struct subject *subject, struct probe_list list, unsigned int instance,
	       int cgroup_fd, struct error *err)
{
	struct probes *probes = calloc(1, sizeof(*probes));
	int ret = 0;

	if (probes)
		probes->runs = calloc(list.count + 1, sizeof(*probes->runs));
	if (!probes || !probes->runs) {
		free(probes);
		return error_set(err, -ENOMEM, "out of memory");
	}
	probes->count = list.count;
	probes->cgroup_fd = cgroup_fd;
	for (size_t i = 0; !ret && i < probes->count; i++)
		ret = run_open(&probes->runs[i], &list.items[i], subject, instance, err);
	if (ret)
		probes_free(probes);
	else
		*out = probes;
	return ret;
}

static void sample_free(const struct probe_run *run, struct sample *sample)
{
	run->ops->free(sample->work);
	free(sample);
}

static void run_close(struct probe_run *run)
{
	while (run->running) {
		struct sample *sample = run->running;

		run->running = sample->next;
		sample_free(run, sample);
	}
	for (size_t i = 0; i < run->error_count; i++) {
		free(run->errors[i].text);
		json_decref(run->errors[i].output);
	}
	if (run->netns_fd)
		fd_close(run->netns_fd);
	if (run->ops && run->ops->forget)
		run->ops->forget(run->state);
	else
		free(run->state);
	probe_clear(&run->probe);
}

void probes_free(struct probes *probes)
{
	if (!probes)
		return;
	/* Kill all before the first wait, so that the waits for stuck processes overlap. */
	for (size_t i = 0; i < probes->count; i++)
		for (struct sample *sample = probes->runs[i].running; sample; sample = sample->next)
			if (probes->runs[i].ops->kill)
				probes->runs[i].ops->kill(sample->work);
	for (size_t i = 0; i < probes->count; i++)
		run_close(&probes->runs[i]);
	json_decref(probes->samples);
	json_decref(probes->values);
	free(probes->fds);
	free(probes->runs);
	free(probes);
}

void probes_start(struct probes *probes, uint64_t now_ns)
{
	for (size_t i = 0; i < probes->count; i++)
		probes->runs[i].due_ns = now_ns;
}

void probes_finish(struct probes *probes)
{
	for (size_t i = 0; i < probes->count; i++)
		probes->runs[i].due_ns = UINT64_MAX;
}

bool probes_running(const struct probes *probes)
{
	for (size_t i = 0; i < probes->count; i++)
		for (const struct sample *sample = probes->runs[i].running; sample; sample = sample->next)
			if (!sample->recorded)
				return true;
	return false;
}

static void count_sample(struct probe_run *run, bool good, uint64_t started_ns, const char *error)
{
	run->count++;
	run->last_good = run->last_good << 1 | good;
	if (started_ns >= run->row_since_ns)
		run->good_row = good ? run->good_row + 1 : 0;
	snprintf(run->error, sizeof(run->error), "%s", good ? "" : error);
}

static struct probe_error *find_error(struct probe_run *run, const char *text)
{
	for (size_t i = 0; i < run->error_count; i++)
		if (!strcmp(run->errors[i].text, text))
			return &run->errors[i];
	if (run->error_count == ERRORS_MAX)
		return NULL;
	run->errors[run->error_count].text = strdup(text);
	return run->errors[run->error_count].text ? &run->errors[run->error_count++] : NULL;
}

/* The end of the output, which usually says why. */
static json_t *end_of(const json_t *output)
{
	const char *text = json_string_value(output) ?: "";
	size_t length = json_string_length(output), kept = length < ERROR_OUTPUT_MAX ? length : ERROR_OUTPUT_MAX;

	return length ? json_text(text + length - kept, kept) : NULL;
}

/* work is NULL for a sample that could not start. */
static void count_error(struct probe_run *run, const char *text, const void *work)
{
	_cleanup_json_ json_t *output = work ? run->ops->output(work) : NULL;
	struct probe_error *error = find_error(run, text);

	if (!error) {
		run->other_errors++;
		return;
	}
	error->count++;
	json_decref(error->output);
	error->output = end_of(output);
}

static void record_sample(struct probes *probes, struct probe_run *run, const struct sample *sample,
			  uint64_t started_ns, uint64_t ended_ns, const char *error)
{
	json_t *row;

	count_sample(run, !error, started_ns, error);
	if (error)
		count_error(run, error, sample->work);
	run->latency_ms = (double)(ended_ns - started_ns) / NSEC_PER_MSEC;
	row = json_pack("{s:s, s:I, s:I, s:I, s:b, s:s}", "probe", run->probe.name, "scheduled_ns",
			(json_int_t)sample->scheduled_ns, "started_at_ns", (json_int_t)started_ns, "latency_ns",
			(json_int_t)(ended_ns - started_ns), "ok", !error, "phase", sample->phase);
	json_object_set_new(row, "error", json_outside(error));
	if (!probes->samples)
		probes->samples = json_array();
	json_array_append_new(probes->samples, row);
}

static void finish_sample(struct probes *probes, struct probe_run *run, struct sample *sample)
{
	struct sample_result result = {};

	sample->recorded = true;
	run->ops->result(sample->work, &result);
	record_sample(probes, run, sample, result.started_ns, result.ended_ns, result.good ? NULL : result.error);
	if (!result.good || !run->ops->values)
		return;
	if (!probes->values)
		probes->values = json_array();
	run->ops->values(sample->work, probes->values);
}

/* fds: the descriptors of this probe's samples, in their order. Returns how many there are. */
static size_t handle_running(struct probes *probes, struct probe_run *run, const struct pollfd *fds)
{
	struct sample **link = &run->running;
	size_t used = 0;

	while (*link) {
		struct sample *sample = *link;
		bool ended = run->ops->handle(sample->work, fds + used, sample->fd_count);

		used += sample->fd_count;
		if (ended && !sample->recorded)
			finish_sample(probes, run, sample);
		if (!ended || (run->ops->is_gone && !run->ops->is_gone(sample->work))) {
			link = &sample->next;
			continue;
		}
		*link = sample->next;
		run->running_count--;
		sample_free(run, sample);
	}
	return used;
}

/* One poll() for all samples. */
static void handle_all(struct probes *probes)
{
	size_t needed = probes_poll_count(probes), used = 0;
	struct pollfd *grown;
	nfds_t polled = 0;

	if (needed > probes->fds_room) {
		grown = reallocarray(probes->fds, needed, sizeof(*grown));
		if (!grown)
			return;
		probes->fds = grown;
		probes->fds_room = needed;
	}
	for (size_t i = 0; i < probes->count; i++)
		for (struct sample *sample = probes->runs[i].running; sample; sample = sample->next) {
			sample->fd_count = probes->runs[i].ops->poll_fds(sample->work, probes->fds + polled);
			polled += sample->fd_count;
		}
	if (polled)
		poll(probes->fds, polled, 0);
	for (size_t i = 0; i < probes->count; i++)
		used += handle_running(probes, &probes->runs[i], probes->fds + used);
}

static void start_sample(struct probes *probes, struct probe_run *run, const char *phase, char *const *environment)
{
	const struct sample_spec spec = {.probe = &run->probe,
					 .state = run->state,
					 .environment = environment,
					 .cgroup_fd = probes->cgroup_fd,
					 .netns_fd = run->netns_fd};
	struct sample *sample = calloc(1, sizeof(*sample));
	uint64_t now_ns = clock_monotonic_ns();
	struct error err = {};

	if (!sample)
		return;
	sample->scheduled_ns = run->due_ns;
	sample->phase = phase;
	if (run->running_count >= run->ops->at_once)
		error_set(&err, -EAGAIN, "not started: %zu samples are still running", run->running_count);
	else
		run->ops->start(&sample->work, &spec, &err);
	if (err.code) {
		record_sample(probes, run, sample, now_ns, now_ns, err.text);
		free(sample);
		return;
	}
	sample->next = run->running;
	run->running = sample;
	run->running_count++;
}

/*
 * What is late because of us says nothing of the subject: if this process was stopped or busy for a while, samples that
 * are overdue past their timeout, or too many to start at once, count as missed and do not start.
 */
static void start_due(struct probes *probes, struct probe_run *run, const char *phase, char *const *environment)
{
	uint64_t every_ns = (run->probe.every_ms ?: 1) * NSEC_PER_MSEC;
	uint64_t patience_ns = run->probe.timeout_ms * NSEC_PER_MSEC + every_ns;
	uint64_t now_ns = clock_monotonic_ns();

	while (run->due_ns <= now_ns) {
		uint64_t late_ns = now_ns - run->due_ns;

		if (late_ns > patience_ns || (late_ns > every_ns && run->running_count >= run->ops->at_once))
			run->missed++;
		else
			start_sample(probes, run, phase, environment);
		run->due_ns += every_ns;
	}
}

void probes_step(struct probes *probes, const char *phase, char *const *environment)
{
	handle_all(probes);
	for (size_t i = 0; i < probes->count; i++)
		start_due(probes, &probes->runs[i], phase, environment);
}

uint64_t probes_wake_ns(const struct probes *probes)
{
	uint64_t wake_ns = UINT64_MAX;

	for (size_t i = 0; i < probes->count; i++) {
		if (probes->runs[i].due_ns < wake_ns)
			wake_ns = probes->runs[i].due_ns;
		for (const struct sample *sample = probes->runs[i].running; sample; sample = sample->next)
			wake_ns = clock_earlier(wake_ns, probes->runs[i].ops->wake_ns(sample->work));
	}
	return wake_ns;
}

size_t probes_poll_count(const struct probes *probes)
{
	size_t count = 0;

	for (size_t i = 0; i < probes->count; i++)
		count += probes->runs[i].running_count * probes->runs[i].ops->poll_max;
	return count;
}

size_t probes_poll_fds(const struct probes *probes, struct pollfd *out)
{
	size_t used = 0;

	for (size_t i = 0; i < probes->count; i++)
		for (const struct sample *sample = probes->runs[i].running; sample; sample = sample->next)
			used += probes->runs[i].ops->poll_fds(sample->work, out + used);
	return used;
}

size_t probes_pending(const struct probes *probes)
{
	return json_array_size(probes->samples);
}

json_t *probes_take_samples(struct probes *probes)
{
	return TAKE_PTR(probes->samples);
}

json_t *probes_take_values(struct probes *probes)
{
	return TAKE_PTR(probes->values);
}

void probes_count_from(struct probes *probes, uint64_t since_ns)
{
	for (size_t i = 0; i < probes->count; i++) {
		probes->runs[i].good_row = 0;
		probes->runs[i].row_since_ns = since_ns;
	}
}

bool probes_recovered(const struct probes *probes)
{
	for (size_t i = 0; i < probes->count; i++)
		if (probes->runs[i].good_row < PROBE_GOOD_SAMPLES)
			return false;
	return true;
}

bool probes_healthy(const struct probes *probes, char *reason, size_t size)
{
	for (size_t i = 0; i < probes->count; i++) {
		const struct probe_run *run = &probes->runs[i];
		unsigned int looked_at =
			run->count < PROBE_GOOD_SAMPLES ? (unsigned int)run->count : PROBE_GOOD_SAMPLES;
		unsigned int good = (unsigned int)__builtin_popcount(run->last_good & ((1U << looked_at) - 1));

		if (looked_at - good <= looked_at / 2)
			continue;
		snprintf(reason, size,
			 "the subject was not healthy before: %u of the last %u samples of probe '%s' were bad%s%s",
			 looked_at - good, looked_at, run->probe.name, *run->error ? " (" : "", run->error);
		if (*run->error)
			strncat(reason, ")", size - strlen(reason) - 1);
		return false;
	}
	return true;
}

json_t *probes_state(const struct probes *probes)
{
	json_t *state = json_object();

	for (size_t i = 0; i < probes->count; i++) {
		const struct probe_run *run = &probes->runs[i];
		json_t *one = json_pack("{s:o, s:i, s:I, s:I, s:o}", "ok",
					run->count ? json_boolean(run->last_good & 1) : json_null(), "good_in_a_row",
					(int)run->good_row, "samples", (json_int_t)run->count, "missed",
					(json_int_t)run->missed, "latency_ms",
					run->count ? json_real(run->latency_ms) : json_null());

		json_object_set_new(one, "error", json_outside(*run->error ? run->error : NULL));
		json_object_set_new(state, run->probe.name, one);
	}
	return state;
}

json_t *probes_errors(const struct probes *probes, size_t index)
{
	const struct probe_run *run = &probes->runs[index];
	json_t *errors = json_array();

	for (size_t i = 0; i < run->error_count; i++)
		json_array_append_new(errors,
				      json_pack("{s:o, s:I, s:O?}", "text", json_outside(run->errors[i].text), "count",
						run->errors[i].count, "output", run->errors[i].output));
	if (run->other_errors)
		json_array_append_new(errors, json_pack("{s:s, s:I, s:n}", "text", "others", "count", run->other_errors,
							"output"));
	return errors;
}

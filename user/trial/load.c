/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A trial's load: the workload and the probes, with every process that they start, in one scope. */
#include <errno.h>
#include <string.h>

#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* How long to wait until the scope's processes have died; the guard takes over after that. */
#define SCOPE_WAIT_NS (2 * NSEC_PER_SEC)
/*
 * How often samples and probe state are sent to the coordinator, and with how many samples at the latest: making
 * records of a thousand takes 10 ms, in which no other sample is looked at.
 */
#define FLUSH_NS (500 * NSEC_PER_MSEC)
#define FLUSH_SAMPLES 50
/* Samples per datagram: a sample's text is below 1 KiB. */
#define SAMPLES_A_MESSAGE 256

static int start_workload(struct trial *trial, struct error *err)
{
	const struct command *command = &trial->subject->workload;
	struct proc_spec spec = {
		.exec = command->exec,
		.directory = command->directory,
		.environment = trial->scoped_environment,
		.timeout_ns = clock_from_seconds(command->timeout_seconds),
		.cgroup_fd = trial->scope.cgroup_fd,
		.on_output = trial_read_output,
		.on_output_arg = trial,
	};

	return command->exec ? proc_start(&trial->workload, &spec, err) : 0;
}

int trial_start_load(struct trial *trial, struct error *err)
{
	const struct subject *subject = trial->subject;
	int ret;

	ret = trial_start_metrics(trial, err);
	if (ret || (!subject->workload.exec && !subject->probe_count && !trial->settings->abort_if.exec))
		return ret;
	ret = scope_create(&trial->scope, trial->job->scope_prefix, getpid(), err);
	if (ret)
		return ret;
	trial->has_scope = true;
	ret = trial_rebuild_environment(trial, err);
	if (!ret)
		ret = start_workload(trial, err);
	if (!ret && subject->probe_count)
		ret = probes_new(&trial->probes, subject, (struct probe_list){subject->probes, subject->probe_count},
				 trial->job->instance, trial->scope.cgroup_fd, err);
	if (!ret && trial->probes)
		probes_start(trial->probes, clock_monotonic_ns());
	return ret;
}

bool trial_workload_failed(const struct trial *trial)
{
	return trial->workload && proc_ended(trial->workload) && !proc_succeeded(trial->workload);
}

int trial_check_workload(const struct trial *trial, const char *when, struct error *err)
{
	char why[512];

	if (!trial_workload_failed(trial))
		return 0;
	proc_describe(trial->workload, why, sizeof(why));
	return error_set(err, -EIO, "the workload failed %s: %.400s", when, why);
}

static void send_samples_part(struct trial *trial, const json_t *samples, size_t from)
{
	json_t *part = json_array();

	for (size_t i = from; i < json_array_size(samples) && i < from + SAMPLES_A_MESSAGE; i++)
		json_array_append(part, json_array_get(samples, i));
	trial_send(trial, "samples",
		   json_pack("{s:o, s:o, s:o}", "samples", part, "hits", trial_new_hits(trial), "state",
			     probes_state(trial->probes)));
}

static uint32_t probe_index(const struct trial *trial, const char *name)
{
	uint32_t index = 0;

	while (index < trial->subject->probe_count && strcmp(trial->subject->probes[index].name, name) != 0)
		index++;
	return index;
}

/* Keeps the sample for the summary, and records it with the phase that the summary counts it in. */
static int keep_sample(struct trial *trial, json_t *row)
{
	const struct summary_sample sample = {
		.scheduled_ns = (uint64_t)json_integer_at(row, "scheduled_ns"),
		.started_ns = (uint64_t)json_integer_at(row, "started_at_ns"),
		.latency_ns = (uint64_t)json_integer_at(row, "latency_ns"),
		.probe = probe_index(trial, json_text_or(row, "probe", "")),
		.ok = json_is_true(json_object_get(row, "ok")),
	};
	enum summary_window window = summary_window(&trial->times, &sample);

	if (window != WINDOW_NONE)
		json_object_set_new(row, "phase", json_string(trial_phase_name(trial_phase_of_window(trial, window))));
	return summary_add(&trial->samples, &sample);
}

void trial_send_samples(struct trial *trial)
{
	_cleanup_json_ json_t *samples = trial->probes ? probes_take_samples(trial->probes) : NULL;
	size_t lost = 0, index;
	json_t *row;

	json_array_foreach (samples, index, row)
		lost += keep_sample(trial, row) < 0;
	if (lost)
		trial_event(trial, "record_lost", "%zu samples do not count in the summary: out of memory", lost);
	for (size_t i = 0; i < json_array_size(samples); i += SAMPLES_A_MESSAGE)
		send_samples_part(trial, samples, i);
}

void trial_stop_load(struct trial *trial)
{
	if (trial->workload) {
		proc_finish(trial->workload);
		trial_record_command(trial, "workload", &trial->subject->workload, trial->workload, 1);
	}
	if (trial->probes)
		trial_send_samples(trial);
	trial_stop_metrics(trial);
	probes_free(trial->probes);
	trial->probes = NULL;
	if (trial->has_scope && scope_destroy(&trial->scope, SCOPE_WAIT_NS))
		trial_event(trial, "left_behind", "processes of %s do not die", trial->scope.name);
	proc_free(trial->workload);
	trial->workload = NULL;
}

static void workload_step(void *arg)
{
	struct trial *trial = arg;

	if (trial->workload)
		proc_handle(trial->workload);
}

static uint64_t workload_wake_ns(const void *arg)
{
	const struct trial *trial = arg;

	return trial->workload ? proc_wake_ns(trial->workload) : UINT64_MAX;
}

static size_t workload_poll_count(const void *arg)
{
	return PROC_POLL_MAX;
}

static size_t workload_poll_fds(const void *arg, struct pollfd *out)
{
	const struct trial *trial = arg;

	return trial->workload ? proc_poll_fds(trial->workload, out) : 0;
}

const struct pump_source trial_workload_source = {
	.step = workload_step,
	.wake_ns = workload_wake_ns,
	.poll_fds = workload_poll_fds,
	.poll_count = workload_poll_count,
};

static void samples_step(void *arg)
{
	struct trial *trial = arg;
	uint64_t now_ns = clock_monotonic_ns();

	if (!trial->probes)
		return;
	probes_step(trial->probes, trial_phase_name(trial->phase), trial->scoped_environment);
	if (now_ns < trial->flush_ns && probes_pending(trial->probes) < FLUSH_SAMPLES)
		return;
	trial_send_samples(trial);
	trial->flush_ns = now_ns + FLUSH_NS;
}

static uint64_t samples_wake_ns(const void *arg)
{
	const struct trial *trial = arg;

	return trial->probes ? clock_earlier(probes_wake_ns(trial->probes), trial->flush_ns) : UINT64_MAX;
}

static size_t samples_poll_count(const void *arg)
{
	const struct trial *trial = arg;

	return trial->probes ? probes_poll_count(trial->probes) : 0;
}

static size_t samples_poll_fds(const void *arg, struct pollfd *out)
{
	const struct trial *trial = arg;

	return trial->probes ? probes_poll_fds(trial->probes, out) : 0;
}

const struct pump_source trial_probes_source = {
	.step = samples_step,
	.wake_ns = samples_wake_ns,
	.poll_fds = samples_poll_fds,
	.poll_count = samples_poll_count,
};

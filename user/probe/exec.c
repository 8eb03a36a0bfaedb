/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A sample is a command; its exit status 0 is good. */
#include "probe/internal.h"
#include "process/proc.h"
#include "util/clock.h"

static int exec_start(void **sample, const struct sample_spec *spec, struct error *err)
{
	const struct proc_spec proc = {
		.exec = spec->probe->command.exec,
		.directory = spec->probe->command.directory,
		.environment = spec->environment,
		.timeout_ns = spec->probe->timeout_ms * NSEC_PER_MSEC,
		.cgroup_fd = spec->cgroup_fd,
		.netns_fd = spec->netns_fd,
	};

	return proc_start((struct proc **)sample, &proc, err);
}

static bool exec_handle(void *sample, const struct pollfd *ready, size_t count)
{
	return proc_handle(sample);
}

static bool exec_is_gone(void *sample)
{
	return proc_is_gone(sample);
}

static void exec_result(const void *sample, struct sample_result *out)
{
	const struct proc_result *result = proc_get_result(sample);

	out->started_ns = result->started_ns;
	out->ended_ns = result->ended_ns;
	out->good = proc_succeeded(sample);
	if (!out->good)
		proc_describe(sample, out->error, sizeof(out->error));
}

static json_t *exec_output(const void *sample)
{
	return proc_output(sample);
}

static size_t exec_poll_fds(const void *sample, struct pollfd *out)
{
	return proc_poll_fds(sample, out);
}

static uint64_t exec_wake_ns(const void *sample)
{
	return proc_wake_ns(sample);
}

static void exec_kill(void *sample)
{
	proc_kill(sample);
}

static void exec_free(void *sample)
{
	proc_free(sample);
}

const struct probe_ops exec_probe_ops = {
	.at_once = 64,
	.start = exec_start,
	.handle = exec_handle,
	.is_gone = exec_is_gone,
	.result = exec_result,
	.output = exec_output,
	.poll_max = PROC_POLL_MAX,
	.poll_fds = exec_poll_fds,
	.wake_ns = exec_wake_ns,
	.kill = exec_kill,
	.free = exec_free,
};

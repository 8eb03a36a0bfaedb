/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `abort_if`: run at most once a second during the hold, to end the chaos early. */
#include <errno.h>

#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define ABORT_EVERY_NS NSEC_PER_SEC
#define ABORT_TIMEOUT_SECONDS 10
/* The lowest exit code of a shell that could not run the command (126, 127). */
#define EXIT_CANNOT_RUN 126

static int start_abort_if(struct trial *trial, struct error *err)
{
	const struct command *command = &trial->settings->abort_if;
	double seconds = command->timeout_seconds > 0 ? command->timeout_seconds : ABORT_TIMEOUT_SECONDS;
	struct proc_spec spec = {
		.exec = command->exec,
		.directory = command->directory,
		.environment = trial->scoped_environment,
		.timeout_ns = clock_from_seconds(seconds),
		.cgroup_fd = trial->scope.cgroup_fd,
	};

	trial->abort_ns = clock_monotonic_ns() + ABORT_EVERY_NS;
	return proc_start(&trial->command, &spec, err);
}

/* If abort_if itself fails, abort: without the check the trial is not safe to continue. */
static void judge_abort_if(struct trial *trial, const struct proc *proc)
{
	const struct proc_result *result = proc_get_result(proc);
	char why[512];

	if (!result->timed_out && result->exit_code > 0 && result->exit_code < EXIT_CANNOT_RUN)
		return;
	trial_record_command(trial, "abort_if", &trial->settings->abort_if, proc, 1);
	proc_describe(proc, why, sizeof(why));
	if (proc_succeeded(proc))
		error_set(&trial->chaos_error, -ECONNABORTED, "stopped by abort_if (%.400s)", why);
	else
		error_set(&trial->chaos_error, -EIO, "stopped because abort_if failed: %.400s", why);
}

/* During the hold, starts abort_if when it is due and judges it when it has ended. */
static void abort_step(void *arg)
{
	struct trial *trial = arg;

	if (!trial->settings->abort_if.exec || trial->phase != PHASE_HOLD || trial->chaos_error.code)
		return;
	if (trial->command && proc_ended(trial->command)) {
		struct proc *ended = TAKE_PTR(trial->command);

		judge_abort_if(trial, ended);
		proc_free(ended);
	}
	if (!trial->command && !trial->chaos_error.code && clock_monotonic_ns() >= trial->abort_ns)
		start_abort_if(trial, &trial->chaos_error);
}

static uint64_t abort_wake_ns(const void *arg)
{
	const struct trial *trial = arg;
	bool waits = trial->settings->abort_if.exec && trial->phase == PHASE_HOLD && !trial->command;

	return waits ? trial->abort_ns : UINT64_MAX;
}

const struct pump_source trial_abort_source = {
	.step = abort_step,
	.wake_ns = abort_wake_ns,
};

void trial_abort_end(struct trial *trial)
{
	proc_free(TAKE_PTR(trial->command));
}

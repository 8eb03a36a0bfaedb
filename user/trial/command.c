/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands that a trial waits for: reset, ready, roles, final checks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analysis/expectations.h"
#include "process/guard.h"
#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Defaults if the file gives no timeout: no command may hang a campaign forever. */
#define RESET_TIMEOUT_SECONDS 600
#define ROLES_TIMEOUT_SECONDS 30
/* The pause between two tries of `ready`, and the shortest timeout of a try. */
#define READY_EVERY_NS (100 * NSEC_PER_MSEC)
#define READY_TRY_LEAST_NS NSEC_PER_SEC

static uint64_t timeout_of(const struct command *command, double otherwise)
{
	return clock_from_seconds(command->timeout_seconds > 0 ? command->timeout_seconds : otherwise);
}

static bool command_ended(const struct trial *trial)
{
	return proc_ended(trial->command);
}

/* Keeps the output pipe that a daemon still holds: without a reader, a daemon that writes to it would die or hang. */
static void keep_pipe(struct trial *trial, struct proc *proc)
{
	int fd = proc_take_pipe(proc);
	int *grown = fd < 0 ? NULL : realloc(trial->drains, (trial->drain_count + 1) * sizeof(*grown));

	if (!grown) {
		fd_close(fd);
		return;
	}
	trial->drains = grown;
	grown[trial->drain_count++] = fd;
}

/* Sends the guard the current command's group if it has changed; never blocks. */
static void tell_guard(struct trial *trial)
{
	if (trial->group != trial->group_told && !guard_tell_group(trial->job->guard_fd, trial->group))
		trial->group_told = trial->group;
}

static void tell_group(struct trial *trial, pid_t group)
{
	/* Count a previous group that the guard was never sent, because it is stopped. */
	trial->groups_lost += trial->group != trial->group_told && trial->group;
	trial->group = group;
	tell_guard(trial);
}

/* Runs a command of the subject and waits for it. *out is the ended command, which the caller frees. */
static int run_command(struct trial *trial, const struct command *command, uint64_t timeout_ns, enum proc_stderr apart,
		       struct proc **out, struct error *err)
{
	struct proc_spec spec = {
		.exec = command->exec,
		.directory = command->directory,
		.environment = trial->environment,
		.timeout_ns = timeout_ns,
		.cgroup_fd = -1,
		.standard_error = apart,
	};
	int ret = proc_start(&trial->command, &spec, err);

	if (ret)
		return ret;
	tell_group(trial, proc_pid(trial->command));
	ret = trial_pump(trial, UINT64_MAX, command_ended);
	if (ret) {
		proc_free(TAKE_PTR(trial->command));
		tell_group(trial, 0);
		return error_set(err, ret, "stopped");
	}
	tell_group(trial, 0);
	keep_pipe(trial, trial->command);
	*out = TAKE_PTR(trial->command);
	return 0;
}

void trial_record_command(struct trial *trial, const char *name, const struct command *command, const struct proc *proc,
			  unsigned int tries)
{
	const struct proc_result *result = proc_get_result(proc);
	json_t *record =
		json_pack("{s:s, s:s, s:s, s:I, s:f, s:b, s:o}", "name", name, "phase", trial_phase_name(trial->phase),
			  "exec", command->exec, "started_at_ns", (json_int_t)result->started_ns, "seconds",
			  (double)(result->ended_ns - result->started_ns) / NSEC_PER_SEC, "timed_out",
			  result->timed_out, "output", proc_output(proc));

	json_object_set_new(record, "exit_code", result->exit_code < 0 ? json_null() : json_integer(result->exit_code));
	if (result->signal)
		json_object_set_new(record, "signal", json_integer(result->signal));
	if (result->survived)
		json_object_set_new(record, "survived_kill", json_true());
	if (result->stopped)
		json_object_set_new(record, "stopped", json_true());
	if (tries > 1)
		json_object_set_new(record, "tries", json_integer(tries));
	trial_send(trial, "command", json_pack("{s:o}", "record", record));
}

int trial_reset(struct trial *trial, struct error *err)
{
	const struct command *command = &trial->subject->reset;
	struct proc *proc;
	char why[512];
	int ret = 0;

	if (!trial->subject->fresh)
		return 0;
	ret = run_command(trial, command, timeout_of(command, RESET_TIMEOUT_SECONDS), PROC_STDERR_MIXED, &proc, err);
	if (ret)
		return ret;
	trial_record_command(trial, "reset", command, proc, 1);
	if (!proc_succeeded(proc)) {
		proc_describe(proc, why, sizeof(why));
		ret = error_set(err, proc_get_result(proc)->timed_out ? -ETIMEDOUT : -EIO, "reset failed: %.400s", why);
	}
	proc_free(proc);
	return ret;
}

/* A shell's exit code for a program that does not exist or may not be executed: waiting does not help. */
static bool cannot_run(const struct proc *proc)
{
	int code = proc_get_result(proc)->exit_code;

	return code == 126 || code == 127;
}

static int ready_failed(const struct proc *proc, unsigned int tries, struct error *err)
{
	char why[512];

	proc_describe(proc, why, sizeof(why));
	if (cannot_run(proc))
		return error_set(err, -ENOEXEC, "ready cannot be run: %.400s", why);
	return error_set(err, -ETIMEDOUT, "not ready in time, after %u tries: %.400s", tries, why);
}

int trial_wait_ready(struct trial *trial, uint64_t end_ns, struct error *err)
{
	const struct command *command = &trial->subject->ready;

	if (!command->exec)
		return 0;
	for (unsigned int tries = 1;; tries++) {
		uint64_t now_ns = clock_monotonic_ns();
		uint64_t left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
		bool ready, last;
		struct proc *proc;
		int ret;

		ret = run_command(trial, command, left_ns > READY_TRY_LEAST_NS ? left_ns : READY_TRY_LEAST_NS,
				  PROC_STDERR_MIXED, &proc, err);
		if (ret)
			return ret;
		ready = proc_succeeded(proc);
		last = clock_monotonic_ns() + READY_EVERY_NS > end_ns;
		if (ready || last || cannot_run(proc)) {
			trial_record_command(trial, "ready", command, proc, tries);
			ret = ready ? 0 : ready_failed(proc, tries, err);
			proc_free(proc);
			return ret;
		}
		proc_free(proc);
		ret = trial_pump(trial, clock_monotonic_ns() + READY_EVERY_NS, NULL);
		if (ret)
			return error_set(err, ret, "stopped");
	}
}

json_t *trial_roles(struct trial *trial, struct error *err)
{
	const struct command *command = &trial->subject->roles;
	_cleanup_json_ json_t *output = NULL;
	struct proc *proc;
	char why[512];

	if (run_command(trial, command, timeout_of(command, ROLES_TIMEOUT_SECONDS), PROC_STDERR_APART, &proc, err))
		return NULL;
	trial_record_command(trial, "roles", command, proc, 1);
	output = proc_output(proc);
	if (!proc_succeeded(proc)) {
		proc_describe(proc, why, sizeof(why));
		error_set(err, -EIO, "roles failed: %.400s", why);
		proc_free(proc);
		return NULL;
	}
	proc_free(proc);
	return TAKE_PTR(output);
}

int trial_final_checks(struct trial *trial, json_t *list, enum trial_verdict *verdict, struct error *err)
{
	for (size_t i = 0; i < trial->settings->check_count; i++) {
		const struct check_command *check = &trial->settings->checks[i];
		char name[80], why[512];
		struct proc *proc;
		int ret = run_command(trial, &check->command, timeout_of(&check->command, 0), PROC_STDERR_MIXED, &proc,
				      err);

		if (ret)
			return ret;
		snprintf(name, sizeof(name), "check %s", check->name);
		trial_record_command(trial, name, &check->command, proc, 1);
		proc_describe(proc, why, sizeof(why));
		*verdict =
			verdict_worse(*verdict, expectations_add_check(list, check->name, proc_succeeded(proc), why));
		proc_free(proc);
	}
	return 0;
}

static void command_step(void *arg)
{
	struct trial *trial = arg;

	if (trial->command)
		proc_handle(trial->command);
}

static uint64_t command_wake_ns(const void *arg)
{
	const struct trial *trial = arg;

	return trial->command ? proc_wake_ns(trial->command) : UINT64_MAX;
}

static size_t command_poll_count(const void *arg)
{
	return PROC_POLL_MAX;
}

static size_t command_poll_fds(const void *arg, struct pollfd *out)
{
	const struct trial *trial = arg;

	return trial->command ? proc_poll_fds(trial->command, out) : 0;
}

const struct pump_source trial_command_source = {
	.step = command_step,
	.wake_ns = command_wake_ns,
	.poll_fds = command_poll_fds,
	.poll_count = command_poll_count,
};

/* Discards what daemons write after the command that started them has ended. */
static void drains_step(void *arg)
{
	struct trial *trial = arg;
	char buffer[4096];

	for (size_t i = 0; i < trial->drain_count; i++) {
		ssize_t got = 1;

		for (int rounds = 0; rounds < 16 && got > 0; rounds++)
			got = read(trial->drains[i], buffer, sizeof(buffer));
		if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
			continue;
		close(trial->drains[i]);
		trial->drains[i--] = trial->drains[--trial->drain_count];
	}
}

static size_t drains_poll_count(const void *arg)
{
	const struct trial *trial = arg;

	return trial->drain_count;
}

static size_t drains_poll_fds(const void *arg, struct pollfd *out)
{
	const struct trial *trial = arg;

	for (size_t i = 0; i < trial->drain_count; i++)
		out[i] = (struct pollfd){.fd = trial->drains[i], .events = POLLIN};
	return trial->drain_count;
}

const struct pump_source trial_drains_source = {
	.step = drains_step,
	.poll_fds = drains_poll_fds,
	.poll_count = drains_poll_count,
};

static void guard_step(void *arg)
{
	tell_guard(arg);
}

const struct pump_source trial_guard_source = {.step = guard_step};

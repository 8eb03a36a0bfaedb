/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Subjects' `cleanup` commands, run by the coordinator itself. */
#include <errno.h>

#include "campaign/internal.h"
#include "process/environment.h"
#include "process/proc.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define CLEANUP_TIMEOUT_SECONDS 300

static void add_command_record(json_t *records, const struct command *command, const struct proc *proc,
			       unsigned int instance)
{
	const struct proc_result *result = proc_get_result(proc);

	json_array_append_new(records, json_pack("{s:s, s:s, s:i, s:o, s:b, s:f, s:o}", "name", "cleanup", "exec",
						 command->exec, "instance", (int)instance, "exit_code",
						 result->exit_code < 0 ? json_null() : json_integer(result->exit_code),
						 "timed_out", result->timed_out, "seconds",
						 (double)(result->ended_ns - result->started_ns) / NSEC_PER_SEC,
						 "output", proc_output(proc)));
}

int campaign_cleanup_subject(const struct subject *subject, unsigned int instance, const char *campaign_id,
			     json_t *records, struct error *err)
{
	const struct command *command = &subject->cleanup;
	struct environment_values values = {
		.instance = instance,
		.campaign = campaign_id,
		.subject = subject->name,
		.phase = "cleanup",
	};
	_cleanup_free_ char **environment = environment_build(&values);
	double seconds = command->timeout_seconds > 0 ? command->timeout_seconds : CLEANUP_TIMEOUT_SECONDS;
	struct proc_spec spec = {
		.exec = command->exec,
		.directory = command->directory,
		.environment = environment,
		.timeout_ns = clock_from_seconds(seconds),
		.cgroup_fd = -1,
	};
	struct proc *proc;
	char why[512];
	int ret;

	if (!command->exec)
		return 0;
	if (!environment)
		return error_set(err, -ENOMEM, "out of memory");
	ret = proc_start(&proc, &spec, err);
	if (ret)
		return ret;
	if (!proc_wait(proc, campaign_interrupted, campaign_signal_fd())) {
		ret = error_set(err, -ECANCELED, "stopped");
	} else {
		if (records)
			add_command_record(records, command, proc, instance);
		proc_describe(proc, why, sizeof(why));
		if (!proc_succeeded(proc))
			ret = error_set(err, -EIO, "cleanup of %s (instance %u) failed: %.300s", subject->name,
					instance, why);
	}
	proc_free(proc);
	return ret;
}

static void clean_up_failed(struct campaign *campaign, const char *kind, const char *text)
{
	progress_clear(campaign->progress);
	log_warning("%s", text);
	record_event(campaign, kind, text);
	record_commit(campaign);
}

/* Returns false if a signal kept the cleanup from completing. */
static bool clean_up_instance(struct campaign *campaign, const struct subject *subject, unsigned int instance)
{
	struct error err = {};
	int ret = campaign_interrupted()
			  ? -ECANCELED
			  : campaign_cleanup_subject(subject, instance, campaign->plan->campaign_id, NULL, &err);

	if (ret == -ECANCELED) {
		error_set(&err, ret, "cleanup of %s (instance %u) did not run to its end", subject->name, instance);
		clean_up_failed(campaign, "cleanup_stopped", err.text);
		return false;
	}
	if (ret)
		clean_up_failed(campaign, "cleanup_failed", err.text);
	return true;
}

size_t campaign_cleanup_used(struct campaign *campaign)
{
	size_t left = 0;

	for (size_t s = 0; s < campaign->config->subject_count; s++) {
		const struct subject *subject = &campaign->config->subjects[s];

		for (unsigned int i = 0; subject->cleanup.exec && i < subject->instances; i++)
			left += campaign->usage[s].used[i] && !clean_up_instance(campaign, subject, i);
	}
	return left;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands of a subject: their programs, and those that can be tried at once. */
#include <poll.h>
#include <string.h>

#include "check/internal.h"
#include "probe/probe.h"
#include "process/environment.h"
#include "process/proc.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* Says in why what is wrong with the command's program; false if nothing is, or if only a shell could tell. */
static bool lacks_program(const struct command *command, char *why, size_t size)
{
	char program[PROGRAM_SIZE];

	return program_of(program, command->exec) && program_is_missing(program, command->directory, why, size);
}

static void check_program(struct check *check, const struct subject *subject, const char *name,
			  const struct command *command)
{
	char why[512];

	if (command->exec && lacks_program(command, why, sizeof(why)))
		check_error(check, "%s: %s: %s", subject->name, name, why);
}

static void try_command(struct check *check, const struct subject *subject, unsigned int instance, const char *name,
			const struct command *command, uint64_t timeout_ns)
{
	struct environment_values values = {.instance = instance, .subject = subject->name, .phase = "check"};
	_cleanup_free_ char **environment = environment_build(&values);
	struct proc_spec spec = {
		.exec = command->exec,
		.directory = command->directory,
		.environment = environment,
		.timeout_ns = timeout_ns,
		.cgroup_fd = -1,
	};
	char why[512];
	struct error err = {};
	struct proc *proc;

	/* Said already. */
	if (!command->exec || lacks_program(command, why, sizeof(why)))
		return;
	if (!environment || proc_start(&proc, &spec, &err)) {
		check_error(check, "%s: %s: %s", subject->name, name, *err.text ? err.text : "out of memory");
		return;
	}
	proc_wait(proc, NULL, -1);
	proc_describe(proc, why, sizeof(why));
	if (!proc_succeeded(proc))
		check_error(check, "%s, instance %u: %s failed: %s", subject->name, instance, name, why);
	proc_free(proc);
}

static void run_once(struct probes *probes, char *const *environment)
{
	uint64_t now_ns = clock_monotonic_ns();

	probes_start(probes, now_ns);
	probes_step(probes, "check", environment);
	probes_finish(probes);
	while (probes_running(probes)) {
		size_t room = probes_poll_count(probes);
		struct pollfd fds[room + 1];
		uint64_t wake_ns = clock_earlier(probes_wake_ns(probes), now_ns + NSEC_PER_SEC);

		poll(fds, probes_poll_fds(probes, fds),
		     wake_ns > now_ns ? (int)((wake_ns - now_ns) / NSEC_PER_MSEC) + 1 : 0);
		probes_step(probes, "check", environment);
		now_ns = clock_monotonic_ns();
	}
}

static void report_probes(struct check *check, const struct subject *subject, unsigned int instance,
			  struct probe_list list, const struct probes *probes)
{
	_cleanup_json_ json_t *state = probes_state(probes);

	for (size_t i = 0; i < list.count; i++) {
		const struct probe *probe = &list.items[i];
		const json_t *one = json_object_get(state, probe->name);
		char why[512];

		/* A missing program is said already. */
		if (!json_is_true(json_object_get(one, "ok")) &&
		    !(probe->command.exec && lacks_program(&probe->command, why, sizeof(why))))
			check_error(check, "%s, instance %u: %s '%s' failed: %s", subject->name, instance,
				    probe->kind == PROBE_METRICS ? "metrics source" : "probe", probe->name,
				    json_text_or(one, "error", "it did not start"));
	}
}

static void try_probes(struct check *check, const struct subject *subject, unsigned int instance,
		       struct probe_list list)
{
	struct environment_values values = {.instance = instance, .subject = subject->name, .phase = "check"};
	_cleanup_free_ char **environment = environment_build(&values);
	struct probes *probes;
	struct error err = {};

	if (!environment || probes_new(&probes, subject, list, instance, -1, &err)) {
		check_error(check, "%s, instance %u: the probes: %s", subject->name, instance,
			    *err.text ? err.text : "out of memory");
		return;
	}
	run_once(probes, environment);
	report_probes(check, subject, instance, list, probes);
	probes_free(probes);
}

/* A subject that is never reset must be up now. */
static void try_instance(struct check *check, const struct subject *subject, unsigned int instance)
{
	try_command(check, subject, instance, "ready", &subject->ready,
		    clock_from_seconds(plan_ready_seconds(subject)));
	if (subject->probe_count)
		try_probes(check, subject, instance, (struct probe_list){subject->probes, subject->probe_count});
	if (subject->metric_count)
		try_probes(check, subject, instance, (struct probe_list){subject->metrics, subject->metric_count});
}

void check_commands(struct check *check, const struct subject *subject)
{
	const struct {
		const char *name;
		const struct command *command;
	} commands[] = {
		{"reset", &subject->reset},       {"ready", &subject->ready},     {"roles", &subject->roles},
		{"workload", &subject->workload}, {"cleanup", &subject->cleanup},
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		check_program(check, subject, commands[i].name, commands[i].command);
	for (size_t i = 0; i < subject->probe_count; i++) {
		char name[96];

		snprintf(name, sizeof(name), "probe '%s'", subject->probes[i].name);
		check_program(check, subject, name, &subject->probes[i].command);
	}
	for (unsigned int i = 0; !subject->fresh && i < subject->instances; i++)
		try_instance(check, subject, i);
}

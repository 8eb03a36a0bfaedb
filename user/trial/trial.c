/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trial/trial.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "config/roles.h"
#include "process/guard.h"
#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define READY_TIMEOUT_SECONDS 30
/* For what the workload and the probes left; the guard takes over what takes longer. */
#define SCOPE_WAIT_NS (2 * NSEC_PER_SEC)

static int reset_and_wait(struct trial *trial, struct error *err)
{
	double seconds = trial->subject->ready.timeout_seconds > 0 ? trial->subject->ready.timeout_seconds
								   : READY_TIMEOUT_SECONDS;
	int ret;

	trial_enter(trial, PHASE_RESET, 0);
	ret = trial_reset(trial, err);
	if (ret)
		return ret;
	trial_enter(trial, PHASE_READY, seconds);
	return trial_wait_ready(trial, clock_monotonic_ns() + clock_from_seconds(seconds), err);
}

static int get_ready(struct trial *trial, struct error *err)
{
	int ret = reset_and_wait(trial, err);

	for (unsigned int retry = 1; ret && ret != -ECANCELED && retry <= trial->settings->retries; retry++) {
		trial_event(trial, "retry", "try %u of %u: %s", retry + 1, trial->settings->retries + 1, err->text);
		ret = reset_and_wait(trial, err);
	}
	if (ret)
		return ret;
	trial->times.healthy_ns = clock_monotonic_ns();
	trial_set_moment(trial, "healthy_at", trial->times.healthy_ns);
	return 0;
}

static int start_workload(struct trial *trial, struct error *err)
{
	const struct command *command = &trial->subject->workload;
	struct proc_spec spec = {
		.exec = command->exec,
		.directory = command->directory,
		.environment = trial->scoped_environment,
		.timeout_ns = clock_from_seconds(command->timeout_seconds),
		.cgroup_fd = trial->scope.cgroup_fd,
	};

	return command->exec ? proc_start(&trial->workload, &spec, err) : 0;
}

static int start_load(struct trial *trial, struct error *err)
{
	const struct subject *subject = trial->subject;
	int ret;

	if (!subject->workload.exec && !subject->probe_count && !trial->settings->abort_if.exec)
		return 0;
	ret = scope_create(&trial->scope, trial->job->scope_prefix, getpid(), err);
	if (ret)
		return ret;
	trial->has_scope = true;
	ret = trial_rebuild_environment(trial, err);
	if (!ret)
		ret = start_workload(trial, err);
	if (!ret && subject->probe_count)
		ret = probes_new(&trial->probes, subject->probes, subject->probe_count, trial->scope.cgroup_fd, err);
	if (!ret && trial->probes)
		probes_start(trial->probes, clock_monotonic_ns());
	return ret;
}

static int check_workload(const struct trial *trial, struct error *err)
{
	char why[512];

	if (!trial->workload || !proc_ended(trial->workload) || proc_succeeded(trial->workload))
		return 0;
	proc_describe(trial->workload, why, sizeof(why));
	return error_set(err, -EIO, "the workload failed before any chaos: %.400s", why);
}

static void keep_leader(struct trial *trial, const json_t *roles)
{
	const char *text = json_string_value(roles) ?: "";
	size_t length;

	text += strspn(text, " \t\n");
	length = strcspn(text, " \t\n");
	snprintf(trial->leader, sizeof(trial->leader), "%.*s", (int)length, text);
}

/* {"probes": …, "roles": what `roles` printed}; NULL where the subject has neither. */
static json_t *look_at_state(struct trial *trial, struct error *err)
{
	json_t *state = json_object(), *roles;

	if (trial->probes)
		json_object_set_new(state, "probes", probes_state(trial->probes));
	if (trial->subject->roles.exec) {
		roles = trial_roles(trial, err);
		keep_leader(trial, roles);
		json_object_set_new(state, "roles", roles ? roles : json_null());
	}
	if (json_object_size(state))
		return state;
	json_decref(state);
	return NULL;
}

static bool needs_leader(const struct trial *trial)
{
	const char *target = trial->plan->target;

	return target && role_needs_leader(target);
}

static int warm_up(struct trial *trial, struct error *err)
{
	double seconds = trial->settings->warmup_seconds;
	struct error roles_error = {};
	json_t *state;
	int ret;

	trial_enter(trial, PHASE_WARMUP, seconds);
	ret = start_load(trial, err);
	if (!ret)
		ret = trial_pump(trial, clock_monotonic_ns() + clock_from_seconds(seconds), NULL);
	if (!ret)
		ret = check_workload(trial, err);
	if (ret)
		return ret;
	state = look_at_state(trial, &roles_error);
	if (state)
		trial_set(trial, json_pack("{s:o}", "initial_state", state));
	if (roles_error.code && (roles_error.code == -ECANCELED || needs_leader(trial))) {
		*err = roles_error;
		return roles_error.code;
	}
	return 0;
}

static bool chaos_ended_early(const struct trial *trial)
{
	return trial->chaos_error.code;
}

static int end_chaos(struct trial *trial, struct error *err)
{
	bool was_live = trial->live;
	int ret = trial_revert(trial, err);

	trial_abort_end(trial);
	if (was_live)
		trial_tell_losses(trial);
	trial_free_faults(trial);
	return ret;
}

static int hold(struct trial *trial, struct error *err)
{
	uint64_t from_ns;
	int ret;

	if (trial->plan->chaos) {
		trial_enter(trial, PHASE_INJECT, 0);
		ret = trial_resolve_target(trial, err);
		if (!ret)
			ret = trial_inject(trial, err);
		if (ret)
			return ret;
	} else {
		trial->times.injected_ns = clock_monotonic_ns();
	}
	from_ns = trial->times.injected_ns;
	trial_enter(trial, PHASE_HOLD, trial->settings->duration_seconds);
	ret = trial_pump(trial, from_ns + clock_from_seconds(trial->settings->duration_seconds), chaos_ended_early);
	if (ret && ret != -ETIMEDOUT)
		return error_set(err, ret, "stopped");
	/* Whether it was live until now. */
	if (ret && trial->live)
		trial_renew(trial);
	if (trial->chaos_error.code) {
		*err = trial->chaos_error;
		return err->code;
	}
	if (!trial->plan->chaos) {
		trial->times.reverted_ns = clock_monotonic_ns();
		trial_abort_end(trial);
		return 0;
	}
	trial_enter(trial, PHASE_REVERT, 0);
	return end_chaos(trial, err);
}

static bool all_recovered(const struct trial *trial)
{
	return !trial->probes || probes_recovered(trial->probes);
}

static bool samples_ended(const struct trial *trial)
{
	return !trial->probes || !probes_running(trial->probes);
}

/* Not to recover in time is a result, not an error. */
static int recover(struct trial *trial, bool *recovered, struct error *err)
{
	uint64_t end_ns = trial->times.reverted_ns + clock_from_seconds(trial->settings->recovery_seconds);
	struct error why = {};
	json_t *state;
	int ret;

	trial_enter(trial, PHASE_RECOVER, trial->settings->recovery_seconds);
	if (trial->probes)
		probes_count_from(trial->probes, trial->times.reverted_ns);
	ret = trial_wait_ready(trial, end_ns, &why);
	if (!ret)
		ret = trial_pump(trial, end_ns, all_recovered);
	*recovered = !ret;
	if (ret && ret != -ETIMEDOUT)
		return error_set(err, ret, "%s", *why.text ? why.text : "stopped");
	if (*recovered) {
		trial->times.recovered_ns = clock_monotonic_ns();
		trial_set_moment(trial, "recovered_at", trial->times.recovered_ns);
	} else {
		trial_event(trial, "not_recovered", "%s", *why.text ? why.text : "the probes did not recover in time");
	}
	state = look_at_state(trial, &why);
	if (state)
		trial_set(trial, json_pack("{s:o}", "final_state", state));
	if (!trial->probes)
		return 0;
	/* Those that chaos made slow belong to the result. */
	probes_finish(trial->probes);
	ret = trial_pump(trial, UINT64_MAX, samples_ended);
	return ret ? error_set(err, ret, "stopped") : 0;
}

static void set_outcome(struct trial *trial, const char *status, const char *text, int code)
{
	json_t *columns = json_pack("{s:s, s:s, s:s, s:o}", "status", status, "verdict", "none", "error_stage",
				    trial_phase_name(trial->phase), "error_text", json_text(text, strlen(text)));

	if (code)
		json_object_set_new(columns, "error_errno", json_integer(-code));
	trial_set(trial, columns);
}

static int run_phases(struct trial *trial, struct error *err)
{
	char reason[512];
	bool recovered;
	int ret = get_ready(trial, err);

	if (!ret)
		ret = warm_up(trial, err);
	if (ret)
		return ret;
	if (trial->plan->chaos && trial->probes && !probes_healthy(trial->probes, reason, sizeof(reason))) {
		set_outcome(trial, "void", reason, 0);
		return 0;
	}
	ret = hold(trial, err);
	if (!ret)
		ret = recover(trial, &recovered, err);
	if (ret)
		return ret;
	trial_enter(trial, PHASE_CHECK, 0);
	trial_send_samples(trial);
	trial_check(trial, recovered);
	return 0;
}

/* Kills workload and probes with all that they left. */
static void stop_load(struct trial *trial)
{
	if (trial->workload) {
		proc_finish(trial->workload);
		trial_record_command(trial, "workload", &trial->subject->workload, trial->workload, 1);
	}
	if (trial->probes)
		trial_send_samples(trial);
	probes_free(trial->probes);
	trial->probes = NULL;
	if (trial->has_scope && scope_destroy(&trial->scope, SCOPE_WAIT_NS))
		trial_event(trial, "left_behind", "processes of %s do not die", trial->scope.name);
	proc_free(trial->workload);
	trial->workload = NULL;
}

static void finish(struct trial *trial, int ret, const struct error *err)
{
	struct error revert_error = {};

	/* First of all, whatever went wrong. */
	if (end_chaos(trial, &revert_error))
		trial_event(trial, "revert_failed", "%s", revert_error.text);
	stop_load(trial);
	if (ret == -ECANCELED)
		set_outcome(trial, "interrupted", "stopped by a signal", 0);
	else if (ret)
		set_outcome(trial, "failed", *err->text ? err->text : strerror(-ret), ret);
	if (trial->groups_lost)
		trial_event(trial, "guard_lost", "the guard was not told of %zu commands: it is stopped",
			    trial->groups_lost);
	trial_set_moment(trial, "ended_at", clock_monotonic_ns());
	trial_send(trial, "end", json_object());
	trial_flush_all(trial);
}

static void prepare_process(pid_t coordinator)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have died before. */
	if (getppid() != coordinator)
		_exit(1);
	prctl(PR_SET_NAME, "eval-trial");
	/* These are the coordinator's to decide on. */
	signal(SIGHUP, SIG_IGN);
	/* Ctrl+Z: who stops is the coordinator alone, and a fault ends at its time, not by a lapsed lease. */
	signal(SIGTSTP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void trial_run(const struct trial_job *job)
{
	struct trial trial = {
		.job = job,
		.plan = job->plan,
		.subject = job->plan->subject,
		.settings = job->plan->settings,
		.scope = {.cgroup_fd = -1},
		.samples = json_array(),
	};
	struct error err = {};
	int ret;

	prepare_process(job->coordinator);
	trial.outbox_end = &trial.outbox;
	trial_name_known_target(&trial);
	ret = trial_loop_init(&trial, &err);
	unblock_signals();
	if (!ret)
		ret = run_phases(&trial, &err);
	finish(&trial, ret, &err);
	/* Not exit(): buffers and handlers are the coordinator's. */
	_exit(0);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trial/trial.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "plan/status.h"
#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* In the order in which their steps run. */
static const struct pump_source *const sources[] = {
	/* The lease first: its renewal must not wait for the other steps. */
	&trial_lease_source,    &trial_watch_source,    &trial_command_source, &trial_abort_source,
	&trial_workload_source, &trial_drains_source,   &trial_probes_source,  &trial_metrics_source,
	&trial_guard_source,    &trial_messages_source, &trial_signal_source,
};

static int reset_and_wait(struct trial *trial, struct error *err)
{
	double seconds = plan_ready_seconds(trial->subject);
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

static int warm_up(struct trial *trial, struct error *err)
{
	double seconds = trial->settings->warmup_seconds;
	int ret;

	trial_enter(trial, PHASE_WARMUP, seconds);
	ret = trial_start_load(trial, err);
	if (!ret)
		ret = trial_pump(trial, clock_monotonic_ns() + clock_from_seconds(seconds), NULL);
	if (!ret)
		ret = trial_check_workload(trial, "before any chaos", err);
	return ret ? ret : trial_record_initial_state(trial, err);
}

/* Without its load the subject is another one: what is measured then is no answer. */
static bool hold_ended_early(const struct trial *trial)
{
	return trial->chaos_error.code || trial_workload_failed(trial);
}

static int end_faults(struct trial *trial, struct error *err)
{
	bool was_live = trial->live;
	int ret = trial_revert(trial, err);

	trial_abort_end(trial);
	if (was_live)
		trial_tell_losses(trial);
	trial_close_faults(trial);
	return ret;
}

static int hold_chaos(struct trial *trial, struct error *err)
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
	ret = trial_pump(trial, from_ns + clock_from_seconds(trial->settings->duration_seconds), hold_ended_early);
	if (ret && ret != -ETIMEDOUT)
		return error_set(err, ret, "stopped");
	/* A last renewal sets chaos_error if the faults were not live until now. */
	if (ret && trial->live)
		trial_renew(trial);
	if (trial->chaos_error.code) {
		*err = trial->chaos_error;
		return err->code;
	}
	ret = trial_check_workload(trial, trial->plan->chaos ? "under chaos" : "in the hold", err);
	if (ret)
		return ret;
	if (!trial->plan->chaos) {
		trial->times.reverted_ns = clock_monotonic_ns();
		trial_abort_end(trial);
		return 0;
	}
	trial_enter(trial, PHASE_REVERT, 0);
	return end_faults(trial, err);
}

static bool all_recovered(const struct trial *trial)
{
	return !trial->probes || probes_recovered(trial->probes);
}

static bool samples_ended(const struct trial *trial)
{
	return !trial->probes || !probes_running(trial->probes);
}

/* Missing the recovery deadline is a result (*recovered is false), not an error. */
static int recover(struct trial *trial, bool *recovered, struct error *err)
{
	uint64_t end_ns = trial->times.reverted_ns + clock_from_seconds(trial->settings->recovery_seconds);
	struct error why = {};
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
	trial_record_final_state(trial);
	if (!trial->probes)
		return 0;
	/* Samples still under way belong to the result: wait for them. */
	probes_finish(trial->probes);
	ret = trial_pump(trial, UINT64_MAX, samples_ended);
	return ret ? error_set(err, ret, "stopped") : 0;
}

static void set_outcome(struct trial *trial, enum trial_status status, const char *text, int code)
{
	json_t *columns =
		json_pack("{s:s, s:s, s:s, s:o}", "status", status_name(status), "verdict", verdict_name(VERDICT_NONE),
			  "error_stage", trial_phase_name(trial->phase), "error_text", json_outside(text));

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
		set_outcome(trial, STATUS_VOID, reason, 0);
		return 0;
	}
	ret = hold_chaos(trial, err);
	if (!ret)
		ret = recover(trial, &recovered, err);
	if (ret)
		return ret;
	trial_enter(trial, PHASE_CHECK, 0);
	trial_send_samples(trial);
	return trial_check(trial, recovered, err);
}

static void finish_trial(struct trial *trial, int ret, const struct error *err)
{
	struct error revert_error = {};

	/* End the faults first, whatever went wrong. */
	if (end_faults(trial, &revert_error))
		trial_event(trial, "revert_failed", "%s", revert_error.text);
	trial_stop_load(trial);
	chaos_watch_free(trial->watch);
	trial->watch = NULL;
	if (ret == -ECANCELED)
		set_outcome(trial, STATUS_INTERRUPTED, "stopped by a signal", 0);
	else if (ret)
		set_outcome(trial, STATUS_FAILED, *err->text ? err->text : strerror(-ret), ret);
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
	/* The coordinator may have died before the prctl. */
	if (getppid() != coordinator)
		_exit(1);
	prctl(PR_SET_NAME, "eval-trial");
	/* The coordinator decides whether a hangup stops the trial. */
	signal(SIGHUP, SIG_IGN);
	/* Ctrl+Z stops only the coordinator; the worker renews the lease, so that a fault ends at its time. */
	signal(SIGTSTP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int start_pump(struct trial *trial, struct error *err)
{
	int ret = trial_watch_signals(err);

	for (size_t i = 0; !ret && i < ARRAY_SIZE(sources); i++)
		ret = pump_add(&trial->pump, sources[i], trial, err);
	return ret;
}

void trial_run(const struct trial_job *job)
{
	struct trial trial = {
		.job = job,
		.plan = job->plan,
		.subject = job->plan->subject,
		.settings = job->plan->settings,
		.scope = {.cgroup_fd = -1},
	};
	struct error err = {};
	int ret;

	prepare_process(job->coordinator);
	outbox_init(&trial.outbox, job->socket_fd);
	trial_name_known_target(&trial);
	ret = start_pump(&trial, &err);
	unblock_signals();
	if (!ret)
		ret = trial_start_watch(&trial, &err);
	if (!ret)
		ret = run_phases(&trial, &err);
	finish_trial(&trial, ret, &err);
	/* Not exit(): stdio buffers and atexit handlers belong to the coordinator. */
	_exit(0);
}

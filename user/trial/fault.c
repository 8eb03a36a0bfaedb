/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A trial's chaos: its target nodes, its faults and their evidence. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "eval_abi.h"
#include "inject/choose.h"
#include "inject/node.h"
#include "trial/internal.h"
#include "util/clock.h"
#include "util/sched.h"
#include "util/text.h"
#include "util/thread.h"

/* How often the end of the opening is looked for. */
#define OPENING_STEP_NS NSEC_PER_MSEC

static struct choice choice_of(const struct trial *trial)
{
	return (struct choice){
		.subject = trial->subject,
		.instance = trial->job->instance,
		.target = trial->plan->target,
		.leader = trial->leader,
		.seed = trial->plan->seed,
	};
}

static void name_targets(struct trial *trial, const struct choice *choice, const struct node *chosen)
{
	const struct subject *subject = trial->subject;
	const char *role = chosen ? choose_role(choice, chosen->name) : NULL;
	size_t size = sizeof(trial->target_names);

	trial->target_names[0] = '\0';
	if (chosen)
		text_append(trial->target_names, size, "%s", chosen->name);
	for (size_t i = 0; !chosen && i < subject->node_count; i++)
		text_append(trial->target_names, size, "%s%s", i ? "," : "", subject->nodes[i].name);
	trial_rebuild_environment(trial, NULL);
	trial_set(trial, json_pack("{s:s, s:s?}", "target_node", trial->target_names, "target_role", role));
}

void trial_name_known_target(struct trial *trial)
{
	const struct node *node = trial->plan->target ? node_find(trial->subject, trial->plan->target) : NULL;

	if (node)
		snprintf(trial->target_names, sizeof(trial->target_names), "%s", node->name);
}

static void renew_others(void *arg)
{
	struct trial *trial = arg;

	if (clock_monotonic_ns() >= trial->renew_ns)
		trial_renew(trial);
}

static int open_fault(struct trial *trial, const char *node, size_t index, struct error *err)
{
	const struct trial_job *job = trial->job;
	struct fault_spec spec = {
		.campaign = job->campaign_id,
		.trial = trial->plan->id,
		.ops = trial->plan->chaos->ops,
		.params = trial->plan->params,
		.seed = index ? eval_random(trial->plan->seed, index) : trial->plan->seed,
		.watch = trial->watch,
		.renew_others = renew_others,
		.renew_others_arg = trial,
	};
	struct target *target;
	int ret = node_target_open(&target, job->config, trial->subject, job->instance, node, trial->plan->chaos->ops,
				   trial->plan->params, err);

	return ret ? ret : fault_set_open(&trial->faults, &spec, target, err);
}

/* The thread that opens the faults: loading programs takes a tenth of a second and more, in which samples are due. */
struct opening {
	struct trial *trial;
	const struct node *chosen; /* NULL: all nodes */
	size_t count;
	int ret;
	struct error err;
	atomic_bool done;
};

static void *open_all(void *arg)
{
	struct opening *opening = arg;
	const struct subject *subject = opening->trial->subject;

	for (size_t i = 0; !opening->ret && i < opening->count; i++) {
		const char *node = opening->chosen ? opening->chosen->name : subject->nodes[i].name;

		opening->ret = trial_stop_requested() ? error_set(&opening->err, -ECANCELED, "stopped")
						      : open_fault(opening->trial, node, i, &opening->err);
	}
	opening->done = true;
	return NULL;
}

static bool is_opened(const struct trial *trial)
{
	return trial->opening->done;
}

/* No fault is live before this ends, so that nothing else looks at them meanwhile. */
static int open_beside(struct trial *trial, struct opening *opening, struct error *err)
{
	pthread_t thread;
	int ret = thread_start(&thread, open_all, opening), stopped;

	if (ret)
		return error_set_errno(err, ret, "cannot start a thread");
	trial->opening = opening;
	stopped = trial_pump(trial, UINT64_MAX, is_opened);
	/* Where it waits for others it looks for a pending signal, of which it gets none itself. */
	if (stopped)
		pthread_kill(thread, SIGINT);
	pthread_join(thread, NULL);
	trial->opening = NULL;
	if (opening->ret) {
		*err = opening->err;
		return opening->ret;
	}
	return stopped ? error_set(err, stopped, "stopped") : 0;
}

int trial_resolve_target(struct trial *trial, struct error *err)
{
	struct choice choice = choice_of(trial);
	struct opening opening = {.trial = trial};
	int ret = choose_node(&choice, &opening.chosen, err);

	if (ret)
		return ret;
	name_targets(trial, &choice, opening.chosen);
	opening.count = opening.chosen ? 1 : trial->subject->node_count;
	ret = fault_set_reserve(&trial->faults, opening.count, err);
	return ret ? ret : open_beside(trial, &opening, err);
}

static void set_metadata(struct trial *trial, uint64_t activate_ns)
{
	trial_set(trial,
		  json_pack("{s:s, s:o, s:{s:o, s:f, s:f}}", "engine", fault_engine(trial->faults.slots[0].fault),
			    "params_effective", fault_set_effective(&trial->faults, trial->plan->params),
			    "chaos_metadata", "faults", fault_set_describe(&trial->faults), "activate_ms",
			    (double)activate_ns / NSEC_PER_MSEC, "duration_seconds",
			    trial->settings->duration_seconds));
}

static int activate_next(struct trial *trial, uint64_t duration_ns, struct error *err)
{
	int ret = trial_stop_requested() ? error_set(err, -ECANCELED, "stopped")
					 : fault_set_activate_next(&trial->faults, duration_ns, err);

	/* The signal handler also stops a fault that is being activated: report the signal, not that fault's error. */
	if (ret && trial_stop_requested())
		return error_set(err, -ECANCELED, "stopped");
	/* Otherwise the error would say only that the fault was stopped, not why. */
	if (trial->chaos_error.code) {
		*err = trial->chaos_error;
		return err->code;
	}
	if (ret)
		return ret;
	if (trial->faults.live_count == 1) {
		trial->times.injected_ns = clock_monotonic_ns();
		trial_set_moment(trial, "chaos_injected_at", trial->times.injected_ns);
	}
	trial_renew(trial);
	return 0;
}

int trial_inject(struct trial *trial, struct error *err)
{
	uint64_t duration_ns = clock_from_seconds(trial->settings->duration_seconds), from_ns = clock_monotonic_ns();

	trial_publish_faults(&trial->faults);
	trial->live = true;
	trial->renew_ns = from_ns;
	while (!trial->chaos_error.code && trial->faults.live_count < trial->faults.count) {
		int ret = activate_next(trial, duration_ns, err);

		if (ret)
			return ret;
	}
	if (trial->chaos_error.code) {
		*err = trial->chaos_error;
		return err->code;
	}
	set_metadata(trial, clock_monotonic_ns() - from_ns);
	sched_go_first();
	return 0;
}

static void tell_first_effect(struct trial *trial, uint64_t first_ns)
{
	trial->effect_told = true;
	/* A packet may come between the store that activates the fault and the look at the clock. */
	if (first_ns < trial->times.injected_ns) {
		trial->times.injected_ns = first_ns;
		trial_set_moment(trial, "chaos_injected_at", first_ns);
	}
	trial_set_moment(trial, "first_effect_at", first_ns);
	trial_event(trial, "first_effect", "the kernel counted the first hit %.3f ms after the injection",
		    (double)(first_ns - trial->times.injected_ns) / NSEC_PER_MSEC);
}

/* Reads the evidence, and records the first hit once. */
static void read_evidence(struct trial *trial)
{
	uint64_t first_ns = fault_set_read_evidence(&trial->faults);

	if (first_ns && !trial->effect_told)
		tell_first_effect(trial, first_ns);
}

void trial_renew(struct trial *trial)
{
	trial->renew_ns = clock_monotonic_ns() + LEASE_RENEW_NS;
	if (!trial->chaos_error.code)
		fault_set_renew(&trial->faults, &trial->chaos_error);
	if (!trial->effect_told && trial->times.injected_ns)
		read_evidence(trial);
}

static void lease_step(void *arg)
{
	struct trial *trial = arg;

	uint64_t now_ns = clock_monotonic_ns();

	if (trial->live && now_ns >= trial->renew_ns)
		trial_renew(trial);
	if (!trial->live || now_ns < trial_hits_due_ns(trial))
		return;
	read_evidence(trial);
	trial_record_hits(trial, now_ns);
}

static uint64_t lease_wake_ns(const void *arg)
{
	const struct trial *trial = arg;

	if (trial->opening)
		return clock_monotonic_ns() + OPENING_STEP_NS;
	return trial->live ? clock_earlier(trial->renew_ns, trial_hits_due_ns(trial)) : UINT64_MAX;
}

const struct pump_source trial_lease_source = {
	.step = lease_step,
	.wake_ns = lease_wake_ns,
};

int trial_revert(struct trial *trial, struct error *err)
{
	int ret;

	if (!trial->live)
		return 0;
	fault_set_stop(&trial->faults);
	trial->times.reverted_ns = trial_stopped_ns() ?: clock_monotonic_ns();
	sched_take_turns();
	trial->live = false;
	ret = fault_set_revert(&trial->faults, err);
	if (!trial->times.injected_ns)
		return ret;
	read_evidence(trial);
	trial_record_hits(trial, trial->times.reverted_ns);
	trial_set_moment(trial, "chaos_reverted_at", trial->times.reverted_ns);
	if (trial->faults.slots[0].evidence)
		trial_set(trial, json_pack("{s:o}", "evidence", fault_set_evidence(&trial->faults)));
	return ret;
}

void trial_close_faults(struct trial *trial)
{
	trial_hide_faults();
	fault_set_close(&trial->faults);
}

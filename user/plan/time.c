/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How long a plan takes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"
#include "util/cleanup.h"
#include "util/text.h"

#define READY_SECONDS 30

double plan_ready_seconds(const struct subject *subject)
{
	return subject->ready.timeout_seconds > 0 ? subject->ready.timeout_seconds : READY_SECONDS;
}

static struct plan_time trial_time(const struct plan *plan, const struct plan_trial *trial)
{
	const struct settings *settings = trial->settings;
	double least = settings->warmup_seconds + settings->duration_seconds + plan->config->cooldown_seconds;
	double patience = trial->subject->ready.exec ? plan_ready_seconds(trial->subject) : 0;

	return (struct plan_time){
		.least = least,
		.most = least + settings->recovery_seconds + patience * (1 + settings->retries),
	};
}

/* The index of the lane that is free first. */
static size_t first_free(const double *lanes, size_t count)
{
	size_t first = 0;

	for (size_t i = 1; i < count; i++)
		if (lanes[i] < lanes[first])
			first = i;
	return first;
}

/* Adds a trial to the lane that is free first, and not before one of its subject's instances is. */
static void add(double *lanes, size_t lane_count, double *instances, size_t instance_count, double seconds)
{
	double *lane = &lanes[first_free(lanes, lane_count)];
	double *instance = &instances[first_free(instances, instance_count)];

	*lane = *instance = fmax(*lane, *instance) + seconds;
}

static double longest(const double *lanes, size_t count)
{
	double end = 0;

	for (size_t i = 0; i < count; i++)
		end = fmax(end, lanes[i]);
	return end;
}

/* Lays the trials out in lanes, as the campaign does; most: with all timeouts. */
static double lay_out(const struct plan *plan, const bool *runs, unsigned int parallel, bool most)
{
	const struct config *config = plan->config;
	size_t instance_total = 0, first[config->subject_count + 1];
	_cleanup_free_ double *lanes = calloc(parallel ?: 1, sizeof(*lanes)), *instances = NULL;

	for (size_t i = 0; i < config->subject_count; i++) {
		first[i] = instance_total;
		instance_total += config->subjects[i].instances;
	}
	instances = calloc(instance_total + 1, sizeof(*instances));
	if (!lanes || !instances)
		return 0;
	for (size_t i = 0; i < plan->trial_count; i++) {
		const struct plan_trial *trial = &plan->trials[i];
		struct plan_time time = trial_time(plan, trial);
		size_t subject = (size_t)(trial->subject - config->subjects);

		if (!runs || runs[i])
			add(lanes, parallel ?: 1, &instances[first[subject]], trial->subject->instances,
			    most ? time.most : time.least);
	}
	/* Nothing cools down after the last trial. */
	return fmax(0, longest(lanes, parallel ?: 1) - config->cooldown_seconds);
}

struct plan_time plan_time(const struct plan *plan, const bool *runs, unsigned int parallel)
{
	return (struct plan_time){
		.least = lay_out(plan, runs, parallel, false),
		.most = lay_out(plan, runs, parallel, true),
	};
}

static void append_clock(char *out, size_t size, double seconds)
{
	unsigned long long whole = (unsigned long long)ceil(seconds), minutes = whole / 60;

	if (minutes >= 60)
		text_append(out, size, "%llu:%02llu:%02llu", minutes / 60, minutes % 60, whole % 60);
	else
		text_append(out, size, "%llu:%02llu", minutes, whole % 60);
}

const char *plan_time_text(char out[PLAN_TIME_SIZE], const struct plan_time *time)
{
	out[0] = '\0';
	append_clock(out, PLAN_TIME_SIZE, time->least);
	if (ceil(time->most) > ceil(time->least)) {
		text_append(out, PLAN_TIME_SIZE, " to ");
		append_clock(out, PLAN_TIME_SIZE, time->most);
	}
	return out;
}

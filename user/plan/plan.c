/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "plan/plan.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "eval_abi.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/hash.h"

/* Seeds and draws fit the signed 64 bits of SQLite and JSON. */
#define SEED_MASK INT64_MAX

/* The distance between two streams in a trial's sequence; no stream makes that many draws. */
#define STREAM_STEPS (1ULL << 32)

size_t plan_draw(uint64_t seed, unsigned int stream, size_t count)
{
	uint64_t random = eval_random(seed, (stream + 1ULL) * STREAM_STEPS);

	return count ? (size_t)(((unsigned __int128)random * count) >> 64) : 0;
}

static int draw_seed(uint64_t *out, struct error *err)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return error_set_errno(err, -errno, "cannot draw a seed");
	*out = seed & SEED_MASK;
	return 0;
}

static char *campaign_id(uint64_t realtime_ns, const char *hash)
{
	time_t seconds = (time_t)(realtime_ns / NSEC_PER_SEC);
	char stamp[32];
	struct tm tm;
	char *id;

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	return asprintf(&id, "campaign-%s-%.8s", stamp, hash) < 0 ? NULL : id;
}

static int decimal_digits(size_t number)
{
	int digits = 1;

	while (number /= 10)
		digits++;
	return digits;
}

static int plan_trial(struct plan *plan, unsigned int repetition, size_t subject, size_t chaos)
{
	const struct config *config = plan->config;
	const struct effective *effective = config_effective(config, subject, chaos);
	struct plan_trial *trial = &plan->trials[plan->trial_count];
	size_t combinations = config->subject_count * (config->chaos_count + config->include_baseline);
	int width = decimal_digits(combinations * config->trials_per_combination);

	trial->index = (unsigned int)plan->trial_count + 1;
	trial->repetition = repetition;
	trial->subject = &config->subjects[subject];
	trial->chaos = chaos < config->chaos_count ? &config->chaos[chaos] : NULL;
	trial->chaos_name = trial->chaos ? trial->chaos->name : "baseline";
	trial->target = effective->target;
	trial->settings = &effective->settings;
	trial->params = effective->params;
	trial->seed = eval_random(plan->seed, trial->index) & SEED_MASK;
	if (asprintf(&trial->id, "trial-%s-%s-%0*u", trial->subject->name, trial->chaos_name, width, trial->index) <
	    0) {
		trial->id = NULL;
		return -ENOMEM;
	}
	plan->trial_count++;
	return 0;
}

static int plan_round(struct plan *plan, unsigned int repetition)
{
	const struct config *config = plan->config;
	int ret = 0;

	for (size_t i = 0; !ret && i < config->subject_count; i++) {
		if (config->include_baseline)
			ret = plan_trial(plan, repetition, i, config->chaos_count);
		for (size_t j = 0; !ret && j < config->chaos_count; j++)
			ret = plan_trial(plan, repetition, i, j);
	}
	return ret;
}

static int plan_fill(struct plan *plan, uint64_t realtime_ns)
{
	const struct config *config = plan->config;
	size_t combinations = config->subject_count * (config->chaos_count + config->include_baseline);
	int ret = 0;

	plan->canonical = config_canonical(config);
	if (!plan->canonical)
		return -ENOMEM;
	sha256_hex(plan->hash, plan->canonical, strlen(plan->canonical));
	plan->campaign_id = campaign_id(realtime_ns, plan->hash);
	plan->trials = calloc(combinations * config->trials_per_combination, sizeof(*plan->trials));
	if (!plan->campaign_id || !plan->trials)
		return -ENOMEM;
	for (unsigned int i = 1; !ret && i <= config->trials_per_combination; i++)
		ret = plan_round(plan, i);
	return ret;
}

int plan_new(struct plan **out, const struct config *config, uint64_t realtime_ns, const uint64_t *seed,
	     struct error *err)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	int ret = 0;

	if (!plan)
		return error_set(err, -ENOMEM, "out of memory");
	plan->config = config;
	if (config->seed_given)
		plan->seed = config->seed;
	else if (seed)
		plan->seed = *seed;
	else
		ret = draw_seed(&plan->seed, err);
	if (!ret) {
		ret = plan_fill(plan, realtime_ns);
		if (ret)
			error_set(err, ret, "out of memory");
	}
	if (ret)
		plan_free(plan);
	else
		*out = plan;
	return ret;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->trial_count; i++)
		free(plan->trials[i].id);
	free(plan->trials);
	free(plan->campaign_id);
	free(plan->canonical);
	free(plan);
}

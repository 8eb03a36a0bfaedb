/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "check/check.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "analysis/interval.h"
#include "check/internal.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

/* A sample's row with its keys, and what SQLite needs beside rows. */
#define SAMPLE_BYTES 160
#define DATABASE_BYTES_LEAST (1ULL << 20)
#define SAMPLES_NEEDED_MAX 100000
#define OUTPUTS_A_SECOND 20 /* at most */

static bool is_needed(const struct check *check, const struct chaos_ops *ops, const struct chaos_requirement *row)
{
	for (size_t i = 0; i < check->plan->trial_count; i++) {
		const struct plan_trial *trial = &check->plan->trials[i];

		if (check_has(check, i) && trial->chaos && trial->chaos->ops == ops &&
		    (!row->param || !strcmp(json_text_or(trial->params, row->param, ""), row->value)))
			return true;
	}
	return false;
}

static bool runs_chaos(const struct check *check)
{
	for (size_t i = 0; i < check->plan->trial_count; i++)
		if (check_has(check, i) && check->plan->trials[i].chaos)
			return true;
	return false;
}

/* Only warns: a missing feature fails the trials that need it, not the campaign. */
static void check_features(struct check *check)
{
	if (!runs_chaos(check) || features_probe(check->features))
		return;
	check->has_features = true;
	for (const struct chaos_ops *ops = chaos_next(NULL); ops; ops = chaos_next(ops))
		for (const struct chaos_requirement *row = ops->requires; row->feature; row++)
			if (!row->gives && !features_suffice(check->features, row->feature) &&
			    is_needed(check, ops, row))
				check_warning(check, "this kernel has no %s (%s): %s trials will fail",
					      feature_name(row->feature), check->features[row->feature].reason,
					      ops->name);
}

/* Rows of all probes and metrics of a trial in `seconds`. */
static double samples_in(const struct subject *subject, double seconds)
{
	double count = 0;

	for (size_t i = 0; i < subject->probe_count; i++)
		count += seconds * 1000 / (subject->probes[i].every_ms ?: 1);
	for (size_t i = 0; i < subject->metric_count; i++)
		count +=
			seconds * 1000 / (subject->metrics[i].every_ms ?: 1) * (double)subject->metrics[i].series.count;
	return count + seconds * OUTPUTS_A_SECOND * (double)subject->output_count;
}

/* True if even `samples` good samples, all within the limit, leave the expectation open. */
static bool is_too_few(enum expectation expectation, double limit, size_t samples)
{
	static const unsigned int percents[] = {[EXPECT_P50] = 50, [EXPECT_P90] = 90, [EXPECT_P99] = 99};

	if (isnan(limit))
		return false;
	if (expectation == EXPECT_AVAILABILITY)
		return limit < 1 && interval_of_share(samples, samples).low < limit;
	return expectation <= EXPECT_P99 && !interval_of_percentile(samples, percents[expectation]).high;
}

static size_t samples_needed(enum expectation expectation, double limit)
{
	size_t samples = 1;

	while (is_too_few(expectation, limit, samples) && samples < SAMPLES_NEEDED_MAX)
		samples++;
	return samples;
}

static void check_samples(struct check *check, const struct subject *subject, const struct chaos *chaos)
{
	const struct config *config = check->plan->config;
	const struct settings *settings =
		&config_effective(config, (size_t)(subject - config->subjects), (size_t)(chaos - config->chaos))
			 ->settings;

	for (size_t i = 0; i < subject->probe_count && check_runs(check, subject, chaos); i++)
		for (enum expectation j = 0; j <= EXPECT_P99; j++) {
			const struct probe *probe = &subject->probes[i];
			double limit = expectation_limit(&settings->expect, probe->name, j);
			size_t samples = (size_t)(settings->duration_seconds * 1000 / (probe->every_ms ?: 1));

			if (is_too_few(j, limit, samples))
				check_warning(check,
					      "%s, %s: of probe %s %zu samples come in %g s, which cannot confirm %s: "
					      "%zu could; without them the verdict is at best inconclusive",
					      subject->name, chaos->name, probe->name, samples,
					      settings->duration_seconds, expectation_name(j),
					      samples_needed(j, limit));
		}
}

static void check_enough_samples(struct check *check)
{
	const struct config *config = check->plan->config;

	for (size_t i = 0; i < config->subject_count; i++)
		for (size_t j = 0; j < config->chaos_count; j++)
			check_samples(check, &config->subjects[i], &config->chaos[j]);
}

static uint64_t database_bytes(const struct check *check)
{
	double samples = 0;

	for (size_t i = 0; i < check->plan->trial_count; i++) {
		const struct plan_trial *trial = &check->plan->trials[i];
		const struct settings *settings = trial->settings;

		if (check_has(check, i))
			samples += samples_in(trial->subject, settings->warmup_seconds + settings->duration_seconds +
								      settings->recovery_seconds);
	}
	return DATABASE_BYTES_LEAST + (uint64_t)(samples * SAMPLE_BYTES);
}

/* The file system of a path that need not exist yet, nor its folder. */
static int statvfs_above(const char *path, struct statvfs *fs)
{
	_cleanup_free_ char *copy = strdup(path);
	const char *above = copy;

	while (above && statvfs(above, fs)) {
		if (errno != ENOENT)
			return -errno;
		above = dirname((char *)above);
	}
	return above ? 0 : -ENOMEM;
}

static void check_database(struct check *check)
{
	uint64_t needed = database_bytes(check), left;
	struct statvfs fs;

	/* No blocks: what is there is no disk, and cannot be written anyway. */
	if (!check->database || statvfs_above(check->database, &fs) || !fs.f_blocks)
		return;
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	check->disk_is_full = left < needed;
	if (check->disk_is_full)
		check_error(check,
			    "database %s: the disk is full, or nearly: %" PRIu64
			    " KiB are left there, the campaign may need "
			    "%" PRIu64 " KiB",
			    check->database, left >> 10, needed >> 10);
}

static void tell_unchecked(const struct check *check)
{
	const struct config *config = check->plan->config;
	char names[512] = "";

	for (size_t i = 0; i < config->subject_count; i++)
		if (config->subjects[i].fresh && check_runs(check, &config->subjects[i], NULL))
			text_append(names, sizeof(names), "%s%s", *names ? ", " : "", config->subjects[i].name);
	if (*names)
		log_info("not checked, because reset makes them: namespaces, devices, data_dirs and cgroups of %s",
			 names);
}

void check_host(struct check *check)
{
	const struct config *config = check->plan->config;

	check->errors = check->warnings = 0;
	check->disk_is_full = false;
	for (size_t i = 0; i < config->subject_count; i++) {
		const struct subject *subject = &config->subjects[i];

		if (!check_runs(check, subject, NULL))
			continue;
		check_commands(check, subject);
		if (!subject->fresh)
			check_targets(check, subject);
	}
	check_features(check);
	check_enough_samples(check);
	check_database(check);
	if (check->tells_unchecked)
		tell_unchecked(check);
}

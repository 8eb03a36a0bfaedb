/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Trial settings: one key table for defaults, subjects and chaos types, and the merge of these levels. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "config/reader.h"
#include "config/roles.h"
#include "util/cleanup.h"

#define SECONDS_MAX 86400

static void read_target(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct level *level = object;
	const char *text;

	if (!scalar_name(reader, value, key->name, NODE_NAME_MAX, &text))
		return;
	if (level->target_node) {
		problem_error(reader, &value->place, "'target' and 'default_target' are one setting: remove one");
		return;
	}
	level->target_node = value;
	level->target = strdup(text);
	reader->failed |= !level->target;
}

/* Stored as a double, so that NAN can mean "not given". */
static void read_retries(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	scalar_number(reader, value, key->name, NUMBER_WHOLE, key->min, key->max, &((struct level *)object)->retries);
}

const struct key settings_keys[] = {
	{.name = "warmup_seconds",
	 .read = read_number,
	 .offset = offsetof(struct level, warmup_seconds),
	 .min = 0,
	 .max = SECONDS_MAX},
	{.name = "duration_seconds",
	 .read = read_number,
	 .offset = offsetof(struct level, duration_seconds),
	 .min = 0,
	 .max = SECONDS_MAX},
	{.name = "recovery_seconds",
	 .read = read_number,
	 .offset = offsetof(struct level, recovery_seconds),
	 .min = 0,
	 .max = SECONDS_MAX},
	{.name = "retries", .read = read_retries, .offset = offsetof(struct level, retries), .min = 0, .max = 100},
	{.name = "expect", .read = read_expect},
	{.name = "abort_if", .read = read_command, .offset = offsetof(struct level, abort_if)},
	{0},
};

const struct key target_keys[] = {
	{.name = "target", .read = read_target},
	{0},
};

const struct key default_target_keys[] = {
	{.name = "default_target", .read = read_target},
	{0},
};

const struct key params_keys[] = {
	{.name = "params", .read = read_params_by_type},
	{0},
};

void level_init(struct level *level)
{
	*level = (struct level){.warmup_seconds = NAN,
				.duration_seconds = NAN,
				.recovery_seconds = NAN,
				.retries = NAN,
				.expect = nothing_expected};
}

void level_clear(struct level *level)
{
	for (size_t i = 0; i < level->params_count; i++)
		json_decref(level->params[i].values);
	free(level->params);
	free(level->target);
	command_clear(&level->abort_if);
	checks_clear(level->checks, level->check_count);
	json_decref(level->expect.probes);
	json_decref(level->expect.metrics);
}

static void take(double *effective, double own)
{
	if (!isnan(own))
		*effective = own;
}

/* Borrows abort_if from the level; command_keep copies it after the last merge. */
static void settings_merge(struct settings *settings, const struct level *level)
{
	if (level->abort_if.exec)
		settings->abort_if = level->abort_if;
	take(&settings->warmup_seconds, level->warmup_seconds);
	take(&settings->duration_seconds, level->duration_seconds);
	take(&settings->recovery_seconds, level->recovery_seconds);
	expect_merge(settings, level);
	if (!isnan(level->retries))
		settings->retries = (unsigned int)level->retries;
}

static void check_params(struct reader *reader, const struct chaos *chaos, const json_t *params,
			 const struct level *const *levels)
{
	struct error err = {0};
	const char *blamed = NULL;
	const struct ynode *node = NULL;
	bool wrong = false; /* a present but wrong key has its own message */

	for (const struct chaos_field *field = chaos->ops->fields; field->name; field++) {
		bool attempted = false;

		for (size_t i = 0; i < 3; i++)
			attempted |= !!params_field_node(level_params(levels[i], chaos->ops), field->name);
		if (field->required && !json_object_get(params, field->name) && !attempted)
			problem_error(reader, &chaos->place, "%s needs the parameter '%s': %s", chaos->ops->name,
				      field->name, field->help);
		wrong |= attempted && !json_object_get(params, field->name);
	}
	if (wrong || !chaos->ops->check || chaos->ops->check(params, &blamed, &err) >= 0)
		return;
	for (size_t i = 0; blamed && i < 3; i++)
		node = params_field_node(level_params(levels[i], chaos->ops), blamed) ?: node;
	problem_error(reader, node ? &node->place : &chaos->place, "%s", err.text);
}

static const char *resolve_target(const struct level *const *levels)
{
	const char *target = ROLE_RANDOM;

	for (size_t i = 0; i < 3; i++)
		target = levels[i] && levels[i]->target ? levels[i]->target : target;
	return target;
}

static void resolve_one(struct reader *reader, size_t subject, size_t chaos, struct effective *effective)
{
	const struct config *config = reader->config;
	bool baseline = chaos == config->chaos_count;
	const struct level *levels[] = {&reader->defaults, &reader->subject_levels[subject],
					baseline ? NULL : &reader->chaos_levels[chaos]};

	effective->settings = (struct settings){.warmup_seconds = 5,
						.duration_seconds = 30,
						.recovery_seconds = 30,
						.retries = 1,
						.expect = nothing_expected};
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (levels[i])
			settings_merge(&effective->settings, levels[i]);
	command_keep(reader, &effective->settings.abort_if);
	expect_keep(reader, &effective->settings, &config->subjects[subject]);
	if (!baseline || config->include_baseline)
		check_expect(reader, &config->subjects[subject], &effective->settings, levels);
	if (baseline || !config->chaos[chaos].ops)
		return;
	effective->target = strdup(resolve_target(levels));
	effective->params = chaos_defaults(config->chaos[chaos].ops);
	reader->failed |= !effective->target || !effective->params;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		const struct params *params = level_params(levels[i], config->chaos[chaos].ops);

		if (params)
			json_object_update(effective->params, params->values);
	}
	check_params(reader, &config->chaos[chaos], effective->params, levels);
}

int settings_resolve(struct reader *reader)
{
	struct config *config = reader->config;
	size_t width = config->chaos_count + 1;

	check_expected_probes(reader, &reader->defaults);
	for (size_t i = 0; i < config->subject_count; i++)
		check_expected_probes(reader, &reader->subject_levels[i]);
	for (size_t i = 0; i < config->chaos_count; i++)
		check_expected_probes(reader, &reader->chaos_levels[i]);

	config->effective = calloc(config->subject_count * width + 1, sizeof(*config->effective));
	if (!config->effective)
		return -ENOMEM;
	for (size_t i = 0; i < config->subject_count; i++)
		for (size_t j = 0; j < width; j++)
			resolve_one(reader, i, j, &config->effective[i * width + j]);
	return 0;
}

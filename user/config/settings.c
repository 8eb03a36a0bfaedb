/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Trial settings: one key table for defaults, subjects and chaos types, and the merge of these levels. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "config/reader.h"
#include "config/roles.h"
#include "util/cleanup.h"

#define SECONDS_MAX 86400
#define MS_MAX 3600000
#define ERRORS_MAX 1000000000

#define LIMIT(index, key_name, top) \
	[index] = {.name = (key_name), \
		   .read = read_number, \
		   .offset = offsetof(struct expectations, limits[index]), \
		   .min = 0, \
		   .max = (top)}
static const struct key expect_keys[EXPECT_COUNT + 1] = {
	LIMIT(EXPECT_AVAILABILITY, "availability_min", 1),
	LIMIT(EXPECT_P50, "p50_ms_max", MS_MAX),
	LIMIT(EXPECT_P90, "p90_ms_max", MS_MAX),
	LIMIT(EXPECT_P99, "p99_ms_max", MS_MAX),
	LIMIT(EXPECT_OUTAGE, "outage_max_seconds", SECONDS_MAX),
	LIMIT(EXPECT_ERRORS, "errors_max", ERRORS_MAX),
	LIMIT(EXPECT_RECOVERY, "recover_within_seconds", SECONDS_MAX),
};

const char *expectation_name(enum expectation expectation)
{
	return expect_keys[expectation].name;
}

static void read_expect(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct level *level = object;

	level->expect_node = value;
	decode_mapping(reader, value, "expect", &(struct key_set){expect_keys, &level->expect}, 1);
}

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

static const struct expectations nothing_expected = {{NAN, NAN, NAN, NAN, NAN, NAN, NAN}};

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
}

static void take(double *effective, double own)
{
	if (!isnan(own))
		*effective = own;
}

/* Borrows abort_if from the level; keep_command copies it after the last merge. */
static void settings_merge(struct settings *settings, const struct level *level)
{
	if (level->abort_if.exec)
		settings->abort_if = level->abort_if;
	take(&settings->warmup_seconds, level->warmup_seconds);
	take(&settings->duration_seconds, level->duration_seconds);
	take(&settings->recovery_seconds, level->recovery_seconds);
	for (enum expectation i = 0; i < EXPECT_COUNT; i++)
		take(&settings->expect.limits[i], level->expect.limits[i]);
	if (!isnan(level->retries))
		settings->retries = (unsigned int)level->retries;
}

/* The name of a given expectation that is a probe's; NULL if there is none. */
static const char *needs_probe(const struct expectations *expect)
{
	for (enum expectation i = 0; i < EXPECT_RECOVERY; i++)
		if (!isnan(expect->limits[i]))
			return expectation_name(i);
	return NULL;
}

/* Checks that the expectations can be judged. levels are weakest first. */
static void check_expect(struct reader *reader, const struct subject *subject, const struct settings *settings,
			 const struct level *const *levels)
{
	const struct place *place = NULL;

	for (size_t i = 0; i < 3; i++)
		if (levels[i] && levels[i]->expect_node)
			place = &levels[i]->expect_node->place;
	if (!place)
		return;
	if (!subject->probe_count && needs_probe(&settings->expect))
		problem_error(reader, place, "'%s' needs a probe to judge by, and subject '%s' has none",
			      needs_probe(&settings->expect), subject->name ?: "");
	if (settings->expect.limits[EXPECT_RECOVERY] > settings->recovery_seconds)
		problem_error(
			reader, place,
			"recover_within_seconds (%.15g) is more than recovery_seconds (%.15g), after which a trial "
			"stops waiting",
			settings->expect.limits[EXPECT_RECOVERY], settings->recovery_seconds);
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

static void keep_command(struct reader *reader, struct command *command)
{
	if (!command->exec)
		return;
	command->exec = strdup(command->exec);
	command->directory = strdup(command->directory);
	reader->failed |= !command->exec || !command->directory;
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
	keep_command(reader, &effective->settings.abort_if);
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

	config->effective = calloc(config->subject_count * width, sizeof(*config->effective));
	if (!config->effective)
		return -ENOMEM;
	for (size_t i = 0; i < config->subject_count; i++)
		for (size_t j = 0; j < width; j++)
			resolve_one(reader, i, j, &config->effective[i * width + j]);
	return 0;
}

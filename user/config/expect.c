/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes, merges and checks what is expected of a trial. */
#include "config/expect.h"

#include <math.h>
#include <string.h>

#include "config/reader.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

#define SECONDS_MAX 86400
#define MS_MAX 3600000
#define ERRORS_MAX 1000000000
#define CHECKS_MAX 64
#define CHECK_SECONDS 30

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

const struct expectations nothing_expected = {{NAN, NAN, NAN, NAN, NAN, NAN, NAN}, NULL, NULL};

const char *expectation_name(enum expectation expectation)
{
	return expect_keys[expectation].name;
}

double expectation_limit(const struct expectations *expect, const char *probe, enum expectation expectation)
{
	const json_t *own = json_object_get(json_object_get(expect->probes, probe), expectation_name(expectation));

	return own ? json_number_value(own) : expect->limits[expectation];
}

/* Reads the expectations of one probe into its object. */
static void read_probe_expect(struct reader *reader, const struct ynode *value, json_t *probes)
{
	static const struct key recovery[] = {
		{.name = "recover_within_seconds",
		 .flags = KEY_ELSEWHERE,
		 .why = "it is the trial's: write it in 'expect' itself"},
		{0},
	};
	struct expectations own = nothing_expected;
	json_t *limits = json_object();
	struct key keys[EXPECT_RECOVERY + 1] = {};

	memcpy(keys, expect_keys, EXPECT_RECOVERY * sizeof(*keys));
	decode_mapping(reader, value, "what is expected of a probe", (struct key_set[]){{keys, &own}, {recovery, NULL}},
		       2);
	for (enum expectation i = 0; i < EXPECT_RECOVERY; i++)
		if (!isnan(own.limits[i]))
			json_object_set_new(limits, expectation_name(i), json_real(own.limits[i]));
	reader->failed |= json_object_set_new(probes, value->key->text, limits) != 0;
}

static void read_probe_limits(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct level *level = object;

	if (value->kind == YNODE_REFUSED)
		return;
	if (value->kind != YNODE_MAPPING) {
		problem_error(reader, &value->place, "'probes' in expect must be a mapping of probes, found %s",
			      ynode_describe(value));
		return;
	}
	level->expect.probes = json_object();
	for (const struct ynode *item = value->children; item; item = item->next)
		if (decode_key(reader, value, item))
			read_probe_expect(reader, item, level->expect.probes);
}

static void read_one_check(struct reader *reader, const struct ynode *item, struct level *level)
{
	static const struct key check_keys[] = {
		{.name = "name",
		 .read = read_name,
		 .offset = offsetof(struct check_command, name),
		 .max = NODE_NAME_MAX},
		{.name = "exec",
		 .read = read_exec,
		 .offset = offsetof(struct check_command, command.exec),
		 .flags = KEY_REQUIRED,
		 .why = "the command whose exit status 0 is good"},
		{.name = "timeout_seconds",
		 .read = read_number,
		 .offset = offsetof(struct check_command, command.timeout_seconds),
		 .min = 0.001,
		 .max = SECONDS_MAX},
		{0},
	};
	struct check_command *grown = array_grow(reader, level->checks, &level->check_count, sizeof(*grown)), *check;

	if (!grown)
		return;
	level->checks = grown;
	check = &grown[level->check_count - 1];
	check->command.timeout_seconds = CHECK_SECONDS;
	check->command.directory = strdup(reader->directory);
	decode_mapping(reader, item, "a check", &(struct key_set){check_keys, check}, 1);
	if (!check->name && asprintf(&check->name, "%zu", level->check_count) < 0)
		check->name = NULL;
	reader->failed |= !check->command.directory || !check->name;
	for (size_t i = 0; check->name && i + 1 < level->check_count; i++)
		if (grown[i].name && !strcmp(grown[i].name, check->name))
			problem_error(reader, &item->place, "two of the checks are named '%s'", check->name);
}

static void read_checks(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	if (!list_check(reader, value, CHECKS_MAX))
		return;
	for (const struct ynode *item = value->children; item; item = item->next)
		read_one_check(reader, item, object);
}

void read_expect(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	static const struct key level_keys[] = {
		{.name = "probes", .read = read_probe_limits},
		{.name = "checks", .read = read_checks},
		{.name = "metrics", .read = read_expected_metrics, .offset = offsetof(struct level, expect.metrics)},
		{0},
	};
	struct level *level = object;

	level->expect_node = value;
	decode_mapping(reader, value, "expect", (struct key_set[]){{expect_keys, &level->expect}, {level_keys, level}},
		       2);
}

/* Borrows the checks from the level: expect_keep() copies them after the last merge. */
void expect_merge(struct settings *settings, const struct level *level)
{
	for (enum expectation i = 0; i < EXPECT_COUNT; i++)
		if (!isnan(level->expect.limits[i]))
			settings->expect.limits[i] = level->expect.limits[i];
	if (level->expect.probes && !settings->expect.probes)
		settings->expect.probes = json_object();
	if (level->expect.probes)
		json_object_update_recursive(settings->expect.probes, level->expect.probes);
	if (level->expect.metrics) {
		json_decref(settings->expect.metrics);
		settings->expect.metrics = json_incref(level->expect.metrics);
	}
	if (level->check_count) {
		settings->checks = level->checks;
		settings->check_count = level->check_count;
	}
}

static void drop_foreign_probes(struct expectations *expect, const struct subject *subject)
{
	const char *name;
	json_t *limits;
	void *next;

	json_object_foreach_safe(expect->probes, next, name, limits) if (!probe_find(subject, name))
		json_object_del(expect->probes, name);
	if (!json_object_size(expect->probes)) {
		json_decref(expect->probes);
		expect->probes = NULL;
	}
}

static void drop_foreign_series(struct expectations *expect, const struct subject *subject)
{
	json_t *own = expect->metrics ? json_array() : NULL, *one;
	size_t i;

	json_array_foreach (expect->metrics, i, one)
		if (subject_has_series(subject, json_text_or(one, "source", NULL), json_text_or(one, "series", "")))
			json_array_append(own, one);
	json_decref(expect->metrics);
	expect->metrics = json_array_size(own) ? own : NULL;
	if (!expect->metrics)
		json_decref(own);
}

void expect_keep(struct reader *reader, struct settings *settings, const struct subject *subject)
{
	const struct check_command *borrowed = settings->checks;

	drop_foreign_probes(&settings->expect, subject);
	drop_foreign_series(&settings->expect, subject);
	settings->checks = settings->check_count ? calloc(settings->check_count, sizeof(*settings->checks)) : NULL;
	if (settings->check_count && !settings->checks) {
		settings->check_count = 0;
		reader->failed = true;
	}
	for (size_t i = 0; i < settings->check_count; i++) {
		settings->checks[i].name = borrowed[i].name ? strdup(borrowed[i].name) : NULL;
		/* One without a command has its own message. */
		if (borrowed[i].command.exec)
			settings->checks[i].command = borrowed[i].command;
		command_keep(reader, &settings->checks[i].command);
		reader->failed |= !settings->checks[i].name;
	}
}

/* The name of a given expectation that is a probe's; NULL if there is none. */
static const char *needs_probe(const struct expectations *expect)
{
	for (enum expectation i = 0; i < EXPECT_RECOVERY; i++)
		if (!isnan(expect->limits[i]))
			return expectation_name(i);
	return NULL;
}

void check_expect(struct reader *reader, const struct subject *subject, const struct settings *settings,
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

/* Reports a probe that none of the subjects has. */
static void check_probe_name(struct reader *reader, const struct ynode *item)
{
	const struct config *config = reader->config;
	const char *known[CONFIG_MEMBERS_MAX];
	size_t count = 0;
	char hint[266];

	for (size_t i = 0; i < config->subject_count; i++) {
		const struct subject *subject = &config->subjects[i];

		if (item->key->kind != YNODE_SCALAR || probe_find(subject, item->key->text))
			return;
		for (size_t j = 0; j < subject->probe_count && count < ARRAY_SIZE(known); j++)
			if (subject->probes[j].name)
				known[count++] = subject->probes[j].name;
	}
	problem_error(reader, &item->key->place, "no subject has a probe '%.*s'; %s", text_cut(item->key->text, 60),
		      item->key->text,
		      count ? problem_hint(hint, sizeof(hint), item->key->text, known, count) : "there are none");
}

void check_expected_probes(struct reader *reader, const struct level *level)
{
	const struct ynode *probes = ynode_find(level->expect_node, "probes");

	check_expected_metrics(reader, level);
	if (probes && probes->kind == YNODE_MAPPING)
		for (const struct ynode *item = probes->children; item; item = item->next)
			check_probe_name(reader, item);
}

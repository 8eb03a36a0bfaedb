/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "config/load.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "config/reader.h"
#include "net/endpoint.h"
#include "target/guards.h"
#include "util/cleanup.h"
#include "util/text.h"

/* Exact up to 2^63 − 1, the limit of integers in SQLite and JSON; a double would lose digits. */
static void read_seed(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct config *config = object;
	bool digits = value->kind == YNODE_SCALAR && value->plain && *value->text &&
		      strspn(value->text, "0123456789") == strlen(value->text);
	double number;

	/* scalar_number reports a value that is not a whole number. */
	if (!scalar_number(reader, value, key->name, NUMBER_WHOLE, -INFINITY, INFINITY, &number))
		return;
	errno = 0;
	config->seed = digits ? strtoull(value->text, NULL, 10) : UINT64_MAX;
	config->seed_given = !errno && config->seed <= INT64_MAX;
	if (!config->seed_given)
		problem_error(reader, &value->place, "'seed' must be between 0 and %lld in plain digits, found %s",
			      (long long)INT64_MAX, ynode_describe(value));
}

static void read_label(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	read_text(reader, value, key, object);
	if (value->kind == YNODE_SCALAR && text_has_control(value->text))
		problem_error(reader, &value->place, "'%s' must be one line without control characters", key->name);
}

static void read_protect(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct config *config = object;

	for (const struct ynode *item = list_first(value); item; item = list_next(value, item)) {
		struct protect_port ignored;
		struct error err = {0};
		const char *text;

		if (!scalar_text(reader, item, key->name, SCALAR_TEXT_MAX, &text))
			continue;
		if (protect_parse(&ignored, text, &err) < 0)
			problem_error(reader, &item->place, "%s", err.text);
		else
			reader->failed |= !strings_append(&config->protect, text);
	}
	reader->failed |= !strings_append(&config->protect, NULL);
}

static void read_allow(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct config *config = object;
	const char *guard;

	for (const struct ynode *item = list_first(value); item; item = list_next(value, item))
		if (scalar_choice(reader, item, key->name, target_guards, &guard))
			reader->failed |= !strings_append(&config->allow, guard);
}

static void read_defaults(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct level *level = &reader->defaults;

	level->node = value;
	decode_mapping(reader, value, "defaults",
		       (struct key_set[]){{settings_keys, level},
					  {params_keys, level},
					  {target_keys, level},
					  {default_target_keys, level}},
		       4);
}

#define IN_DEFAULTS .flags = KEY_ELSEWHERE, .why = "put it under 'defaults', a subject or a chaos type"
static const struct key config_keys[] = {
	{.name = "name", .read = read_label, .offset = offsetof(struct config, name), .max = 200},
	{.name = "seed", .read = read_seed},
	{.name = "trials_per_combination",
	 .read = read_unsigned,
	 .offset = offsetof(struct config, trials_per_combination),
	 .min = 1,
	 .max = CONFIG_TRIALS_MAX},
	{.name = "parallel",
	 .read = read_unsigned,
	 .offset = offsetof(struct config, parallel),
	 .min = 1,
	 .max = PARALLEL_MAX},
	{.name = "cooldown_seconds",
	 .read = read_number,
	 .offset = offsetof(struct config, cooldown_seconds),
	 .min = 0,
	 .max = 86400},
	{.name = "include_baseline", .read = read_bool, .offset = offsetof(struct config, include_baseline)},
	{.name = "notify", .read = read_command, .offset = offsetof(struct config, notify)},
	{.name = "protect", .read = read_protect},
	{.name = "allow", .read = read_allow},
	{.name = "defaults", .read = read_defaults},
	{.name = "subjects", .read = read_subjects, .flags = KEY_REQUIRED, .why = "a list of clusters to test"},
	{.name = "chaos_types", .read = read_chaos_types},
	{.name = "abort_if", IN_DEFAULTS},
	{.name = "warmup_seconds", IN_DEFAULTS},
	{.name = "duration_seconds", IN_DEFAULTS},
	{.name = "recovery_seconds", IN_DEFAULTS},
	{.name = "retries", IN_DEFAULTS},
	{.name = "expect", IN_DEFAULTS},
	{.name = "params", IN_DEFAULTS},
	{.name = "target", IN_DEFAULTS},
	{.name = "default_target", IN_DEFAULTS},
	{0},
};

static void decode_campaign(struct reader *reader, const struct ynode *root)
{
	struct config *config = reader->config;
	const struct ynode *list;

	if (!decode_mapping(reader, root, "the campaign", &(struct key_set){config_keys, config}, 1))
		return;
	list = ynode_find(root, "chaos_types");
	if (!config->include_baseline && !list && !ynode_find(root, "include_baseline"))
		problem_error(reader, &root->place,
			      "the campaign needs the key 'chaos_types': what to do to the subjects");
	else if (!config->include_baseline && (!list || (list->kind == YNODE_SEQUENCE && !list->count)))
		problem_error(reader, &(list ?: root)->place,
			      "nothing to run: list chaos_types, or set include_baseline: true");
	if (config->subject_count && settings_resolve(reader) < 0)
		reader->failed = true;
	else
		config_check(reader);
}

static int config_init(struct config *config, struct reader *reader)
{
	config->trials_per_combination = 1;
	config->parallel = 1;
	level_init(&reader->defaults);
	if (!strings_append(&config->protect, NULL) || !strings_append(&config->allow, NULL))
		return -ENOMEM;
	return 0;
}

static int config_take_path(struct config *config, const struct reader *reader)
{
	const char *file = reader->documents[0].file, *slash = strrchr(file, '/');

	config->directory = strdup(reader->documents[0].directory);
	if (!config->directory || asprintf(&config->path, "%s/%s", config->directory, slash ? slash + 1 : file) < 0) {
		config->path = NULL;
		return -ENOMEM;
	}
	/* Every place points to these strings: transfer ownership, do not copy. */
	config->files.items = calloc(reader->document_count + 1, sizeof(char *));
	if (!config->files.items)
		return -ENOMEM;
	for (size_t i = 0; i < reader->document_count; i++)
		config->files.items[config->files.count++] = TAKE_PTR(reader->documents[i].file);
	return 0;
}

static void reader_clear(struct reader *reader)
{
	const struct config *config = reader->config;

	level_clear(&reader->defaults);
	for (size_t i = 0; config && i < config->subject_count; i++)
		level_clear(&reader->subject_levels[i]);
	for (size_t i = 0; config && i < config->chaos_count; i++)
		level_clear(&reader->chaos_levels[i]);
	free(reader->subject_levels);
	free(reader->chaos_levels);
	problems_clear(reader);
	documents_free(reader);
}

static int read_config(struct reader *reader, const char *path, FILE *problems, struct error *err)
{
	size_t index;
	int ret = config_init(reader->config, reader);

	if (ret < 0)
		return error_set(err, ret, "out of memory");
	ret = document_read(reader, path, &index, err);
	if (ret < 0)
		return ret;
	reader->directory = reader->documents[index].directory;
	if (reader->documents[index].root)
		decode_campaign(reader, reader->documents[index].root);
	for (size_t i = 0; reader->failed && i < reader->document_count; i++)
		if (reader->documents[i].text)
			characters_explain(reader, reader->documents[i].file, reader->documents[i].text);
	problems_print(reader, problems);
	if (reader->failed)
		return error_set(err, -EINVAL, "%s is not a valid campaign file", path);
	ret = config_take_path(reader->config, reader);
	return ret < 0 ? error_set(err, ret, "out of memory") : 0;
}

int config_load(struct config **out, const char *path, enum config_use use, FILE *problems, struct error *err)
{
	struct reader reader = {.use = use, .config = calloc(1, sizeof(struct config))};
	int ret;

	if (!reader.config)
		return error_set(err, -ENOMEM, "out of memory");
	ret = read_config(&reader, path, problems, err);
	reader_clear(&reader);
	if (ret < 0)
		config_free(reader.config);
	else
		*out = reader.config;
	return ret;
}

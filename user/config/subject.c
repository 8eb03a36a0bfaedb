/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes subjects, inline in the campaign file or by name from a file of their own. */
#include <errno.h>
#include <string.h>

#include "config/reader.h"
#include "util/cleanup.h"

#define SYSTEM_DIRECTORY "/etc/eval"
#define INSTANCES_MAX 64

static void read_reset(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct subject *subject = object;

	subject->fresh = value->kind != YNODE_SCALAR || strcmp(value->text, "none");
	if (subject->fresh)
		read_command(reader, value, key, object);
}

static const struct key subject_keys[] = {
	{.name = "name", .read = read_name, .offset = offsetof(struct subject, name), .max = SUBJECT_NAME_MAX},
	{.name = "instances",
	 .read = read_unsigned,
	 .offset = offsetof(struct subject, instances),
	 .min = 1,
	 .max = INSTANCES_MAX},
	{.name = "reset",
	 .read = read_reset,
	 .offset = offsetof(struct subject, reset),
	 .flags = KEY_REQUIRED,
	 .why = "the command that tears down and recreates, or none if the cluster must stay"},
	{.name = "cleanup", .read = read_command, .offset = offsetof(struct subject, cleanup)},
	{.name = "ready", .read = read_command, .offset = offsetof(struct subject, ready)},
	{.name = "roles", .read = read_command, .offset = offsetof(struct subject, roles)},
	{.name = "workload", .read = read_command, .offset = offsetof(struct subject, workload)},
	{.name = "nodes", .read = read_node_list, .flags = KEY_REQUIRED, .why = "what chaos may act on"},
	{.name = "peers", .read = read_peer_list},
	{.name = "probes", .read = read_probe_list},
	{.name = "metrics", .read = read_metric_list},
	{0},
};

static struct subject *subject_add(struct reader *reader, struct level **level)
{
	struct config *config = reader->config;
	size_t level_count = config->subject_count;
	struct level *levels = array_grow(reader, reader->subject_levels, &level_count, sizeof(*levels));
	struct subject *subjects;

	if (!levels)
		return NULL;
	reader->subject_levels = levels;
	subjects = array_grow(reader, config->subjects, &config->subject_count, sizeof(*subjects));
	if (!subjects)
		return NULL;
	config->subjects = subjects;
	*level = &levels[config->subject_count - 1];
	level_init(*level);
	return &subjects[config->subject_count - 1];
}

static struct subject *decode_subject(struct reader *reader, const struct ynode *node)
{
	struct level *level = NULL;
	struct subject *subject = subject_add(reader, &level);

	if (!subject)
		return NULL;
	subject->instances = 1;
	subject->fresh = true;
	subject->place = node->place;
	level->node = node;
	decode_mapping(reader, node, "a subject",
		       (struct key_set[]){{subject_keys, subject},
					  {settings_keys, level},
					  {params_keys, level},
					  {default_target_keys, level},
					  {target_keys, level}},
		       5);
	if (level->target)
		subject->default_target = strdup(level->target);
	reader->failed |= level->target && !subject->default_target;
	return subject;
}

/*
 * Reads subjects/NAME.yaml below a directory ("" or ending with '/'). Returns 0 with *out; -ENOENT if there is no such
 * file; another error after reporting.
 */
static int read_subject_file(struct reader *reader, const struct ynode *name, const char *directory, int length,
			     size_t *out)
{
	_cleanup_free_ char *path = NULL;
	struct error err = {0};
	int ret;

	if (asprintf(&path, "%.*ssubjects/%s.yaml", length, directory, name->text) < 0) {
		path = NULL;
		reader->failed = true;
		return -ENOMEM;
	}
	ret = document_read(reader, path, out, &err);
	if (ret < 0 && ret != -ENOENT)
		problem_error(reader, &name->place, "subject '%s': %s", name->text, err.text);
	return ret;
}

static void decode_subject_file(struct reader *reader, const struct ynode *name, size_t index)
{
	const struct document *document = &reader->documents[index];
	const char *directory = reader->directory;
	const struct subject *subject;
	const struct ynode *own_name;

	if (!document->root)
		return;
	reader->directory = document->directory;
	if (document->root->kind != YNODE_MAPPING) {
		problem_error(reader, &document->root->place, "a subject file must hold one subject's keys, found %s",
			      ynode_describe(document->root));
	} else {
		subject = decode_subject(reader, document->root);
		own_name = ynode_find(document->root, "name");
		if (subject && !subject->name && !own_name)
			reader->config->subjects[reader->config->subject_count - 1].name = strdup(name->text);
		else if (subject && subject->name && strcmp(subject->name, name->text))
			problem_error(reader, &own_name->place,
				      "the subject is named '%s' here, but the campaign reads it as '%s'",
				      subject->name, name->text);
	}
	reader->directory = directory;
}

static void read_subject_by_name(struct reader *reader, const struct ynode *item)
{
	const char *campaign = reader->documents[0].file, *slash = strrchr(campaign, '/'), *name;
	int length = slash ? (int)(slash + 1 - campaign) : 0, ret;
	size_t index;

	if (!scalar_name(reader, item, "subject", SUBJECT_NAME_MAX, &name))
		return;
	ret = read_subject_file(reader, item, campaign, length, &index);
	if (ret == -ENOENT)
		ret = read_subject_file(reader, item, SYSTEM_DIRECTORY "/", sizeof(SYSTEM_DIRECTORY), &index);
	if (ret == -ENOENT)
		problem_error(reader, &item->place,
			      "no subject '%s': neither %.*ssubjects/%s.yaml nor " SYSTEM_DIRECTORY
			      "/subjects/%s.yaml exists",
			      name, length, campaign, name, name);
	else if (ret == 0)
		decode_subject_file(reader, item, index);
}

static void check_subject_name(struct reader *reader, const struct ynode *item)
{
	const struct config *config = reader->config;
	const struct subject *last = &config->subjects[config->subject_count - 1];

	for (const struct subject *other = config->subjects; last->name && other != last; other++)
		if (other->name && !strcmp(other->name, last->name)) {
			problem_duplicate_name(reader, item, "subject", last->name, other->place.line);
			return;
		}
}

static void read_subject(struct reader *reader, const struct ynode *item)
{
	size_t before = reader->config->subject_count;

	if (item->kind == YNODE_REFUSED)
		return;
	if (item->kind == YNODE_MAPPING) {
		if (!ynode_find(item, "name"))
			problem_error(reader, &item->place, "a subject needs the key 'name': trial ids carry it");
		decode_subject(reader, item);
	} else if (item->kind == YNODE_SCALAR && !ynode_is_null(item)) {
		read_subject_by_name(reader, item);
	} else {
		problem_error(reader, &item->place, "a subject must be a name or a mapping, found %s",
			      ynode_describe(item));
	}
	if (reader->config->subject_count > before)
		check_subject_name(reader, item);
}

void read_subjects(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	if (value->kind == YNODE_REFUSED)
		return;
	if (value->kind != YNODE_SEQUENCE || !value->count || value->count > CONFIG_MEMBERS_MAX) {
		problem_error(reader, &value->place, "'subjects' must be a list of 1 to %d subjects, found %s",
			      CONFIG_MEMBERS_MAX,
			      value->kind != YNODE_SEQUENCE ? ynode_describe(value)
			      : value->count                ? "more"
							    : "an empty list");
		return;
	}
	for (const struct ynode *item = value->children; item; item = item->next)
		read_subject(reader, item);
}

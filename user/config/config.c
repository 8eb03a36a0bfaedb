/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

bool strings_append(struct strings *list, const char *text)
{
	char **items = reallocarray(list->items, list->count + 2, sizeof(*items));

	if (!items)
		return false;
	list->items = items;
	items[list->count] = text ? strdup(text) : NULL;
	if (text && !items[list->count])
		return false;
	list->count += !!text;
	items[list->count] = NULL;
	return true;
}

void strings_clear(struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strings){0};
}

void command_clear(struct command *command)
{
	free(command->exec);
	free(command->directory);
}

void node_clear(struct node *node)
{
	strings_clear(&node->addresses);
	strings_clear(&node->data_dirs);
	free(node->name);
	free(node->netns);
	free(node->interface);
	free(node->cgroup);
	*node = (struct node){0};
}

void probe_clear(struct probe *probe)
{
	char *const texts[] = {probe->name,      probe->tcp,     probe->node,      probe->netns,   probe->http.url,
			       probe->http.body, probe->http.ca, probe->http.cert, probe->http.key};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	command_clear(&probe->command);
	json_decref(probe->http.json);
	strings_clear(&probe->series);
}

void checks_clear(struct check_command *checks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(checks[i].name);
		command_clear(&checks[i].command);
	}
	free(checks);
}

const struct node *node_find(const struct subject *subject, const char *name)
{
	for (size_t i = 0; i < subject->node_count; i++)
		if (subject->nodes[i].name && !strcmp(subject->nodes[i].name, name))
			return &subject->nodes[i];
	return NULL;
}

const struct probe *probe_find(const struct subject *subject, const char *name)
{
	for (size_t i = 0; i < subject->probe_count; i++)
		if (subject->probes[i].name && !strcmp(subject->probes[i].name, name))
			return &subject->probes[i];
	return NULL;
}

bool subject_has_series(const struct subject *subject, const char *source, const char *series)
{
	for (size_t i = 0; i < subject->metric_count; i++) {
		const struct probe *metric = &subject->metrics[i];

		if (source && metric->name && strcmp(metric->name, source) != 0)
			continue;
		for (size_t j = 0; j < metric->series.count; j++)
			if (!strcmp(metric->series.items[j], series))
				return true;
	}
	for (size_t i = 0; i < subject->output_count; i++)
		if (subject->outputs[i].name && !strcmp(subject->outputs[i].name, series) &&
		    (!source || !strcmp(source, series)))
			return true;
	return false;
}

void subject_clear(struct subject *subject)
{
	struct command *commands[] = {&subject->reset, &subject->cleanup, &subject->ready, &subject->roles,
				      &subject->workload};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		command_clear(commands[i]);
	for (size_t i = 0; i < subject->node_count; i++)
		node_clear(&subject->nodes[i]);
	for (size_t i = 0; i < subject->peer_count; i++)
		node_clear(&subject->peers[i]);
	for (size_t i = 0; i < subject->probe_count; i++)
		probe_clear(&subject->probes[i]);
	for (size_t i = 0; i < subject->metric_count; i++)
		probe_clear(&subject->metrics[i]);
	for (size_t i = 0; i < subject->output_count; i++) {
		free(subject->outputs[i].name);
		free(subject->outputs[i].pattern);
	}
	free(subject->nodes);
	free(subject->peers);
	free(subject->probes);
	free(subject->metrics);
	free(subject->outputs);
	free(subject->default_target);
	free(subject->name);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; config->effective && i < config->subject_count * (config->chaos_count + 1); i++) {
		free(config->effective[i].target);
		json_decref(config->effective[i].params);
		command_clear(&config->effective[i].settings.abort_if);
		json_decref(config->effective[i].settings.expect.probes);
		json_decref(config->effective[i].settings.expect.metrics);
		checks_clear(config->effective[i].settings.checks, config->effective[i].settings.check_count);
	}
	free(config->effective);
	for (size_t i = 0; i < config->subject_count; i++)
		subject_clear(&config->subjects[i]);
	for (size_t i = 0; i < config->chaos_count; i++) {
		free(config->chaos[i].name);
		free(config->chaos[i].target);
	}
	free(config->subjects);
	free(config->chaos);
	command_clear(&config->notify);
	strings_clear(&config->protect);
	strings_clear(&config->allow);
	strings_clear(&config->files);
	free(config->path);
	free(config->directory);
	free(config->name);
	free(config);
}

int node_find_data_dir(const struct node *node, const json_t *which, struct error *err)
{
	json_int_t number = json_integer_value(which);
	const char *path = json_string_value(which);

	if (!path && (number < 1 || (size_t)number > node->data_dirs.count))
		return error_set(err, -ENOENT, "node '%s' has no data_dir number %d; it has %zu", node->name,
				 (int)number, node->data_dirs.count);
	if (!path)
		return (int)number - 1;
	for (size_t i = 0; i < node->data_dirs.count; i++)
		if (!strcmp(node->data_dirs.items[i], path))
			return (int)i;
	return error_set(err, -ENOENT, "node '%s' has no data_dir '%s'", node->name, path);
}

const struct effective *config_effective(const struct config *config, size_t subject, size_t chaos)
{
	return &config->effective[subject * (config->chaos_count + 1) + chaos];
}

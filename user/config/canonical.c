/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Builds the effective configuration as canonical JSON. */
#include <string.h>

#include "config/config.h"
#include "target/guards.h"
#include "util/cleanup.h"

/* Raise it when the same file comes to mean other trials: campaigns of the old format then do not resume. */
#define CANONICAL_FORMAT 1

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_string(text));
}

static json_t *http_to_json(const struct http_check *http)
{
	json_t *object = json_pack("{s:s}", "url", http->url);

	if (http->status)
		json_object_set_new(object, "status", json_integer(http->status));
	json_object_set(object, "json", http->json);
	set_text(object, "body", http->body);
	set_text(object, "ca", http->ca);
	set_text(object, "cert", http->cert);
	set_text(object, "key", http->key);
	return object;
}

/* Keys that came later are left out if they are not given: the campaign's hash must stay as it was. */
static json_t *probe_to_json(const struct probe *probe)
{
	json_t *object = json_pack("{s:s, s:i, s:i}", "name", probe->name, "every_ms", probe->every_ms, "timeout_ms",
				   probe->timeout_ms);

	set_text(object, "exec", probe->command.exec);
	set_text(object, "tcp", probe->tcp);
	set_text(object, "node", probe->node);
	set_text(object, "netns", probe->netns);
	if (probe->http.url)
		json_object_set_new(object, "http", http_to_json(&probe->http));
	return object;
}

static json_t *metrics_to_json(const struct subject *subject)
{
	json_t *array = json_array();

	for (size_t i = 0; i < subject->metric_count; i++) {
		json_t *one = probe_to_json(&subject->metrics[i]);

		json_object_set_new(one, "series", strings_to_json(&subject->metrics[i].series));
		json_array_append_new(array, one);
	}
	for (size_t i = 0; i < subject->output_count; i++)
		json_array_append_new(array, json_pack("{s:s, s:s}", "name", subject->outputs[i].name, "workload",
						       subject->outputs[i].pattern));
	return array;
}

static json_t *probes_to_json(const struct subject *subject)
{
	json_t *array = json_array();

	for (size_t i = 0; i < subject->probe_count; i++)
		json_array_append_new(array, probe_to_json(&subject->probes[i]));
	return array;
}

static json_t *canonical_settings(const struct settings *settings)
{
	_cleanup_json_ json_t *object = settings_to_json(settings);
	_cleanup_json_ json_t *expect = expectations_to_json(settings);

	if (!object || !expect || json_object_update(object, expect))
		return NULL;
	/* Omitted if not given, so that files without abort_if keep the hash from before it existed. */
	if (settings->abort_if.exec && json_object_set_new(object, "abort_if", command_to_json(&settings->abort_if)))
		return NULL;
	return TAKE_PTR(object);
}

/* The chaos types with their effective values on this subject; the baseline only if it runs. */
static json_t *trials_to_json(const struct config *config, size_t subject)
{
	json_t *array = json_array();

	for (size_t i = 0; i < config->chaos_count; i++) {
		const struct effective *effective = config_effective(config, subject, i);

		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s, s:o, s:O}", "name", config->chaos[i].name, "type",
						config->chaos[i].ops->name, "target", effective->target, "settings",
						canonical_settings(&effective->settings), "params", effective->params));
	}
	if (config->include_baseline)
		json_array_append_new(
			array, json_pack("{s:s, s:o}", "name", "baseline", "settings",
					 canonical_settings(
						 &config_effective(config, subject, config->chaos_count)->settings)));
	return array;
}

static json_t *subject_to_json(const struct config *config, size_t index)
{
	const struct subject *subject = &config->subjects[index];
	json_t *object = json_pack("{s:s, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
				   subject->name, "instances", subject->instances, "fresh", subject->fresh, "reset",
				   command_to_json(&subject->reset), "cleanup", command_to_json(&subject->cleanup),
				   "ready", command_to_json(&subject->ready), "roles", command_to_json(&subject->roles),
				   "workload", command_to_json(&subject->workload), "nodes",
				   nodes_to_json(subject->nodes, subject->node_count), "peers",
				   nodes_to_json(subject->peers, subject->peer_count), "probes",
				   probes_to_json(subject), "trials", trials_to_json(config, index));

	if (subject->metric_count || subject->output_count)
		json_object_set_new(object, "metrics", metrics_to_json(subject));
	return object;
}

/* The effective list: PROTECT_DEFAULT first unless `allow` lifts it, then the file's entries in their order. */
static json_t *protect_to_json(const struct config *config)
{
	json_t *list = json_array();
	bool lifted = false;

	for (size_t i = 0; i < config->allow.count; i++)
		lifted |= !strcmp(config->allow.items[i], "ssh");
	if (!lifted)
		json_array_append_new(list, json_string(PROTECT_DEFAULT));
	for (size_t i = 0; i < config->protect.count; i++) {
		bool is_default = !strcmp(config->protect.items[i], PROTECT_DEFAULT);

		if (lifted || !is_default)
			json_array_append_new(list, json_string(config->protect.items[i]));
	}
	return list;
}

char *config_canonical(const struct config *config)
{
	_cleanup_json_ json_t *root = NULL;
	json_t *subjects = json_array();

	for (size_t i = 0; i < config->subject_count; i++)
		json_array_append_new(subjects, subject_to_json(config, i));
	root = json_pack("{s:i, s:o, s:i, s:o, s:o, s:o}", "format", CANONICAL_FORMAT, "seed",
			 config->seed_given ? json_integer((json_int_t)config->seed) : json_null(),
			 "trials_per_combination", config->trials_per_combination, "protect", protect_to_json(config),
			 "allow", strings_to_json(&config->allow), "subjects", subjects);
	return root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parts of the configuration as JSON, shared by all writers. */
#include <jansson.h>
#include <math.h>

#include "config/config.h"
#include "util/json.h"

json_t *strings_to_json(const struct strings *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

/* Omits the folder, so that a moved campaign keeps its hash. */
json_t *command_to_json(const struct command *command)
{
	if (!command->exec)
		return json_null();
	return json_pack("{s:s, s:f}", "exec", command->exec, "timeout_seconds", command->timeout_seconds);
}

json_t *nodes_to_json(const struct node *nodes, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", nodes[i].name,
						       "addresses", strings_to_json(&nodes[i].addresses), "netns",
						       json_text_or_null(nodes[i].netns), "interface",
						       json_text_or_null(nodes[i].interface), "cgroup",
						       json_text_or_null(nodes[i].cgroup), "data_dirs",
						       strings_to_json(&nodes[i].data_dirs)));
	return array;
}

json_t *settings_to_json(const struct settings *settings)
{
	return json_pack("{s:f, s:f, s:f, s:i}", "warmup_seconds", settings->warmup_seconds, "duration_seconds",
			 settings->duration_seconds, "recovery_seconds", settings->recovery_seconds, "retries",
			 (int)settings->retries);
}

static json_t *checks_to_json(const struct settings *settings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < settings->check_count; i++)
		json_array_append_new(array, json_pack("{s:s, s:o}", "name", settings->checks[i].name, "command",
						       command_to_json(&settings->checks[i].command)));
	return array;
}

json_t *expectations_to_json(const struct settings *settings)
{
	const struct expectations *expect = &settings->expect;
	json_t *object = json_object();

	/* Those that came later are left out if they are not given: the campaign's hash must stay as it was. */
	for (enum expectation i = 0; i < EXPECT_COUNT; i++)
		if (!isnan(expect->limits[i]) || i == EXPECT_AVAILABILITY || i == EXPECT_P99 || i == EXPECT_RECOVERY)
			json_object_set_new(object, expectation_name(i), json_number_or_null(expect->limits[i]));
	if (expect->probes)
		json_object_set(object, "probes", expect->probes);
	if (expect->metrics)
		json_object_set(object, "metrics", expect->metrics);
	if (settings->check_count)
		json_object_set_new(object, "checks", checks_to_json(settings));
	return object;
}

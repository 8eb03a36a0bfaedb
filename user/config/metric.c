/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes and checks the metrics of a subject, and what is expected of them. */
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <string.h>

#include "config/reader.h"
#include "net/prometheus.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

#define EVERY_MS_DEFAULT 1000
#define EVERY_MS_MIN 1000 /* an answer of TiKV has megabytes */
#define SERIES_MAX 64
#define SUBJECT_SERIES_MAX 1024 /* of all sources */
#define EXPECTED_MAX 64
#define VALUE_MAX 1e18
#define CHANGE_MAX 1000
#define KERNEL_SOURCE "kernel" /* the records have the kernel's hits by this name */

static void read_series_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct strings *list = (struct strings *)((char *)object + key->offset);

	for (const struct ynode *item = list_first(value); item; item = list_next(value, item)) {
		struct error err = {};
		const char *text;

		if (!scalar_text(reader, item, key->name, SCALAR_TEXT_MAX, &text))
			continue;
		if (prometheus_check(text, &err))
			problem_error(reader, &item->place, "'%s': %s", key->name, err.text);
		else if (list->count == SERIES_MAX)
			problem_error(reader, &item->place, "'%s' has more than %d series", key->name, SERIES_MAX);
		else
			reader->failed |= !strings_append(list, text);
	}
}

#define METRIC_FIELD(field) offsetof(struct probe, field)
static const struct key metric_keys[] = {
	{.name = "name",
	 .read = read_name,
	 .offset = METRIC_FIELD(name),
	 .max = NODE_NAME_MAX,
	 .flags = KEY_REQUIRED,
	 .why = "what reports call it"},
	{.name = "url",
	 .read = read_data_text,
	 .offset = METRIC_FIELD(http.url),
	 .flags = KEY_REQUIRED,
	 .why = "where the metrics are, like http://127.0.0.1:20180/metrics"},
	{.name = "series",
	 .read = read_series_list,
	 .offset = METRIC_FIELD(series),
	 .flags = KEY_REQUIRED,
	 .why = "the wanted series, like up or requests_total{type=\"write\"}"},
	{.name = "ca", .read = read_text, .offset = METRIC_FIELD(http.ca), .min = 1},
	{.name = "cert", .read = read_text, .offset = METRIC_FIELD(http.cert), .min = 1},
	{.name = "key", .read = read_text, .offset = METRIC_FIELD(http.key), .min = 1},
	{.name = "node", .read = read_name, .offset = METRIC_FIELD(node), .max = NODE_NAME_MAX},
	{.name = "netns", .read = read_netns, .offset = METRIC_FIELD(netns)},
	{.name = "every_ms",
	 .read = read_unsigned,
	 .offset = METRIC_FIELD(every_ms),
	 .min = EVERY_MS_MIN,
	 .max = PERIOD_MS_MAX},
	{.name = "timeout_ms",
	 .read = read_unsigned,
	 .offset = METRIC_FIELD(timeout_ms),
	 .min = 1,
	 .max = PERIOD_MS_MAX},
	{.name = "timeout_seconds", .flags = KEY_ELSEWHERE, .why = "write 'timeout_ms'"},
	{0},
};

static void read_number_pattern(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	const struct output_metric *metric = object;
	regex_t regex;

	read_pattern(reader, value, key, object);
	if (!metric->pattern || regcomp(&regex, metric->pattern, REG_EXTENDED))
		return;
	if (!regex.re_nsub)
		problem_error(reader, &value->place, "'%s' must have a group around the number, like 'tps: ([0-9.]+)'",
			      key->name);
	regfree(&regex);
}

static const struct key output_keys[] = {
	{.name = "name",
	 .read = read_name,
	 .offset = offsetof(struct output_metric, name),
	 .max = NODE_NAME_MAX,
	 .flags = KEY_REQUIRED,
	 .why = "what reports call it"},
	{.name = "workload", .read = read_number_pattern, .offset = offsetof(struct output_metric, pattern), .min = 1},
	{0},
};

static void check_source_name(struct reader *reader, const struct ynode *item, const struct subject *subject)
{
	const struct ynode *own = ynode_find(item, "name");
	size_t count = 0;

	if (!own || own->kind != YNODE_SCALAR)
		return;
	if (!strcmp(own->text, KERNEL_SOURCE))
		problem_error(reader, &own->place, "'%s' is the source of the kernel's hits: choose another name",
			      KERNEL_SOURCE);
	for (size_t i = 0; i < subject->metric_count; i++)
		count += subject->metrics[i].name && !strcmp(subject->metrics[i].name, own->text);
	for (size_t i = 0; i < subject->output_count; i++)
		count += subject->outputs[i].name && !strcmp(subject->outputs[i].name, own->text);
	if (count > 1)
		problem_error(reader, &own->place, "two of the metrics are named '%s'", own->text);
}

static void read_output(struct reader *reader, const struct ynode *item, struct subject *subject)
{
	struct output_metric *grown =
		array_grow(reader, subject->outputs, &subject->output_count, sizeof(*subject->outputs));

	if (!grown)
		return;
	subject->outputs = grown;
	decode_mapping(reader, item, "a metric of the workload's output",
		       &(struct key_set){output_keys, &grown[subject->output_count - 1]}, 1);
}

static void read_source(struct reader *reader, const struct ynode *item, struct subject *subject)
{
	struct probe *grown = array_grow(reader, subject->metrics, &subject->metric_count, sizeof(*subject->metrics));
	struct probe *source;

	if (!grown)
		return;
	subject->metrics = grown;
	source = &grown[subject->metric_count - 1];
	source->kind = PROBE_METRICS;
	source->every_ms = source->timeout_ms = EVERY_MS_DEFAULT;
	source->place = item->place;
	source->command.directory = strdup(reader->directory);
	reader->failed |= !source->command.directory || !strings_append(&source->series, NULL);
	decode_mapping(reader, item, "a source of metrics", &(struct key_set){metric_keys, source}, 1);
	if (ynode_find(item, "node") && ynode_find(item, "netns"))
		problem_error(reader, &item->place,
			      "metrics are read in the namespace of 'node' or in 'netns': remove one of them");
}

void read_metric_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct subject *subject = object;
	size_t count = 0;

	if (!list_check(reader, value, CONFIG_MEMBERS_MAX))
		return;
	for (const struct ynode *item = value->children; item; item = item->next) {
		if (ynode_find(item, "workload"))
			read_output(reader, item, subject);
		else
			read_source(reader, item, subject);
		check_source_name(reader, item, subject);
	}
	for (size_t i = 0; i < subject->metric_count; i++)
		count += subject->metrics[i].series.count;
	if (count > SUBJECT_SERIES_MAX)
		problem_error(reader, &value->place, "'metrics' has %zu series in all, and may have %d", count,
			      SUBJECT_SERIES_MAX);
}

struct expected {
	char *series, *source;
	double min, max, change_max;
};

static json_t *expected_to_json(const struct expected *expected)
{
	json_t *one = json_pack("{s:s}", "series", expected->series);

	if (expected->source)
		json_object_set_new(one, "source", json_string(expected->source));
	if (!isnan(expected->min))
		json_object_set_new(one, "min", json_real(expected->min));
	if (!isnan(expected->max))
		json_object_set_new(one, "max", json_real(expected->max));
	if (!isnan(expected->change_max))
		json_object_set_new(one, "change_max", json_real(expected->change_max));
	return one;
}

static void read_expected(struct reader *reader, const struct ynode *item, json_t *list)
{
	static const struct key keys[] = {
		{.name = "series",
		 .read = read_text,
		 .offset = offsetof(struct expected, series),
		 .min = 1,
		 .flags = KEY_REQUIRED,
		 .why = "the series as 'metrics' of the subject has it, or the name of one of the workload's output"},
		{.name = "source",
		 .read = read_name,
		 .offset = offsetof(struct expected, source),
		 .max = NODE_NAME_MAX},
		{.name = "min",
		 .read = read_number,
		 .offset = offsetof(struct expected, min),
		 .min = -VALUE_MAX,
		 .max = VALUE_MAX},
		{.name = "max",
		 .read = read_number,
		 .offset = offsetof(struct expected, max),
		 .min = -VALUE_MAX,
		 .max = VALUE_MAX},
		{.name = "change_max",
		 .read = read_number,
		 .offset = offsetof(struct expected, change_max),
		 .min = 0,
		 .max = CHANGE_MAX},
		{0},
	};
	struct expected expected = {.min = NAN, .max = NAN, .change_max = NAN};

	if (decode_mapping(reader, item, "what is expected of a metric", &(struct key_set){keys, &expected}, 1) &&
	    isnan(expected.min) && isnan(expected.max) && isnan(expected.change_max))
		problem_error(reader, &item->place, "give what is expected: 'min', 'max' or 'change_max'");
	if (expected.min > expected.max)
		problem_error(reader, &item->place, "'min' (%.15g) is above 'max' (%.15g)", expected.min, expected.max);
	if (expected.series)
		reader->failed |= json_array_append_new(list, expected_to_json(&expected)) != 0;
	free(expected.series);
	free(expected.source);
}

void read_expected_metrics(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	json_t **list = (json_t **)((char *)object + key->offset);

	if (!list_check(reader, value, EXPECTED_MAX))
		return;
	*list = json_array();
	for (const struct ynode *item = value->children; item; item = item->next)
		read_expected(reader, item, *list);
}

static void check_series(struct reader *reader, const struct ynode *item)
{
	const struct config *config = reader->config;
	const struct ynode *series = ynode_find(item, "series"), *source = ynode_find(item, "source");

	if (!series || series->kind != YNODE_SCALAR)
		return;
	for (size_t i = 0; i < config->subject_count; i++)
		if (subject_has_series(&config->subjects[i], source ? source->text : NULL, series->text))
			return;
	problem_error(reader, &series->place, "no subject has the series '%.*s'%s%.*s in its 'metrics'",
		      text_cut(series->text, 80), series->text, source && source->text ? " of source " : "",
		      source && source->text ? text_cut(source->text, 60) : 0,
		      source && source->text ? source->text : "");
}

void check_expected_metrics(struct reader *reader, const struct level *level)
{
	const struct ynode *metrics = ynode_find(level->expect_node, "metrics");

	if (metrics && metrics->kind == YNODE_SEQUENCE)
		for (const struct ynode *item = metrics->children; item; item = item->next)
			check_series(reader, item);
}

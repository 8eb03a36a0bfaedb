/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes and checks the probes of a subject. */
#include <errno.h>
#include <regex.h>
#include <string.h>

#include "config/placeholder.h"
#include "config/reader.h"
#include "net/endpoint.h"
#include "net/http.h"
#include "util/cleanup.h"

#define EVERY_MS_DEFAULT 1000
#define TIMEOUT_MS_DEFAULT 1000
#define POINTERS_MAX 32

void read_pattern(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	char **pattern = (char **)((char *)object + key->offset), why[128];
	regex_t regex;
	int code;

	read_text(reader, value, key, object);
	if (!*pattern)
		return;
	code = regcomp(&regex, *pattern, REG_EXTENDED | REG_NOSUB);
	if (code) {
		regerror(code, &regex, why, sizeof(why));
		problem_error(reader, &value->place, "'%s' must be an extended regular expression: %s", key->name, why);
		return;
	}
	regfree(&regex);
}

/* {JSON pointer: value} */
static void read_values(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct http_check *check = object;

	if (value->kind == YNODE_REFUSED)
		return;
	if (value->kind != YNODE_MAPPING || !value->count || value->count > POINTERS_MAX) {
		problem_error(reader, &value->place,
			      "'%s' must be a mapping of 1 to %d JSON pointers and values, found %s", key->name,
			      POINTERS_MAX, ynode_describe(value));
		return;
	}
	check->json = json_object();
	for (const struct ynode *item = value->children; item; item = item->next) {
		const char *pointer = decode_key(reader, value, item), *text = "null";

		if (!pointer || (!ynode_is_null(item) && !scalar_text(reader, item, "a value", SCALAR_TEXT_MAX, &text)))
			continue;
		if (*pointer && *pointer != '/')
			problem_error(reader, &item->key->place, "a JSON pointer starts with '/': write '/%s'",
				      pointer);
		else if (json_object_set_new(check->json, pointer, json_string(text)))
			reader->failed = true;
	}
}

#define HTTP_FIELD(field) offsetof(struct http_check, field)
static const struct key http_keys[] = {
	{.name = "url",
	 .read = read_data_text,
	 .offset = HTTP_FIELD(url),
	 .flags = KEY_REQUIRED,
	 .why = "what is asked for"},
	{.name = "status", .read = read_unsigned, .offset = HTTP_FIELD(status), .min = 100, .max = 599},
	{.name = "body", .read = read_pattern, .offset = HTTP_FIELD(body), .min = 1},
	{.name = "json", .read = read_values},
	{.name = "ca", .read = read_text, .offset = HTTP_FIELD(ca), .min = 1},
	{.name = "cert", .read = read_text, .offset = HTTP_FIELD(cert), .min = 1},
	{.name = "key", .read = read_text, .offset = HTTP_FIELD(key), .min = 1},
	{.name = "method", .flags = KEY_ELSEWHERE, .why = "a probe only asks (GET)"},
	{0},
};

static void read_http(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	static const struct key url = {.name = "http", .offset = HTTP_FIELD(url)};
	struct probe *probe = object;

	probe->kind = PROBE_HTTP;
	if (value->kind == YNODE_MAPPING)
		decode_mapping(reader, value, "http", &(struct key_set){http_keys, &probe->http}, 1);
	else
		read_data_text(reader, value, &url, &probe->http);
}

static void read_tcp(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	struct probe *probe = object;

	probe->kind = PROBE_TCP;
	read_data_text(reader, value, key, object);
}

static const struct key probe_keys[] = {
	{.name = "name",
	 .read = read_name,
	 .offset = offsetof(struct probe, name),
	 .max = NODE_NAME_MAX,
	 .flags = KEY_REQUIRED,
	 .why = "what reports call it"},
	{.name = "exec", .read = read_exec, .offset = offsetof(struct probe, command.exec)},
	{.name = "tcp", .read = read_tcp, .offset = offsetof(struct probe, tcp)},
	{.name = "http", .read = read_http},
	{.name = "node", .read = read_name, .offset = offsetof(struct probe, node), .max = NODE_NAME_MAX},
	{.name = "netns", .read = read_netns, .offset = offsetof(struct probe, netns)},
	{.name = "every_ms",
	 .read = read_unsigned,
	 .offset = offsetof(struct probe, every_ms),
	 .min = 1,
	 .max = PERIOD_MS_MAX},
	{.name = "timeout_ms",
	 .read = read_unsigned,
	 .offset = offsetof(struct probe, timeout_ms),
	 .min = 1,
	 .max = PERIOD_MS_MAX},
	{.name = "timeout_seconds", .flags = KEY_ELSEWHERE, .why = "write 'timeout_ms'"},
	{0},
};

static void check_kind(struct reader *reader, const struct ynode *item)
{
	static const char *const kinds[] = {"exec", "tcp", "http"};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		count += ynode_find(item, kinds[i]) != NULL;
	if (!count)
		problem_error(reader, &item->place,
			      "a probe needs the key 'exec' (a command; exit status 0 is good), 'tcp' (HOST:PORT) or "
			      "'http' (a URL)");
	else if (count > 1)
		problem_error(reader, &item->place, "a probe has one of the keys 'exec', 'tcp' and 'http', not %zu",
			      count);
	if (ynode_find(item, "node") && ynode_find(item, "netns"))
		problem_error(reader, &item->place,
			      "a probe runs in the namespace of 'node' or in 'netns': remove one of them");
}

static void read_probe(struct reader *reader, const struct ynode *item, struct subject *subject)
{
	struct probe *grown = array_grow(reader, subject->probes, &subject->probe_count, sizeof(*grown)), *probe;

	if (!grown)
		return;
	subject->probes = grown;
	probe = &grown[subject->probe_count - 1];
	probe->every_ms = EVERY_MS_DEFAULT;
	probe->timeout_ms = TIMEOUT_MS_DEFAULT;
	probe->place = item->place;
	probe->command.directory = strdup(reader->directory);
	reader->failed |= !probe->command.directory;
	if (decode_mapping(reader, item, "a probe", &(struct key_set){probe_keys, probe}, 1))
		check_kind(reader, item);
	for (size_t i = 0; probe->name && i + 1 < subject->probe_count; i++)
		if (grown[i].name && !strcmp(grown[i].name, probe->name)) {
			problem_error(reader, &(ynode_find(item, "name") ?: item)->place,
				      "two of the probes are named '%s'", probe->name);
			return;
		}
}

void read_probe_list(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	if (!list_check(reader, value, CONFIG_MEMBERS_MAX))
		return;
	for (const struct ynode *item = value->children; item; item = item->next)
		read_probe(reader, item, object);
}

static int check_tcp(const char *text, struct error *err)
{
	struct endpoint endpoint;
	struct host_name name;
	bool good;

	if (host_name_parse(&name, text))
		good = name.port && !name.last_port;
	else
		good = !endpoint_parse(&endpoint, text, NULL) && endpoint.port && !endpoint.last_port &&
		       !endpoint_is_network(&endpoint);
	return good ? 0 : error_set(err, -EINVAL, "'%.200s' is not HOST:PORT", text);
}

static bool needs_node(const char *text)
{
	return text && strstr(text, "{node}");
}

static int check_probe(const struct probe *probe, const struct subject *subject, struct error *err)
{
	struct probe expanded = {};
	int ret;

	if (!probe->node && (needs_node(probe->tcp) || needs_node(probe->http.url) || needs_node(probe->netns)))
		return error_set(err, -EINVAL, "{node} is the node of the key 'node': give it");
	ret = probe_expand(&expanded, probe, subject, 0, err);
	if (!ret && expanded.tcp)
		ret = check_tcp(expanded.tcp, err);
	if (!ret && expanded.http.url)
		ret = http_check_url(expanded.http.url, err);
	probe_clear(&expanded);
	return ret;
}

void check_probes(struct reader *reader, const struct subject *subject)
{
	for (size_t i = 0; i < subject->probe_count + subject->metric_count; i++) {
		bool is_metric = i >= subject->probe_count;
		const struct probe *probe =
			is_metric ? &subject->metrics[i - subject->probe_count] : &subject->probes[i];
		struct error err = {};

		if (check_probe(probe, subject, &err))
			problem_error(reader, &probe->place, "%s '%s': %s", is_metric ? "metrics source" : "probe",
				      probe->name ?: "", err.text);
	}
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "config/placeholder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

struct expansion {
	const char *name; /* with braces */
	const char *value;
};

/* *out is a copy of text with each placeholder replaced; untouched if text is NULL. */
static int expand_text(char **out, const char *text, const struct expansion *expansions, size_t count)
{
	char *result = NULL;
	size_t size = 0;
	FILE *stream;

	if (!text)
		return 0;
	stream = open_memstream(&result, &size);
	if (!stream)
		return -ENOMEM;
	while (*text) {
		size_t i = 0;

		while (i < count && strncmp(text, expansions[i].name, strlen(expansions[i].name)))
			i++;
		if (i < count)
			fputs(expansions[i].value, stream);
		else
			fputc(*text, stream);
		text += i < count ? strlen(expansions[i].name) : 1;
	}
	if (fclose(stream)) {
		free(result);
		return -ENOMEM;
	}
	*out = result;
	return 0;
}

static int expand_list(struct strings *out, const struct strings *list, const struct expansion *expansions,
		       size_t count)
{
	out->items = calloc(list->count + 1, sizeof(char *));
	if (!out->items)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		if (expand_text(&out->items[i], list->items[i], expansions, count) < 0)
			return -ENOMEM;
		out->count++;
	}
	return 0;
}

int node_expand(struct node *out, const struct node *node, const struct subject *subject, unsigned int instance,
		struct error *err)
{
	char number[16];
	const struct expansion expansions[] = {{"{instance}", number},
					       {"{node}", node->name ?: ""},
					       {"{subject}", subject->name ?: ""}};
	const size_t count = ARRAY_SIZE(expansions);
	struct node expanded = {.place = node->place};

	snprintf(number, sizeof(number), "%u", instance);
	if (expand_text(&expanded.name, node->name, NULL, 0) < 0 ||
	    expand_text(&expanded.netns, node->netns, expansions, count) < 0 ||
	    expand_text(&expanded.interface, node->interface, expansions, count) < 0 ||
	    expand_text(&expanded.cgroup, node->cgroup, expansions, count) < 0 ||
	    expand_list(&expanded.addresses, &node->addresses, expansions, count) < 0 ||
	    expand_list(&expanded.data_dirs, &node->data_dirs, expansions, count) < 0) {
		node_clear(&expanded);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*out = expanded;
	return 0;
}

static int copy_path(char **out, const char *path, const char *directory)
{
	if (!path || *path == '/')
		return expand_text(out, path, NULL, 0);
	if (asprintf(out, "%s/%s", directory, path) >= 0)
		return 0;
	*out = NULL;
	return -ENOMEM;
}

static int expand_probe(struct probe *out, const struct probe *probe, const struct node *node,
			const struct expansion *expansions, size_t count)
{
	const struct http_check *http = &probe->http;
	const char *directory = probe->command.directory;

	out->http.json = json_incref(http->json);
	return expand_text(&out->name, probe->name, NULL, 0) < 0 || expand_text(&out->node, probe->node, NULL, 0) < 0 ||
			       expand_text(&out->command.exec, probe->command.exec, NULL, 0) < 0 ||
			       expand_text(&out->command.directory, directory, NULL, 0) < 0 ||
			       expand_text(&out->http.body, http->body, NULL, 0) < 0 ||
			       copy_path(&out->http.ca, http->ca, directory) < 0 ||
			       copy_path(&out->http.cert, http->cert, directory) < 0 ||
			       copy_path(&out->http.key, http->key, directory) < 0 ||
			       expand_text(&out->tcp, probe->tcp, expansions, count) < 0 ||
			       expand_text(&out->http.url, http->url, expansions, count) < 0 ||
			       expand_list(&out->series, &probe->series, NULL, 0) < 0 ||
			       expand_text(&out->netns, node ? node->netns : probe->netns, expansions, count) < 0
		       ? -ENOMEM
		       : 0;
}

int probe_expand(struct probe *out, const struct probe *probe, const struct subject *subject, unsigned int instance,
		 struct error *err)
{
	const struct node *node = probe->node ? node_find(subject, probe->node) : NULL;
	char number[16];
	const struct expansion expansions[] = {{"{instance}", number},
					       {"{node}", probe->node ?: ""},
					       {"{subject}", subject->name ?: ""}};
	struct probe expanded = {.kind = probe->kind,
				 .every_ms = probe->every_ms,
				 .timeout_ms = probe->timeout_ms,
				 .place = probe->place};

	if (probe->node && !node)
		return error_set(err, -ENOENT, "no node '%s' in subject '%s'", probe->node, subject->name ?: "");
	expanded.http.status = probe->http.status;
	snprintf(number, sizeof(number), "%u", instance);
	if (expand_probe(&expanded, probe, node, expansions, ARRAY_SIZE(expansions)) < 0) {
		probe_clear(&expanded);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*out = expanded;
	return 0;
}

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

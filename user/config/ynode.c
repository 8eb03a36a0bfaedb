/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Queries on nodes of the YAML tree. */
#include <stdio.h>
#include <string.h>

#include "config/reader.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SHOWN_MAX 60

const struct ynode *ynode_find(const struct ynode *mapping, const char *key)
{
	const struct ynode *child = mapping && mapping->kind == YNODE_MAPPING ? mapping->children : NULL;

	while (child && (child->key->kind != YNODE_SCALAR || strcmp(child->key->text, key)))
		child = child->next;
	return child;
}

bool ynode_is_null(const struct ynode *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	if (node->kind != YNODE_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
		if (!strcmp(node->text, nulls[i]))
			return true;
	return false;
}

/* Describes the value for "…, found %s". The text is valid until the next call. */
const char *ynode_describe(const struct ynode *node)
{
	static char text[SHOWN_MAX + 16];

	if (node->kind == YNODE_MAPPING)
		return "a mapping";
	if (node->kind == YNODE_SEQUENCE)
		return "a list";
	if (ynode_is_null(node))
		return "nothing";
	snprintf(text, sizeof(text), node->plain ? "'%.*s%s'" : "the text \"%.*s%s\"", text_cut(node->text, SHOWN_MAX),
		 node->text, strlen(node->text) > SHOWN_MAX ? "…" : "");
	return text;
}

const struct ynode *list_first(const struct ynode *node)
{
	return node->kind == YNODE_SEQUENCE ? node->children : node;
}

const struct ynode *list_next(const struct ynode *node, const struct ynode *item)
{
	return node->kind == YNODE_SEQUENCE ? item->next : NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of chaos types. */
#include "chaos/type.h"

#include <string.h>

#include "chaos/kinds.h"
#include "util/cleanup.h"
#include "util/text.h"

static const struct chaos_ops *const kinds[] = {
#define X(id, name) [EVAL_KIND_##id - 1] = &chaos_##name,
	EVAL_CHAOS_KINDS(X)
#undef X
};
_Static_assert(ARRAY_SIZE(kinds) == EVAL_KIND_COUNT - 1, "one struct chaos_ops per kind");

const struct chaos_ops *chaos_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	return NULL;
}

const struct chaos_ops *chaos_next(const struct chaos_ops *previous)
{
	size_t next = previous ? (size_t)previous->kind : 0;

	return next < ARRAY_SIZE(kinds) ? kinds[next] : NULL;
}

const struct chaos_ops *chaos_of_kind(unsigned int kind)
{
	return kind && kind - 1 < ARRAY_SIZE(kinds) ? kinds[kind - 1] : NULL;
}

/* A row that says what the feature gives tells more than a row that only requires it. */
static bool is_told_by_another(const struct chaos_ops *ops, const struct chaos_requirement *requirement)
{
	for (const struct chaos_requirement *other = ops->requires; other->feature; other++)
		if (other->feature == requirement->feature && other->gives && !requirement->gives)
			return true;
	return false;
}

static void append_uses(char *out, size_t size, enum feature_id feature)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool is_named = false;

		for (const struct chaos_requirement *row = kinds[i]->requires; row->feature; row++) {
			if (row->feature != feature || is_told_by_another(kinds[i], row))
				continue;
			if (!is_named)
				text_append(out, size, "%s%s", *out ? ", " : "", kinds[i]->name);
			if (row->param)
				text_append(out, size, " %s %s: %s", is_named ? "or" : "with", row->param, row->value);
			if (row->gives)
				text_append(out, size, ": %s", row->gives);
			is_named = true;
		}
	}
}

void chaos_feature_uses(char *out, size_t size, enum feature_id feature)
{
	out[0] = '\0';
	if (feature == FEATURE_BTF)
		text_append(out, size, "every engine");
	append_uses(out, size, feature);
	for (enum feature_id id = 0; id < FEATURE_COUNT; id++) {
		if (feature_substitute(id) != feature)
			continue;
		append_uses(out, size, id);
		text_append(out, size, " where there is no %s", feature_name(id));
	}
}

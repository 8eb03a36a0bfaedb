/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of chaos types. */
#include "chaos/type.h"

#include <string.h>

#include "chaos/kinds.h"
#include "util/cleanup.h"

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

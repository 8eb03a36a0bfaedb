/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/array.h"

#include <stdlib.h>

void *array_reserve(void *items, size_t count, size_t *room, size_t first, size_t element_size)
{
	size_t wanted = *room ? *room * 2 : first;
	void *grown;

	if (count < *room)
		return items;
	grown = reallocarray(items, wanted, element_size);
	if (grown)
		*room = wanted;
	return grown;
}

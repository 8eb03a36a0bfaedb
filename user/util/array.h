/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arrays that grow by one element at a time. */
#pragma once

#include <stddef.h>

/*
 * Makes room for one more element behind the first `count`. Returns items, perhaps moved to twice the room (at first
 * `first` elements, *room is updated). NULL if out of memory: items then stays valid.
 */
void *array_reserve(void *items, size_t count, size_t *room, size_t first, size_t element_size);

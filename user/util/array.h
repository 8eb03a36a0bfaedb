/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arrays that grow by one element at a time. */
#pragma once

#include <stddef.h>

/*
 * Sees to it that one more element fits behind count: returns items as it is, or moved to twice the room (at first
 * `first` elements), with *room set. NULL: no memory, and items stays as it is.
 */
void *array_reserve(void *items, size_t count, size_t *room, size_t first, size_t element_size);

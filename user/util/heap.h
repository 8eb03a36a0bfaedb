/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Things that wait for a time: the earliest first, those of the same time in the order of arrival. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The first member of what waits. */
struct heap_item {
	uint64_t due_ns;
	uint64_t arrival; /* serial number */
};

/* Starts as all zero. */
struct heap {
	struct heap_item **items;
	size_t count, room;
	uint64_t arrivals;
};

/* due_ns is set already. 0 or -ENOMEM; the item is then not in the heap. */
int heap_push(struct heap *heap, struct heap_item *item);
/* NULL if the heap is empty. */
struct heap_item *heap_first(const struct heap *heap);
struct heap_item *heap_pop(struct heap *heap);
/* Frees the items, too, each by free(). */
void heap_clear(struct heap *heap);

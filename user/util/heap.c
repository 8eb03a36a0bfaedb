/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/heap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "util/array.h"

static bool is_before(const struct heap_item *a, const struct heap_item *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->arrival < b->arrival;
}

static void swap(struct heap *heap, size_t a, size_t b)
{
	struct heap_item *item = heap->items[a];

	heap->items[a] = heap->items[b];
	heap->items[b] = item;
}

int heap_push(struct heap *heap, struct heap_item *item)
{
	struct heap_item **items =
		array_reserve(heap->items, heap->count, &heap->room, 1024, sizeof(struct heap_item *));
	size_t at = heap->count;

	if (!items)
		return -ENOMEM;
	heap->items = items;
	item->arrival = heap->arrivals++;
	heap->items[heap->count++] = item;
	while (at && is_before(heap->items[at], heap->items[(at - 1) / 2])) {
		swap(heap, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
	return 0;
}

struct heap_item *heap_first(const struct heap *heap)
{
	return heap->count ? heap->items[0] : NULL;
}

struct heap_item *heap_pop(struct heap *heap)
{
	struct heap_item *first = heap_first(heap);
	size_t at = 0;

	if (!first)
		return NULL;
	heap->items[0] = heap->items[--heap->count];
	for (;;) {
		size_t next = at, left = 2 * at + 1, right = left + 1;

		if (left < heap->count && is_before(heap->items[left], heap->items[next]))
			next = left;
		if (right < heap->count && is_before(heap->items[right], heap->items[next]))
			next = right;
		if (next == at)
			return first;
		swap(heap, at, next);
		at = next;
	}
}

void heap_clear(struct heap *heap)
{
	while (heap->count)
		free(heap_pop(heap));
	free(heap->items);
	*heap = (struct heap){};
}

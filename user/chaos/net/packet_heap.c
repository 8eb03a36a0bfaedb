/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/net/packet_heap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "util/array.h"

static bool leaves_before(const struct held_packet *a, const struct held_packet *b)
{
	if (a->departure_ns != b->departure_ns)
		return a->departure_ns < b->departure_ns;
	return a->arrival < b->arrival;
}

static void swap(struct packet_heap *heap, size_t a, size_t b)
{
	struct held_packet *packet = heap->packets[a];

	heap->packets[a] = heap->packets[b];
	heap->packets[b] = packet;
}

int packet_heap_push(struct packet_heap *heap, struct held_packet *packet)
{
	struct held_packet **packets =
		array_reserve(heap->packets, heap->count, &heap->room, 1024, sizeof(struct held_packet *));
	size_t at = heap->count;

	if (!packets)
		return -ENOMEM;
	heap->packets = packets;
	packet->arrival = heap->arrivals++;
	heap->bytes += packet->size;
	heap->packets[heap->count++] = packet;
	while (at && leaves_before(heap->packets[at], heap->packets[(at - 1) / 2])) {
		swap(heap, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
	return 0;
}

const struct held_packet *packet_heap_first(const struct packet_heap *heap)
{
	return heap->count ? heap->packets[0] : NULL;
}

struct held_packet *packet_heap_pop(struct packet_heap *heap)
{
	struct held_packet *first;
	size_t at = 0;

	if (!heap->count)
		return NULL;
	first = heap->packets[0];
	heap->packets[0] = heap->packets[--heap->count];
	heap->bytes -= first->size;
	for (;;) {
		size_t next = at, left = 2 * at + 1, right = left + 1;

		if (left < heap->count && leaves_before(heap->packets[left], heap->packets[next]))
			next = left;
		if (right < heap->count && leaves_before(heap->packets[right], heap->packets[next]))
			next = right;
		if (next == at)
			return first;
		swap(heap, at, next);
		at = next;
	}
}

void packet_heap_clear(struct packet_heap *heap)
{
	while (heap->count)
		free(packet_heap_pop(heap));
	free(heap->packets);
	heap->packets = NULL;
	heap->room = 0;
}

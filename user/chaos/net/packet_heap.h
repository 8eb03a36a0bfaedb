/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Held packets by departure time; packets with the same time leave in the order of arrival. */
#pragma once

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

struct held_packet {
	uint64_t departure_ns;
	uint64_t arrival; /* serial number */
	struct virtio_net_hdr offload;
	uint32_t size;
	uint8_t frame[];
};

struct packet_heap {
	struct held_packet **packets;
	size_t count, room;
	uint64_t arrivals;
	uint64_t bytes; /* of the frames held */
};

/* Takes ownership of the packet, except on -ENOMEM. */
int packet_heap_push(struct packet_heap *heap, struct held_packet *packet);
/* NULL if the heap is empty. */
const struct held_packet *packet_heap_first(const struct packet_heap *heap);
/* NULL if the heap is empty. The caller frees the packet. */
struct held_packet *packet_heap_pop(struct packet_heap *heap);
void packet_heap_clear(struct packet_heap *heap);

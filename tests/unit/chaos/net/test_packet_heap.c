/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the heap of delayed packets: order of departure, order of arrival, bytes held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "chaos/net/packet_heap.h"
#include "eval_abi.h"

static void push(struct packet_heap *heap, uint64_t departure_ns, uint32_t size)
{
	struct held_packet *packet = calloc(1, sizeof(*packet) + size);

	assert_non_null(packet);
	packet->departure_ns = departure_ns;
	packet->size = size;
	assert_int_equal(packet_heap_push(heap, packet), 0);
}

static void leaves_in_order_of_departure(void **state)
{
	struct packet_heap heap = {};
	uint64_t last = 0;

	for (uint64_t n = 0; n < 5000; n++)
		push(&heap, eval_draw_ns(1, n, 0, 1000000), 1);
	assert_int_equal(heap.count, 5000);
	for (uint64_t n = 0; n < 5000; n++) {
		struct held_packet *packet = packet_heap_pop(&heap);

		assert_non_null(packet);
		assert_true(packet->departure_ns >= last);
		last = packet->departure_ns;
		free(packet);
	}
	assert_null(packet_heap_pop(&heap));
	packet_heap_clear(&heap);
}

static void equal_times_keep_the_order_of_arrival(void **state)
{
	struct packet_heap heap = {};

	for (uint32_t n = 1; n <= 1000; n++)
		push(&heap, n % 3, n);
	for (uint64_t time = 0, last_size = 0; time < 3; time++, last_size = 0) {
		while (packet_heap_first(&heap) && packet_heap_first(&heap)->departure_ns == time) {
			struct held_packet *packet = packet_heap_pop(&heap);

			assert_true(packet->size > last_size);
			last_size = packet->size;
			free(packet);
		}
	}
	assert_int_equal(heap.count, 0);
	packet_heap_clear(&heap);
}

static void counts_bytes_held(void **state)
{
	struct packet_heap heap = {};

	push(&heap, 2, 100);
	push(&heap, 1, 50);
	assert_int_equal(heap.bytes, 150);
	free(packet_heap_pop(&heap));
	assert_int_equal(heap.bytes, 100);
	packet_heap_clear(&heap);
	assert_int_equal(heap.bytes, 0);
	assert_null(packet_heap_first(&heap));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_in_order_of_departure),
		cmocka_unit_test(equal_times_keep_the_order_of_arrival),
		cmocka_unit_test(counts_bytes_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

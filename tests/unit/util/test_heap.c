/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the heap of timers: order of time, order of arrival. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "eval_abi.h"
#include "util/heap.h"

struct thing {
	struct heap_item item;
	uint32_t number;
};

static void push(struct heap *heap, uint64_t due_ns, uint32_t number)
{
	struct thing *thing = calloc(1, sizeof(*thing));

	assert_non_null(thing);
	thing->item.due_ns = due_ns;
	thing->number = number;
	assert_int_equal(heap_push(heap, &thing->item), 0);
}

static void leaves_in_order_of_time(void **state)
{
	struct heap heap = {};
	uint64_t last = 0;

	for (uint64_t n = 0; n < 5000; n++)
		push(&heap, eval_draw_ns(1, n, 0, 1000000), 1);
	assert_int_equal(heap.count, 5000);
	for (uint64_t n = 0; n < 5000; n++) {
		struct heap_item *item = heap_pop(&heap);

		assert_non_null(item);
		assert_true(item->due_ns >= last);
		last = item->due_ns;
		free(item);
	}
	assert_null(heap_pop(&heap));
	heap_clear(&heap);
}

static void equal_times_keep_the_order_of_arrival(void **state)
{
	struct heap heap = {};

	for (uint32_t n = 1; n <= 1000; n++)
		push(&heap, n % 3, n);
	for (uint64_t time = 0, last = 0; time < 3; time++, last = 0) {
		while (heap_first(&heap) && heap_first(&heap)->due_ns == time) {
			struct thing *thing = (struct thing *)heap_pop(&heap);

			assert_true(thing->number > last);
			last = thing->number;
			free(thing);
		}
	}
	assert_int_equal(heap.count, 0);
	heap_clear(&heap);
}

static void clear_frees_what_waits(void **state)
{
	struct heap heap = {};

	push(&heap, 2, 1);
	push(&heap, 1, 2);
	heap_clear(&heap);
	assert_null(heap_first(&heap));
	push(&heap, 3, 3);
	assert_int_equal(heap_first(&heap)->due_ns, 3);
	heap_clear(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_in_order_of_time),
		cmocka_unit_test(equal_times_keep_the_order_of_arrival),
		cmocka_unit_test(clear_frees_what_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the fq line's plan, its count of lost packets, and the departure time in 32 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "chaos/net/line.h"
#include "eval_net.h"
#include "net/tc.h"
#include "util/clock.h"

static struct eval_latency_config config_of(uint64_t min_ms, uint64_t max_ms, bool reorder)
{
	return (struct eval_latency_config){.min_ns = min_ms * NSEC_PER_MSEC,
					    .max_ns = max_ms * NSEC_PER_MSEC,
					    .reorder = reorder};
}

/* The bound is 256 MiB, and a packet costs at least 1 KiB, so fq never refuses what the programs let in. */
static void fq_holds_the_memory_bound(void **state)
{
	struct eval_latency_config config = config_of(0, 10000, false);

	assert_int_equal(fq_line_plan(&config).packets, 262144);
}

static void one_delay_is_one_flow(void **state)
{
	struct eval_latency_config config = config_of(20, 20, false);
	struct tc_fq fq = fq_line_plan(&config);

	assert_int_equal(fq.orphan_mask, 0);
	assert_int_equal(fq.horizon_us, 5020000);
	assert_int_equal(config.keeps_departure, 1);
}

static void a_range_keeps_each_flow_in_order(void **state)
{
	struct eval_latency_config config = config_of(20, 80, false);
	struct tc_fq fq = fq_line_plan(&config);

	assert_int_equal(fq.orphan_mask, UINT32_MAX);
	assert_int_equal(fq.horizon_us, 5080000);
	assert_int_equal(config.keeps_departure, 0);
}

static void reordered_packets_are_flows_of_their_own(void **state)
{
	struct eval_latency_config config = config_of(20, 80, true);

	assert_int_equal(fq_line_plan(&config).orphan_mask, UINT32_MAX);
	assert_int_equal(config.keeps_departure, 1);
}

static void what_is_lost_is_no_longer_held(void **state)
{
	struct eval_line line = {.held_packets = 10, .held_bytes = 1000};

	fq_line_count_lost(&line, 4);
	assert_int_equal(line.held_packets, 6);
	assert_int_equal(line.held_bytes, 600);
	assert_int_equal(line.dropped, 4);
	/* The delivered packets were larger than the mean, so the bytes went below 0. */
	line = (struct eval_line){.held_bytes = -300, .dropped = 4};
	fq_line_count_lost(&line, 0);
	assert_int_equal(line.held_bytes, 0);
	assert_int_equal(line.dropped, 4);
	/* One of the lost packets was counted as dropped before. */
	line = (struct eval_line){.held_packets = 2, .held_bytes = 200, .dropped = 1};
	fq_line_count_lost(&line, 3);
	assert_int_equal(line.held_packets, 0);
	assert_int_equal(line.held_bytes, 0);
	assert_int_equal(line.dropped, 3);
}

static void what_was_given_up_and_came_out_is_not_lost(void **state)
{
	struct eval_line line = {.held_packets = -3, .held_bytes = -300, .dropped = 5};

	fq_line_count_lost(&line, 0);
	assert_int_equal(line.held_packets, 0);
	assert_int_equal(line.held_bytes, 0);
	assert_int_equal(line.dropped, 2);
	line = (struct eval_line){.held_packets = -3, .dropped = 1};
	fq_line_count_lost(&line, 0);
	assert_int_equal(line.dropped, 0);
}

/* Includes the wrap of the 32 bits, every 34 s. */
static void departure_survives_the_hash(void **state)
{
	const int64_t offsets_ns[] = {-5000000000, -8, 0, 8, 1000, 15000000000};

	for (uint64_t now_ns = 7; now_ns < 200 * NSEC_PER_SEC; now_ns += NSEC_PER_SEC * 77 / 100)
		for (size_t i = 0; i < sizeof(offsets_ns) / sizeof(*offsets_ns); i++) {
			uint64_t departure_ns = now_ns + 6 * NSEC_PER_SEC + (uint64_t)offsets_ns[i];
			uint64_t got =
				eval_departure_unfold(eval_departure_fold(departure_ns), now_ns + 6 * NSEC_PER_SEC);

			assert_true(got <= departure_ns && departure_ns - got < EVAL_DEPARTURE_STEP_NS);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fq_holds_the_memory_bound),
		cmocka_unit_test(one_delay_is_one_flow),
		cmocka_unit_test(a_range_keeps_each_flow_in_order),
		cmocka_unit_test(reordered_packets_are_flows_of_their_own),
		cmocka_unit_test(what_is_lost_is_no_longer_held),
		cmocka_unit_test(what_was_given_up_and_came_out_is_not_lost),
		cmocka_unit_test(departure_survives_the_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

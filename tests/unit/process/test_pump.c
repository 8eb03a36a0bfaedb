/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the poll loop: the order of sources, what ends a wait, and the number of descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/eventfd.h>

#include "process/pump.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* A wait in these tests must end before this time. */
#define LONG_NS (10 * NSEC_PER_SEC)

struct part {
	char name, *log; /* the names of called parts, in order */
	uint64_t wake_ns;
	int fd;
	size_t times; /* how many poll entries have this fd */
};

static void part_step(void *arg)
{
	struct part *part = arg;

	part->log[strlen(part->log)] = part->name;
}

static uint64_t part_wake_ns(const void *arg)
{
	const struct part *part = arg;

	return part->wake_ns;
}

static size_t part_poll_count(const void *arg)
{
	const struct part *part = arg;

	return part->times;
}

static size_t part_poll_fds(const void *arg, struct pollfd *out)
{
	const struct part *part = arg;

	for (size_t i = 0; i < part->times; i++)
		out[i] = (struct pollfd){.fd = part->fd, .events = POLLIN};
	return part->times;
}

static const struct pump_source source = {
	.step = part_step,
	.wake_ns = part_wake_ns,
	.poll_fds = part_poll_fds,
	.poll_count = part_poll_count,
};
static const struct pump_source only_steps = {.step = part_step}, only_polls = {
									  .poll_fds = part_poll_fds,
									  .poll_count = part_poll_count,
};

static uint64_t time_wait(struct pump *pump, uint64_t until_ns)
{
	uint64_t from_ns = clock_monotonic_ns();

	pump_wait(pump, until_ns);
	return clock_monotonic_ns() - from_ns;
}

static void steps_are_in_the_order_of_registration(void **state)
{
	char log[32] = "";
	struct part parts[10];
	struct pump pump = {};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		parts[i] = (struct part){.name = (char)('j' - i), .log = log, .wake_ns = UINT64_MAX, .fd = -1};
		assert_int_equal(pump_add(&pump,
					  i == 3  ? &only_polls
					  : i % 2 ? &source
						  : &only_steps,
					  &parts[i], NULL),
				 0);
	}
	pump_step(&pump);
	assert_string_equal(log, "jihfedcba");
	pump_step(&pump);
	assert_string_equal(log, "jihfedcbajihfedcba");
	pump_clear(&pump);
	assert_int_equal(pump.count, 0);
}

static void the_earliest_ends_the_wait(void **state)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct part never = {.wake_ns = UINT64_MAX, .fd = -1}, soon = {.wake_ns = now_ns + 50 * NSEC_PER_MSEC},
		    late = {.wake_ns = now_ns + LONG_NS};
	struct pump pump = {};

	assert_int_equal(pump_add(&pump, &source, &never, NULL), 0);
	assert_int_equal(pump_add(&pump, &source, &soon, NULL), 0);
	assert_int_equal(pump_add(&pump, &source, &late, NULL), 0);
	pump_wait(&pump, UINT64_MAX);
	assert_in_range(clock_monotonic_ns(), soon.wake_ns, now_ns + LONG_NS - 1);
	/* A source that is already due ends the wait at once. */
	assert_in_range(time_wait(&pump, UINT64_MAX), 0, LONG_NS / 2);
	soon.wake_ns = UINT64_MAX;
	now_ns = clock_monotonic_ns();
	pump_wait(&pump, now_ns + 30 * NSEC_PER_MSEC);
	assert_in_range(clock_monotonic_ns(), now_ns + 30 * NSEC_PER_MSEC, now_ns + LONG_NS / 2);
	pump_clear(&pump);
}

static void a_descriptor_ends_the_wait(void **state)
{
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct part quiet = {.wake_ns = UINT64_MAX, .fd = -1, .times = 3}, ready = {.fd = fd};
	struct pump pump = {};
	uint64_t one = 1;

	assert_true(fd >= 0);
	assert_int_equal(pump_add(&pump, &source, &quiet, NULL), 0);
	assert_int_equal(pump_add(&pump, &only_polls, &ready, NULL), 0);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	/* The descriptor is not polled yet, so only time ends the wait. */
	assert_in_range(time_wait(&pump, clock_monotonic_ns() + 30 * NSEC_PER_MSEC), 30 * NSEC_PER_MSEC - 1, LONG_NS);
	ready.times = 1;
	assert_in_range(time_wait(&pump, clock_monotonic_ns() + LONG_NS), 0, LONG_NS / 2);
	pump_clear(&pump);
}

/* The address sanitizer shows whether each source has room for its entries. */
static void more_descriptors_than_before(void **state)
{
	_cleanup_close_ int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	struct part many = {.fd = -1}, last = {.fd = fd, .times = 1};
	struct pump pump = {};

	assert_true(fd >= 0);
	assert_int_equal(pump_add(&pump, &only_polls, &many, NULL), 0);
	assert_int_equal(pump_add(&pump, &only_polls, &last, NULL), 0);
	for (many.times = 0; many.times < 300; many.times += 7)
		assert_in_range(time_wait(&pump, clock_monotonic_ns() + LONG_NS), 0, LONG_NS / 2);
	pump_clear(&pump);
}

static void none_at_all(void **state)
{
	struct pump pump = {};

	pump_step(&pump);
	assert_in_range(time_wait(&pump, clock_monotonic_ns() + 10 * NSEC_PER_MSEC), 10 * NSEC_PER_MSEC - 1, LONG_NS);
	pump_wait(&pump, 0);
	pump_clear(&pump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_in_the_order_of_registration),
		cmocka_unit_test(the_earliest_ends_the_wait),
		cmocka_unit_test(a_descriptor_ends_the_wait),
		cmocka_unit_test(more_descriptors_than_before),
		cmocka_unit_test(none_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

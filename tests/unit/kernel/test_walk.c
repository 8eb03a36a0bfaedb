/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests how a fault's holder is found to be alive or dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "eval_abi.h"
#include "kernel/live.h"
#include "util/clock.h"
#include "util/procfs.h"

static struct eval_ctl held_by_us(void)
{
	return (struct eval_ctl){
		.holder_pid = (__u32)getpid(),
		.holder_start_ticks = procfs_start_ticks(getpid()),
		.holder_pidns_ino = procfs_pid_namespace(),
		.holder_timens_ino = procfs_time_namespace(),
	};
}

/* An old lease does not matter: the holder may be stopped (SIGSTOP). */
static void here_its_pid_and_start_tell(void **state)
{
	struct eval_ctl ctl = held_by_us();

	ctl.lease_ns = 1;
	assert_true(live_holder_is_alive(&ctl));
	ctl.holder_start_ticks++;
	ctl.lease_ns = clock_monotonic_ns() + NSEC_PER_SEC;
	assert_false(live_holder_is_alive(&ctl));
}

static void in_another_pid_namespace_its_lease_tells(void **state)
{
	struct eval_ctl ctl = held_by_us();

	ctl.holder_pidns_ino++;
	assert_true(live_holder_is_alive(&ctl));
	ctl.lease_ns = clock_monotonic_ns() + NSEC_PER_SEC;
	assert_true(live_holder_is_alive(&ctl));
	ctl.lease_ns = clock_monotonic_ns() - 9 * NSEC_PER_SEC;
	assert_true(live_holder_is_alive(&ctl));
	ctl.lease_ns = clock_monotonic_ns() - 11 * NSEC_PER_SEC;
	assert_false(live_holder_is_alive(&ctl));
}

/* The offset between time namespaces may not be a whole number of ticks. */
static void in_another_time_namespace_a_tick_is_forgiven(void **state)
{
	struct eval_ctl ctl = held_by_us();

	ctl.holder_timens_ino++;
	assert_true(live_holder_is_alive(&ctl));
	ctl.holder_start_ticks++;
	assert_true(live_holder_is_alive(&ctl));
	ctl.holder_start_ticks -= 2;
	assert_true(live_holder_is_alive(&ctl));
	ctl.holder_start_ticks--;
	assert_false(live_holder_is_alive(&ctl));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(here_its_pid_and_start_tell),
		cmocka_unit_test(in_another_pid_namespace_its_lease_tells),
		cmocka_unit_test(in_another_time_namespace_a_tick_is_forgiven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

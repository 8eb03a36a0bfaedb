/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests that a fault stopped before its activation never goes live. Needs root, for the map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "eval_abi.h"
#include "kernel/object.h"
#include "kernel/session.h"

#include "chaos/fault.h"
#include "chaos/type.h"
#include "disk_pressure.skel.h"
#include "target/target.h"
#include "util/clock.h"

struct fixture {
	struct disk_pressure_bpf *skel;
	struct session *session;
};

static void open_session(struct fixture *fixture)
{
	const struct session_identity identity = {
		.kind = EVAL_KIND_DISK_PRESSURE,
		.campaign = "",
		.trial = "test_session",
		.target = "n1",
	};
	struct bpf_program *program;
	struct error err = {};

	object_log_init();
	fixture->skel = disk_pressure_bpf__open();
	assert_non_null(fixture->skel);
	bpf_object__for_each_program(program, fixture->skel->obj) bpf_program__set_autoload(program, false);
	if (object_load(fixture->skel->obj, &err) ||
	    session_new(&fixture->session, fixture->skel->obj, &identity, NULL, "test", &err))
		fail_msg("%s", err.text);
}

static void close_session(struct fixture *fixture)
{
	session_free(fixture->session);
	disk_pressure_bpf__destroy(fixture->skel);
}

static uint64_t deadline_of(const struct fixture *fixture)
{
	struct eval_ctl ctl;
	__u32 zero = 0;

	assert_int_equal(bpf_map__lookup_elem(fixture->skel->maps.eval_ctl, &zero, sizeof(zero), &ctl, sizeof(ctl), 0),
			 0);
	return ctl.deadline_ns;
}

static void goes_live(void **state)
{
	struct fixture fixture = {};
	uint64_t from_ns;

	open_session(&fixture);
	assert_true(deadline_of(&fixture) < clock_monotonic_ns());
	assert_false(session_is_stopped(fixture.session));
	from_ns = clock_monotonic_ns();
	assert_int_equal(session_activate(fixture.session, NSEC_PER_SEC, NULL), 0);
	assert_in_range(deadline_of(&fixture), from_ns + NSEC_PER_SEC, clock_monotonic_ns() + NSEC_PER_SEC);
	session_stop(fixture.session);
	assert_true(session_is_stopped(fixture.session));
	close_session(&fixture);
}

static void assert_stays_inert(struct fixture *fixture)
{
	struct error err = {};

	assert_int_equal(session_activate(fixture->session, NSEC_PER_SEC, &err), -ENODEV);
	assert_non_null(strstr(err.text, "stopped before it was live"));
	assert_int_equal(deadline_of(fixture), 0);
}

static void tells_who_stopped_it(void **state)
{
	struct fixture fixture = {};
	struct eval_ctl ctl;
	struct error err = {};
	__u32 zero = 0;

	open_session(&fixture);
	assert_int_equal(session_activate(fixture.session, NSEC_PER_SEC, NULL), 0);
	assert_int_equal(session_check(fixture.session, &err), 0);
	assert_int_equal(bpf_map__lookup_elem(fixture.skel->maps.eval_ctl, &zero, sizeof(zero), &ctl, sizeof(ctl), 0),
			 0);
	ctl.deadline_ns = 0;
	assert_int_equal(bpf_map__update_elem(fixture.skel->maps.eval_ctl, &zero, sizeof(zero), &ctl, sizeof(ctl), 0),
			 0);
	assert_int_equal(session_check(fixture.session, &err), -ENODEV);
	assert_non_null(strstr(err.text, "stopped from outside"));
	session_stop(fixture.session);
	assert_int_equal(session_check(fixture.session, &err), 0);
	close_session(&fixture);
}

static void stopped_on_its_way(void **state)
{
	struct fixture fixture = {};

	open_session(&fixture);
	session_stop(fixture.session);
	assert_stays_inert(&fixture);
	close_session(&fixture);
}

/* Does to this fault what live_stop_all does to all. */
static void stopped_from_outside(void **state)
{
	struct fixture fixture = {};
	struct eval_ctl ctl;
	__u32 zero = 0;

	open_session(&fixture);
	assert_int_equal(bpf_map__lookup_elem(fixture.skel->maps.eval_ctl, &zero, sizeof(zero), &ctl, sizeof(ctl), 0),
			 0);
	assert_int_equal(ctl.magic, EVAL_MAGIC);
	ctl.deadline_ns = 0;
	ctl.draining = 1;
	assert_int_equal(bpf_map__update_elem(fixture.skel->maps.eval_ctl, &zero, sizeof(zero), &ctl, sizeof(ctl), 0),
			 0);
	assert_stays_inert(&fixture);
	close_session(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_live),
		cmocka_unit_test(tells_who_stopped_it),
		cmocka_unit_test(stopped_on_its_way),
		cmocka_unit_test(stopped_from_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

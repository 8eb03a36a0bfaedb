/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests probes: schedule, slow and bad samples, health, recovery and missed samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/probe.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define MS NSEC_PER_MSEC

struct fixture {
	struct probe probe;
	struct subject subject;
	struct probes *probes;
	json_t *samples;
};

static void begin(struct fixture *f, const char *exec, unsigned int every_ms, unsigned int timeout_ms)
{
	*f = (struct fixture){
		.probe = {.name = "p", .command.exec = (char *)exec, .every_ms = every_ms, .timeout_ms = timeout_ms},
		.samples = json_array(),
	};
	f->subject = (struct subject){.probes = &f->probe, .probe_count = 1};
	assert_int_equal(probes_new(&f->probes, &f->subject, (struct probe_list){&f->probe, 1}, 0, -1, NULL), 0);
}

static void end(struct fixture *f)
{
	probes_free(f->probes);
	json_decref(f->samples);
}

static void step(struct fixture *f, const char *phase)
{
	uint64_t now_ns = clock_monotonic_ns(), wake_ns;
	struct pollfd *fds;
	json_t *samples;

	probes_step(f->probes, phase, environ);
	fds = calloc(probes_poll_count(f->probes) + 1, sizeof(*fds));
	wake_ns = probes_wake_ns(f->probes);
	poll(fds, probes_poll_fds(f->probes, fds),
	     wake_ns == UINT64_MAX ? 10
	     : wake_ns > now_ns    ? (int)((wake_ns - now_ns) / MS) + 1
				   : 0);
	free(fds);
	samples = probes_take_samples(f->probes);
	json_array_extend(f->samples, samples);
	json_decref(samples);
}

/* Steps until there are count samples; fails after 20 s. */
static void collect(struct fixture *f, size_t count, const char *phase)
{
	uint64_t end_ns = clock_monotonic_ns() + 20 * NSEC_PER_SEC;

	while (json_array_size(f->samples) < count) {
		assert_true(clock_monotonic_ns() < end_ns);
		step(f, phase);
	}
}

static json_int_t integer_of(const struct fixture *f, size_t sample, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(f->samples, sample), key));
}

static const char *text_of(const struct fixture *f, size_t sample, const char *key)
{
	return json_string_value(json_object_get(json_array_get(f->samples, sample), key));
}

static void test_schedule(void **state)
{
	uint64_t from_ns = clock_monotonic_ns();
	struct fixture f;

	begin(&f, "true", 20, 1000);
	probes_start(f.probes, from_ns);
	collect(&f, 10, "hold");
	for (size_t i = 0; i < 10; i++) {
		/* Samples may end in another order, but all are scheduled on the grid. */
		assert_int_equal((integer_of(&f, i, "scheduled_ns") - (json_int_t)from_ns) % (json_int_t)(20 * MS), 0);
		assert_true(integer_of(&f, i, "started_at_ns") >= integer_of(&f, i, "scheduled_ns"));
		assert_true(integer_of(&f, i, "latency_ns") > 0);
		assert_true(json_is_true(json_object_get(json_array_get(f.samples, i), "ok")));
		assert_string_equal(text_of(&f, i, "phase"), "hold");
		assert_string_equal(text_of(&f, i, "probe"), "p");
	}
	end(&f);
}

static void test_slow_samples_hold_nothing_back(void **state)
{
	uint64_t from_ns = clock_monotonic_ns();
	struct fixture f;

	begin(&f, "sleep 0.5", 50, 5000);
	probes_start(f.probes, from_ns);
	while (clock_monotonic_ns() < from_ns + 400 * MS)
		step(&f, "hold");
	assert_int_equal(json_array_size(f.samples), 0);
	/* About seven samples run at once. */
	assert_true(probes_poll_count(f.probes) >= 5);
	probes_finish(f.probes);
	while (probes_running(f.probes))
		step(&f, "recover");
	assert_true(json_array_size(f.samples) >= 5);
	/* A sample has the phase in which it started. */
	assert_string_equal(text_of(&f, 0, "phase"), "hold");
	end(&f);
}

static void test_bad_samples_say_why(void **state)
{
	struct fixture f;

	begin(&f, "echo no leader >&2; exit 4", 20, 1000);
	probes_start(f.probes, clock_monotonic_ns());
	collect(&f, 1, "hold");
	assert_true(json_is_false(json_object_get(json_array_get(f.samples, 0), "ok")));
	assert_string_equal(text_of(&f, 0, "error"), "exit 4: no leader");
	end(&f);

	begin(&f, "sleep 10", 1000, 100);
	probes_start(f.probes, clock_monotonic_ns());
	collect(&f, 1, "hold");
	assert_memory_equal(text_of(&f, 0, "error"), "timed out", 9);
	assert_in_range(integer_of(&f, 0, "latency_ns"), 100 * MS, 5000 * MS);
	end(&f);
}

static void test_health(void **state)
{
	char reason[256] = "";
	struct fixture f;

	begin(&f, "false", 10, 1000);
	assert_true(probes_healthy(f.probes, reason, sizeof(reason)));
	probes_start(f.probes, clock_monotonic_ns());
	collect(&f, 3, "warmup");
	assert_false(probes_healthy(f.probes, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "not healthy before"));
	assert_non_null(strstr(reason, "probe 'p' were bad (exit 1)"));
	end(&f);

	begin(&f, "true", 10, 1000);
	probes_start(f.probes, clock_monotonic_ns());
	collect(&f, 3, "warmup");
	assert_true(probes_healthy(f.probes, reason, sizeof(reason)));
	end(&f);
}

/* A sample that a busy machine misses breaks the row. */
static void collect_until_recovered(struct fixture *f, const char *phase)
{
	size_t count = json_array_size(f->samples), last = count + 100;

	while (!probes_recovered(f->probes) && count < last)
		collect(f, ++count, phase);
	assert_true(probes_recovered(f->probes));
}

static void test_recovery_counts_from_the_revert(void **state)
{
	struct fixture f;

	begin(&f, "true", 100, 5000);
	probes_start(f.probes, clock_monotonic_ns());
	collect_until_recovered(&f, "hold");
	/* Good ones before the revert do not count. */
	probes_count_from(f.probes, clock_monotonic_ns());
	assert_false(probes_recovered(f.probes));
	collect_until_recovered(&f, "recover");
	end(&f);
}

/* A bad sample that started before the revert, but ends after it, does not break the row. */
static void test_late_bad_sample_breaks_nothing(void **state)
{
	char file[] = "/tmp/eval-test-probe.XXXXXX", command[128];
	struct fixture f;
	int fd = mkstemp(file);

	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "test ! -e %s || { sleep 0.4; false; }", file);
	begin(&f, command, 20, 5000);
	probes_start(f.probes, clock_monotonic_ns());
	step(&f, "hold");
	step(&f, "hold");
	usleep(50000);
	unlink(file);
	probes_count_from(f.probes, clock_monotonic_ns());
	while (!probes_recovered(f.probes))
		step(&f, "recover");
	probes_finish(f.probes);
	while (probes_running(f.probes))
		step(&f, "recover");
	assert_true(probes_recovered(f.probes));
	end(&f);
}

/* After a pause of the process, overdue samples are counted and not started in a burst. */
static void test_missed_samples_are_counted(void **state)
{
	_cleanup_json_ json_t *probes = NULL;
	const json_t *probe;
	struct fixture f;

	begin(&f, "true", 10, 50);
	probes_start(f.probes, clock_monotonic_ns() - NSEC_PER_SEC);
	collect(&f, 1, "hold");
	probes = probes_state(f.probes);
	probe = json_object_get(probes, "p");
	assert_in_range(json_integer_at(probe, "missed"), 85, 110);
	assert_true(json_array_size(f.samples) < 20);
	end(&f);
}

static void test_free_kills(void **state)
{
	struct fixture f;

	begin(&f, "sleep 60", 1000, 60000);
	probes_start(f.probes, clock_monotonic_ns());
	step(&f, "hold");
	assert_true(probes_running(f.probes));
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_slow_samples_hold_nothing_back),
		cmocka_unit_test(test_bad_samples_say_why),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_recovery_counts_from_the_revert),
		cmocka_unit_test(test_late_bad_sample_breaks_nothing),
		cmocka_unit_test(test_missed_samples_are_counted),
		cmocka_unit_test(test_free_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the guard: it sweeps after deaths, and a stopped guard (SIGSTOP) blocks neither its senders nor the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/guard.h"
#include "process/scope.h"
#include "util/clock.h"
#include "util/procfs.h"

#define MESSAGES 10000
/* The kernel's highest limit: no process has this pid or a higher one. */
#define PID_MAX (4 << 20)

/* The guard sets its name last, so the name shows that it is set up. */
static int stop_once_set_up(pid_t pid)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	while (strcmp(name, "eval-guard\n")) {
		FILE *file = fopen(path, "re");

		if (!file || !fgets(name, sizeof(name), file))
			return -ESRCH;
		fclose(file);
	}
	return kill(pid, SIGSTOP) ?: waitid(P_PID, (id_t)pid, &(siginfo_t){}, WSTOPPED);
}

static int start_stopped(struct guard *guard, const int *keep_fds, size_t keep_count)
{
	char prefix[SCOPE_NAME_SIZE];

	scope_prefix(prefix, getpid(), procfs_start_ticks(getpid()));
	return guard_start(guard, prefix, NULL, keep_fds, keep_count, NULL) ?: stop_once_set_up(guard->pid);
}

static void takes_no_more_messages(void **state)
{
	uint64_t from_ns = clock_monotonic_ns();
	struct guard guard;
	size_t lost;

	assert_int_equal(start_stopped(&guard, NULL, 0), 0);
	/* No process has one of these pids. */
	for (int i = 0; i < MESSAGES; i++)
		guard_tell_worker(&guard, PID_MAX + i);
	lost = guard.lost;
	assert_in_range(lost, 1, MESSAGES - 1);
	assert_int_equal(guard_tell_group(guard.fd, 0), -EAGAIN);
	/* guard_stop lets the guard run to its end and reaps it. */
	guard_stop(&guard);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_true(clock_monotonic_ns() - from_ns < 6 * NSEC_PER_SEC);
}

/* When the coordinator dies, its guard must run: it holds the campaign's locks until it has swept. */
static void goes_on_when_its_parent_dies(void **state)
{
	struct pollfd over = {.events = POLLIN};
	int ends[2], status;
	pid_t parent;

	/* The guard holds the write end as it would hold a lock: end of file shows that the guard has ended. */
	assert_int_equal(pipe(ends), 0);
	parent = fork();
	if (!parent) {
		struct guard guard;

		close(ends[0]);
		if (start_stopped(&guard, &ends[1], 1))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	close(ends[1]);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_true(WIFSIGNALED(status));
	over.fd = ends[0];
	assert_int_equal(poll(&over, 1, 10000), 1);
	close(ends[0]);
}

/* Memory shared with the guard. */
static unsigned int *sweeps;

static int count_sweep(struct error *err)
{
	__atomic_add_fetch(sweeps, 1, __ATOMIC_RELAXED);
	return 0;
}

static void sweeps_for_each_death_and_at_its_end(void **state)
{
	char prefix[SCOPE_NAME_SIZE];
	struct guard guard;
	pid_t worker;

	sweeps = mmap(NULL, sizeof(*sweeps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(sweeps, MAP_FAILED);
	scope_prefix(prefix, getpid(), procfs_start_ticks(getpid()));
	assert_int_equal(guard_start(&guard, prefix, count_sweep, NULL, 0, NULL), 0);
	worker = fork();
	if (!worker) {
		/* Otherwise the guard would wait for this process to close its end. */
		close(guard.fd);
		for (;;)
			pause();
	}
	guard_tell_worker(&guard, worker);
	assert_int_equal(kill(worker, SIGKILL), 0);
	assert_int_equal(waitpid(worker, NULL, 0), worker);
	guard_stop(&guard);
	assert_int_equal(*sweeps, 2);
	munmap(sweeps, sizeof(*sweeps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_no_more_messages),
		cmocka_unit_test(goes_on_when_its_parent_dies),
		cmocka_unit_test(sweeps_for_each_death_and_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tests that a kill hits the intended process and not a later process with the same pid. Runs in its own PID namespace,
 * where pids can be chosen and no process outside can be hit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "process/guard.h"
#include "process/scope.h"
#include "util/cleanup.h"
#include "util/pidfd.h"
#include "util/procfs.h"

#define WAIT_MS 5000

/* Starts a process with this pid (0: any) that leads its own session and group, and waits until it is killed. */
static pid_t start_leader(pid_t number)
{
	struct clone_args args = {.exit_signal = SIGCHLD,
				  .set_tid = number ? (__u64)(uintptr_t)&number : 0,
				  .set_tid_size = number ? 1 : 0};
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setsid();
		close(ready[0]);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	if (pid > 0)
		assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	/* kill(-1) would hit every process. */
	if (pid <= 1)
		abort();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Starts an unrelated process with the pid of a dead one. Returns 0 if the pid cannot be chosen here. */
static pid_t start_stranger(pid_t number)
{
	pid_t pid;

	/* The kernel may free the pid a moment later. */
	for (int i = 0; (pid = start_leader(number)) < 0 && errno == EEXIST && i < 1000; i++)
		poll(NULL, 0, 1);
	return pid < 0 ? 0 : pid;
}

static bool is_alive(pid_t pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

static void stranger_with_the_group_s_number(void **state)
{
	pid_t leader = start_leader(0), stranger;
	_cleanup_close_ int pidfd = -1;

	assert_true(leader > 1);
	pidfd = pidfd_of(leader);
	assert_true(pidfd >= 0);
	end(leader);
	stranger = start_stranger(leader);
	if (!stranger)
		skip();
	scope_kill_group(pidfd, leader);
	poll(NULL, 0, 50);
	assert_true(is_alive(stranger));
	end(stranger);
}

static void group_of_a_living_leader(void **state)
{
	pid_t leader = start_leader(0);
	_cleanup_close_ int pidfd = -1;
	struct pollfd fd = {.events = POLLIN};

	assert_true(leader > 1);
	fd.fd = pidfd = pidfd_of(leader);
	assert_true(pidfd >= 0);
	scope_kill_group(pidfd, leader);
	assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
	end(leader);
}

/* Starts a worker that reports a command's group to the guard and ends the command; *go lets the worker exit. */
static pid_t start_worker(const struct guard *guard, pid_t *command, int go[2])
{
	int told[2];
	pid_t worker;

	assert_int_equal(pipe(told) | pipe(go), 0);
	worker = fork();
	if (!worker) {
		pid_t own = start_leader(0);
		char byte;

		guard_tell_group(guard->fd, own);
		end(own);
		close(go[1]);
		close(guard->fd);
		if (write(told[1], &own, sizeof(own)) == sizeof(own) && read(go[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(told[1]);
	assert_int_equal(read(told[0], command, sizeof(*command)), sizeof(*command));
	close(told[0]);
	close(go[0]);
	return worker;
}

static void guard_and_a_stranger(void **state)
{
	struct guard guard = {.fd = -1};
	char prefix[SCOPE_NAME_SIZE];
	pid_t worker, command, stranger;
	struct error err = {};
	int go[2];

	scope_prefix(prefix, getpid(), procfs_start_ticks(getpid()));
	assert_int_equal(guard_start(&guard, prefix, NULL, NULL, 0, &err), 0);
	worker = start_worker(&guard, &command, go);
	guard_tell_worker(&guard, worker);
	stranger = start_stranger(command);
	/* Sends a byte, because the stranger holds the pipe too and the worker would see no end of file. */
	assert_int_equal(write(go[1], "", 1), 1);
	close(go[1]);
	waitpid(worker, NULL, 0);
	guard_stop(&guard);
	if (!stranger)
		skip();
	assert_true(is_alive(stranger));
	end(stranger);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stranger_with_the_group_s_number),
		cmocka_unit_test(group_of_a_living_leader),
		cmocka_unit_test(guard_and_a_stranger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	int status = 1;
	pid_t pid;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS)) {
		fprintf(stderr, "no PID namespace to be had: not root?\n");
		return 1;
	}
	pid = fork();
	if (!pid) {
		/* Needs a /proc of this namespace; otherwise its pids would be those of the outer namespace. */
		if (getpid() != 1 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("proc", "/proc", "proc", 0, NULL))
			_exit(1);
		status = run_all();
		fflush(NULL);
		/* _exit skips the leak check, which does not work in process 1. */
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	/* Skips it here too: the leak check needs a thread, and the PID namespace for children is gone. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

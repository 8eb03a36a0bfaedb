/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a fault's helper process, as its holder sees it, and how the helper begins. */
#include "chaos/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/fault.h"
#include "kernel/session.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fds.h"
#include "util/pidfd.h"
#include "util/sched.h"

#define RENEW_MS 100
#define KILL_WAIT_MS 1000
/* Helpers look around every 10 ms. Below LEASE_NS, so that a stopped one acts no longer than a lease. */
#define BEAT_MAX_NS (1000 * NSEC_PER_MSEC)

int helper_start(struct helper *helper, void (*run)(int socket, const void *arg), const void *arg, struct error *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return error_set_errno(err, -errno, "cannot create a socket");
	helper->pid = fork();
	if (!helper->pid) {
		close(ends[0]);
		run(ends[1], arg);
		_exit(1);
	}
	close(ends[1]);
	helper->socket = ends[0];
	if (helper->pid < 0)
		return error_set_errno(err, -errno, "cannot start the process that %s", helper->does);
	helper->pidfd = pidfd_of(helper->pid);
	if (helper->pidfd >= 0)
		return 0;
	error_set_errno(err, helper->pidfd, "cannot watch the process that %s", helper->does);
	kill(helper->pid, SIGKILL);
	waitpid(helper->pid, NULL, 0);
	helper->pid = 0;
	return err ? err->code : -EIO;
}

int helper_wait_answer(struct helper *helper, const struct fault_spec *spec, const struct session *session,
		       uint64_t within_ns, const char *late, struct error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + within_ns;
	struct pollfd fd = {.fd = helper->socket, .events = POLLIN};
	struct error answer = {};

	while (poll(&fd, 1, RENEW_MS) <= 0) {
		fault_spec_renew_others(spec);
		if (session_is_stopped(session))
			return error_set(err, -ENODEV, "the fault was stopped before it was live");
		if (clock_monotonic_ns() > end_ns)
			return error_set(err, -ETIMEDOUT, "%s", late);
	}
	if (recv(helper->socket, &answer, sizeof(answer), 0) != sizeof(answer))
		return error_set(err, -EIO, "the process that %s died as it began", helper->does);
	if (answer.code && err)
		*err = answer;
	return answer.code;
}

int helper_check(struct helper *helper, uint64_t beat_ns, struct error *err)
{
	struct pollfd fd = {.fd = helper->pidfd, .events = POLLIN};
	uint64_t now_ns = clock_monotonic_ns();

	if (poll(&fd, 1, 0) > 0)
		return error_set(err, -ESRCH, "the process that %s (%s) was killed", helper->does, helper->name);
	if (now_ns <= beat_ns + BEAT_MAX_NS)
		return 0;
	helper_end(helper, 0);
	return error_set(err, -ETIME, "the process that %s (%s) did not run for %.1f s, and was ended: was it stopped?",
			 helper->does, helper->name, (double)(now_ns - beat_ns) / (double)NSEC_PER_SEC);
}

void helper_end(struct helper *helper, int wait_ms)
{
	struct pollfd fd = {.fd = helper->pidfd, .events = POLLIN};

	helper->socket = fd_close(helper->socket);
	if (helper->pid <= 0)
		return;
	/* It goes by itself, unless it was stopped. */
	if (poll(&fd, 1, wait_ms) <= 0)
		kill(helper->pid, SIGKILL);
	/* One that waits for a broken disk cannot be killed: it holds nothing, and is not waited for. */
	if (poll(&fd, 1, KILL_WAIT_MS) > 0)
		waitpid(helper->pid, NULL, 0);
	helper->pid = 0;
	helper->pidfd = fd_close(helper->pidfd);
}

void helper_settle(const char *name, int *const fds[], size_t count)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_NAME, name);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	/* A reader of eval's output must not have to wait for the helper. */
	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(null_fd, i);
	fds_keep_only(fds, count);
	/* A page of ours that has to be read from the disk would wait, if the disk is the target's. */
	mlockall(MCL_CURRENT);
	sched_go_first();
}

bool helper_answer(int socket, const struct error *answer)
{
	return send(socket, answer, sizeof(*answer), MSG_NOSIGNAL) >= 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "process/scope.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fds.h"
#include "util/pidfd.h"
#include "util/sched.h"

/* Pause between sweeps of what is still dying; doubles from the first to the last. */
#define RETRY_FIRST_MS 2
#define RETRY_LAST_MS 100
/* How long the last sweep waits for processes that hang in the kernel. */
#define LAST_SWEEP_NS (5 * NSEC_PER_SEC)
/* Longer than the guard's last sweep. */
#define STOP_WAIT_MS 7000

/* Special values of message.group. */
#define WORKER_NEW (-1)
#define WORKER_DONE (-2)

/*
 * Sent with the pidfds of worker and group's leader, in this order (SCM_RIGHTS): their pids may be reused by the time
 * that the guard reads the message.
 */
struct message {
	pid_t worker;
	pid_t group;
};

enum { MESSAGE_WORKER, MESSAGE_LEADER, MESSAGE_FDS };

struct ward {
	pid_t pid, group;
	int pidfd;       /* -1: the worker is dead, its scope is still being swept */
	int group_pidfd; /* of the group's leader; -1: no group */
};

struct guardian {
	char prefix[SCOPE_NAME_SIZE];
	int (*sweep)(struct error *err); /* NULL: sweep only the scopes */
	int fd;                          /* -1: the other end is closed */
	struct ward *wards;
	size_t count;
};

static struct ward *ward_find(struct guardian *guardian, pid_t pid)
{
	for (size_t i = 0; i < guardian->count; i++)
		if (guardian->wards[i].pid == pid)
			return &guardian->wards[i];
	return NULL;
}

/* Takes ownership of pidfd. */
static struct ward *ward_add(struct guardian *guardian, pid_t pid, int pidfd)
{
	struct ward *grown = realloc(guardian->wards, (guardian->count + 1) * sizeof(*grown));

	if (!grown) {
		fd_close(pidfd);
		return NULL;
	}
	guardian->wards = grown;
	grown[guardian->count] = (struct ward){.pid = pid, .pidfd = pidfd, .group_pidfd = -1};
	return &grown[guardian->count++];
}

/* Takes ownership of pidfd. */
static void ward_set_group(struct ward *ward, pid_t group, int pidfd)
{
	fd_close(ward->group_pidfd);
	ward->group_pidfd = pidfd;
	ward->group = group;
}

static void ward_forget(struct guardian *guardian, struct ward *ward)
{
	fd_close(ward->pidfd);
	fd_close(ward->group_pidfd);
	*ward = guardian->wards[--guardian->count];
}

/* Returns true if the dead worker's scope is empty and removed. */
static bool ward_sweep(const struct guardian *guardian, struct ward *ward)
{
	char name[SCOPE_NAME_SIZE];

	if (ward->group_pidfd >= 0)
		scope_kill_group(ward->group_pidfd, ward->group);
	ward_set_group(ward, 0, -1);
	scope_name(name, guardian->prefix, ward->pid);
	return !scope_sweep(name);
}

/* fds that were not sent are -1. */
static ssize_t receive(int fd, struct message *message, int fds[MESSAGE_FDS])
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
	} control;
	struct iovec data = {message, sizeof(*message)};
	struct msghdr header = {.msg_iov = &data,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *rights = got > 0 ? CMSG_FIRSTHDR(&header) : NULL;

	for (size_t i = 0; i < MESSAGE_FDS; i++)
		fds[i] = -1;
	if (rights && rights->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
	return got;
}

static void handle_message(struct guardian *guardian, const struct message *message, int fds[MESSAGE_FDS])
{
	struct ward *ward = ward_find(guardian, message->worker);

	if (message->group == WORKER_DONE) {
		if (ward)
			ward_forget(guardian, ward);
		return;
	}
	/* The worker's own message may arrive before the coordinator's. */
	if (!ward)
		ward = ward_add(guardian, message->worker, TAKE_FD(fds[MESSAGE_WORKER]));
	if (message->group >= 0 && ward)
		ward_set_group(ward, message->group, TAKE_FD(fds[MESSAGE_LEADER]));
}

static void read_messages(struct guardian *guardian)
{
	struct message message = {};
	int fds[MESSAGE_FDS];
	ssize_t got;

	while ((got = receive(guardian->fd, &message, fds)) == sizeof(message)) {
		handle_message(guardian, &message, fds);
		for (size_t i = 0; i < MESSAGE_FDS; i++)
			fd_close(fds[i]);
	}
	if (!got || (got < 0 && errno != EAGAIN && errno != EINTR))
		guardian->fd = fd_close(guardian->fd);
}

/* Sweeps dead workers and forgets those that left nothing. Returns how many must be swept again. */
static size_t sweep_dead(struct guardian *guardian)
{
	size_t kept = 0, left = 0;

	for (size_t i = 0; i < guardian->count; i++) {
		struct ward *ward = &guardian->wards[i];

		if (ward->pidfd < 0 && ward_sweep(guardian, ward))
			continue;
		left += ward->pidfd < 0;
		guardian->wards[kept++] = *ward;
	}
	guardian->count = kept;
	return left;
}

static void sweep_others(const struct guardian *guardian)
{
	if (guardian->sweep)
		guardian->sweep(NULL);
}

/* wait_ms -1: without a timeout. */
static void watch_once(struct guardian *guardian, int wait_ms)
{
	size_t count = guardian->count;
	struct pollfd fds[count + 1];

	fds[0] = (struct pollfd){.fd = guardian->fd, .events = POLLIN};
	for (size_t i = 0; i < count; i++)
		fds[i + 1] = (struct pollfd){.fd = guardian->wards[i].pidfd, .events = POLLIN};
	if (poll(fds, count + 1, wait_ms) < 0)
		return;
	/* Messages first: a worker's last message about its group precedes its death. They may change the wards. */
	if (fds[0].revents) {
		read_messages(guardian);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!fds[i + 1].revents)
			continue;
		guardian->wards[i].pidfd = fd_close(guardian->wards[i].pidfd);
		/* First, because the dead worker's filters still affect the target. */
		sweep_others(guardian);
	}
}

static int next_wait(int wait_ms)
{
	return 2 * wait_ms < RETRY_LAST_MS ? 2 * wait_ms : RETRY_LAST_MS;
}

__attribute__((noreturn)) static void guard_run(struct guardian *guardian)
{
	int wait_ms = RETRY_FIRST_MS;
	size_t left = 0;
	uint64_t end_ns;

	/* Run until the other end is closed and no worker lives. */
	while (guardian->fd >= 0 || guardian->count > left) {
		watch_once(guardian, left ? wait_ms : -1);
		left = sweep_dead(guardian);
		wait_ms = left ? next_wait(wait_ms) : RETRY_FIRST_MS;
	}
	sweep_others(guardian);
	/* Sweep by prefix, because the coordinator may have died before it reported a worker. */
	end_ns = clock_monotonic_ns() + LAST_SWEEP_NS;
	wait_ms = RETRY_FIRST_MS;
	while (scope_sweep(guardian->prefix) && clock_monotonic_ns() < end_ns) {
		poll(NULL, 0, wait_ms);
		wait_ms = next_wait(wait_ms);
	}
	_exit(0);
}

__attribute__((noreturn)) static void guard_child(struct guardian *guardian, const int *keep_fds, size_t keep_count)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE};
	int kept[keep_count + 1], *slots[keep_count + 1];
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	/* Continues a stopped guard when its parent dies: it holds the campaign's locks until its work is done. */
	prctl(PR_SET_PDEATHSIG, SIGCONT);
	prctl(PR_SET_NAME, "eval-guard");
	sched_go_first();
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	/* A reader of eval's output must not have to wait for the guard. */
	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(null_fd, i);
	slots[0] = &guardian->fd;
	for (size_t i = 0; i < keep_count; i++) {
		kept[i] = keep_fds[i];
		slots[i + 1] = &kept[i];
	}
	fds_keep_only(slots, keep_count + 1);
	if (chdir("/"))
		_exit(1);
	guard_run(guardian);
}

int guard_start(struct guard *guard, const char *prefix, int (*sweep)(struct error *err), const int *keep_fds,
		size_t keep_count, struct error *err)
{
	struct guardian guardian = {.sweep = sweep};
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return error_set_errno(err, -errno, "cannot create the guard's socket");
	pid = fork();
	if (!pid) {
		close(ends[0]);
		guardian.fd = ends[1];
		snprintf(guardian.prefix, sizeof(guardian.prefix), "%s", prefix);
		guard_child(&guardian, keep_fds, keep_count);
	}
	close(ends[1]);
	if (pid < 0) {
		int ret = error_set_errno(err, -errno, "cannot start the guard");

		close(ends[0]);
		return ret;
	}
	*guard = (struct guard){.pid = pid, .fd = ends[0]};
	return 0;
}

/*
 * Returns -EAGAIN if the message is lost because the guard is stopped and its socket full. Neither that nor a dead
 * guard is an error: workers still destroy their scopes, and the coordinator sweeps them.
 */
static int tell(int guard_fd, struct message message)
{
	/* Neither pid can be reused yet: it is our own, or that of a child that we have not reaped. */
	_cleanup_close_ int worker = pidfd_of(message.worker);
	_cleanup_close_ int leader = message.group > 0 ? pidfd_of(message.group) : -1;
	const int fds[MESSAGE_FDS] = {worker, leader};
	const size_t size = (worker >= 0) * sizeof(int) * (leader >= 0 ? 2 : 1);
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size)}};
	struct iovec data = {&message, sizeof(message)};
	struct msghdr header = {.msg_iov = &data,
				.msg_iovlen = 1,
				.msg_control = size ? &control : NULL,
				.msg_controllen = size ? CMSG_SPACE(size) : 0};

	memcpy(CMSG_DATA(&control.header), fds, size);
	if (guard_fd < 0 || sendmsg(guard_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	/* ETOOMANYREFS: too many descriptors are in flight. */
	return errno == EAGAIN || errno == ETOOMANYREFS ? -EAGAIN : 0;
}

void guard_stop(struct guard *guard)
{
	_cleanup_close_ int pidfd = guard->pid > 0 ? pidfd_of(guard->pid) : -1;
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};
	int ended = pidfd < 0;

	/* Deregister first; otherwise we and the guard would wait for each other. */
	tell(guard->fd, (struct message){.worker = getpid(), .group = WORKER_DONE});
	guard->fd = fd_close(guard->fd);
	if (pidfd >= 0)
		pidfd_signal(pidfd, SIGCONT);
	while (pidfd >= 0 && (ended = poll(&fd, 1, STOP_WAIT_MS)) < 0 && errno == EINTR)
		;
	/* After a timeout a worker hangs in the kernel: the guard waits for it, we do not. */
	if (guard->pid > 0 && ended)
		waitpid(guard->pid, NULL, pidfd < 0 ? 0 : WNOHANG);
	guard->pid = 0;
}

void guard_tell_worker(struct guard *guard, pid_t worker)
{
	if (tell(guard->fd, (struct message){.worker = worker, .group = WORKER_NEW}))
		guard->lost++;
}

int guard_tell_group(int guard_fd, pid_t group)
{
	return tell(guard_fd, (struct message){.worker = getpid(), .group = group});
}

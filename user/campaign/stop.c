/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stopping a campaign: the thread that waits for signals, and the signals to workers. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "campaign/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/pidfd.h"
#include "util/sched.h"

/* How long workers may take to detach their faults; they make them inert at once. */
#define STOP_PATIENCE_NS (10 * NSEC_PER_SEC)

/*
 * A separate thread waits for signals and stops the workers itself, because the loop may be blocked on the database's
 * disk, where a handler would not run.
 */
static struct {
	pthread_mutex_t lock;
	int *pidfds; /* of workers; 0 if none, as descriptor 0 is never a pidfd (fds_fill_standard) */
	size_t count;
	int wake_fd;
} watched = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1};
static int signal_received;

/* SIGCONT, because a stopped (SIGSTOP) worker handles SIGTERM only once it is continued. */
static void stop_worker(int pidfd)
{
	pidfd_signal(pidfd, SIGTERM);
	pidfd_signal(pidfd, SIGCONT);
}

static void tell_workers(void)
{
	uint64_t one = 1;

	pthread_mutex_lock(&watched.lock);
	for (size_t i = 0; i < watched.count; i++)
		if (watched.pidfds[i])
			stop_worker(watched.pidfds[i]);
	while (write(watched.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_mutex_unlock(&watched.lock);
}

static void *signal_thread(void *data)
{
	const sigset_t *signals = data;
	int signal_number;

	sched_go_first();
	while (!sigwait(signals, &signal_number)) {
		__atomic_store_n(&signal_received, signal_number, __ATOMIC_SEQ_CST);
		tell_workers();
	}
	return NULL;
}

bool campaign_interrupted(void)
{
	return __atomic_load_n(&signal_received, __ATOMIC_SEQ_CST);
}

int campaign_signal_fd(void)
{
	return watched.wake_fd;
}

int campaign_watch_signals(struct error *err)
{
	static sigset_t signals;
	struct sigaction hangup;
	pthread_t thread;
	int ret;

	watched.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watched.wake_fd < 0)
		return error_set_errno(err, -errno, "cannot create the coordinator's event");
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	/* SIGHUP is ignored under nohup: keep it so. */
	if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN)
		sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	/* A shell starts background jobs with these ignored, and an ignored signal would never reach sigwait. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	ret = pthread_create(&thread, NULL, signal_thread, &signals);
	return ret ? error_set_errno(err, -ret, "cannot start the thread that waits for signals") : 0;
}

void campaign_forget_signals(void)
{
	pthread_mutex_lock(&watched.lock);
	watched.wake_fd = fd_close(watched.wake_fd);
	watched.count = 0;
	free(TAKE_PTR(watched.pidfds));
	pthread_mutex_unlock(&watched.lock);
}

int campaign_watch_workers(const struct campaign *campaign, struct error *err)
{
	int *pidfds = calloc(campaign->lane_count, sizeof(*pidfds));

	if (!pidfds)
		return error_set(err, -ENOMEM, "out of memory");
	pthread_mutex_lock(&watched.lock);
	watched.pidfds = pidfds;
	watched.count = campaign->lane_count;
	pthread_mutex_unlock(&watched.lock);
	return 0;
}

void campaign_watch_worker(unsigned int index, int pidfd)
{
	pthread_mutex_lock(&watched.lock);
	watched.pidfds[index] = pidfd;
	pthread_mutex_unlock(&watched.lock);
}

void campaign_stop(struct campaign *campaign)
{
	for (unsigned int i = 0; i < campaign->lane_count; i++)
		if (campaign->lanes[i].pid > 0)
			stop_worker(campaign->lanes[i].pidfd);
	if (!campaign->stopping)
		campaign->kill_ns = clock_monotonic_ns() + STOP_PATIENCE_NS;
	campaign->stopping = true;
}

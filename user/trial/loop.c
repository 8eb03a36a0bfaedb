/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The worker's poll loop, and the handler of the signals that end it. */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "trial/internal.h"
#include "util/clock.h"

/* Shared with the signal handler. */
static volatile sig_atomic_t stop_requested;
static const struct fault_set *volatile live_faults;
static volatile uint64_t stopped_ns;
static int wake_fd = -1;

/* Makes the faults inert at once, even while the loop waits for the kernel. */
static void on_stop(int signal_number)
{
	const struct fault_set *faults = live_faults;
	int saved = errno;
	uint64_t one = 1;

	stop_requested = 1;
	if (faults)
		fault_set_stop(faults);
	if (faults && !stopped_ns)
		stopped_ns = clock_monotonic_ns();
	if (write(wake_fd, &one, sizeof(one)) < 0)
		errno = saved;
	errno = saved;
}

bool trial_stop_requested(void)
{
	return stop_requested;
}

uint64_t trial_stopped_ns(void)
{
	return stopped_ns;
}

void trial_publish_faults(const struct fault_set *faults)
{
	live_faults = faults;
}

void trial_hide_faults(void)
{
	live_faults = NULL;
}

int trial_watch_signals(struct error *err)
{
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};

	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		return error_set_errno(err, -errno, "cannot create the worker's event");
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	return 0;
}

static size_t signal_poll_count(const void *arg)
{
	return 1;
}

static size_t signal_poll_fds(const void *arg, struct pollfd *out)
{
	*out = (struct pollfd){.fd = wake_fd, .events = POLLIN};
	return 1;
}

const struct pump_source trial_signal_source = {
	.poll_fds = signal_poll_fds,
	.poll_count = signal_poll_count,
};

int trial_pump(struct trial *trial, uint64_t until_ns, bool (*done)(const struct trial *trial))
{
	for (;;) {
		if (stop_requested)
			return -ECANCELED;
		pump_step(&trial->pump);
		if (done && done(trial))
			return 0;
		if (clock_monotonic_ns() >= until_ns)
			return done ? -ETIMEDOUT : 0;
		pump_wait(&trial->pump, until_ns);
	}
}

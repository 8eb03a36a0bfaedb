/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The worker's poll loop, and the signal that ends it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "chaos/fault.h"
#include "process/environment.h"
#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Samples and the state of probes go to the coordinator that often. */
#define FLUSH_NS (500 * NSEC_PER_MSEC)

/* For the signal handler. */
static volatile sig_atomic_t stop_requested;
static struct trial_fault *volatile live_faults;
static volatile size_t live_fault_count;
static volatile uint64_t stopped_ns;
static int handler_wake_fd = -1;

/* Inert at once, even while the loop waits for the kernel: fault_stop only stores to shared memory. */
static void on_stop(int signal_number)
{
	int saved = errno;
	uint64_t one = 1;

	stop_requested = 1;
	for (size_t i = 0; i < live_fault_count; i++)
		if (live_faults[i].fault)
			fault_stop(live_faults[i].fault);
	if (live_fault_count && !stopped_ns)
		stopped_ns = clock_monotonic_ns();
	if (write(handler_wake_fd, &one, sizeof(one)) < 0)
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

void trial_publish_faults(struct trial *trial)
{
	live_faults = trial->faults;
	live_fault_count = trial->fault_count;
}

void trial_hide_faults(void)
{
	live_fault_count = 0;
}

int trial_loop_init(struct trial *trial, struct error *err)
{
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};

	trial->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (trial->wake_fd < 0)
		return error_set_errno(err, -errno, "cannot create the worker's event");
	handler_wake_fd = trial->wake_fd;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	return 0;
}

int trial_rebuild_environment(struct trial *trial, struct error *err)
{
	struct environment_values values = {
		.instance = trial->job->instance,
		.campaign = trial->job->campaign_id,
		.trial = trial->plan->id,
		.subject = trial->subject->name,
		.target = *trial->target_names ? trial->target_names : NULL,
		.phase = trial_phase_name(trial->phase),
	};

	free(trial->environment);
	free(trial->scoped_environment);
	trial->environment = environment_build(&values);
	values.scope = trial->scope.name;
	trial->scoped_environment = environment_build(&values);
	return trial->environment && trial->scoped_environment ? 0 : error_set(err, -ENOMEM, "out of memory");
}

/* What the daemons of `reset` say after it has ended is not kept. */
static void read_drains(struct trial *trial)
{
	char buffer[4096];

	for (size_t i = 0; i < trial->drain_count; i++) {
		ssize_t got = 1;

		for (int rounds = 0; rounds < 16 && got > 0; rounds++)
			got = read(trial->drains[i], buffer, sizeof(buffer));
		if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
			continue;
		close(trial->drains[i]);
		trial->drains[i--] = trial->drains[--trial->drain_count];
	}
}

static void step(struct trial *trial)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (trial->live && now_ns >= trial->renew_ns)
		trial_renew(trial);
	if (trial->command)
		proc_handle(trial->command);
	trial_abort_step(trial);
	if (trial->workload)
		proc_handle(trial->workload);
	if (trial->drain_count)
		read_drains(trial);
	if (trial->probes)
		probes_step(trial->probes, trial_phase_name(trial->phase), trial->scoped_environment);
	if (trial->probes && now_ns >= trial->flush_ns) {
		trial_send_samples(trial);
		trial->flush_ns = now_ns + FLUSH_NS;
	}
	trial_tell_guard(trial);
	trial_flush(trial);
}

static uint64_t wake_ns(const struct trial *trial, uint64_t until_ns)
{
	uint64_t at_ns = clock_earlier(until_ns, trial_abort_wake_ns(trial));

	if (trial->live)
		at_ns = clock_earlier(at_ns, trial->renew_ns);
	if (trial->command)
		at_ns = clock_earlier(at_ns, proc_wake_ns(trial->command));
	if (trial->workload)
		at_ns = clock_earlier(at_ns, proc_wake_ns(trial->workload));
	if (trial->probes)
		at_ns = clock_earlier(at_ns, clock_earlier(probes_wake_ns(trial->probes), trial->flush_ns));
	return at_ns;
}

/* Returns how many. */
static size_t collect_fds(struct trial *trial)
{
	size_t most =
		2 + 2 * PROC_POLL_MAX + trial->drain_count + (trial->probes ? probes_poll_count(trial->probes) : 0);
	size_t used = 0;

	if (most > trial->poll_size) {
		struct pollfd *grown = realloc(trial->poll_fds, most * 2 * sizeof(*grown));

		if (!grown)
			return 0;
		trial->poll_fds = grown;
		trial->poll_size = most * 2;
	}
	trial->poll_fds[used++] = (struct pollfd){.fd = trial->wake_fd, .events = POLLIN};
	if (trial->outbox)
		trial->poll_fds[used++] = (struct pollfd){.fd = trial->job->socket_fd, .events = POLLOUT};
	if (trial->command)
		used += proc_poll_fds(trial->command, trial->poll_fds + used);
	if (trial->workload)
		used += proc_poll_fds(trial->workload, trial->poll_fds + used);
	for (size_t i = 0; i < trial->drain_count; i++)
		trial->poll_fds[used++] = (struct pollfd){.fd = trial->drains[i], .events = POLLIN};
	if (trial->probes)
		used += probes_poll_fds(trial->probes, trial->poll_fds + used);
	return used;
}

static void wait_until(struct trial *trial, uint64_t at_ns)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t wait_ns = at_ns > now_ns ? at_ns - now_ns : 0;
	struct timespec timeout = {
		.tv_sec = (time_t)(wait_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(wait_ns % NSEC_PER_SEC),
	};
	size_t count = collect_fds(trial);

	ppoll(trial->poll_fds, count, at_ns == UINT64_MAX ? NULL : &timeout, NULL);
}

int trial_pump(struct trial *trial, uint64_t until_ns, bool (*done)(const struct trial *trial))
{
	for (;;) {
		if (stop_requested)
			return -ECANCELED;
		step(trial);
		if (done && done(trial))
			return 0;
		if (clock_monotonic_ns() >= until_ns)
			return done ? -ETIMEDOUT : 0;
		wait_until(trial, wake_ns(trial, until_ns));
	}
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that limits a cgroup's disks and outlives the holder: it sets the limits, looks every 10 ms at the
 * holder's socket, the deadline and the lease, and restores what there was when one of them ends. Every 100 ms it
 * counts what the limits held back, and follows a unit that restarts into its new cgroup.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/helper.h"
#include "chaos/throttle/throttle.h"
#include "kernel/session.h"
#include "process/cgroup.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* How soon an end is seen. */
#define LOOK_MS 10
/* An interval counts as held back if it, or the last WINDOW with it, brought this share of what a limit allows. */
#define INTERVAL_NS (100 * NSEC_PER_MSEC)
#define WINDOW 5
#define REACHED 0.9
#define RESTORE_TRIES 100
#define RESTORE_WAIT_MS 20

struct past {
	__u64 done[EVAL_THROTTLE_LIMITS];
};

struct throttler {
	const struct throttle_server *with;
	struct eval_throttle *shared;
	int cgroup_fd, socket;
	struct throttle_record record;
	uint64_t last_ns, window_ns[WINDOW]; /* how long each of the last intervals was */
	size_t interval;
	__u64 last[EVAL_THROTTLE_DISKS][EVAL_THROTTLE_LIMITS]; /* io.stat */
	struct past past[EVAL_THROTTLE_DISKS][WINDOW];
	uint64_t waited_us;
};

/* Counts from here on. */
static void begin_counting(struct throttler *throttler)
{
	memset(throttler->past, 0, sizeof(throttler->past));
	memset(throttler->window_ns, 0, sizeof(throttler->window_ns));
	throttler->last_ns = clock_monotonic_ns();
	throttler->waited_us = throttle_waited_us(throttler->cgroup_fd);
	for (size_t i = 0; i < throttler->shared->disk_count; i++)
		throttle_stat_read(throttler->cgroup_fd, &throttler->shared->disks[i], throttler->last[i]);
}

/* Whether the last interval, or the window that ends with it, brought what the limit allows. */
static bool is_reached(const struct throttler *throttler, size_t disk, size_t limit)
{
	size_t at = throttler->interval % WINDOW;
	double asked = (double)throttler->with->asked[limit], seconds = 0, done = 0;
	bool is_full = true;

	for (size_t i = 0; i < WINDOW; i++) {
		is_full = is_full && throttler->window_ns[i];
		seconds += (double)throttler->window_ns[i] / (double)NSEC_PER_SEC;
		done += (double)throttler->past[disk][i].done[limit];
	}
	if (is_full && done >= REACHED * asked * seconds)
		return true;
	seconds = (double)throttler->window_ns[at] / (double)NSEC_PER_SEC;
	return (double)throttler->past[disk][at].done[limit] >= REACHED * asked * seconds;
}

/* A read is held back by both limits for reads, a write by both for writes. */
static void count_held(struct throttler *throttler, size_t index, uint64_t now_ns)
{
	struct eval_throttle_disk *disk = &throttler->shared->disks[index];
	const __u64 *done = throttler->past[index][throttler->interval % WINDOW].done;
	bool is_held[2] = {};

	for (size_t limit = 0; limit < EVAL_THROTTLE_LIMITS; limit++) {
		if (!(disk->is_asked & 1U << limit) || !done[limit] || !is_reached(throttler, index, limit))
			continue;
		disk->reached[limit]++;
		is_held[limit % 2] = true;
	}
	for (size_t limit = 0; limit < EVAL_THROTTLE_LIMITS; limit++)
		disk->held[limit] += is_held[limit % 2] ? done[limit] : 0;
	if ((is_held[0] || is_held[1]) && !throttler->shared->first_hit_ns)
		throttler->shared->first_hit_ns = now_ns;
}

static void count_interval(struct throttler *throttler, uint64_t now_ns)
{
	struct eval_throttle *shared = throttler->shared;
	uint64_t waited_us = throttle_waited_us(throttler->cgroup_fd);
	size_t at = ++throttler->interval % WINDOW;

	throttler->window_ns[at] = now_ns - throttler->last_ns;
	for (size_t i = 0; i < shared->disk_count; i++) {
		__u64 now[EVAL_THROTTLE_LIMITS], *past = throttler->past[i][at].done;

		if (throttle_stat_read(throttler->cgroup_fd, &shared->disks[i], now))
			memcpy(now, throttler->last[i], sizeof(now));
		for (size_t limit = 0; limit < EVAL_THROTTLE_LIMITS; limit++) {
			past[limit] =
				now[limit] > throttler->last[i][limit] ? now[limit] - throttler->last[i][limit] : 0;
			shared->disks[i].done[limit] += past[limit];
			throttler->last[i][limit] = now[limit];
		}
		count_held(throttler, i, now_ns);
	}
	if (waited_us > throttler->waited_us)
		shared->waited_us += waited_us - throttler->waited_us;
	throttler->waited_us = waited_us;
	shared->limited_ns += now_ns - throttler->last_ns;
	shared->intervals++;
	throttler->last_ns = now_ns;
}

/* Restores what is ours; nothing waits for it without a limit. */
static int restore_all(struct eval_throttle *shared, int cgroup_fd)
{
	int failed = 0;

	for (size_t i = 0; i < shared->disk_count; i++) {
		int ret = throttle_restore_disk(cgroup_fd, &shared->disks[i]);

		for (int try = 0; ret && try < RESTORE_TRIES; try++) {
			poll(NULL, 0, RESTORE_WAIT_MS);
			ret = throttle_restore_disk(cgroup_fd, &shared->disks[i]);
		}
		failed = failed ?: ret;
	}
	return failed;
}

int throttle_restore(struct eval_throttle *shared, int cgroup_fd, const char *path, struct error *err)
{
	_cleanup_close_ int newer_fd = -1;
	int ret;

	/* The process may have followed the unit into a new cgroup, which may be gone by now. */
	if (cgroup_id(cgroup_fd, "") != shared->cgroup_id) {
		ret = throttle_cgroup_open(&newer_fd, path, shared->cgroup_id, err);
		if (ret)
			return throttle_cgroup_is_gone(ret) ? 0 : ret;
		cgroup_fd = newer_fd;
	}
	ret = restore_all(shared, cgroup_fd);
	return ret ? error_set_errno(err, ret, "cannot restore the limits of cgroup '%s': see its io.max", path) : 0;
}

/* Looks at what is there, and what is to be there. */
static int plan_limits(struct throttler *throttler, struct error *err)
{
	for (size_t i = 0; i < throttler->shared->disk_count; i++) {
		struct eval_throttle_disk *disk = &throttler->shared->disks[i];
		char text[THROTTLE_TEXT_SIZE];
		int ret = throttle_limits_read(throttler->cgroup_fd, disk, disk->before);

		if (ret)
			return error_set_errno(err, ret, "cannot read io.max of cgroup '%s'",
					       throttler->shared->cgroup);
		for (size_t limit = 0; limit < EVAL_THROTTLE_LIMITS; limit++) {
			if (disk->before[limit] != EVAL_THROTTLE_NO_LIMIT && !throttler->with->replaces)
				return error_set(
					err, -EBUSY,
					"cgroup '%s' has limits of its own for disk %s (%u:%u %s): replace: true "
					"replaces them until the fault ends",
					throttler->shared->cgroup, disk->name, disk->major, disk->minor,
					throttle_limits_text(text, disk->before));
			disk->ours[limit] = disk->before[limit];
			if (throttler->with->asked[limit] == EVAL_THROTTLE_NO_LIMIT)
				continue;
			disk->ours[limit] = throttler->with->asked[limit];
			disk->is_asked |= 1U << limit;
		}
	}
	for (size_t i = 0; i < throttler->shared->disk_count; i++)
		throttler->shared->disks[i].state = EVAL_THROTTLE_LIMITED;
	return throttle_record_write(&throttler->record, throttler->shared, err);
}

/* What is there is written down before anything is changed. */
static int set_limits(struct throttler *throttler, struct error *err)
{
	struct eval_throttle *shared = throttler->shared;
	int ret = plan_limits(throttler, err);

	begin_counting(throttler);
	for (size_t i = 0; !ret && i < shared->disk_count; i++) {
		struct eval_throttle_disk *disk = &shared->disks[i];
		__u64 now[EVAL_THROTTLE_LIMITS];

		ret = throttle_limits_write(throttler->cgroup_fd, disk, disk->ours);
		if (ret) {
			ret = error_set_errno(err, ret, "cannot limit disk %s (%u:%u) in io.max of cgroup '%s'",
					      disk->name, disk->major, disk->minor, shared->cgroup);
			break;
		}
		ret = throttle_limits_read(throttler->cgroup_fd, disk, now);
		if (ret || !throttle_limits_equal(now, disk->ours))
			ret = error_set(err, -EIO, "the kernel did not take the limits of disk %s in cgroup '%s'",
					disk->name, shared->cgroup);
	}
	if (ret)
		restore_all(shared, throttler->cgroup_fd);
	else
		shared->cgroups++;
	return ret;
}

/* A unit that restarts has a new cgroup at the same path. */
static void follow_cgroup(struct throttler *throttler)
{
	struct eval_throttle *shared = throttler->shared;
	uint64_t id = target_cgroup_id(throttler->with->target);
	struct error err = {};
	int fd = -1;

	if (!id || id == shared->cgroup_id || throttle_cgroup_open(&fd, shared->cgroup, id, &err)) {
		if (err.code && err.code != -ESTALE && err.code != -ENOENT)
			snprintf(shared->failure, sizeof(shared->failure), "%.250s", err.text);
		return;
	}
	restore_all(shared, throttler->cgroup_fd);
	fd_close(throttler->cgroup_fd);
	throttler->cgroup_fd = fd;
	shared->cgroup_id = id;
	if (set_limits(throttler, &err))
		snprintf(shared->failure, sizeof(shared->failure), "the target's cgroup was made anew: %.200s",
			 err.text);
}

/* Who else writes io.max wins: systemd, say, when a unit's settings change. */
static void check_unchanged(struct throttler *throttler)
{
	struct eval_throttle *shared = throttler->shared;

	for (size_t i = 0; i < shared->disk_count; i++) {
		__u64 now[EVAL_THROTTLE_LIMITS];
		char text[THROTTLE_TEXT_SIZE];

		if (throttle_limits_read(throttler->cgroup_fd, &shared->disks[i], now) ||
		    throttle_limits_equal(now, shared->disks[i].ours))
			continue;
		snprintf(shared->failure, sizeof(shared->failure),
			 "somebody else has changed the limits of disk %s (%s)", shared->disks[i].name,
			 throttle_limits_text(text, now));
	}
}

static void end_limits(struct throttler *throttler)
{
	if (throttler->shared->is_over)
		return;
	count_interval(throttler, clock_monotonic_ns());
	if (!restore_all(throttler->shared, throttler->cgroup_fd))
		unlink(throttler->record.path);
	__atomic_store_n(&throttler->shared->is_over, 1, __ATOMIC_RELEASE);
}

static void look_around(struct throttler *throttler)
{
	uint64_t now_ns = clock_monotonic_ns();

	__atomic_store_n(&throttler->shared->beat_ns, now_ns, __ATOMIC_RELEASE);
	if (throttler->shared->is_over)
		return;
	if (!session_ctl_is_live(throttler->with->ctl, now_ns) || throttler->shared->failure[0]) {
		end_limits(throttler);
		return;
	}
	if (now_ns < throttler->last_ns + INTERVAL_NS)
		return;
	count_interval(throttler, now_ns);
	follow_cgroup(throttler);
	check_unchanged(throttler);
}

/* The target's claim stays held until the limits are restored: its lock is shared by a fork. */
static void begin_process(struct throttler *throttler)
{
	int claim_fd = throttler->with->target->claim.fd;
	int *const slots[] = {&throttler->socket, &throttler->cgroup_fd, &throttler->record.fd, &claim_fd};

	setsid();
	/* If it is stopped while its holder dies, nobody else restores. */
	prctl(PR_SET_PDEATHSIG, SIGCONT);
	helper_settle("eval-throttle", slots, ARRAY_SIZE(slots));
}

_Noreturn void throttle_serve(const struct throttle_server *with)
{
	static struct throttler throttler;
	struct pollfd holder;
	struct error err = {};
	char go;

	throttler = (struct throttler){
		.with = with,
		.shared = with->shared,
		.cgroup_fd = with->cgroup_fd,
		.socket = with->socket,
		.record = *with->record,
	};
	begin_process(&throttler);
	if (recv(throttler.socket, &go, sizeof(go), 0) != sizeof(go))
		_exit(0);
	if (!session_ctl_is_live(with->ctl, clock_monotonic_ns()))
		error_set(&err, -ENODEV, "the fault was stopped before it was live");
	else
		set_limits(&throttler, &err);
	throttler.shared->is_over = err.code != 0;
	throttler.shared->beat_ns = clock_monotonic_ns();
	holder = (struct pollfd){.fd = throttler.socket, .events = POLLIN};
	if (!helper_answer(throttler.socket, &err)) {
		end_limits(&throttler);
		_exit(0);
	}
	/* The holder sends nothing more: this is its end. */
	do
		look_around(&throttler);
	while (poll(&holder, 1, LOOK_MS) <= 0);
	end_limits(&throttler);
	_exit(0);
}

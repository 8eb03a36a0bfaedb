/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The coordinator's poll loop: starts, watches and ends the workers. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaign/internal.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/output.h"
#include "util/pidfd.h"

/* How often events, samples and metrics are stored at least. */
#define FLUSH_NS NSEC_PER_SEC
/* How often workers are checked for being stopped (SIGSTOP), and how many checks in a row may find one stopped before
 * it is killed, as its lane waits for it. */
#define LOOK_NS NSEC_PER_SEC
#define STOPPED_LOOKS 10
/* How long a worker may take to die of SIGKILL; one that hangs in the kernel is then abandoned. */
#define KILL_PATIENCE_NS (5 * NSEC_PER_SEC)

/* A free instance of the entry's subject; -1 if all are busy. */
static int free_instance(const struct campaign *campaign, const struct entry *entry)
{
	const struct subject *subject = entry->plan->subject;
	const struct usage *usage = &campaign->usage[subject - campaign->config->subjects];

	for (unsigned int i = 0; i < subject->instances; i++)
		if (!usage->busy[i])
			return (int)i;
	return -1;
}

/* The first pending trial, in plan order, whose subject has a free instance; NULL if none. */
static struct entry *next_entry(struct campaign *campaign, int *instance)
{
	while (campaign->first_pending < campaign->entry_count &&
	       campaign->entries[campaign->first_pending].state != ENTRY_PENDING)
		campaign->first_pending++;
	for (size_t i = campaign->first_pending; i < campaign->entry_count; i++) {
		struct entry *entry = &campaign->entries[i];

		if (entry->state != ENTRY_PENDING)
			continue;
		*instance = free_instance(campaign, entry);
		if (*instance >= 0)
			return entry;
	}
	return NULL;
}

static void set_busy(struct campaign *campaign, const struct lane *lane, bool busy)
{
	struct usage *usage = &campaign->usage[lane->entry->plan->subject - campaign->config->subjects];

	usage->busy[lane->instance] = busy;
	usage->used[lane->instance] = true;
}

static void assign(struct campaign *campaign, struct lane *lane, struct entry *entry, unsigned int instance)
{
	entry->state = ENTRY_RUNNING;
	entry->attempt++;
	*lane = (struct lane){
		.entry = entry,
		.instance = instance,
		.pidfd = -1,
		.socket_fd = -1,
		.columns = json_object(),
		.commands = json_array(),
		.events = json_array(),
		.samples = json_array(),
		.metrics = json_array(),
	};
	set_busy(campaign, lane, true);
	record_trial_start(campaign, lane);
}

static void fill_lanes(struct campaign *campaign)
{
	uint64_t now_ns = clock_monotonic_ns();

	for (unsigned int i = 0; i < campaign->lane_count && !campaign->stopping; i++) {
		struct lane *lane = &campaign->lanes[i];
		struct entry *entry;
		int instance;

		if (lane->entry || now_ns < lane->idle_until_ns)
			continue;
		entry = next_entry(campaign, &instance);
		if (!entry)
			return;
		assign(campaign, lane, entry, (unsigned int)instance);
	}
}

static void set_end(struct lane *lane)
{
	char at[RFC3339_SIZE];

	if (json_object_get(lane->columns, "ended_at"))
		return;
	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	json_object_set_new(lane->columns, "ended_at", json_string(at));
	json_object_set_new(lane->columns, "ended_at_monotonic_ns", json_integer((json_int_t)clock_monotonic_ns()));
}

static bool is_pending(struct campaign *campaign)
{
	for (size_t i = campaign->first_pending; i < campaign->entry_count; i++)
		if (campaign->entries[i].state == ENTRY_PENDING)
			return true;
	return false;
}

static void end_trial(struct campaign *campaign, struct lane *lane)
{
	unsigned int index = (unsigned int)(lane - campaign->lanes);

	campaign_watch_worker(index, 0);
	if (lane->pid > 0 && !lane->abandoned)
		lane_reap(campaign, lane);
	set_end(lane);
	record_trial_end(campaign, lane);
	notify_event(campaign, lane, "end");
	progress_trial_end(campaign->progress, index, lane->columns);
	lane->entry->state = ENTRY_ENDED;
	set_busy(campaign, lane, false);
	if (campaign->config->cooldown_seconds > 0 && !campaign->stopping && is_pending(campaign)) {
		lane->idle_until_ns = clock_monotonic_ns() + clock_from_seconds(campaign->config->cooldown_seconds);
		progress_cooldown(campaign->progress, index, campaign->config->cooldown_seconds);
	}
	lane_clear(lane);
}

static void start_assigned(struct campaign *campaign)
{
	for (unsigned int i = 0; i < campaign->lane_count; i++) {
		struct lane *lane = &campaign->lanes[i];
		struct error err = {};

		if (!lane->entry || lane->pid)
			continue;
		progress_trial_start(campaign->progress, i, lane->entry->plan, lane->entry->attempt, lane->instance);
		/* The signal may have arrived while the trial's start was being recorded. */
		if (campaign->stopping || campaign_interrupted()) {
			json_object_set_new(lane->columns, "status", json_string(status_name(STATUS_INTERRUPTED)));
			end_trial(campaign, lane);
		} else if (lane_fork(campaign, lane, &err)) {
			json_object_update_new(lane->columns,
					       json_pack("{s:s, s:s, s:i, s:o}", "status", status_name(STATUS_FAILED),
							 "error_stage", "reset", "error_errno", -err.code, "error_text",
							 json_outside(err.text)));
			end_trial(campaign, lane);
		} else {
			campaign_watch_worker(i, lane->pidfd);
		}
	}
}

static bool is_running(const struct campaign *campaign)
{
	for (unsigned int i = 0; i < campaign->lane_count; i++)
		if (campaign->lanes[i].entry)
			return true;
	return false;
}

static void flush_buffered(struct campaign *campaign)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (now_ns < campaign->flush_ns)
		return;
	campaign->flush_ns = now_ns + FLUSH_NS;
	for (unsigned int i = 0; i < campaign->lane_count; i++)
		if (campaign->lanes[i].entry)
			record_buffered(campaign, &campaign->lanes[i]);
}

static uint64_t campaign_wake_ns(const void *arg)
{
	const struct campaign *campaign = arg;
	uint64_t at_ns = progress_wake_ns(campaign->progress), now_ns = clock_monotonic_ns();

	for (unsigned int i = 0; i < campaign->lane_count; i++) {
		const struct lane *lane = &campaign->lanes[i];

		if (json_array_size(lane->events) || json_array_size(lane->samples) || json_array_size(lane->metrics))
			at_ns = clock_earlier(at_ns, campaign->flush_ns);
		else if (!lane->entry && !campaign->stopping && lane->idle_until_ns > now_ns)
			at_ns = clock_earlier(at_ns, lane->idle_until_ns);
	}
	if (is_running(campaign))
		at_ns = clock_earlier(at_ns, campaign->look_ns);
	if (campaign->records)
		at_ns = clock_earlier(at_ns, now_ns + BUSY_RETRY_MS * NSEC_PER_MSEC);
	return campaign->stopping ? clock_earlier(at_ns, campaign->kill_ns) : at_ns;
}

static size_t campaign_poll_count(const void *arg)
{
	const struct campaign *campaign = arg;

	return 3 + 2 * campaign->lane_count;
}

static size_t campaign_poll_fds(const void *arg, struct pollfd *out)
{
	const struct campaign *campaign = arg;
	size_t count = 0;

	out[count++] = (struct pollfd){.fd = campaign_signal_fd(), .events = POLLIN};
	out[count++] = (struct pollfd){.fd = progress_poll_fd(campaign->progress), .events = POLLOUT};
	out[count++] = (struct pollfd){.fd = output_poll_fd(output_standard(STDERR_FILENO)), .events = POLLOUT};
	for (unsigned int i = 0; i < campaign->lane_count; i++) {
		out[count++] = (struct pollfd){.fd = campaign->lanes[i].socket_fd, .events = POLLIN};
		out[count++] = (struct pollfd){.fd = campaign->lanes[i].pidfd, .events = POLLIN};
	}
	return count;
}

/* False for a lane without a worker, whose pidfd is -1. */
static bool has_exited(const struct lane *lane)
{
	struct pollfd fd = {.fd = lane->pidfd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

static void campaign_step(void *arg)
{
	struct campaign *campaign = arg;

	progress_flush(campaign->progress);
	output_flush_standard();
	for (unsigned int i = 0; i < campaign->lane_count; i++) {
		lane_receive(campaign, &campaign->lanes[i]);
		if (has_exited(&campaign->lanes[i]))
			end_trial(campaign, &campaign->lanes[i]);
	}
}

const struct pump_source campaign_source = {
	.step = campaign_step,
	.wake_ns = campaign_wake_ns,
	.poll_fds = campaign_poll_fds,
	.poll_count = campaign_poll_count,
};

static bool is_stopped(pid_t pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) && info.si_pid;
}

/* Counts checks, not time: if we were stopped with our workers, we may be continued a moment before them. */
static void kill_stopped(struct campaign *campaign)
{
	if (clock_monotonic_ns() < campaign->look_ns)
		return;
	campaign->look_ns = clock_monotonic_ns() + LOOK_NS;
	for (unsigned int i = 0; i < campaign->lane_count; i++) {
		struct lane *lane = &campaign->lanes[i];

		if (lane->pid <= 0)
			continue;
		lane->stopped_looks = is_stopped(lane->pid) ? lane->stopped_looks + 1 : 0;
		if (lane->stopped_looks < STOPPED_LOOKS)
			continue;
		lane->killed_stopped = true;
		pidfd_signal(lane->pidfd, SIGKILL);
	}
}

/* Kills, then abandons, workers that do not stop in time. Their faults are inert already. */
static void kill_stragglers(struct campaign *campaign)
{
	if (!campaign->stopping || clock_monotonic_ns() < campaign->kill_ns)
		return;
	for (unsigned int i = 0; i < campaign->lane_count; i++) {
		struct lane *lane = &campaign->lanes[i];

		if (lane->pid <= 0)
			continue;
		if (campaign->killed) {
			lane_abandon(campaign, lane);
			end_trial(campaign, lane);
		} else {
			pidfd_signal(lane->pidfd, SIGKILL);
		}
	}
	campaign->kill_ns = campaign->killed ? UINT64_MAX : clock_monotonic_ns() + KILL_PATIENCE_NS;
	campaign->killed = true;
}

static void heed_signal(struct campaign *campaign)
{
	uint64_t count;

	if (!campaign_interrupted())
		return;
	/* A second signal changes nothing. */
	if (read(campaign_signal_fd(), &count, sizeof(count)) == sizeof(count) || !campaign->stopping)
		campaign_stop(campaign);
}

void campaign_loop(struct campaign *campaign)
{
	for (;;) {
		heed_signal(campaign);
		fill_lanes(campaign);
		flush_buffered(campaign);
		/* The records of the assigned trials are durable before their workers start. */
		record_commit(campaign);
		if (!campaign->records)
			start_assigned(campaign);
		if (!is_running(campaign) && (campaign->stopping || !is_pending(campaign)))
			break;
		/* A trial that could not start has ended already: commit its end before waiting. */
		if (campaign->records && !campaign->busy_since_ns)
			continue;
		kill_stopped(campaign);
		kill_stragglers(campaign);
		progress_tick(campaign->progress);
		pump_wait(&campaign->pump, UINT64_MAX);
		pump_step(&campaign->pump);
	}
	record_settle(campaign);
}

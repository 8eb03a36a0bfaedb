/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A lane: one worker at a time, its messages and its end. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "campaign/internal.h"
#include "kernel/live.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fds.h"
#include "util/json.h"
#include "util/pidfd.h"

/* Killed processes take some milliseconds to exit; without a guard, nothing else would remove their cgroup. */
#define SWEEP_WAIT_NS NSEC_PER_SEC

/* Called with all signals blocked; trial_run unblocks them once the worker's handlers are in place. */
__attribute__((noreturn)) static void run_worker(const struct campaign *campaign, const struct lane *lane,
						 int socket_fd, pid_t coordinator)
{
	struct trial_job job = {
		.campaign_id = campaign->plan->campaign_id,
		.config = campaign->config,
		.plan = lane->entry->plan,
		.instance = lane->instance,
		.coordinator = coordinator,
		.scope_prefix = campaign->scope_prefix,
		.socket_fd = socket_fd,
		.guard_fd = campaign->guard.fd,
	};

	fds_keep_only((int *const[]){&job.socket_fd, &job.guard_fd}, 2);
	/* Without the socket, nothing about this trial could be recorded. */
	if (job.socket_fd < 0)
		_exit(1);
	trial_run(&job);
}

static void enlarge(int fd)
{
	int size = 2 * TRIAL_MESSAGE_MAX;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

int lane_fork(struct campaign *campaign, struct lane *lane, struct error *err)
{
	sigset_t all, before;
	pid_t self = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return error_set_errno(err, -errno, "cannot create the worker's socket");
	enlarge(ends[1]);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	lane->pid = fork();
	if (!lane->pid)
		run_worker(campaign, lane, ends[1], self);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	if (lane->pid < 0) {
		int code = -errno;

		lane->pid = 0;
		close(ends[0]);
		return error_set_errno(err, code, "cannot start a worker");
	}
	lane->pidfd = pidfd_of(lane->pid);
	if (lane->pidfd < 0) {
		int code = lane->pidfd;

		/* Without a pidfd the worker's end would go unnoticed. Its pid is valid: it is not reaped yet. */
		kill(lane->pid, SIGKILL);
		waitpid(lane->pid, NULL, 0);
		lane->pid = 0;
		close(ends[0]);
		return error_set_errno(err, code, "cannot watch a worker");
	}
	lane->socket_fd = ends[0];
	guard_tell_worker(&campaign->guard, lane->pid);
	return 0;
}

static void update_columns(struct campaign *campaign, struct lane *lane, json_t *columns)
{
	json_object_update(lane->columns, columns);
	notify_columns(campaign, lane, columns);
}

static void handle_message(struct campaign *campaign, struct lane *lane, json_t *message)
{
	const char *kind = json_text_or(message, "message", "");

	progress_message(campaign->progress, (unsigned int)(lane - campaign->lanes), message);
	if (!strcmp(kind, "phase")) {
		lane->phase = trial_phase_find(json_text_or(message, "phase", ""));
		json_object_set_new(message, "kind", json_string("phase"));
	}
	if (!strcmp(kind, "phase") || !strcmp(kind, "event"))
		json_array_append(lane->events, message);
	else if (!strcmp(kind, "columns"))
		update_columns(campaign, lane, json_object_get(message, "columns"));
	else if (!strcmp(kind, "command"))
		json_array_append(lane->commands, json_object_get(message, "record"));
	else if (!strcmp(kind, "samples"))
		json_array_extend(lane->samples, json_object_get(message, "samples"));
	else if (!strcmp(kind, "metrics"))
		json_array_extend(lane->metrics, json_object_get(message, "metrics"));
	else if (!strcmp(kind, "end"))
		lane->ended = true;
	json_object_del(message, "message");
}

void lane_receive(struct campaign *campaign, struct lane *lane)
{
	while (lane->socket_fd >= 0) {
		_cleanup_json_ json_t *message = NULL;
		ssize_t got = recv(lane->socket_fd, campaign->buffer, TRIAL_MESSAGE_MAX, MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			lane->socket_fd = fd_close(lane->socket_fd);
			return;
		}
		message = json_loadb(campaign->buffer, (size_t)got, 0, NULL);
		if (message)
			handle_message(campaign, lane, message);
	}
}

static void set_death(struct lane *lane, const char *text, bool stopping)
{
	const char *phase = lane->phase < PHASE_COUNT ? trial_phase_name(lane->phase) : "reset";

	json_object_set_new(lane->columns, "status",
			    json_string(status_name(stopping ? STATUS_INTERRUPTED : STATUS_FAILED)));
	json_object_set_new(lane->columns, "verdict", json_string(verdict_name(VERDICT_NONE)));
	json_object_set_new(lane->columns, "error_stage", json_string(phase));
	json_object_set_new(lane->columns, "error_text", json_outside(text));
}

static void describe_death(struct lane *lane, const siginfo_t *info, bool stopping)
{
	char text[160];

	if (lane->killed_stopped)
		snprintf(text, sizeof(text), "the worker was stopped (SIGSTOP) and did not go on: killed");
	else if (info->si_code == CLD_EXITED)
		snprintf(text, sizeof(text), "the worker ended early with exit code %d", info->si_status);
	else
		snprintf(text, sizeof(text), "the worker died of signal %d (%s)", info->si_status,
			 strsignal(info->si_status));
	set_death(lane, text, stopping);
}

void lane_abandon(struct campaign *campaign, struct lane *lane)
{
	char text[160];

	lane_receive(campaign, lane);
	lane->abandoned = true;
	snprintf(text, sizeof(text), "the worker (pid %d) hangs in the kernel and survives SIGKILL: left alone",
		 (int)lane->pid);
	set_death(lane, text, campaign->stopping);
}

void lane_reap(struct campaign *campaign, struct lane *lane)
{
	char scope[SCOPE_NAME_SIZE];
	siginfo_t info = {};

	if (waitid(P_PID, (id_t)lane->pid, &info, WEXITED) && errno != ECHILD)
		return;
	lane_receive(campaign, lane);
	if (!lane->ended || !json_object_get(lane->columns, "status")) {
		/* The guard does this too, if it is alive. Sweep first: the worker's filters may still be attached. */
		live_sweep_dead(NULL);
		/* Kill the worker's processes before the next trial starts on the same instance. */
		scope_name(scope, campaign->scope_prefix, lane->pid);
		scope_sweep_wait(scope, SWEEP_WAIT_NS);
		describe_death(lane, &info, campaign->stopping);
	}
}

void lane_clear(struct lane *lane)
{
	fd_close(lane->pidfd);
	fd_close(lane->socket_fd);
	json_decref(lane->columns);
	json_decref(lane->commands);
	json_decref(lane->events);
	json_decref(lane->samples);
	json_decref(lane->metrics);
	*lane = (struct lane){.pidfd = -1, .socket_fd = -1, .idle_until_ns = lane->idle_until_ns};
}

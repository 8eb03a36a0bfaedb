/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that answers: one loop over fanotify's questions, changes of folders, and a heap of held calls. It opens
 * no file of the target, writes to none and never waits for the disk: who waits for it would wait for itself. When it
 * ends, however it ends, the kernel lets every held call go on.
 */
#include <errno.h>
#include <limits.h>
#include <linux/types.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "chaos/calls/retry.h"
#include "chaos/calls/space.h"
#include "chaos/helper.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/heap.h"

/* A held call has a descriptor, and so has a thread that is remembered. A call beyond that many passes. */
#define HELD_MAX 4096
#define THREADS_MAX 1024
/* For the marks, the folders and what is open for a moment. */
#define DESCRIPTORS_OWN (CALLS_ROOTS + 2 * 64 + 16)
#define DESCRIPTORS_MIN (DESCRIPTORS_OWN + 64)
#define DESCRIPTORS (HELD_MAX + THREADS_MAX + DESCRIPTORS_OWN)
/* What an answer refuses with an errno has it here: FAN_DENY_ERRNO, since Linux 6.14. */
#define ERRNO_SHIFT 24
/* The record of the event's range, FAN_EVENT_INFO_TYPE_RANGE: the same. */
#define INFO_RANGE 6

struct range_record {
	struct fanotify_event_info_header header;
	__u32 pad;
	__u64 offset, count;
};

struct held {
	struct heap_item item;
	int fd;
	uint64_t began_ns, asked_ns; /* asked_ns 0: it hangs */
	struct caller caller;
	pid_t thread;
	bool is_asked_again; /* whether there is space is not known yet */
};

struct server {
	const struct calls_server *with;
	struct marks marks;
	struct callers *callers;
	struct spaces *spaces; /* NULL: not CALLS_FILL */
	struct heap held;
	struct eval_calls *shared;
	size_t held_max, threads_max;
	struct retries retries;
	char roots[CALLS_ROOTS][PATH_MAX];
	const char *root_names[CALLS_ROOTS];
};

static void answer(const struct server *server, int fd, unsigned int response)
{
	struct fanotify_response reply = {.fd = fd, .response = response};

	/* Refused if the caller was killed: nobody waits any more. An errno that the kernel does not take must not hang
	 * it. */
	if (write(server->marks.fan_fd, &reply, sizeof(reply)) < 0 && response != FAN_ALLOW) {
		reply.response = FAN_ALLOW;
		if (write(server->marks.fan_fd, &reply, sizeof(reply)) == sizeof(reply))
			server->shared->overflowed++;
	}
	close(fd);
}

static void count_hit(struct eval_calls *shared, const struct caller *caller, uint64_t now_ns)
{
	shared->hit[caller->call]++;
	shared->bytes += caller->length;
	if (!shared->first_hit_ns)
		__atomic_store_n(&shared->first_hit_ns, now_ns, __ATOMIC_RELEASE);
}

static void refuse_call(struct server *server, int fd, const struct caller *caller, uint64_t now_ns)
{
	count_hit(server->shared, caller, now_ns);
	answer(server, fd, FAN_DENY | (unsigned int)server->with->request->refusal << ERRNO_SHIFT);
}

/* The second and last question whether there is space; none if the fault has ended. */
static void ask_again(struct server *server, const struct held *held)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (calls_is_live(server->with, now_ns) &&
	    spaces_ask(server->spaces, held->fd, held->thread, &held->caller, true) == SPACE_REFUSE)
		refuse_call(server, held->fd, &held->caller, now_ns);
	else
		answer(server, held->fd, FAN_ALLOW);
}

/* A call whose time has come, or that goes on early, because the fault ends. */
static void let_go(struct server *server, const struct held *held)
{
	uint64_t held_ns = clock_monotonic_ns() - held->began_ns;

	calls_count_held(server->shared,
			 &(struct eval_slow_call){
				 .held_ns = held_ns,
				 .asked_ns = held->asked_ns,
				 .offset = held->caller.offset,
				 .length = held->caller.length,
				 .call = held->caller.call,
				 .thread = (__u32)held->thread,
			 },
			 held->fd);
	if (held_ns < held->asked_ns || !held->asked_ns)
		server->shared->released++;
	answer(server, held->fd, FAN_ALLOW);
}

static void release_first(struct server *server)
{
	struct held *held = (struct held *)heap_pop(&server->held);

	if (held->is_asked_again)
		ask_again(server, held);
	else
		let_go(server, held);
	server->shared->held = server->held.count;
	free(held);
}

static void release_until(struct server *server, uint64_t until_ns)
{
	const struct heap_item *first;

	while ((first = heap_first(&server->held)) && first->due_ns <= until_ns)
		release_first(server);
}

static void hold_call(struct server *server, int fd, pid_t thread, const struct caller *caller, uint64_t now_ns,
		      uint64_t delay_ns)
{
	struct held *held = server->held.count < server->held_max ? malloc(sizeof(*held)) : NULL;
	bool hangs = server->with->request->effect == CALLS_HANG;

	if (held) {
		*held = (struct held){
			.item = {.due_ns = hangs ? UINT64_MAX - 1 : now_ns + delay_ns},
			.fd = fd,
			.began_ns = now_ns,
			.asked_ns = hangs ? 0 : delay_ns,
			.caller = *caller,
			.thread = thread,
			.is_asked_again = server->spaces != NULL,
		};
		if (!heap_push(&server->held, &held->item)) {
			server->shared->held = server->held.count;
			return;
		}
		free(held);
	}
	server->shared->overflowed++;
	answer(server, fd, FAN_ALLOW);
}

static void hit(struct server *server, int fd, pid_t thread, const struct caller *caller, uint64_t now_ns,
		uint64_t delay_ns)
{
	const struct calls_request *request = server->with->request;

	if (request->effect == CALLS_REFUSE) {
		refuse_call(server, fd, caller, now_ns);
		return;
	}
	count_hit(server->shared, caller, now_ns);
	if (request->effect == CALLS_DELAY)
		calls_count_delay(&server->shared->asked, delay_ns);
	hold_call(server, fd, thread, caller, now_ns, delay_ns);
}

/* Of disk_pressure: only calls for which there is no space are refused. */
static void give_space(struct server *server, int fd, pid_t thread, const struct caller *caller, uint64_t now_ns)
{
	switch (spaces_ask(server->spaces, fd, thread, caller, false)) {
	case SPACE_GRANT:
		answer(server, fd, FAN_ALLOW);
		break;
	case SPACE_REFUSE:
		refuse_call(server, fd, caller, now_ns);
		break;
	case SPACE_LATER:
		hold_call(server, fd, thread, caller, now_ns, SPACE_LATER_NS);
		break;
	}
}

static bool is_of_files(const struct server *server, int fd)
{
	const json_t *files = server->with->request->files;
	char path[PATH_MAX];

	if (!files)
		return true;
	calls_path_of(fd, path, sizeof(path));
	return calls_file_matches(files, server->root_names, server->with->root_count, path);
}

/* True if the call is one of those that the request is about; counts why not. */
static bool is_asked_for(struct server *server, int fd, const struct caller *caller)
{
	struct eval_calls *shared = server->shared;

	if (!caller->in_cgroup) {
		shared->other_cgroup++;
		return false;
	}
	shared->seen[caller->call]++;
	if (!(server->with->request->operations & 1U << caller->call)) {
		shared->other_operation++;
		return false;
	}
	if (!is_of_files(server, fd)) {
		shared->other_file++;
		return false;
	}
	return true;
}

static void take(struct server *server, const struct fanotify_event_metadata *event, uint64_t now_ns)
{
	const struct range_record *range = (const void *)(event + 1);
	struct caller caller = {};
	uint64_t delay_ns;
	bool is_hit;

	/* An overflow of the queue, which has no limit. */
	if (event->fd < 0)
		return;
	if (event->event_len >= sizeof(*event) + sizeof(*range) && range->header.info_type == INFO_RANGE) {
		caller.offset = range->offset;
		caller.length = range->count;
	}
	if (!calls_is_live(server->with, now_ns)) {
		answer(server, event->fd, FAN_ALLOW);
		return;
	}
	callers_look(server->callers, event->pid, event->fd, &caller);
	if (server->with->engine == &calls_permission)
		caller.call = EVAL_CALL_READ;
	if (caller.is_own || retries_take(&server->retries, event->fd, &caller, now_ns) ||
	    !is_asked_for(server, event->fd, &caller)) {
		answer(server, event->fd, FAN_ALLOW);
		return;
	}
	if (server->spaces) {
		retries_expect(&server->retries, event->fd, event->pid, &caller, now_ns + SPACE_LATER_NS);
		give_space(server, event->fd, event->pid, &caller, now_ns);
		return;
	}
	is_hit = calls_draw(server->with->request, server->shared->matched++, &delay_ns);
	/* A refused call ends: if io_uring makes it again (EAGAIN), that is another one. */
	if (!is_hit || server->with->request->effect != CALLS_REFUSE)
		retries_expect(&server->retries, event->fd, event->pid, &caller, now_ns + (is_hit ? delay_ns : 0));
	if (is_hit)
		hit(server, event->fd, event->pid, &caller, now_ns, delay_ns);
	else
		answer(server, event->fd, FAN_ALLOW);
}

/*
 * Until the queue is empty, but no longer than an end may stay unseen: a target that asks faster than we answer would
 * keep us here.
 */
static void take_all(struct server *server)
{
	_Alignas(struct fanotify_event_metadata) char buffer[2048];
	uint64_t now_ns = clock_monotonic_ns(), until_ns = now_ns + CALLS_LOOK_NS;
	ssize_t got;

	while (now_ns < until_ns && (got = read(server->marks.fan_fd, buffer, sizeof(buffer))) > 0) {
		const struct fanotify_event_metadata *event = (const void *)buffer;

		now_ns = clock_monotonic_ns();
		for (; FAN_EVENT_OK(event, got); event = FAN_EVENT_NEXT(event, got))
			take(server, event, now_ns);
		now_ns = clock_monotonic_ns();
		release_until(server, now_ns);
	}
}

enum { FD_QUESTIONS, FD_CHANGES, FD_HOLDER, FD_COUNT };

/* Waits at most wait_ns; after an error nothing is ready. */
static void wait_for_any(const struct server *server, struct pollfd fds[FD_COUNT], uint64_t wait_ns)
{
	const struct timespec timeout = {.tv_nsec = (long)wait_ns};

	fds[FD_QUESTIONS] = (struct pollfd){.fd = server->marks.fan_fd, .events = POLLIN};
	fds[FD_CHANGES] = (struct pollfd){.fd = server->marks.changes_fd, .events = POLLIN};
	fds[FD_HOLDER] = (struct pollfd){.fd = server->with->socket, .events = POLLIN};
	if (ppoll(fds, FD_COUNT, &timeout, NULL) < 0)
		fds[FD_QUESTIONS].revents = fds[FD_CHANGES].revents = fds[FD_HOLDER].revents = 0;
}

static void go_on(struct server *server, const struct pollfd fds[FD_COUNT])
{
	uint64_t now_ns = clock_monotonic_ns();

	calls_beat(server->with, now_ns);
	release_until(server, calls_is_live(server->with, now_ns) ? now_ns : UINT64_MAX);
	if (fds[FD_QUESTIONS].revents)
		take_all(server);
	/* The holder sends nothing: this is its end. */
	if (fds[FD_HOLDER].revents)
		_exit(0);
}

/* While folders are marked, which may take seconds: what cannot wait for its end. */
static void go_on_between(void *arg)
{
	struct pollfd fds[FD_COUNT];

	wait_for_any(arg, fds, 0);
	go_on(arg, fds);
}

/* Until the first call is due, at most until it is time to look whether the fault is live. */
static uint64_t wait_of(const struct server *server)
{
	const struct heap_item *first = heap_first(&server->held);
	uint64_t now_ns = clock_monotonic_ns(), until_ns = now_ns + CALLS_LOOK_NS;

	if (first)
		until_ns = clock_earlier(until_ns, first->due_ns);
	return until_ns > now_ns ? until_ns - now_ns : 0;
}

_Noreturn static void serve(struct server *server)
{
	struct pollfd fds[FD_COUNT] = {};

	for (;;) {
		go_on(server, fds);
		if (server->spaces)
			spaces_step(server->spaces, clock_monotonic_ns());
		if (fds[FD_CHANGES].revents)
			marks_follow(&server->marks);
		server->shared->folders = (__u32)server->marks.count;
		server->shared->folders_lost = server->marks.lost;
		wait_for_any(server, fds, wait_of(server));
	}
}

static int open_marks(struct server *server, struct error *err)
{
	struct marks *marks = &server->marks;
	int ret;

	marks->mask = server->with->engine->mask;
	marks->root_fds = server->with->root_fds;
	marks->root_count = server->with->root_count;
	marks->between = go_on_between;
	marks->between_arg = server;
	marks->fan_fd = calls_group_open(server->with->engine);
	if (marks->fan_fd < 0)
		return error_set_errno(err, marks->fan_fd, "cannot ask the kernel for file calls (fanotify)");
	marks->changes_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (marks->changes_fd < 0)
		return error_set_errno(err, -errno, "cannot watch for new folders (inotify)");
	ret = marks_set(marks);
	if (!ret && !marks->lost)
		return 0;
	ret = ret ?: marks->first_error;
	if (ret == -ENOSPC)
		return error_set(err, ret,
				 "too many folders below the data_dirs: %zu are marked, and the kernel allows no more: "
				 "raise fs.inotify.max_user_watches",
				 marks->count);
	return error_set_errno(err, ret, "cannot mark %llu of the folders below the data_dirs",
			       (unsigned long long)marks->lost);
}

/* Shares out the descriptors that there are. */
static int share_descriptors(struct server *server, struct error *err)
{
	size_t allowed, room;
	int ret = calls_raise_descriptors(&allowed, DESCRIPTORS, DESCRIPTORS_MIN, err);

	if (ret)
		return ret;
	room = allowed - DESCRIPTORS_OWN;
	server->threads_max = room / 4 < THREADS_MAX ? room / 4 : THREADS_MAX;
	server->held_max = room - server->threads_max < HELD_MAX ? room - server->threads_max : HELD_MAX;
	return 0;
}

_Noreturn void calls_serve(const struct calls_server *with)
{
	static struct server server;
	struct calls_server own = *with;
	int roots[CALLS_ROOTS];
	struct error err = {};

	server = (struct server){.with = &own, .shared = own.shared};
	if (share_descriptors(&server, &err)) {
		helper_answer(own.socket, &err);
		_exit(1);
	}
	calls_process_begin(&own, CALLS_PROCESS, roots);
	for (size_t i = 0; i < own.root_count; i++) {
		calls_path_of(roots[i], server.roots[i], sizeof(server.roots[i]));
		server.root_names[i] = server.roots[i];
	}
	if (!callers_new(&server.callers, own.has_cgroup ? &own.ctl->cgroup_id : NULL, server.threads_max, &err))
		open_marks(&server, &err);
	if (!err.code && own.request->effect == CALLS_FILL)
		spaces_new(&server.spaces, own.request, roots, own.root_count, own.shared, &err);
	calls_beat(&own, clock_monotonic_ns());
	if (!helper_answer(own.socket, &err) || err.code)
		_exit(1);
	serve(&server);
}

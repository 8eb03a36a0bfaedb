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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "chaos/helper.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fds.h"
#include "util/heap.h"
#include "util/sched.h"

/* A held call has a descriptor, and so has a thread that is remembered. A call beyond that many passes. */
#define HELD_MAX 4096
#define THREADS_MAX 1024
/* For the marks, the folders and what is open for a moment. */
#define DESCRIPTORS_OWN (CALLS_ROOTS + 2 * 64 + 16)
#define DESCRIPTORS_MIN (DESCRIPTORS_OWN + 64)
#define DESCRIPTORS (HELD_MAX + THREADS_MAX + DESCRIPTORS_OWN)
/* How soon an end from outside is seen (cleanup --now, the lease): they only store to memory. */
#define LOOK_NS (10 * NSEC_PER_MSEC)
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
};

/* A call that io_uring tried in the caller's thread, and may try again in one of its own: that is the same call. */
struct tried {
	pid_t thread;
	dev_t device;
	ino_t inode;
	uint64_t offset, length;
	uint64_t until_ns; /* when the other try has come, if it ever does */
};

#define TRIED_MAX 64
#define TRY_WITHIN_NS (20 * NSEC_PER_MSEC)

struct server {
	const struct calls_server *with;
	struct marks marks;
	struct callers *callers;
	struct heap held;
	struct eval_calls *shared;
	size_t held_max, threads_max;
	uint64_t matched; /* calls drawn for */
	struct tried tried[TRIED_MAX];
	size_t tried_next;
	char roots[CALLS_ROOTS][PATH_MAX];
	const char *root_names[CALLS_ROOTS];
};

static bool is_live(const struct server *server, uint64_t now_ns)
{
	const volatile struct eval_ctl *ctl = server->with->ctl;

	return now_ns < ctl->deadline_ns && now_ns < ctl->lease_ns;
}

static void answer(const struct server *server, int fd, unsigned int response)
{
	const struct fanotify_response reply = {.fd = fd, .response = response};

	/* The kernel takes it, or the caller was killed. */
	if (write(server->marks.fan_fd, &reply, sizeof(reply)) < 0 && response != FAN_ALLOW)
		answer(server, fd, FAN_ALLOW);
	close(fd);
}

static void count_delay(struct eval_histogram *histogram, uint64_t ns)
{
	uint64_t us = ns / NSEC_PER_USEC;
	unsigned int bucket = us < 2 ? 0 : 63 - (unsigned int)__builtin_clzll(us);

	if (bucket >= EVAL_HISTOGRAM_BUCKETS)
		bucket = EVAL_HISTOGRAM_BUCKETS - 1;
	histogram->sum_ns += ns;
	histogram->log2_us[bucket]++;
}

static void path_of(int fd, char *out, size_t size)
{
	char name[32];
	ssize_t got;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	got = readlink(name, out, size - 1);
	out[got < 0 ? 0 : got] = '\0';
}

static void keep_slowest(struct server *server, const struct held *held, uint64_t held_ns)
{
	struct eval_slow_call *list = server->shared->slowest, *slow;
	size_t at = EVAL_SLOW_CALLS, length;
	char path[PATH_MAX];

	while (at && list[at - 1].held_ns < held_ns)
		at--;
	if (at == EVAL_SLOW_CALLS)
		return;
	memmove(&list[at + 1], &list[at], (EVAL_SLOW_CALLS - 1 - at) * sizeof(*list));
	slow = &list[at];
	*slow = (struct eval_slow_call){
		.held_ns = held_ns,
		.asked_ns = held->asked_ns,
		.offset = held->caller.offset,
		.length = held->caller.length,
		.call = held->caller.call,
		.thread = (__u32)held->thread,
	};
	path_of(held->fd, path, sizeof(path));
	length = strlen(path);
	snprintf(slow->file, sizeof(slow->file), "%s",
		 path + (length < sizeof(slow->file) ? 0 : length - sizeof(slow->file) + 1));
}

static void release_first(struct server *server)
{
	struct held *held = (struct held *)heap_pop(&server->held);
	uint64_t held_ns;

	held_ns = clock_monotonic_ns() - held->began_ns;
	keep_slowest(server, held, held_ns);
	count_delay(&server->shared->applied, held_ns);
	if (held_ns < held->asked_ns || !held->asked_ns)
		server->shared->released++;
	answer(server, held->fd, FAN_ALLOW);
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
	struct eval_calls *shared = server->shared;

	shared->hit[caller->call]++;
	shared->bytes += caller->length;
	if (!shared->first_hit_ns)
		__atomic_store_n(&shared->first_hit_ns, now_ns, __ATOMIC_RELEASE);
	if (request->effect == CALLS_REFUSE) {
		answer(server, fd, FAN_DENY | (unsigned int)request->refusal << ERRNO_SHIFT);
		return;
	}
	if (request->effect == CALLS_DELAY)
		count_delay(&shared->asked, delay_ns);
	hold_call(server, fd, thread, caller, now_ns, delay_ns);
}

static bool is_of_files(const struct server *server, int fd)
{
	const json_t *files = server->with->request->files;
	char path[PATH_MAX];

	if (!files)
		return true;
	path_of(fd, path, sizeof(path));
	return calls_file_matches(files, server->root_names, server->with->root_count, path);
}

/* Remembers a call that io_uring may try again once it was answered, after delay_ns. */
static void remember_try(struct server *server, const struct fanotify_event_metadata *event,
			 const struct caller *caller, uint64_t until_ns)
{
	struct stat st;

	if (!caller->is_uring || caller->submitter || fstat(event->fd, &st))
		return;
	server->tried[server->tried_next++ % TRIED_MAX] = (struct tried){
		.thread = event->pid,
		.device = st.st_dev,
		.inode = st.st_ino,
		.offset = caller->offset,
		.length = caller->length,
		.until_ns = until_ns,
	};
}

/* True if io_uring has tried the call before. */
static bool is_second_try(struct server *server, int fd, const struct caller *caller, uint64_t now_ns)
{
	struct stat st;

	if (!caller->submitter || fstat(fd, &st))
		return false;
	for (size_t i = 0; i < TRIED_MAX; i++) {
		struct tried *one = &server->tried[i];

		if (one->thread != caller->submitter || one->until_ns < now_ns || one->device != st.st_dev ||
		    one->inode != st.st_ino || one->offset != caller->offset || one->length != caller->length)
			continue;
		one->thread = 0;
		return true;
	}
	return false;
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
	if (!is_live(server, now_ns)) {
		answer(server, event->fd, FAN_ALLOW);
		return;
	}
	callers_look(server->callers, event->pid, event->fd, &caller);
	if (server->with->engine == &calls_permission)
		caller.call = EVAL_CALL_READ;
	if (caller.is_own || is_second_try(server, event->fd, &caller, now_ns) ||
	    !is_asked_for(server, event->fd, &caller)) {
		answer(server, event->fd, FAN_ALLOW);
		return;
	}
	is_hit = calls_draw(server->with->request, server->matched++, &delay_ns);
	remember_try(server, event, &caller, now_ns + (is_hit ? delay_ns : 0) + TRY_WITHIN_NS);
	if (is_hit)
		hit(server, event->fd, event->pid, &caller, now_ns, delay_ns);
	else
		answer(server, event->fd, FAN_ALLOW);
}

/* Until the queue is empty, but no longer than a call may be late. */
static void take_all(struct server *server)
{
	_Alignas(struct fanotify_event_metadata) char buffer[2048];
	ssize_t got;

	while ((got = read(server->marks.fan_fd, buffer, sizeof(buffer))) > 0) {
		const struct fanotify_event_metadata *event = (const void *)buffer;
		uint64_t now_ns = clock_monotonic_ns();

		for (; FAN_EVENT_OK(event, got); event = FAN_EVENT_NEXT(event, got))
			take(server, event, now_ns);
		release_until(server, clock_monotonic_ns());
	}
}

static void wait_for_questions(struct server *server, struct pollfd fds[3])
{
	const struct heap_item *first = heap_first(&server->held);
	uint64_t now_ns = clock_monotonic_ns(), until_ns = now_ns + LOOK_NS, left_ns;
	struct timespec timeout;

	if (first)
		until_ns = clock_earlier(until_ns, first->due_ns);
	left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	timeout = (struct timespec){.tv_nsec = (long)left_ns};
	fds[0] = (struct pollfd){.fd = server->marks.fan_fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = server->marks.changes_fd, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = server->with->socket, .events = POLLIN};
	if (ppoll(fds, 3, &timeout, NULL) < 0)
		fds[0].revents = fds[1].revents = fds[2].revents = 0;
}

_Noreturn static void serve(struct server *server)
{
	struct pollfd fds[3] = {};

	for (;;) {
		uint64_t now_ns = clock_monotonic_ns();

		__atomic_store_n(&server->shared->beat_ns, now_ns, __ATOMIC_RELEASE);
		release_until(server, is_live(server, now_ns) ? now_ns : UINT64_MAX);
		if (fds[0].revents)
			take_all(server);
		if (fds[1].revents)
			marks_follow(&server->marks);
		server->shared->folders = (__u32)server->marks.count;
		server->shared->folders_lost = server->marks.lost;
		/* The holder sends nothing: this is its end. */
		if (fds[2].revents)
			_exit(0);
		wait_for_questions(server, fds);
	}
}

static int open_marks(struct server *server, struct error *err)
{
	struct marks *marks = &server->marks;
	int ret;

	marks->mask = server->with->engine->mask;
	marks->root_fds = server->with->root_fds;
	marks->root_count = server->with->root_count;
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

/* Raises the limit of descriptors if that is allowed, and shares out what there is. */
static int limit_descriptors(struct server *server, struct error *err)
{
	struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};
	size_t room;

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < DESCRIPTORS_MIN)
		return error_set(err, -EMFILE,
				 "holding calls needs %d descriptors, and %llu are allowed: raise RLIMIT_NOFILE "
				 "(ulimit -n)",
				 DESCRIPTORS_MIN, (unsigned long long)limit.rlim_cur);
	room = limit.rlim_cur - DESCRIPTORS_OWN;
	server->threads_max = room / 4 < THREADS_MAX ? room / 4 : THREADS_MAX;
	server->held_max = room - server->threads_max < HELD_MAX ? room - server->threads_max : HELD_MAX;
	return 0;
}

static void prepare_process(struct calls_server *with, int roots[CALLS_ROOTS])
{
	int *slots[CALLS_ROOTS + 1];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The default timer slack makes answers up to 50 µs late. */
	prctl(PR_SET_TIMERSLACK, 1);
	slots[0] = &with->socket;
	for (size_t i = 0; i < with->root_count; i++) {
		roots[i] = with->root_fds[i];
		slots[i + 1] = &roots[i];
	}
	with->root_fds = roots;
	helper_settle("eval-calls", slots, with->root_count + 1);
}

_Noreturn void calls_serve(const struct calls_server *with)
{
	static struct server server;
	struct calls_server own = *with;
	int roots[CALLS_ROOTS];
	struct error err = {};

	server = (struct server){.with = &own, .shared = own.shared};
	if (limit_descriptors(&server, &err)) {
		helper_answer(own.socket, &err);
		_exit(1);
	}
	prepare_process(&own, roots);
	for (size_t i = 0; i < own.root_count; i++) {
		path_of(roots[i], server.roots[i], sizeof(server.roots[i]));
		server.root_names[i] = server.roots[i];
	}
	if (!callers_new(&server.callers, own.has_cgroup ? &own.ctl->cgroup_id : NULL, server.threads_max, &err))
		open_marks(&server, &err);
	if (!helper_answer(own.socket, &err) || err.code)
		_exit(1);
	serve(&server);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process eval-stall: a square wave of held files. It never waits for a file of the target itself, only its threads
 * do, and when it ends, however it ends, the writers go on.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/helper.h"
#include "chaos/calls/stall.h"

/* A file is open twice, and so is each folder on the way to it. */
#define DESCRIPTORS (2 * CALLS_STALL_FILES + 2 * 64 + CALLS_ROOTS + 32)
/* How long open files count as those that are there; and how long before a stall they are opened. */
#define FRESH_NS (100 * NSEC_PER_MSEC)
/* How often waiters are counted in a long stall, for bpf-status, and for the case that it ends early. */
#define COUNT_NS (250 * NSEC_PER_MSEC)
/* How long before a stall's end they are counted, at least. */
#define COUNT_BEFORE_NS (2 * NSEC_PER_MSEC)

struct stall {
	struct calls_server with;
	int roots[CALLS_ROOTS];
	struct stall_files files;
	struct stall_locks locks;
	struct stall_waiters waiters;
	uint64_t round_ns; /* how long it took to look at all processes */
	bool has_ended;    /* the holder has closed its end of the socket */
};

/* The holder sends nothing: a message is its end. Returns false once the fault is not live. */
static bool stall_look_around(struct stall *stall, uint64_t until_ns)
{
	struct pollfd fd = {.fd = stall->with.socket, .events = POLLIN};
	uint64_t now_ns = clock_monotonic_ns(), left_ns;

	calls_beat(&stall->with, now_ns);
	until_ns = clock_earlier(until_ns, now_ns + CALLS_LOOK_NS);
	left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	stall->has_ended = ppoll(&fd, 1, &(struct timespec){.tv_nsec = (long)left_ns}, NULL) > 0;
	return !stall->has_ended && calls_is_live(&stall->with, clock_monotonic_ns());
}

/* Looks at who waits, as far as it can be done until then, without a longer pause in looking around. */
static bool count_waiters(struct stall *stall, uint64_t until_ns)
{
	uint64_t began_ns = clock_monotonic_ns(), now_ns;
	bool whole = false, live = true;

	stall_waiters_begin(&stall->waiters);
	do {
		now_ns = clock_monotonic_ns();
		whole = stall_waiters_look(&stall->waiters, clock_earlier(until_ns, now_ns + CALLS_LOOK_NS));
		live = stall_look_around(stall, 0);
	} while (live && !whole && clock_monotonic_ns() < until_ns);
	stall->round_ns = clock_monotonic_ns() - began_ns;
	stall->with.shared->held = stall->waiters.count;
	return live;
}

/* Until the stall is to end, or the fault has ended. */
static bool hold_until(struct stall *stall, uint64_t began_ns, uint64_t end_ns)
{
	uint64_t before_ns = 2 * stall->round_ns, last_ns, count_ns = began_ns + COUNT_NS;
	bool live = true;

	before_ns = before_ns > COUNT_BEFORE_NS ? before_ns : COUNT_BEFORE_NS;
	last_ns = end_ns - clock_earlier(before_ns, (end_ns - began_ns) / 2);
	while (live && clock_monotonic_ns() < last_ns) {
		live = stall_look_around(stall, clock_earlier(last_ns, count_ns));
		if (live && clock_monotonic_ns() >= count_ns && count_ns < last_ns) {
			live = count_waiters(stall, last_ns);
			count_ns = clock_monotonic_ns() + COUNT_NS;
		}
	}
	if (live)
		live = count_waiters(stall, end_ns);
	while (live && clock_monotonic_ns() < end_ns)
		live = stall_look_around(stall, end_ns);
	return live;
}

static void count_hits(struct stall *stall, uint64_t began_ns, uint64_t held_ns, bool early)
{
	struct eval_calls *shared = stall->with.shared;
	const struct stall_waiters *waiters = &stall->waiters;

	for (size_t i = 0; i < waiters->count; i++) {
		const struct stall_waiter *waiter = &waiters->list[i];

		shared->seen[waiter->call]++;
		shared->hit[waiter->call]++;
		shared->bytes += waiter->call == EVAL_CALL_WRITE ? waiter->length : 0;
		calls_count_delay(&shared->asked, stall->with.request->stall_ns);
		calls_count_held(shared,
				 &(struct eval_slow_call){
					 .held_ns = held_ns,
					 .asked_ns = stall->with.request->stall_ns,
					 .offset = waiter->offset,
					 .length = waiter->length,
					 .call = waiter->call,
					 .thread = (__u32)waiter->thread,
				 },
				 stall->files.list[waiter->file].fd);
	}
	if (waiters->count && !shared->first_hit_ns)
		__atomic_store_n(&shared->first_hit_ns, began_ns, __ATOMIC_RELEASE);
	shared->released += early ? waiters->count : 0;
	shared->other_cgroup += waiters->others;
	shared->held = 0;
}

static void stall_once(struct stall *stall)
{
	struct eval_calls *shared = stall->with.shared;
	uint64_t began_ns, held_ns;
	size_t begun, failed;
	bool whole;

	stall->waiters.count = stall->waiters.others = 0;
	began_ns = clock_monotonic_ns();
	begun = stall_locks_take(&stall->locks, &stall->files);
	shared->stalls += begun > 0;
	shared->files_stalled = begun;
	whole = hold_until(stall, began_ns, began_ns + stall->with.request->stall_ns);
	failed = stall_locks_let_go(&stall->locks);
	held_ns = clock_monotonic_ns() - began_ns;
	failed += stall->files.count - begun;
	shared->files_stalled = stall->files.count - failed;
	shared->folders_lost = stall->files.lost + failed;
	count_hits(stall, began_ns, held_ns, !whole);
}

static void look_for_files(struct stall *stall)
{
	struct eval_calls *shared = stall->with.shared;

	stall_files_open(&stall->files);
	shared->folders = stall->files.folders;
	shared->folders_lost = stall->files.lost;
	shared->overflowed = stall->files.beyond;
}

/* An open file that is removed keeps its space. */
static void close_old_files(struct stall *stall)
{
	if (clock_monotonic_ns() > stall->files.looked_ns + FRESH_NS)
		stall_files_close(&stall->files);
}

_Noreturn static void make_wave(struct stall *stall)
{
	const struct calls_request *request = stall->with.request;
	uint64_t next_ns = 0, now_ns;

	for (;;) {
		if (!stall_look_around(stall, next_ns ? next_ns : UINT64_MAX)) {
			if (stall->has_ended)
				_exit(0);
			close_old_files(stall);
			next_ns = 0;
			continue;
		}
		now_ns = clock_monotonic_ns();
		next_ns = next_ns ? next_ns : now_ns;
		/* Before it is time, so that opening them takes nothing from the wave. */
		if (!stall->files.looked_ns && next_ns < now_ns + FRESH_NS)
			look_for_files(stall);
		if (clock_monotonic_ns() < next_ns)
			continue;
		if (stall->files.count)
			stall_once(stall);
		now_ns = clock_monotonic_ns();
		/* In step with the first one, whatever was missed. */
		next_ns += ((now_ns - next_ns) / request->every_ns + 1) * request->every_ns;
		close_old_files(stall);
	}
}

_Noreturn void calls_stall(const struct calls_server *with)
{
	static struct stall stall;
	struct error err = {};
	size_t allowed;

	stall.with = *with;
	if (!calls_raise_descriptors(&allowed, DESCRIPTORS, DESCRIPTORS, &err)) {
		calls_process_begin(&stall.with, CALLS_STALL_PROCESS, stall.roots);
		if (!stall_files_init(&stall.files, &stall.with, &err) && !stall_locks_init(&stall.locks, &err))
			stall_waiters_init(&stall.waiters, &stall.files, &err);
	}
	/* So that the first stall begins as soon as the fault is live. */
	if (!err.code)
		look_for_files(&stall);
	if (!helper_answer(stall.with.socket, &err) || err.code)
		_exit(1);
	make_wave(&stall);
}

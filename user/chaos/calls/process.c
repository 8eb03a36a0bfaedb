/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the processes eval-calls and eval-stall have in common: how they begin, when they are live, what they count. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "chaos/helper.h"
#include "kernel/session.h"
#include "util/cleanup.h"
#include "util/clock.h"

int calls_program_find(struct calls_program *out, struct error *err)
{
	struct stat own;

	if (stat("/proc/self/exe", &own))
		return error_set_errno(err, -errno, "cannot identify eval's own binary");
	*out = (struct calls_program){own.st_dev, own.st_ino};
	return 0;
}

/* Does not ask who serves the binary's file system. */
bool calls_program_is(const struct calls_program *program, int directory_fd, const char *exe)
{
	struct statx st;

	return !statx(directory_fd, exe, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &st) &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == program->device && st.stx_ino == program->inode;
}

int calls_raise_descriptors(size_t *allowed, size_t wanted, size_t least, struct error *err)
{
	struct rlimit limit = {wanted, wanted};

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < least)
		return error_set(err, -EMFILE,
				 "holding calls needs %zu descriptors, and %llu are allowed: raise RLIMIT_NOFILE "
				 "(ulimit -n)",
				 least, (unsigned long long)limit.rlim_cur);
	*allowed = limit.rlim_cur;
	return 0;
}

void calls_process_begin(struct calls_server *with, const char *name, int roots[CALLS_ROOTS])
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
	helper_settle(name, slots, with->root_count + 1);
}

bool calls_is_live(const struct calls_server *server, uint64_t now_ns)
{
	return session_ctl_is_live(server->ctl, now_ns);
}

void calls_beat(const struct calls_server *server, uint64_t now_ns)
{
	__atomic_store_n(&server->shared->beat_ns, now_ns, __ATOMIC_RELEASE);
}

void calls_path_of(int fd, char *out, size_t size)
{
	char name[32];
	ssize_t got;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	got = readlink(name, out, size - 1);
	out[got < 0 ? 0 : got] = '\0';
}

void calls_count_delay(struct eval_histogram *histogram, uint64_t ns)
{
	uint64_t us = ns / NSEC_PER_USEC;
	unsigned int bucket = us < 2 ? 0 : 63 - (unsigned int)__builtin_clzll(us);

	if (bucket >= EVAL_HISTOGRAM_BUCKETS)
		bucket = EVAL_HISTOGRAM_BUCKETS - 1;
	histogram->sum_ns += ns;
	histogram->log2_us[bucket]++;
}

void calls_count_held(struct eval_calls *shared, const struct eval_slow_call *call, int fd)
{
	struct eval_slow_call *list = shared->slowest, *slow;
	size_t at = EVAL_SLOW_CALLS, length;
	char path[PATH_MAX];

	calls_count_delay(&shared->applied, call->held_ns);
	while (at && list[at - 1].held_ns < call->held_ns)
		at--;
	if (at == EVAL_SLOW_CALLS)
		return;
	memmove(&list[at + 1], &list[at], (EVAL_SLOW_CALLS - 1 - at) * sizeof(*list));
	slow = &list[at];
	*slow = *call;
	calls_path_of(fd, path, sizeof(path));
	length = strlen(path);
	snprintf(slow->file, sizeof(slow->file), "%s",
		 path + (length < sizeof(slow->file) ? 0 : length - sizeof(slow->file) + 1));
}

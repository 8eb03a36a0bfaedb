/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who calls, and what: from /proc of the thread, which cannot change while it waits for our answer. A descriptor of
 * /proc/TID/syscall is kept for each thread: it is of that thread, not of its number, so that a reused number is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "chaos/calls/uring.h"
#include "process/cgroup.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* How long a thread counts as of its program and in its cgroup without another look. */
#define LOOK_AGAIN_NS (200 * NSEC_PER_MSEC)
#define IOCBS_MAX 128
/* How long to wait for a thread to fall asleep: in all, longer than a processor is given to others. */
#define SLEEP_STEP_NS 20000
#define SLEEP_TRIES 500

struct known {
	pid_t thread;
	int syscall_fd; /* -1: free */
	bool is_own, in_cgroup, polls_ring;
	pid_t submitter;               /* of an io_uring worker */
	uint64_t cgroup_id, looked_ns; /* what in_cgroup is about */
	struct uring rings;            /* the thread's, or its submitter's */
};

struct callers {
	const volatile __u64 *cgroup_id; /* NULL: none is given */
	int cgroup_root;
	struct calls_program own;
	size_t slots; /* a further thread takes the place of another */
	struct known known[];
};

int callers_new(struct callers **out, const volatile __u64 *cgroup_id, size_t threads_max, struct error *err)
{
	struct callers *callers = calloc(1, sizeof(*callers) + threads_max * sizeof(struct known));
	int ret;

	if (!callers)
		return error_set(err, -ENOMEM, "out of memory");
	ret = calls_program_find(&callers->own, err);
	if (ret) {
		free(callers);
		return ret;
	}
	callers->cgroup_id = cgroup_id;
	callers->cgroup_root = cgroup_root_open();
	callers->slots = threads_max;
	for (size_t i = 0; i < threads_max; i++)
		callers->known[i].syscall_fd = -1;
	*out = callers;
	return 0;
}

static ssize_t read_proc(pid_t thread, const char *name, char *out, size_t size)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/%s", thread, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, out, size - 1);
	out[got < 0 ? 0 : got] = '\0';
	return got;
}

bool caller_is_in_cgroup(int cgroup_root, pid_t thread, uint64_t id)
{
	static const char v2[] = "\n0::/";
	char text[4096 + 64] = "\n", *line;

	if (read_proc(thread, "cgroup", text + 1, sizeof(text) - 1) < 0)
		return false;
	line = strstr(text, v2);
	if (!line)
		return false;
	line += strlen(v2);
	line[strcspn(line, "\n")] = '\0';
	while (*line) {
		char *last = strrchr(line, '/');

		if (cgroup_id(cgroup_root, line) == id)
			return true;
		*(last ?: line) = '\0';
	}
	return false;
}

static void known_load(struct known *known, pid_t thread)
{
	char path[64], comm[32];

	fd_close(known->syscall_fd);
	*known = (struct known){.thread = thread};
	snprintf(path, sizeof(path), "/proc/%d/syscall", thread);
	known->syscall_fd = open(path, O_RDONLY | O_CLOEXEC);
	read_proc(thread, "comm", comm, sizeof(comm));
	/* Linux names them so: a worker by its submitter, and the thread that polls a ring (SQPOLL). */
	if (sscanf(comm, "iou-wrk-%d", &known->submitter) != 1)
		known->submitter = 0;
	known->polls_ring = !strncmp(comm, "iou-sqp-", 8);
}

int caller_read_call(int syscall_fd, struct system_call *call)
{
	char text[256], *at = text;
	ssize_t got = pread(syscall_fd, text, sizeof(text) - 1, 0);

	*call = (struct system_call){.number = -1};
	if (got <= 0)
		return -ESRCH;
	text[got] = '\0';
	/* "running" */
	if (*text == 'r')
		return -EAGAIN;
	call->number = strtol(text, &at, 10);
	for (size_t i = 0; i < ARRAY_SIZE(call->args); i++)
		call->args[i] = strtoul(at, &at, 16);
	return 0;
}

/*
 * The call of a thread that has asked us: it may still be on its way to sleep, and is then running. We sleep, too: on
 * this processor it cannot run before.
 */
static bool read_asking(int syscall_fd, struct system_call *call)
{
	const struct timespec pause = {.tv_nsec = SLEEP_STEP_NS};
	int ret = caller_read_call(syscall_fd, call);

	for (int i = 0; ret == -EAGAIN && i < SLEEP_TRIES; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		ret = caller_read_call(syscall_fd, call);
	}
	return !ret;
}

bool caller_descriptor(pid_t thread, int descriptor, uint64_t *position, uint64_t *flags)
{
	char name[32], text[256];

	snprintf(name, sizeof(name), "fdinfo/%d", descriptor);
	return read_proc(thread, name, text, sizeof(text)) > 0 &&
	       sscanf(text, "pos: %" SCNu64 " flags: %" SCNo64, position, flags) == 2;
}

/* Finds the one of io_submit's requests whose pages the event has. */
static enum eval_call find_iocb(pid_t thread, const struct system_call *call, int file_fd, struct caller *out)
{
	unsigned long count = call->args[1] < IOCBS_MAX ? call->args[1] : IOCBS_MAX, addresses[IOCBS_MAX];

	if (!count || !caller_read(thread, call->args[2], addresses, count * sizeof(*addresses)))
		return EVAL_CALL_UNKNOWN;
	for (unsigned long i = 0; i < count; i++) {
		struct iocb iocb;
		bool vectored;

		if (!caller_read(thread, addresses[i], &iocb, sizeof(iocb)))
			return EVAL_CALL_UNKNOWN;
		/* The event's range is the call's, rounded to pages. */
		vectored = iocb.aio_lio_opcode == IOCB_CMD_PREADV || iocb.aio_lio_opcode == IOCB_CMD_PWRITEV;
		if ((uint64_t)iocb.aio_offset < out->offset || (uint64_t)iocb.aio_offset >= out->offset + out->length ||
		    !caller_has_file(thread, iocb.aio_fildes, file_fd))
			continue;
		out->descriptor = (int)iocb.aio_fildes;
		out->offset = (uint64_t)iocb.aio_offset;
		out->length = vectored ? out->length : iocb.aio_nbytes;
		out->exact = !vectored;
		if (iocb.aio_lio_opcode == IOCB_CMD_PREAD || iocb.aio_lio_opcode == IOCB_CMD_PREADV)
			return EVAL_CALL_READ;
		if (iocb.aio_lio_opcode == IOCB_CMD_PWRITE || iocb.aio_lio_opcode == IOCB_CMD_PWRITEV)
			return EVAL_CALL_WRITE;
	}
	return EVAL_CALL_UNKNOWN;
}

static enum eval_call positioned(enum eval_call call, const struct system_call *system_call, struct caller *out)
{
	out->descriptor = (int)system_call->args[0];
	out->length = system_call->args[2];
	out->offset = system_call->args[3];
	out->exact = true;
	return call;
}

/* The call reads one file and writes the other, at most what the first has left: it may ask for much more. */
static enum eval_call copies(pid_t thread, unsigned long to, unsigned long from, unsigned long position_at, int file_fd,
			     struct caller *out)
{
	uint64_t position = 0, flags;
	struct statx source;

	if (!caller_has_file(thread, to, file_fd))
		return EVAL_CALL_READ;
	out->descriptor = (int)to;
	if (!caller_stat(thread, from, STATX_TYPE | STATX_SIZE, &source) || !S_ISREG(source.stx_mode))
		return EVAL_CALL_WRITE;
	if (!position_at || !caller_read(thread, position_at, &position, sizeof(position)))
		caller_descriptor(thread, (int)from, &position, &flags);
	if (position >= source.stx_size)
		out->length = 0;
	else if (out->length > source.stx_size - position)
		out->length = source.stx_size - position;
	return EVAL_CALL_WRITE;
}

/* The call may ask for much more than its pipe has. */
static enum eval_call splices(pid_t thread, const struct system_call *call, int file_fd, struct caller *out)
{
	_cleanup_close_ int pipe_fd = -1;
	struct statx st;
	char path[64];
	int bytes = 0;

	if (!caller_has_file(thread, call->args[2], file_fd))
		return EVAL_CALL_READ;
	out->descriptor = (int)call->args[2];
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread, (int)call->args[0]);
	if (caller_stat(thread, call->args[0], STATX_TYPE, &st) && S_ISFIFO(st.stx_mode))
		pipe_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (pipe_fd < 0 || ioctl(pipe_fd, FIONREAD, &bytes) || bytes < 0)
		bytes = 0;
	if (out->length > (uint64_t)bytes)
		out->length = (uint64_t)bytes;
	return EVAL_CALL_WRITE;
}

static enum eval_call call_of_system(pid_t thread, const struct system_call *call, int file_fd, struct caller *out)
{
	switch (call->number) {
	case SYS_pread64:
		return positioned(EVAL_CALL_READ, call, out);
	case SYS_pwrite64:
		return positioned(EVAL_CALL_WRITE, call, out);
	case SYS_write:
		out->length = call->args[2];
		out->exact = true;
		out->descriptor = (int)call->args[0];
		return EVAL_CALL_WRITE;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
		out->descriptor = (int)call->args[0];
		return EVAL_CALL_WRITE;
	case SYS_fallocate:
		out->mode = (int)call->args[1];
		out->offset = call->args[2];
		out->length = call->args[3];
		return EVAL_CALL_FALLOCATE;
	case SYS_truncate:
	case SYS_ftruncate:
	case SYS_openat:
	case SYS_openat2:
#ifdef SYS_open
	case SYS_open:
	case SYS_creat:
#endif
		return EVAL_CALL_TRUNCATE;
	/* They read one file and write the other. */
	case SYS_sendfile:
		return copies(thread, call->args[0], call->args[1], call->args[2], file_fd, out);
	case SYS_copy_file_range:
		return copies(thread, call->args[2], call->args[0], call->args[1], file_fd, out);
	case SYS_splice:
		return splices(thread, call, file_fd, out);
	case SYS_io_submit:
		return find_iocb(thread, call, file_fd, out);
	default:
		return EVAL_CALL_READ; /* read and its like, mmap, and page faults */
	}
}

/* A thread may execute another program, and be moved to another cgroup. */
static void know_thread(struct callers *callers, struct known *known)
{
	uint64_t id = callers->cgroup_id ? *callers->cgroup_id : 0, now_ns = clock_monotonic_ns();
	char path[64];

	if (known->looked_ns && known->cgroup_id == id && now_ns - known->looked_ns < LOOK_AGAIN_NS)
		return;
	snprintf(path, sizeof(path), "/proc/%d/exe", known->thread);
	known->is_own = calls_program_is(&callers->own, AT_FDCWD, path);
	known->in_cgroup = !callers->cgroup_id || (id && caller_is_in_cgroup(callers->cgroup_root, known->thread, id));
	known->cgroup_id = id;
	known->looked_ns = now_ns;
}

void callers_look(struct callers *callers, pid_t thread, int file_fd, struct caller *out)
{
	struct known *known = &callers->known[(size_t)thread % callers->slots];
	struct system_call call;
	bool got;

	out->call = EVAL_CALL_UNKNOWN;
	out->exact = out->is_own = out->in_cgroup = out->is_uring = false;
	out->submitter = 0;
	out->descriptor = -1;
	out->mode = 0;
	/* A process of another PID namespace, which has no number here. */
	if (thread <= 0) {
		out->in_cgroup = !callers->cgroup_id;
		return;
	}
	got = known->thread == thread && read_asking(known->syscall_fd, &call);
	if (!got) {
		known_load(known, thread);
		got = read_asking(known->syscall_fd, &call);
	}
	know_thread(callers, known);
	out->is_own = known->is_own;
	out->in_cgroup = known->in_cgroup;
	out->submitter = known->submitter;
	out->is_uring = out->submitter || known->polls_ring || (got && call.number == SYS_io_uring_enter);
	if (out->is_uring)
		out->call = uring_call(&known->rings, out->submitter ?: thread, file_fd, out);
	else if (got)
		out->call = call_of_system(thread, &call, file_fd, out);
}

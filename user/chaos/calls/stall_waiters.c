/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the threads that wait for a stalled file: in a call that writes to it, by /proc/TID/syscall, and in state D.
 * Only finds: whoever waits would wait unseen.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chaos/calls/stall.h"
#include "chaos/calls/uring.h"
#include "process/cgroup.h"
#include "util/cleanup.h"

#define REQUESTS_MAX 128

int stall_waiters_init(struct stall_waiters *waiters, const struct stall_files *files, struct error *err)
{
	*waiters = (struct stall_waiters){.with = files->with, .files = files};
	waiters->proc = opendir("/proc");
	if (!waiters->proc)
		return error_set_errno(err, -errno, "cannot read /proc");
	waiters->proc_fd = dirfd(waiters->proc);
	waiters->cgroup_root = cgroup_root_open();
	return 0;
}

/* The stalled file that the thread's descriptor is; CALLS_STALL_FILES if none. */
static size_t file_of(const struct stall_waiters *waiters, pid_t thread, unsigned long descriptor)
{
	const struct stall_files *files = waiters->files;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%d/fd/%d", thread, (int)descriptor);
	if (!fstatat(waiters->proc_fd, path, &st, 0))
		for (size_t i = 0; i < files->count; i++)
			if (files->list[i].inode == st.st_ino && files->list[i].device == st.st_dev)
				return i;
	return CALLS_STALL_FILES;
}

/* io_submit makes its calls one after the other, so one of its files is enough. */
static size_t file_of_requests(const struct stall_waiters *waiters, pid_t thread, const struct system_call *call)
{
	unsigned long count = call->args[1] < REQUESTS_MAX ? call->args[1] : REQUESTS_MAX, addresses[REQUESTS_MAX];
	size_t file = CALLS_STALL_FILES;

	if (!count || !caller_read(thread, call->args[2], addresses, count * sizeof(*addresses)))
		return CALLS_STALL_FILES;
	for (unsigned long i = 0; file == CALLS_STALL_FILES && i < count; i++) {
		struct iocb iocb;

		if (caller_read(thread, addresses[i], &iocb, sizeof(iocb)) &&
		    (iocb.aio_lio_opcode == IOCB_CMD_PWRITE || iocb.aio_lio_opcode == IOCB_CMD_PWRITEV))
			file = file_of(waiters, thread, iocb.aio_fildes);
	}
	return file;
}

static bool writes_to(const struct stall_waiters *waiters, pid_t thread, const struct system_call *call,
		      struct stall_waiter *out)
{
	size_t target = 0;

	*out = (struct stall_waiter){.thread = thread, .call = EVAL_CALL_WRITE, .file = CALLS_STALL_FILES};
	switch (call->number) {
	case SYS_pwrite64:
		out->offset = call->args[3];
		out->length = call->args[2];
		break;
	case SYS_write:
		out->length = call->args[2];
		break;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendfile:
		break;
	case SYS_splice:
	case SYS_copy_file_range:
		target = 2;
		break;
	case SYS_fallocate:
		out->call = EVAL_CALL_FALLOCATE;
		out->offset = call->args[2];
		out->length = call->args[3];
		break;
	case SYS_ftruncate:
		out->call = EVAL_CALL_TRUNCATE;
		break;
	case SYS_io_submit:
		out->file = file_of_requests(waiters, thread, call);
		return out->file < CALLS_STALL_FILES;
	default:
		return false;
	}
	out->file = file_of(waiters, thread, call->args[target]);
	return out->file < CALLS_STALL_FILES;
}

/* The letter behind the name, which may itself contain anything. */
static bool is_in_state_d(int task_fd, const char *thread)
{
	char path[NAME_MAX + 16], text[512];
	_cleanup_close_ int fd = -1;
	const char *name_end;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/stat", thread);
	fd = openat(task_fd, path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[got < 0 ? 0 : got] = '\0';
	name_end = strrchr(text, ')');
	return name_end && name_end[1] == ' ' && name_end[2] == 'D';
}

static bool is_found(const struct stall_waiters *waiters, pid_t thread)
{
	for (size_t i = 0; i < waiters->count; i++)
		if (waiters->list[i].thread == thread)
			return true;
	for (size_t i = 0; i < waiters->others; i++)
		if (waiters->other[i] == thread)
			return true;
	return false;
}

static void remember_process(struct stall_waiters *waiters, pid_t process)
{
	for (size_t i = 0; i < waiters->known_count; i++)
		if (waiters->known[i] == process)
			return;
	if (waiters->known_count < WAITERS_KNOWN)
		waiters->known[waiters->known_count++] = process;
}

static void add_waiter(struct stall_waiters *waiters, pid_t process, const struct stall_waiter *waiter)
{
	uint64_t id = waiters->with->has_cgroup ? waiters->with->ctl->cgroup_id : 0;

	if (waiters->with->has_cgroup && (!id || !caller_is_in_cgroup(waiters->cgroup_root, waiter->thread, id))) {
		if (waiters->others < WAITERS_MAX)
			waiters->other[waiters->others++] = waiter->thread;
		return;
	}
	if (waiters->count < WAITERS_MAX)
		waiters->list[waiters->count++] = *waiter;
	remember_process(waiters, process);
}

static void look_at_thread(struct stall_waiters *waiters, int task_fd, pid_t process, const char *name)
{
	char path[NAME_MAX + 16];
	_cleanup_close_ int fd = -1;
	struct stall_waiter waiter;
	struct system_call call;

	snprintf(path, sizeof(path), "%s/syscall", name);
	fd = openat(task_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || caller_read_call(fd, &call) || !writes_to(waiters, (pid_t)atoi(name), &call, &waiter))
		return;
	if (is_in_state_d(task_fd, name) && !is_found(waiters, waiter.thread))
		add_waiter(waiters, process, &waiter);
}

static void look_at_process(struct stall_waiters *waiters, pid_t process, uint64_t until_ns)
{
	char name[32];
	_cleanup_close_ int proc_fd = -1;
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int task_fd;

	snprintf(name, sizeof(name), "%d", process);
	proc_fd = openat(waiters->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	task_fd = proc_fd < 0 ? -1 : openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = task_fd < 0 ? NULL : fdopendir(task_fd);
	if (!dir) {
		fd_close(task_fd);
		return;
	}
	/* eval-stall itself writes, and so does that of another fault. */
	if (stall_is_eval(waiters->files, proc_fd))
		return;
	while ((entry = readdir(dir)) && clock_monotonic_ns() < until_ns)
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at_thread(waiters, task_fd, process, entry->d_name);
}

void stall_waiters_begin(struct stall_waiters *waiters)
{
	waiters->known_at = 0;
	waiters->from = waiters->last;
	waiters->wrapped = !waiters->from;
	if (waiters->wrapped)
		rewinddir(waiters->proc);
}

/* The next process, in the order of /proc, which is that of their numbers; 0 if all were looked at. */
static pid_t next_process(struct stall_waiters *waiters)
{
	const struct dirent *entry;

	for (;;) {
		pid_t process;

		entry = readdir(waiters->proc);
		if (!entry && waiters->wrapped)
			return 0;
		if (!entry) {
			rewinddir(waiters->proc);
			waiters->wrapped = true;
			continue;
		}
		process = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
		if (process && waiters->wrapped && waiters->from && process > waiters->from)
			return 0;
		if (process)
			return process;
	}
}

bool stall_waiters_look(struct stall_waiters *waiters, uint64_t until_ns)
{
	while (clock_monotonic_ns() < until_ns) {
		pid_t process;

		if (waiters->known_at < waiters->known_count) {
			look_at_process(waiters, waiters->known[waiters->known_at++], until_ns);
			continue;
		}
		process = next_process(waiters);
		if (!process) {
			waiters->last = 0;
			return true;
		}
		look_at_process(waiters, process, until_ns);
		waiters->last = process;
	}
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of the process eval-stall: which files, their locks, and who waits for them. For stall*.c only. */
#pragma once

#include <dirent.h>
#include <limits.h>
#include <pthread.h>

#include "chaos/calls/calls.h"

struct stall_file {
	int fd;
	dev_t device;
	ino_t inode;
};

/* stall_files.c: the files that are open for the next stall. */
struct stall_files {
	const struct calls_server *with;
	struct stall_file list[CALLS_STALL_FILES];
	size_t count;
	uint64_t looked_ns;    /* 0: none is open */
	uint64_t beyond, lost; /* too many; could not be opened */
	uint32_t folders;
	struct calls_program program; /* eval's */
	struct stall_file *own;       /* files that processes of eval have open, never touched */
	size_t own_count, own_room;
	char root[PATH_MAX];
	const char *root_name;
};
int stall_files_init(struct stall_files *files, const struct calls_server *with, struct error *err);
/* Opens what is there now. Keeps the heart beating, as there may be many folders. */
void stall_files_open(struct stall_files *files);
void stall_files_close(struct stall_files *files);
/* True if the process at proc_fd, of /proc/PID, is an eval. */
bool stall_is_eval(const struct stall_files *files, int proc_fd);

/*
 * stall_locks.c: holds inodes' locks. There is a thread for each file: it is in a write, which blocks, and neither
 * io_uring nor libaio has one that takes the lock without a thread that blocks.
 */
struct stall_locks {
	int fault_fd; /* userfaultfd */
	char *pages;  /* one for each thread, that never arrives */
	size_t page_size, bytes;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool is_held;
	uint64_t stall; /* its number */
	size_t failed;  /* writes of this stall that ended before they were let go */
	struct stall_thread {
		struct stall_locks *locks;
		size_t number;
		uint64_t stall; /* that its write is for: it may still wait for its turn in the next one */
		bool exists, is_busy;
		int fd; /* -1: nothing to do */
	} threads[CALLS_STALL_FILES];
};
int stall_locks_init(struct stall_locks *locks, struct error *err);
/* Begins to write to each file: its lock is held once those have ended that were there before. Returns to how many. */
size_t stall_locks_take(struct stall_locks *locks, const struct stall_files *files);
/* All writes end with EFAULT. Returns how many had failed before. */
size_t stall_locks_let_go(struct stall_locks *locks);

/* stall_waiters.c: threads that wait for the files, as far as they were found since the stall began. */
struct stall_waiter {
	pid_t thread;
	size_t file;
	enum eval_call call;
	uint64_t offset, length;
};
#define WAITERS_MAX 1024
#define WAITERS_KNOWN 64
struct stall_waiters {
	const struct calls_server *with;
	const struct stall_files *files;
	DIR *proc;
	int proc_fd, cgroup_root;
	pid_t last, from; /* process that was looked at last; before this look */
	bool wrapped;
	pid_t known[WAITERS_KNOWN]; /* processes that waited before: looked at first */
	size_t known_count, known_at;
	struct stall_waiter list[WAITERS_MAX];
	size_t count, others; /* others: outside of the target's cgroup */
	pid_t other[WAITERS_MAX];
};
int stall_waiters_init(struct stall_waiters *waiters, const struct stall_files *files, struct error *err);
/* Begins to look at all processes of the host, from where the last look ended: it may not have come round. */
void stall_waiters_begin(struct stall_waiters *waiters);
/* Goes on until the time; true if all were looked at. */
bool stall_waiters_look(struct stall_waiters *waiters, uint64_t until_ns);

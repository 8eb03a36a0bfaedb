/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes, as /proc tells of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Start time in clock ticks since the host's boot (/proc/PID/stat field 22, without what this time namespace shifts it
 * by), 0 where there is no such process or it is dead and only not yet waited for.
 */
uint64_t procfs_start_ticks(pid_t pid);
/* A process by its pid, start time, and the namespaces that both were read in. */
struct procfs_identity {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t pid_namespace, time_namespace; /* inodes; 0: this kernel has none, or it cannot be told */
};
/*
 * True if that process lives. Not for one of another PID namespace, which cannot be seen from here. Across time
 * namespaces the start time may differ by a tick: their offset need not be a whole number of ticks.
 */
bool procfs_is_alive(const struct procfs_identity *identity);

/* The binary of a process, which it cannot choose, unlike its name. */
struct procfs_binary {
	char name[64];   /* last part of its path, without the " (deleted)" of one that was upgraded meanwhile */
	bool known;      /* false: it is closed to us, and name is the process's own word (comm) */
	bool is_trusted; /* known, root's, and nobody else may write it */
	dev_t device;
	ino_t inode;
};
/* The folder of a process in /proc (pid is as there): what is read below it is of that process or gone. */
int procfs_open(const char *pid);
/*
 * 1: all four user ids of the process are root's, and it has a binary. 0: another user's, a kernel thread, or gone.
 * proc_fd is procfs_open's.
 */
int procfs_root_binary(int proc_fd, struct procfs_binary *out);

/* Of an error of looking at a process: 0 where it went away meanwhile (ENOENT, ESRCH), else the error. */
int procfs_without_gone(int code);
/* The inode of this process's PID namespace, 0 where it cannot be told, or /proc shows the processes of another. */
uint64_t procfs_pid_namespace(void);
/* The host's own, PROC_PID_INIT_INO of include/linux/proc_ns.h. */
#define PID_NAMESPACE_INITIAL 0xEFFFFFFCULL
/* The inode of this process's time namespace, 0 where it cannot be told. */
uint64_t procfs_time_namespace(void);

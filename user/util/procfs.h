/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes, read from /proc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Start time in clock ticks since the host's boot (/proc/PID/stat field 22, without the shift of this time namespace);
 * 0 if the process does not exist or is a zombie.
 */
uint64_t procfs_start_ticks(pid_t pid);
/* A process by its pid, start time, and the namespaces that both were read in. */
struct procfs_identity {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t pid_namespace, time_namespace; /* inodes; 0: unknown, or not in this kernel */
};
/*
 * True if the process lives. Only for processes of this PID namespace. Across time namespaces the start time may differ
 * by a tick, because their offset need not be a whole number of ticks.
 */
bool procfs_is_alive(const struct procfs_identity *identity);

/* The binary of a process. Unlike the name (comm), the process cannot choose it. */
struct procfs_binary {
	char name[64];   /* last part of the path, without the " (deleted)" that follows if the binary was upgraded */
	bool known;      /* false: access is denied, and name is comm, which the process chooses */
	bool is_trusted; /* known, root's file, writable by nobody else */
	dev_t device;
	ino_t inode;
};
/* Opens /proc/PID (pid as in /proc): reads below it are of that process, or fail once it has exited. */
int procfs_open(const char *pid);
/*
 * 1 if all four user ids are root's and there is a binary; 0 if it is another user's, a kernel thread, or has exited;
 * or a negative errno. proc_fd is procfs_open()'s.
 */
int procfs_root_binary(int proc_fd, struct procfs_binary *out);

/* Maps "the process has exited" (ENOENT, ESRCH) to 0 and returns every other error unchanged. */
int procfs_without_gone(int code);
/* The inode of this process's PID namespace; 0 if unknown, or if /proc shows another PID namespace. */
uint64_t procfs_pid_namespace(void);
/* The initial PID namespace: PROC_PID_INIT_INO of include/linux/proc_ns.h. */
#define PID_NAMESPACE_INITIAL 0xEFFFFFFCULL
/* The inode of this process's time namespace; 0 if unknown. */
uint64_t procfs_time_namespace(void);

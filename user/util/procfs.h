/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Start time in clock ticks since the host's boot (/proc/PID/stat field 22, without what this time namespace shifts it
 * by), 0 where there is no such process or it is dead and only not yet waited for.
 */
uint64_t process_start_ticks(pid_t pid);
/* A process by its pid, start time, and the namespaces that both were read in. */
struct process_identity {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t pid_namespace, time_namespace; /* inodes; 0: this kernel has none, or it cannot be told */
};
/*
 * True if that process lives. Not for one of another PID namespace, which cannot be seen from here. Across time
 * namespaces the start time may differ by a tick: their offset need not be a whole number of ticks.
 */
bool process_lives(const struct process_identity *identity);

/* The binary of a process, which it cannot choose, unlike its name. */
struct process_binary {
	char name[64];   /* last part of its path, without the " (deleted)" of one that was upgraded meanwhile */
	bool known;      /* false: it is closed to us, and name is the process's own word (comm) */
	bool is_trusted; /* known, root's, and nobody else may write it */
	dev_t device;
	ino_t inode;
};
/* The folder of a process in /proc (pid is as there): what is read below it is of that process or gone. */
int process_open(const char *pid);
/*
 * 1: all four user ids of the process are root's, and it has a binary. 0: another user's, a kernel thread, or gone.
 * proc_fd is process_open's.
 */
int process_root_binary(int proc_fd, struct process_binary *out);

/*
 * A kill goes to a process, not to a number that may be another's by now: open first, then look whether it is the right
 * one, then signal (pidfd_open: Linux 5.3, which all of our kernels have). Both return a negative errno on failure.
 */
int process_pidfd(pid_t pid);
int process_signal(int pidfd, int signal_number);
/* The process group that the process leads or led, also when it is dead. -EINVAL before Linux 6.9 (e1fb1dc08e73). */
int process_signal_group(int pidfd, int signal_number);
/* Of an error of looking at a process: 0 where it went away meanwhile (ENOENT, ESRCH), else the error. */
int process_without_gone(int code);
/* The inode of this process's PID namespace, 0 where it cannot be told, or /proc shows the processes of another. */
uint64_t process_pid_namespace(void);
/* The host's own, PROC_PID_INIT_INO of include/linux/proc_ns.h. */
#define PID_NAMESPACE_INITIAL 0xEFFFFFFCULL
/* The inode of this process's time namespace, 0 where it cannot be told. */
uint64_t process_time_namespace(void);
/*
 * What holds a live fault, or has to end others', must get the processor at once, also on a host that its chaos keeps
 * busy: until process_take_turns() this process, but none of its children and threads, goes before all that is not
 * real time. Not if whoever started it made it nicer, nor where that is forbidden. For what is soon done: what takes
 * long, such as loading programs, would keep the target from running.
 */
void process_go_first(void);
void process_take_turns(void);

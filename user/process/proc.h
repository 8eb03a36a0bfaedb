/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A command of the campaign file, run by /bin/sh -c in a session of its own, with its output captured within bounds.
 * Driven by the caller's poll loop; only proc_wait(), proc_finish() and proc_free() wait. The command has ended when
 * its process has exited, whatever still holds the output's pipe, or when it was killed but hangs in the kernel.
 */
#pragma once

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

/* In bytes; of longer output the first and the last half of this are kept. */
#define PROC_OUTPUT_MAX (64 * 1024)

enum proc_stderr {
	PROC_STDERR_MIXED, /* with standard output, in the order of writing */
	PROC_STDERR_APART, /* captured on its own */
};

struct proc_spec {
	const char *exec;
	const char *directory;    /* NULL: the caller's */
	char *const *environment; /* complete, ends with NULL */
	const char *input;        /* on standard input; NULL: nothing, /dev/null */
	uint64_t timeout_ns;      /* 0: none */
	int cgroup_fd;            /* cgroup v2 directory to start in; -1: the caller's */
	int netns_fd;             /* network namespace to start in; 0: the caller's */
	enum proc_stderr standard_error;
	/* Also gets the output, standard error included if it is mixed, as it comes. NULL: nobody. */
	void (*on_output)(void *arg, const char *bytes, size_t size);
	void *on_output_arg;
};

struct proc_result {
	uint64_t started_ns, ended_ns; /* CLOCK_MONOTONIC */
	int exit_code;                 /* -1: ended by a signal, or not at all */
	int signal;
	bool timed_out; /* still ran when we looked at its deadline or later */
	bool stopped;   /* killed by proc_finish or proc_free */
	bool survived;  /* did not exit after SIGKILL, and was given up at ended_ns */
};

struct proc;

int proc_start(struct proc **out, const struct proc_spec *spec, struct error *err);
/* Frees proc, after proc_finish() if the command still runs. */
void proc_free(struct proc *proc);

/* Writes the descriptors to poll, at most PROC_POLL_MAX; returns how many. */
#define PROC_POLL_MAX 3
size_t proc_poll_fds(const struct proc *proc, struct pollfd *out);
/* The latest time for the next proc_handle() (CLOCK_MONOTONIC); UINT64_MAX: none. */
uint64_t proc_wake_ns(const struct proc *proc);
/* A process that does not die within this time of its kill is given up. */
#define PROC_KILL_PATIENCE_NS 5000000000ULL
/* Reads output, notices the end, kills at the timeout. Returns true when the command has ended. */
bool proc_handle(struct proc *proc);
/*
 * Waits until the command has ended and returns true. Returns false if is_stopped (NULL: never) says so first, which
 * is asked at least each second and when wake_fd (-1: none) is readable.
 */
bool proc_wait(struct proc *proc, bool (*is_stopped)(void), int wake_fd);

bool proc_ended(const struct proc *proc);
pid_t proc_pid(const struct proc *proc);
/* True if the command's process is reaped: false while a process that was given up still exists. */
bool proc_is_gone(struct proc *proc);
/* Kills the process group; proc_finish() counts its wait from here. */
void proc_kill(struct proc *proc);
/* Kills the process group and waits at most until 2 s after the kill. */
void proc_finish(struct proc *proc);

/* After the command has ended: */
const struct proc_result *proc_get_result(const struct proc *proc);
bool proc_succeeded(const struct proc *proc);
/* New JSON strings; for long output the middle is replaced by a line that says so. */
json_t *proc_output(const struct proc *proc);
json_t *proc_error_output(const struct proc *proc);
/* "exit 1: last line of output", "timed out after 3 s", "signal 9 (Killed)". */
void proc_describe(const struct proc *proc, char *out, size_t size);

/*
 * If something that the command left still holds the output's pipe, returns the read end, which becomes the caller's;
 * otherwise -1. Keep it open and read it: a daemon that writes to a closed pipe dies.
 */
int proc_take_pipe(struct proc *proc);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A fault's helper: a forked process that does what the fault does, and looks every few ms at the shared control
 * block. The holder keeps one end of a socket, whose end tells the helper that the holder has gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

struct fault_spec;
struct session;

struct helper {
	const char *name;  /* "eval-calls" */
	const char *does;  /* "answers file calls" */
	int socket, pidfd; /* -1: no process */
	pid_t pid;
};

#define HELPER_NONE(process_name, what_it_does) \
	((struct helper){.name = (process_name), .does = (what_it_does), .socket = -1, .pidfd = -1})

/* run, in the helper, gets its end of the socket and does not return. */
int helper_start(struct helper *helper, void (*run)(int socket, const void *arg), const void *arg, struct error *err);
/*
 * Waits for a struct error from the helper, and returns it: for an activation. `late` is the text of the error if it
 * does not come in time.
 */
int helper_wait_answer(struct helper *helper, const struct fault_spec *spec, const struct session *session,
		       uint64_t within_ns, const char *late, struct error *err);
/* For a renewal: an error if the helper is dead, or has not looked around (beat_ns) for so long that it is ended. */
int helper_check(struct helper *helper, uint64_t beat_ns, struct error *err);
/* Closes the socket, waits, kills it if it does not go by itself. */
void helper_end(struct helper *helper, int wait_ms);

/* In the helper: its name, no terminal, no signals of terminals, no descriptors but these, which move. */
void helper_settle(const char *name, int *const fds[], size_t count);
/* In the helper: sends the answer. False if the holder has gone. */
bool helper_answer(int socket, const struct error *answer);

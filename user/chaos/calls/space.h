/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much space is left for calls that make files grow, on the file systems of the data_dirs; for serve.c only. */
#pragma once

#include "chaos/calls/calls.h"
#include "util/clock.h"

struct spaces;

/* Reads what is available now and reserves what the request says. shared gets both, for the evidence. */
int spaces_new(struct spaces **out, const struct calls_request *request, const int *root_fds, size_t root_count,
	       struct eval_calls *shared, struct error *err);
enum space_answer {
	SPACE_GRANT, /* what it needs is charged */
	SPACE_REFUSE,
	SPACE_LATER, /* SPACE_LATER_NS later it is known whether the last calls' blocks count already */
};
#define SPACE_LATER_NS (15 * NSEC_PER_MSEC)
/*
 * Whether there is space for the call. In doubt nothing is needed: a refusal that a real disk would not give stops a
 * database. is_last: SPACE_LATER is no answer.
 */
enum space_answer spaces_ask(struct spaces *spaces, int file_fd, pid_t thread, const struct caller *caller,
			     bool is_last);
/* Reads the real space again, if it is time. */
void spaces_step(struct spaces *spaces, uint64_t now_ns);

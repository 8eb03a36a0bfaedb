/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the user sees while a campaign runs. */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "plan/plan.h"

enum progress_mode {
	PROGRESS_LINES, /* a line a phase; on a terminal a live line per running trial and a total */
	PROGRESS_JSON,  /* one event a line */
	PROGRESS_QUIET,
};

struct progress;

/* lanes: how many trials run at once. to_run: how many will run. */
int progress_new(struct progress **out, enum progress_mode mode, FILE *file, unsigned int lanes, size_t to_run);
void progress_free(struct progress *progress);

/* An event of the campaign itself; takes fields (NULL: none). text is what a person reads. */
void progress_campaign(struct progress *progress, const char *event, json_t *fields, const char *text);
void progress_trial_start(struct progress *progress, unsigned int lane, const struct plan_trial *trial,
			  unsigned int attempt, unsigned int instance);
/* A worker's message (trial/trial.h). */
void progress_message(struct progress *progress, unsigned int lane, const json_t *message);
/* columns: the trial's final ones. */
void progress_trial_end(struct progress *progress, unsigned int lane, const json_t *columns);

/* The results, unless they are for a program. */
void progress_table(struct progress *progress, const json_t *results);
/* Once nothing more comes: waits for a reader that reads, not for one that does not. Returns how many lines are lost.
 */
size_t progress_end(struct progress *progress);
/* To poll for POLLOUT and then to flush; -1: nothing waits. The output never blocks its caller. */
int progress_poll_fd(const struct progress *progress);
void progress_flush(struct progress *progress);

/* When the live lines want to be redrawn; UINT64_MAX: never. */
uint64_t progress_wake_ns(const struct progress *progress);
void progress_tick(struct progress *progress);
/* Removes the live lines, so that something else can be printed. */
void progress_clear(struct progress *progress);

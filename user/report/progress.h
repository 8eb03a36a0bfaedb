/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Progress output while a campaign runs. */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "plan/plan.h"

enum progress_mode {
	PROGRESS_LINES, /* one line per phase; on a terminal, live lines per running trial and a total */
	PROGRESS_JSON,  /* one event per line */
	PROGRESS_QUIET,
};

struct progress;

/* lanes: how many trials run at once. to_run: how many trials run in total. Returns 0 or -ENOMEM. */
int progress_new(struct progress **out, enum progress_mode mode, FILE *file, unsigned int lanes, size_t to_run);
void progress_free(struct progress *progress);

/* Shows an event of the campaign: fields (taken; NULL: none) as JSON, text as a line. */
void progress_campaign(struct progress *progress, const char *event, json_t *fields, const char *text);
void progress_trial_start(struct progress *progress, unsigned int lane, const struct plan_trial *trial,
			  unsigned int attempt, unsigned int instance);
/* Shows a worker's message (trial/trial.h). */
void progress_message(struct progress *progress, unsigned int lane, const json_t *message);
/* columns are the final columns of the lane's trial. */
void progress_trial_end(struct progress *progress, unsigned int lane, const json_t *columns);

/* The lane waits until its next trial. */
void progress_cooldown(struct progress *progress, unsigned int lane, double seconds);

/* Prints the table of results, except in PROGRESS_JSON. */
void progress_table(struct progress *progress, const json_t *results);
/* Ends the output: waits as long as the reader reads, and drops the rest. Returns the number of lost lines. */
size_t progress_end(struct progress *progress);
/* Descriptor to poll for POLLOUT before progress_flush; -1 if nothing waits. The output never blocks its caller. */
int progress_poll_fd(const struct progress *progress);
void progress_flush(struct progress *progress);

/* When progress_tick next redraws the live lines, CLOCK_MONOTONIC; UINT64_MAX: never. */
uint64_t progress_wake_ns(const struct progress *progress);
void progress_tick(struct progress *progress);
/* Removes the live lines, so that something else can be printed. */
void progress_clear(struct progress *progress);

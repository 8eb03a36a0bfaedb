/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The plan of a campaign: the expanded matrix with ids, seeds and effective parameters. Changes nothing on the host. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

struct plan_trial {
	char *id;                /* trial-{subject}-{chaos}-{index} */
	unsigned int index;      /* place in the plan, from 1 */
	unsigned int repetition; /* from 1 */
	const struct subject *subject;
	const struct chaos *chaos; /* NULL: baseline */
	const char *chaos_name;    /* "baseline" */
	const char *target;        /* as requested: a node's name, leader, follower, random, all; NULL: baseline */
	const struct settings *settings;
	const json_t *params; /* effective; NULL: baseline */
	uint64_t seed;        /* derived from the campaign's seed and the index */
};

struct plan {
	char *campaign_id; /* campaign-{YYYYmmddTHHMMSSZ}-{8 hex of hash} */
	char *canonical;   /* config_canonical() */
	char hash[65];     /* SHA-256 of canonical, hex */
	uint64_t seed;     /* given or drawn */
	const struct config *config;
	struct plan_trial *trials;
	size_t trial_count;
};

/*
 * Expands config, which must outlive the plan. realtime_ns is the time in the id. A seed in the file wins over *seed
 * (for resume); a NULL seed means that one is drawn. Order: repetition outermost, then subjects, then the baseline,
 * then chaos types, so that an interrupted campaign has whole rounds.
 */
int plan_new(struct plan **out, const struct config *config, uint64_t realtime_ns, const uint64_t *seed,
	     struct error *err);
void plan_free(struct plan *plan);

/*
 * How long the plan's trials take, in seconds: at least their warm-ups, holds and cooldowns, at most also the timeouts
 * of `ready`, with retries, and of recovery. Without the time of reset and cleanup. runs as in plan_view.
 */
struct plan_time {
	double least, most;
};
struct plan_time plan_time(const struct plan *plan, const bool *runs, unsigned int parallel);
/* "0:37 to 1:52", "2:00:00" if both are the same. */
#define PLAN_TIME_SIZE 64
const char *plan_time_text(char out[PLAN_TIME_SIZE], const struct plan_time *time);
/* The timeout of `ready`, also if the file gives none. */
double plan_ready_seconds(const struct subject *subject);

/* What --dry-run shows: the trials that would run. */
struct plan_view {
	const bool *runs; /* per trial of the plan; NULL: all */
	unsigned int parallel;
};
/* As text, one block per trial with effective settings and parameters, or as one JSON object. */
void plan_print(const struct plan *plan, const struct plan_view *view, FILE *out);
json_t *plan_to_json(const struct plan *plan, const struct plan_view *view);

/* Draws a number in 0…count-1 from a trial's seed; each `stream` of the trial is an independent draw. */
size_t plan_draw(uint64_t seed, unsigned int stream, size_t count);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records (SPEC.md "Records"): SQLite, WAL, synchronous=FULL, mode 0600. Rows travel as JSON objects whose
 * keys are column names: numbers, strings, null; objects and arrays are stored as JSON text and come back
 * parsed. An unknown column is -EINVAL, so that no field is lost silently. Only the coordinator writes; a child
 * process must not touch the parent's store, not even close it.
 *
 * The columns stand in store/schema.c. Flags (baseline, fresh, ok) are JSON true and false; a seed is a string of
 * digits, since it has 64 bits without sign (store_u64, store_u64_value); a moment X_at is RFC 3339 text and has
 * its companion X_at_monotonic_ns (moment_set sets both).
 *
 * Every writing function is durable when it returns 0, unless it stands between store_begin and store_commit.
 * Errors: -EBUSY locked by another process, -EROFS/-EACCES not writable, -EPERM not to be written by root
 * (util/trusted.h), -ENOSPC disk full, -EPROTO a newer schema, -EUCLEAN corrupt or not ours, -ENOENT no such file or
 * row, -ENOTUNIQ an ambiguous id, -EISDIR a directory, -EINVAL values that the schema refuses, -EIO anything else;
 * err's text says what to do.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "plan/plan.h"
#include "util/error.h"

struct store;

enum store_mode {
	STORE_READ,   /* needs no root; the file must exist */
	STORE_WRITE,  /* creates folder and file, migrates an older schema */
	STORE_UPDATE, /* the same, but the file must exist */
};

/* path NULL: $EVAL_DB, else /var/lib/eval/eval.db. */
int store_open(struct store **out, const char *path, enum store_mode mode, struct error *err);
void store_close(struct store *store);
const char *store_path(const struct store *store);

int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store, struct error *err);
/* Undoes all since store_begin; does nothing where no transaction is open. Closing does the same. */
void store_rollback(struct store *store);

/* A 64-bit seed as a column, and back (0 where it is none). */
json_t *store_u64(uint64_t value);
uint64_t store_u64_value(const json_t *value);

/*
 * The campaign's row and all its trials, status planned, in one transaction. campaign gives the columns that the
 * plan does not know (config_path, command_line, host, kernel, started_at …).
 */
int store_campaign_create(struct store *store, const struct plan *plan, const json_t *campaign, struct error *err);
int store_campaign_set(struct store *store, const char *campaign_id, const json_t *columns, struct error *err);
int store_trial_set(struct store *store, const char *campaign_id, const char *trial_id, const json_t *columns,
		    struct error *err);
/* A row of attempts; one per try at a trial, keyed (campaign_id, trial_id, attempt). Inserts or replaces. */
int store_attempt_set(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *columns, struct error *err);
/* samples: array of {probe, scheduled_ns, started_at_ns, latency_ns, ok, error, phase} of one trial's attempt. */
int store_samples_add(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *samples, struct error *err);
/*
 * One event: {at, monotonic_ns, phase, kind, text, …}; trial_id NULL for the campaign's own. `at` missing: now.
 * Keys that are no columns are kept in the column `details`.
 */
int store_event_add(struct store *store, const char *campaign_id, const char *trial_id, const json_t *event,
		    struct error *err);

/*
 * New references; NULL with err on failure. campaign_id may be a unique prefix or its hash suffix, trial_id a
 * unique start or end, or its index. Campaigns come with "trials": {"planned": n, …, "total": n, "verdict_fail": n}.
 */
json_t *store_campaigns(struct store *store, struct error *err); /* array, newest first */
json_t *store_campaign(struct store *store, const char *campaign_id, struct error *err);
json_t *store_trials(struct store *store, const char *campaign_id, struct error *err); /* array in plan order */
/* One trial; campaign_id NULL looks through all campaigns. */
json_t *store_trial(struct store *store, const char *campaign_id, const char *trial_id, struct error *err);
json_t *store_attempts(struct store *store, const char *campaign_id, const char *trial_id, struct error *err);
json_t *store_samples(struct store *store, const char *campaign_id, const char *trial_id, struct error *err);
/* trial_id NULL: all of the campaign, its trials' too. */
json_t *store_events(struct store *store, const char *campaign_id, const char *trial_id, struct error *err);
/* The newest campaign of this hash with trials that are not final, or NULL with err->code 0 where there is none. */
json_t *store_unfinished(struct store *store, const char *hash, struct error *err);

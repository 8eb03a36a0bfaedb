/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records: SQLite, WAL, synchronous=FULL, mode 0600. A row is a JSON object whose keys are column names and whose
 * values are numbers, strings or null; objects and arrays are stored as JSON text and come back parsed. An unknown
 * column is -EINVAL, so that no field is lost silently. Only the coordinator writes; a child process must not use its
 * parent's store, not even close it.
 *
 * store/schema.c lists the columns. Flags (baseline, fresh, ok) are JSON true and false; a seed is a string of digits,
 * because it is an unsigned 64-bit number (store_u64, store_u64_value); a moment X_at is RFC 3339 text with a companion
 * X_at_monotonic_ns (moment_set sets both).
 *
 * A write is durable when the function returns 0 or, between store_begin and store_commit, after store_commit. Errors:
 * -EBUSY locked by another process, -EROFS/-EACCES not writable, -EPERM not trusted by root (util/trusted.h), -ENOSPC
 * disk full, -EPROTO a newer schema, -EUCLEAN corrupt or not ours, -ENOENT no such file or row, -ENOTUNIQ an ambiguous
 * id, -EISDIR a directory, -EINVAL values that the schema refuses, -EIO anything else; err's text gives advice.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/plan.h"
#include "util/error.h"

struct store;

enum store_mode {
	STORE_READ,   /* needs no root; the file must exist */
	STORE_WRITE,  /* creates folder and file, migrates an older schema */
	STORE_UPDATE, /* as STORE_WRITE, but the file must exist */
};

/* path or, if it is NULL, $EVAL_DB or, if that is unset or empty, /var/lib/eval/eval.db. */
const char *store_choose_path(const char *path);
/* By store_choose_path(path). */
int store_open(struct store **out, const char *path, enum store_mode mode, struct error *err);
void store_close(struct store *store);
const char *store_path(const struct store *store);

int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store, struct error *err);
/* Undoes all writes since store_begin; does nothing outside a transaction. store_close does the same. */
void store_rollback(struct store *store);

/* Converts a 64-bit seed to a column and back; a value that is not a string gives 0. */
json_t *store_u64(uint64_t value);
uint64_t store_u64_value(const json_t *value);

/*
 * Inserts the campaign's row and all its trials (status planned) in one transaction. campaign holds the columns that
 * the plan does not know (config_path, command_line, host, kernel, started_at …).
 */
int store_campaign_create(struct store *store, const struct plan *plan, const json_t *campaign, struct error *err);
int store_campaign_set(struct store *store, const char *campaign_id, const json_t *columns, struct error *err);
int store_trial_set(struct store *store, const char *campaign_id, const char *trial_id, const json_t *columns,
		    struct error *err);
/* Inserts the row of one attempt at a trial, or updates these columns if the row exists. */
int store_attempt_set(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *columns, struct error *err);
/* samples: array of {probe, scheduled_ns, started_at_ns, latency_ns, ok, error, phase} of one trial's attempt. */
int store_samples_add(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *samples, struct error *err);
/* metrics: array of {source, series, at_ns, value, kind, phase} of one trial's attempt. */
int store_metrics_add(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *metrics, struct error *err);
/*
 * Adds one event {at, monotonic_ns, phase, kind, text, …}. trial_id is NULL for an event of the campaign; `at`
 * defaults to now. Keys that are not columns go into the column `details`.
 */
int store_event_add(struct store *store, const char *campaign_id, const char *trial_id, const json_t *event,
		    struct error *err);

/* Marks a dead coordinator's running trials interrupted; the caller holds its lock. Returns how many, or -errno. */
int store_bury_running(struct store *store, const char *campaign_id, struct error *err);

/*
 * New references; NULL with err on failure. campaign_id may be a unique prefix or the hash suffix; trial_id may be a
 * unique prefix or suffix, or the index. "campaign-" and "trial-" can be left out of a prefix. Campaigns have a member
 * "trials": {"planned": n, …, "total": n, "verdict_fail": n, "verdict_inconclusive": n}.
 */
/* Advice for an id that is unknown: "did you mean 'x'?", or how to list them. Returns out. */
#define STORE_HINT_SIZE 160
const char *store_hint(struct store *store, const char *asked, char out[STORE_HINT_SIZE]);
/* Array, newest first, without the columns config, config_text, features and summary. */
json_t *store_campaigns(struct store *store, struct error *err);
json_t *store_campaign(struct store *store, const char *campaign_id, struct error *err);
json_t *store_trials(struct store *store, const char *campaign_id, struct error *err); /* array in plan order */
/* Returns one trial; searches all campaigns if campaign_id is NULL. */
json_t *store_trial(struct store *store, const char *campaign_id, const char *trial_id, struct error *err);
json_t *store_attempts(struct store *store, const char *campaign_id, const char *trial_id, struct error *err);
/* Returns all events of the campaign and its trials if trial_id is NULL. */
json_t *store_events(struct store *store, const char *campaign_id, const char *trial_id, struct error *err);
/* Returns the newest campaign with this hash and a trial that is not final; NULL with err->code 0 if none exists. */
json_t *store_unfinished(struct store *store, const char *hash, struct error *err);

/*
 * For many rows: calls visit for each, which borrows the row, until it returns other than 0, which is then returned.
 * Returns 0, that result or a negative errno. Ids are exact.
 */
typedef int (*store_row_visit)(json_t *row, void *data, struct error *err);
enum store_trial_part {
	STORE_TRIAL_STATE, /* id, status, verdict, attempt, instance */
	/*
	 * id, subject, chaos, baseline, status, verdict, error_stage, error_text, expectations unless they are met,
	 * evidence: only "hit" and "losses" if there were no losses, summary without "intervals" and
	 * "shifts": of tens of thousands, most of the time is JSON.
	 */
	STORE_TRIAL_RESULTS,
	STORE_TRIAL_FIGURES, /* id, subject, chaos, baseline, status, summary as above */
};
/* In plan order. */
int store_visit_trials(struct store *store, const char *campaign_id, enum store_trial_part part, store_row_visit visit,
		       void *data, struct error *err);
/* The same rows as an array, a new reference; NULL with err on failure. */
json_t *store_list_trials(struct store *store, const char *campaign_id, enum store_trial_part part, struct error *err);

struct store_sample {
	unsigned int attempt;
	const char *probe, *error, *phase; /* of untrusted text; error is NULL if there was none */
	int64_t scheduled_ns, started_at_ns, latency_ns;
	bool ok;
};
/* In the order in which the samples were recorded, which is that in which they ended. */
int store_visit_samples(struct store *store, const char *campaign_id, const char *trial_id,
			int (*visit)(const struct store_sample *sample, void *data), void *data, struct error *err);

struct store_metric {
	unsigned int attempt;
	const char *source, *series, *kind, *phase; /* of untrusted text; kind: "gauge", or "rate" per second */
	int64_t at_ns;                              /* CLOCK_MONOTONIC */
	double value;
};
/* In the order in which they were recorded. None of a file before schema 4. */
int store_visit_metrics(struct store *store, const char *campaign_id, const char *trial_id,
			int (*visit)(const struct store_metric *metric, void *data), void *data, struct error *err);

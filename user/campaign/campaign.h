/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The coordinator: runs a plan's trials in worker processes and alone writes the records. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "report/progress.h"
#include "store/store.h"
#include "util/host_lock.h"

struct campaign_options {
	const char *db;          /* NULL: see store_open */
	const char *config_path; /* as the user gave it */
	const char *command_line;
	bool resume, fresh, retry_failed;
	const char *resume_id; /* NULL: the newest unfinished one of this file */
	const char *only;      /* glob over trial ids, NULL: all */
	unsigned int parallel; /* 0: the file's */
	enum progress_mode progress;
};

/* The whole run, messages included; returns an exit code. */
int campaign_run(const struct config *config, const struct campaign_options *options);

/* The configuration's lock first, then one per subject. */
struct campaign_locks {
	struct host_lock *locks;
	size_t count;
};
/* Both: -EBUSY: another run holds one, named in err. On failure none is held. */
int campaign_lock(struct campaign_locks *locks, const char *hash, const char *word, struct error *err);
/* Of config only the subjects' names, reset and nodes are looked at. */
int campaign_lock_subjects(struct campaign_locks *locks, const struct config *config, const char *word,
			   struct error *err);
void campaign_unlock(struct campaign_locks *locks);

/*
 * Says a command line for a shell, to which a mere "eval" is a word of its own: verb, file (NULL: none), id behind
 * id_option ("--resume="), and the database if it was named.
 */
void campaign_tell_command(const char *verb, const char *file, const char *id_option, const char *id, const char *db);

/* The kernel's random name of this boot, "" if it cannot be read; 40 bytes hold it. */
void campaign_boot_id(char *out, size_t size);

/* Marks running rows of a dead coordinator interrupted; the caller holds the lock. Returns how many or an errno. */
int campaign_bury_running(struct store *store, const char *campaign_id, struct error *err);

/* Runs a subject's `cleanup` for one instance; recorded (taken) as commands_json's elements are, NULL: not wanted. */
int campaign_cleanup_subject(const struct subject *subject, unsigned int instance, const char *campaign_id,
			     json_t *records, struct error *err);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The coordinator: runs a plan's trials in worker processes. Only the coordinator writes the records. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "report/progress.h"
#include "store/store.h"
#include "util/host_lock.h"

struct campaign_options {
	const char *db;          /* NULL: store_open's default */
	const char *config_path; /* as the user gave it */
	const char *command_line;
	bool resume, fresh, retry_failed;
	const char *resume_id; /* NULL: the newest unfinished campaign of this file */
	const char *only;      /* glob over trial ids; NULL: all */
	unsigned int parallel; /* 0: the file's value */
	enum progress_mode progress;
};

/* Runs the campaign and prints all messages; returns an exit code. */
int campaign_run(const struct config *config, const struct campaign_options *options);

/* The configuration's lock first, then one per subject. */
struct campaign_locks {
	struct host_lock *locks;
	size_t count;
};
/* Both return -EBUSY, with the holder in err, if another run holds a lock. On failure, no lock is held. */
int campaign_lock(struct campaign_locks *locks, const char *hash, const char *word, struct error *err);
/* Reads only name, reset and nodes of config's subjects. */
int campaign_lock_subjects(struct campaign_locks *locks, const struct config *config, const char *word,
			   struct error *err);
void campaign_unlock(struct campaign_locks *locks);

/*
 * Logs a command line, quoted for a shell: this program's path (a mere "eval" is a shell builtin), verb, file (may be
 * NULL), id_option ("--resume=") with id, and --db if db is not NULL.
 */
void campaign_tell_command(const char *verb, const char *file, const char *id_option, const char *id, const char *db);

/* The kernel's random id of this boot; "" if it cannot be read. 40 bytes are enough. */
void campaign_boot_id(char *out, size_t size);

/* Marks a dead coordinator's running trials interrupted; the caller holds the lock. Returns how many, or -errno. */
int campaign_bury_running(struct store *store, const char *campaign_id, struct error *err);

/* Runs a subject's `cleanup` for one instance. Appends its record (as in commands_json) to records unless NULL. */
int campaign_cleanup_subject(const struct subject *subject, unsigned int instance, const char *campaign_id,
			     json_t *records, struct error *err);

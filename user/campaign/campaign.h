/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The coordinator: runs a plan's trials in worker processes. Only the coordinator writes the records. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "report/progress.h"
#include "store/store.h"
#include "util/host_lock.h"

/* campaign_options.rerun: every trial that ended and did not pass. */
#define RERUN_FAILED "failed"

struct campaign_options {
	const char *db;          /* NULL: store_open's default */
	const char *config_path; /* as the user gave it */
	const char *command_line;
	bool resume, fresh, retry_failed;
	/* A glob of trial ids, or "failed": run just these again, whatever came of them; NULL: none. */
	const char *rerun;
	bool no_check;         /* start although check_host finds errors */
	const char *resume_id; /* NULL: the newest unfinished campaign of this file */
	const char *only;      /* glob over trial ids; NULL: all */
	unsigned int parallel; /* 0: the file's value */
	enum progress_mode progress;
};

/* True if the options ask for a campaign that is recorded. */
static inline bool campaign_goes_on(const struct campaign_options *options)
{
	return options->resume || options->retry_failed || options->rerun;
}

/* Runs the campaign and prints all messages; returns an exit code. */
int campaign_run(const struct config *config, const struct campaign_options *options);
/* Logs what check_host finds, without options the file's whole plan; returns an exit code. */
int campaign_check(const struct config *config, const struct campaign_options *options);
/* Prints what campaign_run would run, and changes nothing; returns an exit code. */
int campaign_dry_run(const struct config *config, const struct campaign_options *options);

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

/* A command line of this program; NULL and 0 leave a part out. */
struct campaign_command {
	const char *verb; /* "run campaign" */
	const char *file;
	const char *id_option, *id; /* "--resume=" and the id; without an option the id alone */
	const char *only, *rerun;
	unsigned int parallel;
	const char *db; /* NULL: $EVAL_DB, if that is set */
};
/*
 * Quoted for a shell, with absolute paths and with sudo if that was used or is needed: it can be pasted into any shell.
 * NULL if out of memory. campaign_tell_command logs it.
 */
char *campaign_command_text(const struct campaign_command *command);
void campaign_tell_command(const struct campaign_command *command);

/*
 * False if the campaign's row says that it runs, on this host, but its process does not: it died. For another host's
 * campaigns true.
 */
bool campaign_is_alive(const json_t *row);

/* The kernel's random id of this boot; "" if it cannot be read. 40 bytes are enough. */
void campaign_boot_id(char *out, size_t size);

/* Runs a subject's `cleanup` for one instance. Appends its record (as in commands_json) to records unless NULL. */
int campaign_cleanup_subject(const struct subject *subject, unsigned int instance, const char *campaign_id,
			     json_t *records, struct error *err);

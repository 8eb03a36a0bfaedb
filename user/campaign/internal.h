/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of a campaign, and the functions that the files of campaign/ share; private to campaign/. */
#pragma once

#include "campaign/campaign.h"
#include "check/check.h"
#include "plan/status.h"
#include "process/guard.h"
#include "process/pump.h"
#include "process/scope.h"
#include "trial/trial.h"

enum entry_state { ENTRY_PENDING, ENTRY_RUNNING, ENTRY_ENDED, ENTRY_SKIPPED };

/* A trial of the plan. */
struct entry {
	const struct plan_trial *plan;
	enum entry_state state;
	unsigned int attempt; /* number of the last attempt; 0 if none */
	int instance;         /* of an earlier run's last attempt; -1 if none */
};

/* A slot for one running trial. */
struct lane {
	struct entry *entry;    /* NULL: idle */
	uint64_t idle_until_ns; /* cooldown */
	unsigned int instance;
	pid_t pid; /* 0: not forked yet */
	int pidfd, socket_fd;
	enum trial_phase phase;
	bool ended; /* the worker's last message has come */
	bool abandoned;
	unsigned int stopped_looks;         /* checks in a row that found the worker stopped (SIGSTOP) */
	bool killed_stopped;                /* killed because it stayed stopped */
	json_t *columns;                    /* of the trial's row */
	json_t *commands;                   /* commands_json */
	json_t *events, *samples, *metrics; /* not stored yet */
};

struct usage {
	bool *busy, *used; /* per instance */
};

struct notifier;
struct record;

struct campaign {
	const struct config *config;
	const struct campaign_options *options;
	struct plan *plan;
	struct store *store;
	struct campaign_locks locks;
	struct guard guard;
	struct progress *progress;
	struct pump pump;
	struct notifier *notifier; /* NULL: no `notify` */
	char scope_prefix[SCOPE_NAME_SIZE];
	char boot_id[40];

	bool resumed;
	struct check check;
	struct entry *entries; /* in plan order */
	size_t entry_count, to_run, first_pending;
	size_t left_out;     /* unfinished trials that --only does not select */
	struct usage *usage; /* per subject of the config */
	struct lane *lanes;
	unsigned int lane_count;

	bool stopping;
	uint64_t kill_ns; /* while stopping: when the remaining workers are killed, then when they are abandoned */
	bool killed;
	uint64_t look_ns; /* when workers are next checked for being stopped (SIGSTOP) */
	char *buffer;     /* TRIAL_MESSAGE_MAX bytes */

	/* The changes of one turn of the loop, written to the store in one transaction. */
	struct record *records, **records_end;
	uint64_t busy_since_ns; /* since when another process holds the store's lock; 0 if none does */
	bool lost;
	uint64_t store_inode, store_device;
	uint64_t flush_ns;
	struct error store_error;
};

/* campaign/select.c; each returns an exit code, having logged why */
/* True unless --only leaves the trial out. */
bool campaign_selects(const struct campaign *campaign, const struct plan_trial *trial);
/* Refuses an --only that matches no trial. */
int campaign_check_selection(const struct campaign *campaign);
/* Creates or resumes the campaign and selects its trials. */
int campaign_select(struct campaign *campaign);
/* Selects the same trials, but records nothing. */
int campaign_look(struct campaign *campaign);

/* campaign/stop.c */
/* Call before anything is recorded: from here on, a signal stops the campaign instead of killing this process. */
int campaign_watch_signals(struct error *err);
/* Lets the signal thread stop the workers of all lanes. */
int campaign_watch_workers(const struct campaign *campaign, struct error *err);
/* Sets the pidfd of a lane's worker; 0 if it has ended. */
void campaign_watch_worker(unsigned int index, int pidfd);
/* From here on, signals stop nothing; call when no worker is left. */
void campaign_forget_signals(void);
/* Readable after a signal; -1 if signals are not watched. */
int campaign_signal_fd(void);
/* True once a signal has requested a stop. */
bool campaign_interrupted(void);
/* Stops all workers; no further trial starts. */
void campaign_stop(struct campaign *campaign);

/* campaign/notify.c; without the command `notify` they do nothing */
int notify_prepare(struct campaign *campaign, struct error *err);
/* event: "inject", "revert" or "end". */
void notify_event(struct campaign *campaign, const struct lane *lane, const char *event);
/* Notifies of what new columns of the trial say. */
void notify_columns(struct campaign *campaign, const struct lane *lane, const json_t *columns);
/* Waits for the notices that run. */
void notify_finish(struct campaign *campaign);
void notify_free(struct campaign *campaign);

/* campaign/loop.c: runs all pending trials, until they have ended or the campaign is stopped. */
void campaign_loop(struct campaign *campaign);
/* The workers, the signals and the outputs, for campaign->pump. */
extern const struct pump_source campaign_source;

/* campaign/cleanup.c: cleans up the instances that the campaign used. Returns how many a signal left uncleaned. */
size_t campaign_cleanup_used(struct campaign *campaign);

/* campaign/outcome.c: after the loop, cleans up, then records and prints the results. Returns the exit code. */
int campaign_finish(struct campaign *campaign);

/* campaign/lane.c */
int lane_fork(struct campaign *campaign, struct lane *lane, struct error *err);
/* Reads the messages that the worker has sent. */
void lane_receive(struct campaign *campaign, struct lane *lane);
/* Reaps a worker that has exited; if it did not finish the trial, sets the columns from how it died. */
void lane_reap(struct campaign *campaign, struct lane *lane);
/* Gives up on a worker that survives SIGKILL, and sets the columns to say so. */
void lane_abandon(struct campaign *campaign, struct lane *lane);
void lane_clear(struct lane *lane);

/* campaign/record.c: on failure, these functions set campaign->lost and stop the campaign. */
void record_trial_start(struct campaign *campaign, const struct lane *lane);
void record_trial_end(struct campaign *campaign, struct lane *lane);
void record_buffered(struct campaign *campaign, struct lane *lane);
void record_campaign(struct campaign *campaign, json_t *columns);
void record_event(struct campaign *campaign, const char *kind, const char *text);
/* Makes the records durable; they stay in campaign->records if another process holds the database's lock. */
void record_commit(struct campaign *campaign);
#define BUSY_RETRY_MS 100
/* Commits until all records are durable or the database is lost. */
void record_settle(struct campaign *campaign);
/* Drops the records not yet committed. */
void record_forget(struct campaign *campaign);
void record_watch_file(struct campaign *campaign);
/* Records the campaign's end; takes counts. */
void record_end(struct campaign *campaign, enum trial_status status, int exit_code, json_t *counts);
json_t *record_run_columns(const struct campaign *campaign);

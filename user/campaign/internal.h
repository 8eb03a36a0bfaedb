/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of a campaign, and what its parts offer each other; of this room alone. */
#pragma once

#include "campaign/campaign.h"
#include "process/guard.h"
#include "process/scope.h"
#include "trial/trial.h"

enum entry_state { ENTRY_PENDING, ENTRY_RUNNING, ENTRY_ENDED, ENTRY_SKIPPED };

/* A trial of the plan. */
struct entry {
	const struct plan_trial *plan;
	enum entry_state state;
	unsigned int attempt; /* the last one's number */
	int instance;         /* the last one's, -1: none */
};

/* Room for one running trial. */
struct lane {
	struct entry *entry;    /* NULL: idle */
	uint64_t idle_until_ns; /* cooldown */
	unsigned int instance;
	pid_t pid; /* 0: not forked yet */
	int pidfd, socket_fd;
	enum trial_phase phase;
	bool ended; /* its last message came */
	bool abandoned;
	unsigned int stopped_looks; /* how often in a row it was found stopped (SIGSTOP) */
	bool killed_stopped;        /* for that */
	json_t *columns;            /* of the trial's row */
	json_t *commands;           /* commands_json */
	json_t *events, *samples;   /* not stored yet */
};

struct usage {
	bool *busy, *used; /* per instance */
};

struct record;

struct campaign {
	const struct config *config;
	const struct campaign_options *options;
	struct plan *plan;
	struct store *store;
	struct campaign_locks locks;
	struct guard guard;
	struct progress *progress;
	char scope_prefix[SCOPE_NAME_SIZE];
	char boot_id[40];

	bool resumed;
	struct entry *entries; /* in plan order */
	size_t entry_count, to_run, first_pending;
	size_t left_out;     /* not final, and not asked for (--only) */
	struct usage *usage; /* per subject of the config */
	struct lane *lanes;
	unsigned int lane_count;

	bool stopping;
	uint64_t kill_ns; /* when stopping: workers that are still there are killed, and then abandoned */
	bool killed;
	uint64_t look_ns; /* when workers are looked at next */
	char *buffer;     /* TRIAL_MESSAGE_MAX bytes */

	/* The store: changes are collected, and written in one transaction per turn of the loop. */
	struct record *records, **records_end;
	uint64_t busy_since_ns; /* another process holds its lock, 0: none does */
	bool lost;
	uint64_t store_inode, store_device;
	uint64_t flush_ns;
	struct error store_error;
};

/* campaign/select.c: fresh or resumed, and which trials. Returns an exit code after printing why not. */
int campaign_select(struct campaign *campaign);

/* campaign/stop.c */
/* Before anything is recorded: from here on a signal stops the campaign, and is not the end of this process. */
int campaign_watch_signals(struct error *err);
/* Lets the thread that waits for signals tell the workers of all lanes. */
int campaign_watch_workers(const struct campaign *campaign, struct error *err);
/* pidfd 0: it is dead. */
void campaign_watch_worker(unsigned int index, int pidfd);
/* From here on signals are lost: nothing is left to be stopped. */
void campaign_forget_signals(void);
/* Readable once a signal has come; -1: signals are not watched. */
int campaign_signal_fd(void);
/* A signal asked to stop. */
bool campaign_interrupted(void);
/* Stops all workers; nothing new starts. */
void campaign_stop(struct campaign *campaign);

/* campaign/loop.c: runs all pending trials to their end, or to that of the campaign. */
void campaign_loop(struct campaign *campaign);

/* campaign/cleanup.c: of what the campaign used. Returns how many instances a signal kept from it. */
size_t campaign_cleanup_used(struct campaign *campaign);

/* campaign/outcome.c: after the loop: the end is recorded and told. Returns the exit code. */
int campaign_finish(struct campaign *campaign);

/* campaign/lane.c */
int lane_fork(struct campaign *campaign, struct lane *lane, struct error *err);
/* Reads what the worker sent. */
void lane_receive(struct campaign *campaign, struct lane *lane);
/* The worker is dead: completes columns from how it died. */
void lane_reap(struct campaign *campaign, struct lane *lane);
/* The worker survives SIGKILL: completes columns without its end. */
void lane_abandon(struct campaign *campaign, struct lane *lane);
void lane_clear(struct lane *lane);

/* campaign/record.c: each is void; a failure is a lost database (campaign->lost). */
void record_trial_start(struct campaign *campaign, const struct lane *lane);
void record_trial_end(struct campaign *campaign, struct lane *lane);
void record_buffered(struct campaign *campaign, struct lane *lane);
void record_campaign(struct campaign *campaign, json_t *columns);
void record_event(struct campaign *campaign, const char *kind, const char *text);
/* What was recorded is durable afterwards, or waits on where another process holds the lock (campaign->records). */
void record_commit(struct campaign *campaign);
#define BUSY_RETRY_MS 100
/* Until all is durable, or the database lost. */
void record_settle(struct campaign *campaign);
/* Frees what waits. */
void record_forget(struct campaign *campaign);
void record_watch_file(struct campaign *campaign);
/* The campaign's last record; takes counts. */
void record_end(struct campaign *campaign, const char *status, int exit_code, json_t *counts);
json_t *record_host_columns(const struct campaign *campaign);

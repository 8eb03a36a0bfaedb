/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by trial*.c only. */
#pragma once

#include <stdbool.h>

#include "analysis/summary.h"
#include "chaos/type.h"
#include "probe/probe.h"
#include "process/proc.h"
#include "process/scope.h"
#include "trial/trial.h"

/* A node under chaos. */
struct trial_fault {
	struct target *target;
	struct fault_spec spec;
	struct fault *fault;
	json_t *evidence;
};

struct outbox_message;

struct trial {
	const struct trial_job *job;
	const struct plan_trial *plan;
	const struct subject *subject;
	const struct settings *settings;

	enum trial_phase phase;
	char **environment;        /* of commands in this phase */
	char **scoped_environment; /* the same with the scope's mark */
	char target_names[1024];   /* comma-separated; "": not known yet */

	int wake_fd;          /* eventfd of the signal handler */
	struct proc *command; /* the one in the foreground; during the hold abort_if's */
	struct proc *workload;
	struct scope scope;
	bool has_scope;
	struct probes *probes;
	int *drains; /* pipes that something left behind by a command still holds */
	size_t drain_count;
	struct pollfd *poll_fds;
	size_t poll_size;

	struct trial_fault *faults;
	size_t fault_count;
	size_t live_count;        /* the first ones, active by now: renew their lease */
	bool live;                /* faults are active, or on their way */
	struct error chaos_error; /* why the chaos ended before its time; .code 0: it did not */
	bool effect_told;
	uint64_t renew_ns, flush_ns;
	uint64_t abort_ns; /* when abort_if is asked next */

	pid_t group, group_told; /* of the command outside the scope: as it is, and as the guard knows it */
	size_t groups_lost;      /* those that the guard was never told of */

	struct outbox_message *outbox, **outbox_end;
	size_t outbox_bytes, outbox_lost;
	json_t *samples; /* all */
	struct summary_times times;
	char leader[64]; /* at the end of warm-up, "": not known */
};

/* Seconds of the campaign file. */

/* trial/loop.c */
int trial_loop_init(struct trial *trial, struct error *err);
/*
 * Runs probes, workload, lease and messages until done says so (0), until_ns comes (0 without done, else -ETIMEDOUT)
 * or the trial is to stop (-ECANCELED).
 */
int trial_pump(struct trial *trial, uint64_t until_ns, bool (*done)(const struct trial *trial));
bool trial_stop_requested(void);
/* When the signal's handler stopped live faults, CLOCK_MONOTONIC; 0 if it did not. */
uint64_t trial_stopped_ns(void);
/* Publishes the faults to the signal handler, or hides them again. */
void trial_publish_faults(struct trial *trial);
void trial_hide_faults(void);
int trial_rebuild_environment(struct trial *trial, struct error *err);

/* trial/command.c */
void trial_record_command(struct trial *trial, const char *name, const struct command *command, const struct proc *proc,
			  unsigned int tries);
int trial_reset(struct trial *trial, struct error *err);
/* Tells the guard the present command's group, unless it knows; never blocks. */
void trial_tell_guard(struct trial *trial);
/* Polls `ready` until it exits 0 or end_ns; the first try counts whenever it ends. */
int trial_wait_ready(struct trial *trial, uint64_t end_ns, struct error *err);
/* Runs `roles`; the new JSON string is what it printed, NULL with err on failure. */
json_t *trial_roles(struct trial *trial, struct error *err);

/* trial/message.c */
void trial_enter(struct trial *trial, enum trial_phase phase, double seconds);
void trial_send(struct trial *trial, const char *message, json_t *body);
void trial_event(struct trial *trial, const char *kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void trial_set(struct trial *trial, json_t *columns);
/* Adds the moment's two columns. */
void trial_set_moment(struct trial *trial, const char *name, uint64_t monotonic_ns);
void trial_send_samples(struct trial *trial);
/* Sends what the socket takes. */
void trial_flush(struct trial *trial);
/*
 * Sends all, waiting for the coordinator: one that is stopped (Ctrl+Z) gets the record when it goes on, and one that
 * dies takes the worker along. By then nothing of the trial is left that could be held up.
 */
void trial_flush_all(struct trial *trial);

/* trial/abort.c */
/* During the hold: sets chaos_error once abort_if says so. */
void trial_abort_step(struct trial *trial);
uint64_t trial_abort_wake_ns(const struct trial *trial);
/* Kills one that still runs. */
void trial_abort_end(struct trial *trial);

/* trial/fault.c */
/* For the commands before the end of warm-up: a target that the file names. */
void trial_name_known_target(struct trial *trial);
int trial_resolve_target(struct trial *trial, struct error *err);
int trial_inject(struct trial *trial, struct error *err);
void trial_renew(struct trial *trial);
/* Inert first, then detached; safe to call when nothing was injected. */
int trial_revert(struct trial *trial, struct error *err);
void trial_free_faults(struct trial *trial);
/* Packets hit by all faults. */
json_int_t trial_hits(const struct trial *trial);

/* trial/check.c */
/* The columns summary, expectations, status and verdict of a trial that came to its end. */
void trial_check(struct trial *trial, bool recovered);
/* Once the faults are reverted: an event for each that lost packets or missed some. */
void trial_tell_losses(struct trial *trial);

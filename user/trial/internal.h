/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of a trial, and what its parts offer each other. Of this room alone. */
#pragma once

#include <stdbool.h>

#include "analysis/summary.h"
#include "chaos/fault.h"
#include "chaos/type.h"
#include "inject/faults.h"
#include "probe/probe.h"
#include "process/proc.h"
#include "process/pump.h"
#include "process/scope.h"
#include "trial/outbox.h"
#include "trial/trial.h"

struct trial {
	const struct trial_job *job;
	const struct plan_trial *plan;
	const struct subject *subject;
	const struct settings *settings;

	enum trial_phase phase;
	char **environment;        /* of commands in this phase */
	char **scoped_environment; /* the same with the scope's mark */
	char target_names[1024];   /* comma-separated; "": not known yet */

	struct pump pump;
	struct proc *command; /* the one in the foreground; during the hold abort_if's */
	struct proc *workload;
	struct scope scope;
	bool has_scope;
	struct probes *probes;
	int *drains; /* pipes that something left behind by a command still holds */
	size_t drain_count;

	struct fault_set faults;
	bool live;                /* faults are active, or on their way */
	struct error chaos_error; /* why the chaos ended before its time; .code 0: it did not */
	bool effect_told;
	uint64_t renew_ns, flush_ns;
	uint64_t abort_ns; /* when abort_if is asked next */

	pid_t group, group_told; /* of the command outside the scope: as it is, and as the guard knows it */
	size_t groups_lost;      /* those that the guard was never told of */

	struct outbox outbox;
	size_t messages_lost;
	json_t *samples; /* all */
	struct summary_times times;
	char leader[64]; /* at the end of warm-up, "": not known */
};

/* trial/environment.c */
int trial_rebuild_environment(struct trial *trial, struct error *err);

/* trial/loop.c */
int trial_watch_signals(struct error *err);
extern const struct pump_source trial_signal_source;
/*
 * Runs probes, workload, lease and messages until done says so (0), until_ns comes (0 without done, else -ETIMEDOUT)
 * or the trial is to stop (-ECANCELED).
 */
int trial_pump(struct trial *trial, uint64_t until_ns, bool (*done)(const struct trial *trial));
bool trial_stop_requested(void);
/* When the signal's handler stopped live faults, CLOCK_MONOTONIC; 0 if it did not. */
uint64_t trial_stopped_ns(void);
/* Publishes the faults to the signal handler, or hides them again. */
void trial_publish_faults(const struct fault_set *faults);
void trial_hide_faults(void);

/* trial/command.c */
void trial_record_command(struct trial *trial, const char *name, const struct command *command, const struct proc *proc,
			  unsigned int tries);
int trial_reset(struct trial *trial, struct error *err);
/* Polls `ready` until it exits 0 or end_ns; the first try counts whenever it ends. */
int trial_wait_ready(struct trial *trial, uint64_t end_ns, struct error *err);
/* Runs `roles`; the new JSON string is what it printed, NULL with err on failure. */
json_t *trial_roles(struct trial *trial, struct error *err);
extern const struct pump_source trial_command_source, trial_drains_source, trial_guard_source;

/* trial/load.c */
int trial_start_load(struct trial *trial, struct error *err);
/* Fails where the workload has failed. */
int trial_check_workload(const struct trial *trial, struct error *err);
void trial_send_samples(struct trial *trial);
/* Kills workload and probes with all that they left. */
void trial_stop_load(struct trial *trial);
extern const struct pump_source trial_workload_source, trial_probes_source;

/* trial/state.c: {"probes": …, "roles": what `roles` printed}; nothing where the subject has neither. */
/* Fails where the target depends on roles that could not be found, or the trial is to stop. */
int trial_record_initial_state(struct trial *trial, struct error *err);
void trial_record_final_state(struct trial *trial);

/* trial/message.c */
void trial_enter(struct trial *trial, enum trial_phase phase, double seconds);
void trial_send(struct trial *trial, const char *message, json_t *body);
void trial_event(struct trial *trial, const char *kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void trial_set(struct trial *trial, json_t *columns);
/* Adds the moment's two columns. */
void trial_set_moment(struct trial *trial, const char *name, uint64_t monotonic_ns);
/* Sends what the socket takes. */
void trial_flush(struct trial *trial);
/*
 * Sends all, waiting for the coordinator: one that is stopped (Ctrl+Z) gets the record when it goes on, and one that
 * dies takes the worker along. By then nothing of the trial is left that could be held up.
 */
void trial_flush_all(struct trial *trial);
extern const struct pump_source trial_messages_source;

/* trial/abort.c */
/* Kills one that still runs. */
void trial_abort_end(struct trial *trial);
extern const struct pump_source trial_abort_source;

/* trial/fault.c */
/* For the commands before the end of warm-up: a target that the file names. */
void trial_name_known_target(struct trial *trial);
int trial_resolve_target(struct trial *trial, struct error *err);
int trial_inject(struct trial *trial, struct error *err);
void trial_renew(struct trial *trial);
/* Inert first, then detached; safe to call when nothing was injected. */
int trial_revert(struct trial *trial, struct error *err);
void trial_close_faults(struct trial *trial);
extern const struct pump_source trial_lease_source;

/* trial/check.c */
/* The columns summary, expectations, status and verdict of a trial that came to its end. */
void trial_check(struct trial *trial, bool recovered);
/* Once the faults are reverted: an event for each that lost packets or missed some. */
void trial_tell_losses(struct trial *trial);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state of a trial, and the functions that the files of trial/ share; private to trial/. */
#pragma once

#include <stdbool.h>

#include "analysis/metrics.h"
#include "analysis/summary.h"
#include "chaos/fault.h"
#include "chaos/type.h"
#include "chaos/watch.h"
#include "inject/faults.h"
#include "plan/status.h"
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
	char **scoped_environment; /* the same, with the scope's name */
	char target_names[1024];   /* comma-separated; "" if not known yet */

	struct pump pump;
	struct proc *command; /* the command that the trial waits for; during the hold, abort_if */
	struct proc *workload;
	struct scope scope;
	bool has_scope;
	struct probes *probes;
	struct trial_metrics *metrics; /* NULL before the load starts */
	int *drains;                   /* output pipes that daemons started by a command still hold */
	size_t drain_count;

	struct fault_set faults;
	struct chaos_watch *watch;     /* NULL: the chaos needs none */
	const struct opening *opening; /* of the faults, in a thread; NULL: none */
	bool live;                     /* faults are active, or being activated */
	struct error chaos_error;      /* why the chaos ended early; .code 0 if it did not */
	bool effect_told;
	uint64_t renew_ns, flush_ns;
	uint64_t abort_ns; /* when abort_if is due next */

	pid_t group, group_told; /* the process group of `command`, and the last group that the guard was sent */
	size_t groups_lost;      /* groups that the guard was never sent */

	struct outbox outbox;
	size_t messages_lost;
	struct summary_samples samples; /* all of the trial */
	struct summary_times times;
	char leader[64]; /* as `roles` last printed it; "" if not known */
};

/* trial/environment.c */
int trial_rebuild_environment(struct trial *trial, struct error *err);

/* trial/loop.c */
int trial_watch_signals(struct error *err);
extern const struct pump_source trial_signal_source;
/*
 * Steps all pump sources until `done` returns true (returns 0), until_ns is reached (-ETIMEDOUT; 0 if `done` is NULL)
 * or a stop is requested (-ECANCELED).
 */
int trial_pump(struct trial *trial, uint64_t until_ns, bool (*done)(const struct trial *trial));
bool trial_stop_requested(void);
/* When the signal handler stopped published faults (CLOCK_MONOTONIC); 0 if it did not. */
uint64_t trial_stopped_ns(void);
/* Gives the faults to the signal handler, or takes them away again. */
void trial_publish_faults(const struct fault_set *faults);
void trial_hide_faults(void);

/* trial/command.c */
void trial_record_command(struct trial *trial, const char *name, const struct command *command, const struct proc *proc,
			  unsigned int tries);
int trial_reset(struct trial *trial, struct error *err);
/* Runs `ready` until it exits 0 or end_ns is reached; the first try counts even if it ends later. */
int trial_wait_ready(struct trial *trial, uint64_t end_ns, struct error *err);
/* Runs `roles`. Returns its output as a new JSON string, or NULL with err set. */
json_t *trial_roles(struct trial *trial, struct error *err);
/* Runs the final checks. Appends what they showed to list; *verdict is set to fail if one of them failed. */
int trial_final_checks(struct trial *trial, json_t *list, enum trial_verdict *verdict, struct error *err);
extern const struct pump_source trial_command_source, trial_drains_source, trial_guard_source;

/* trial/phase.c */
/* The recorded phase of a window; without one that in which the trial is. */
enum trial_phase trial_phase_of_window(const struct trial *trial, enum summary_window window);

/* trial/load.c */
int trial_start_load(struct trial *trial, struct error *err);
/* True if the workload has ended without success. */
bool trial_workload_failed(const struct trial *trial);
/* Fails if it has; when completes "the workload failed …". */
int trial_check_workload(const struct trial *trial, const char *when, struct error *err);
void trial_send_samples(struct trial *trial);
/* Kills the workload, the probes and every process that they started. */
void trial_stop_load(struct trial *trial);
extern const struct pump_source trial_workload_source, trial_probes_source;

/* trial/metrics.c */
int trial_start_metrics(struct trial *trial, struct error *err);
/* Sends what is left. */
void trial_stop_metrics(struct trial *trial);
/* Takes the workload's output; arg is the trial. */
void trial_read_output(void *arg, const char *bytes, size_t size);
/* Records the hits since the last call, from evidence that was read just now. */
void trial_record_hits(struct trial *trial, uint64_t at_ns);
/* When to record them next; UINT64_MAX: no fault was injected. */
uint64_t trial_hits_due_ns(const struct trial *trial);
/* The kernel's hits so far, a new reference; null if they were not recorded since the last call. */
json_t *trial_new_hits(struct trial *trial);
/* `metrics` of the summary, with the sources' errors; NULL if the subject has none. */
json_t *trial_metrics_summary(const struct trial *trial);
extern const struct pump_source trial_metrics_source;

/* trial/state.c: records {"probes": …, "roles": output of `roles`}, or nothing if the subject has neither. */
/* Fails if a stop is requested, or if `roles` failed and the target depends on it. */
int trial_record_initial_state(struct trial *trial, struct error *err);
void trial_record_final_state(struct trial *trial);

/* trial/message.c */
void trial_enter(struct trial *trial, enum trial_phase phase, double seconds);
void trial_send(struct trial *trial, const char *message, json_t *body);
void trial_event(struct trial *trial, const char *kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void trial_set(struct trial *trial, json_t *columns);
/* Sets the columns NAME (RFC 3339) and NAME_monotonic_ns. */
void trial_set_moment(struct trial *trial, const char *name, uint64_t monotonic_ns);
/* Sends as much as the socket takes without blocking. */
void trial_flush(struct trial *trial);
/*
 * Sends everything, waiting for the coordinator if it is stopped (Ctrl+Z); if the coordinator dies, so does the worker.
 * Call only after the faults and the load have ended, so that nothing else waits.
 */
void trial_flush_all(struct trial *trial);
extern const struct pump_source trial_messages_source;

/* trial/abort.c */
/* Kills abort_if if it still runs. */
void trial_abort_end(struct trial *trial);
extern const struct pump_source trial_abort_source;

/* trial/fault.c */
/* Sets target_names early if the file names the target, for the commands before the injection. */
void trial_name_known_target(struct trial *trial);
int trial_resolve_target(struct trial *trial, struct error *err);
int trial_inject(struct trial *trial, struct error *err);
void trial_renew(struct trial *trial);
/* Makes the faults inert, then detaches them; safe to call if nothing was injected. */
int trial_revert(struct trial *trial, struct error *err);
void trial_close_faults(struct trial *trial);
extern const struct pump_source trial_lease_source;

/* trial/watch.c */
/* Before the reset: what the nodes open from then on can be hit. Does nothing if the chaos does not need it. */
int trial_start_watch(struct trial *trial, struct error *err);
extern const struct pump_source trial_watch_source;

/* trial/check.c */
/* Runs the final checks; sets summary, expectations, status and verdict of a trial that ran through all phases. */
int trial_check(struct trial *trial, bool recovered, struct error *err);
/* After the revert: records an event for each fault that dropped packets or failed to delay them. */
void trial_tell_losses(struct trial *trial);

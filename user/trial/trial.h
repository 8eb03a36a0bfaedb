/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One trial, run in its own process (the worker). The worker sends the coordinator JSON objects, one per datagram,
 * distinguished by their key "message":
 *   phase    {"phase", "at", "monotonic_ns", "seconds": planned length or null}
 *   event    {"at", "monotonic_ns", "phase", "kind", "text", …}, as store_event_add() takes it
 *   columns  {"columns": {…}}, new values of the trial's row
 *   command  {"record": {…}}, an element of commands_json
 *   samples  {"samples": […], "hits": the kernel's so far, at most twice a second, else null, "state": probes_state()}
 *   metrics  {"metrics": […]}, as store_metrics_add() takes them
 *   end      the last message; the columns hold the final status
 */
#pragma once

#include <sys/types.h>

#include "plan/plan.h"

/* Also the values of error_stage. */
enum trial_phase {
	PHASE_RESET,
	PHASE_READY,
	PHASE_WARMUP,
	PHASE_INJECT,
	PHASE_HOLD,
	PHASE_REVERT,
	PHASE_RECOVER,
	PHASE_CHECK,
	PHASE_COUNT,
};

const char *trial_phase_name(enum trial_phase phase);
/* PHASE_COUNT if no phase has that name. */
enum trial_phase trial_phase_find(const char *name);

struct trial_job {
	const char *campaign_id;
	const struct config *config;
	const struct plan_trial *plan;
	unsigned int instance;
	pid_t coordinator;
	const char *scope_prefix;
	int socket_fd; /* SOCK_SEQPACKET to the coordinator */
	int guard_fd;
};

/* The longest datagram, in bytes: the size of the coordinator's receive buffer and half the worker's send buffer. */
#define TRIAL_MESSAGE_MAX (1024 * 1024)

/* The worker's main function, in the forked child. SIGTERM or SIGINT makes the faults inert and ends the trial. */
__attribute__((noreturn)) void trial_run(const struct trial_job *job);

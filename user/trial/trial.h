/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One trial, run in a process of its own (the worker), which streams what happens to the coordinator: JSON objects,
 * one a datagram, told apart by their key "message":
 *   phase    {"phase", "at", "monotonic_ns", "seconds": planned length or null}
 *   event    {"at", "monotonic_ns", "phase", "kind", "text", …}, as store_event_add() takes it
 *   columns  {"columns": {…}} of the trial's row, as far as they are known
 *   command  {"record": {…}}, an element of commands_json
 *   samples  {"samples": […], "state": probes_state()}
 *   end      nothing more comes; the columns hold the final status
 */
#pragma once

#include <sys/types.h>

#include "plan/plan.h"

/* The stages of errors, too. */
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
/* PHASE_COUNT where there is none of that name. */
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

/* Datagrams stay below this; both ends of the socket get buffers for it. */
#define TRIAL_MESSAGE_MAX (1024 * 1024)

/* The worker's whole life, in the forked child. SIGTERM ends the trial early: faults inert first. */
__attribute__((noreturn)) void trial_run(const struct trial_job *job);

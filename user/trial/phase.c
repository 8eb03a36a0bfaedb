/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The names of a trial's phases. */
#include <string.h>

#include "trial/internal.h"

static const char *const phase_names[PHASE_COUNT] = {
	[PHASE_RESET] = "reset", [PHASE_READY] = "ready",   [PHASE_WARMUP] = "warmup",   [PHASE_INJECT] = "inject",
	[PHASE_HOLD] = "hold",   [PHASE_REVERT] = "revert", [PHASE_RECOVER] = "recover", [PHASE_CHECK] = "check",
};

const char *trial_phase_name(enum trial_phase phase)
{
	return phase_names[phase];
}

enum trial_phase trial_phase_find(const char *name)
{
	enum trial_phase phase = 0;

	while (phase < PHASE_COUNT && strcmp(phase_names[phase], name))
		phase++;
	return phase;
}

enum trial_phase trial_phase_of_window(const struct trial *trial, enum summary_window window)
{
	static const enum trial_phase phases[WINDOW_COUNT] = {
		[WINDOW_BEFORE] = PHASE_WARMUP,
		[WINDOW_DURING] = PHASE_HOLD,
		[WINDOW_AFTER] = PHASE_RECOVER,
	};

	return window == WINDOW_NONE ? trial->phase : phases[window];
}

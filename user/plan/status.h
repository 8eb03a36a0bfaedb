/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A trial's status and verdict, and their names in the records. */
#pragma once

#include <stdbool.h>

enum trial_status {
	STATUS_PLANNED,
	STATUS_RUNNING,
	STATUS_COMPLETED,
	STATUS_FAILED,
	STATUS_VOID,
	STATUS_INTERRUPTED,
	STATUS_COUNT,
};

enum trial_verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_INCONCLUSIVE, VERDICT_COUNT };

const char *status_name(enum trial_status status);
/* Returns STATUS_COUNT if the name is unknown. */
enum trial_status status_find(const char *name);
/* True if a trial with this status never runs again, except by --retry-failed; false for STATUS_COUNT. */
bool status_is_final(enum trial_status status);

const char *verdict_name(enum trial_verdict verdict);
/* Returns VERDICT_COUNT if the name is unknown. */
enum trial_verdict verdict_find(const char *name);
/* The worse of two: fail, inconclusive, pass. */
enum trial_verdict verdict_worse(enum trial_verdict a, enum trial_verdict b);

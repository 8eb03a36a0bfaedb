/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Effects that do not end with a process: what is restored when all that held them were killed at once. */
#pragma once

#include <stdio.h>

/* Restores them, with a line for each in report (may be NULL); what is still held is left alone. Returns how many. */
int chaos_restore_dead(FILE *report);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of check/ share; private to check/. */
#pragma once

#include "check/check.h"

/* check/finding.c */
void check_error(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_warning(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True if the plan's trial is to be checked. */
bool check_has(const struct check *check, size_t trial);
/* True if a trial that is checked has this subject, and this chaos type unless chaos is NULL. */
bool check_runs(const struct check *check, const struct subject *subject, const struct chaos *chaos);

/* check/program.c */
#define PROGRAM_SIZE 256
/*
 * Writes the program that a shell command starts with. False if only a shell could tell: a variable, a pattern, a
 * builtin.
 */
bool program_of(char out[PROGRAM_SIZE], const char *exec);
/* Says in why what is wrong with the program, as found from directory or in PATH; false if nothing is. */
bool program_is_missing(const char *program, const char *directory, char *why, size_t size);

/* check/command.c */
void check_commands(struct check *check, const struct subject *subject);
/* check/target.c */
void check_targets(struct check *check, const struct subject *subject);

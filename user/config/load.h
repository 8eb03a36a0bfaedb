/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads and validates a campaign file. */
#pragma once

#include <stdio.h>

#include "config/config.h"

enum config_use {
	CONFIG_TO_READ, /* a file that root cannot trust (util/trusted.h) is a warning */
	CONFIG_TO_RUN,  /* it is an error, if this process is root */
};

/*
 * Reads and validates. Problems, at most 100, go to problems as complete lines
 * "FILE:LINE:COLUMN: error: what, and what would be right\n" in the order of their places (FILE as the user gave
 * it); the same for warnings ("warning:"). Returns 0; -EINVAL when there was an error line (*out untouched);
 * another negative errno when the file cannot be read (err says why). Touches nothing but the files it reads.
 */
int config_load(struct config **out, const char *path, enum config_use use, FILE *problems, struct error *err);

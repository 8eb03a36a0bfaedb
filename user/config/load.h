/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads and validates a campaign file. */
#pragma once

#include <stdio.h>

#include "config/config.h"

enum config_use {
	CONFIG_TO_READ, /* a file that root cannot trust (util/trusted.h) is a warning */
	CONFIG_TO_RUN,  /* such a file is an error if this process is root */
};

/*
 * Reads and validates a campaign file; changes nothing on the host. Prints at most 100 problems, sorted by place, as
 * lines "FILE:LINE:COLUMN: error: what, and what would be right\n" (or "warning:"), with FILE as the user gave it.
 * Returns 0; -EINVAL after an error line; another negative errno if the file cannot be read (err says why). On failure
 * *out is untouched.
 */
int config_load(struct config **out, const char *path, enum config_use use, FILE *problems, struct error *err);

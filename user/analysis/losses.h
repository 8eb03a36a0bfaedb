/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Unintended effects of chaos on packets, from a trial's evidence. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* Totals of all targets, devices and directions. dropped: by a full line; failed: matched but passed untouched. */
struct losses {
	json_int_t dropped, failed;
};

struct losses losses_count(const json_t *evidence);
/* Describes the losses, such as "the line dropped 3 packets: …". Returns the text's length; 0 if there are none. */
int losses_describe(char *out, size_t size, const json_t *evidence);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What chaos did to packets that it was not to do, from a trial's evidence. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* Over all targets, devices and both ways: packets that a full line dropped, and that matched but passed untouched. */
struct losses {
	json_int_t dropped, failed;
};

struct losses losses_count(const json_t *evidence);
/* "the line dropped 3 packets"; its length, 0 where there is nothing to tell. */
int losses_describe(char *out, size_t size, const json_t *evidence);

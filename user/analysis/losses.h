/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Unintended effects of chaos, from a trial's evidence. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* Joins the texts of the evidence's "losses"; with several targets, each text after its target's name. Returns its
 * length. */
int losses_describe(char *out, size_t size, const json_t *evidence);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sums of evidence: a fault's kernel counters as JSON. */
#pragma once

#include <jansson.h>

/* Adds the plain counters of a part's evidence (seen, hit, bytes) to a total's. */
void evidence_add(json_t *total, const json_t *part);

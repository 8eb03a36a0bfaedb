/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What explains a network fault's counters: hits per peer, what passed unmatched, and notes, for the record. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "chaos/fault.h"
#include "chaos/net/fault.h"

/* Adds to the evidence: "peers", "unmatched" if nothing was hit, "notes". Takes hundreds of system calls. */
void net_explain(json_t *evidence, const struct fault_spec *spec, const struct net_part *parts, size_t count);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Placeholders of a node's data fields. */
#pragma once

#include "config/config.h"

/*
 * The node with placeholders ({instance}, {node}, {subject}) expanded; addresses are all valid then. Returns 0 or
 * a negative errno. node_clear frees what it holds.
 */
int node_expand(struct node *out, const struct node *node, const struct subject *subject, unsigned int instance,
		struct error *err);

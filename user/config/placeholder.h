/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Expands the placeholders in a node's data fields. */
#pragma once

#include "config/config.h"

/*
 * Copies node with {instance}, {node} and {subject} expanded; does not validate the result. Returns 0 or -ENOMEM
 * (*out untouched). Free with node_clear.
 */
int node_expand(struct node *out, const struct node *node, const struct subject *subject, unsigned int instance,
		struct error *err);

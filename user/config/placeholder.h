/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Expands the placeholders in the data fields of nodes and probes. */
#pragma once

#include "config/config.h"

/*
 * Copies node with {instance}, {node} and {subject} expanded; does not validate the result. Returns 0 or -ENOMEM
 * (*out untouched). Free with node_clear.
 */
int node_expand(struct node *out, const struct node *node, const struct subject *subject, unsigned int instance,
		struct error *err);
/*
 * The same of a probe, {node} being its `node`, whose namespace it then gets as `netns`; the paths of its files become
 * absolute. Returns 0, -ENOMEM or, if the subject has no such node, -ENOENT (*out untouched). Free with probe_clear.
 */
int probe_expand(struct probe *out, const struct probe *probe, const struct subject *subject, unsigned int instance,
		 struct error *err);

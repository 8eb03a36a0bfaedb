/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a campaign file's node to an open target: placeholders, locality, peers. */
#pragma once

#include "config/config.h"
#include "target/target.h"

/* NULL: the subject has no node of that name. */
const struct node *node_find(const struct subject *subject, const char *name);
/* Whether a subject's node, in this instance, is on this host. */
int node_is_local(const struct node *node, const struct subject *subject, unsigned int instance, bool *local,
		  struct error *err);
/*
 * Opens the node of a subject's instance as a fault's target. Its peers are the addresses of all other nodes and
 * members, narrowed by params' `peers` (names or addresses, or the word all). A node that is not on this host is
 * -EHOSTUNREACH, with the local ones in the text.
 */
int node_target_open(struct target **out, const struct config *config, const struct subject *subject,
		     unsigned int instance, const char *node_name, const struct chaos_ops *ops, const json_t *params,
		     struct error *err);

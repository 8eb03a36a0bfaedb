/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens a campaign file's node as a target: expands placeholders, checks that it is local, collects its peers. */
#pragma once

#include "config/config.h"
#include "target/target.h"

/* Sets *local to whether the node, in this instance, is on this host. */
int node_is_local(const struct node *node, const struct subject *subject, unsigned int instance, bool *local,
		  struct error *err);
/*
 * Opens the node of a subject's instance as a fault's target. Its peers are the addresses of all other nodes and peers
 * of the subject, unless params' `peers` lists names or addresses, or is the word "all" (every address).
 * -EHOSTUNREACH, with the local nodes in the text, if the node is not on this host.
 */
int node_target_open(struct target **out, const struct config *config, const struct subject *subject,
		     unsigned int instance, const char *node_name, const struct chaos_ops *ops, const json_t *params,
		     struct error *err);

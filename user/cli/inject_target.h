/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The target of `eval inject`: given by options, or a node of a campaign file. */
#pragma once

#include "chaos/type.h"
#include "target/target.h"

#define INJECT_WORDS_MAX 256

/* Option values from the command line; lists end with NULL. */
struct inject_where {
	const char *netns, *interface, *cgroup;
	const char *peers[INJECT_WORDS_MAX];
	const char *addresses[INJECT_WORDS_MAX];
	const char *data_dirs[INJECT_WORDS_MAX];
	const char *protect[INJECT_WORDS_MAX];
	const char *allow[INJECT_WORDS_MAX];
	const char *config, *node;
	unsigned int instance;
};

/* -EINVAL if the options are wrong or incomplete; otherwise as target_open, config_load and node_target_open. */
int inject_target_open(struct target **out, const struct chaos_ops *ops, const struct inject_where *where,
		       struct error *err);
int inject_target_exit_code(int code);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the commands' command lines share. */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "config/load.h"

enum { OPTION_DB = 256, OPTION_JSON, OPTION_OWN /* a command's own begin here */ };

#define OPTION_DB_ROW \
	{ \
		"db", OPTION_DB, "FILE", 0, "database (default: $EVAL_DB, else /var/lib/eval/eval.db)", 0 \
	}

/* argp_parse() with our exit code: a wrong command line ends the process. EXIT_OK or EXIT_USAGE. */
int options_parse(const struct argp *argp, int argc, char **argv, void *input);
/* --db and --json of the commands that read the database. */
struct read_options {
	const char *db; /* NULL: not given */
	bool json;
};
/* True if the option is one of these. */
bool options_take_read(int key, const char *arg, struct read_options *asked);
/* 1 to most; what else arg says ends the process. */
unsigned int options_whole_number(const struct argp_state *state, const char *name, const char *arg, unsigned int most);

/* config_load() for a command: prints all that is wrong. EXIT_OK or EXIT_USAGE. */
int options_load_config(struct config **out, const char *path, enum config_use use);

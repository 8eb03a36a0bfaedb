/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval validate CONFIG: checks a campaign file. */
#include <argp.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "util/cleanup.h"
#include "util/text.h"

static error_t take_validate_option(int key, char *arg, struct argp_state *state)
{
	const char **path = state->input;

	if (key == ARGP_KEY_ARG && !*path)
		*path = arg;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "one CONFIG at a time");
	else if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "CONFIG is missing");
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.parser = take_validate_option,
	.args_doc = "CONFIG",
	.doc = "Check a campaign file: every problem in one go, as FILE:LINE:COLUMN. Needs no root, touches nothing.\v"
	       "Exit: 0 valid, 2 not valid.",
};

int cmd_validate(int argc, char **argv)
{
	struct config *config = NULL;
	const char *path = NULL;
	size_t trials;
	int ret;

	if (options_parse(&argp, argc, argv, &path))
		return EXIT_USAGE;
	ret = options_load_config(&config, path, CONFIG_TO_READ);
	if (ret)
		return ret;
	trials = config->subject_count * (config->chaos_count + config->include_baseline) *
		 config->trials_per_combination;
	printf("%s: valid: %zu subject%s, %zu chaos type%s%s, %zu trial%s\n", path, config->subject_count,
	       text_plural((long long)config->subject_count), config->chaos_count,
	       text_plural((long long)config->chaos_count), config->include_baseline ? " and baseline" : "", trials,
	       text_plural((long long)trials));
	config_free(config);
	return EXIT_OK;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval check CONFIG: what only the live host can tell of a campaign file. */
#include <argp.h>
#include <errno.h>
#include <string.h>

#include "campaign/campaign.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "kernel/features.h"

enum option_key { OPTION_ONLY = OPTION_OWN };

static const struct argp_option options[] = {
	{"only", OPTION_ONLY, "GLOB", 0, "only what trials need whose id matches", 0},
	OPTION_DB_ROW,
	{},
};

static error_t take_check_option(int key, char *arg, struct argp_state *state)
{
	struct campaign_options *asked = state->input;

	switch (key) {
	case OPTION_ONLY:
		asked->only = arg;
		return 0;
	case OPTION_DB:
		asked->db = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (asked->config_path)
			argp_error(state, "one CONFIG at a time");
		asked->config_path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "CONFIG is missing");
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = take_check_option,
		.args_doc = "CONFIG",
		.doc = "Look whether this host can run a campaign file; 'eval run' does it first. Every finding in one "
		       "go. "
		       "Injects nothing; runs `ready` and the probes of subjects that are never reset.\v"
		       "What holds only after a subject's reset is not looked at. Exit: 0 no errors; 2 errors; 3 this "
		       "host "
		       "can run no campaign at all.",
	};
	struct campaign_options asked = {};
	struct config *config;
	struct error err = {};
	int ret;

	if (options_parse(&argp, argc, argv, &asked))
		return EXIT_USAGE;
	ret = options_load_config(&config, asked.config_path, CONFIG_TO_RUN);
	if (ret)
		return ret;
	ret = features_check_host(&err);
	if (ret)
		log_error("%s", err.text);
	ret = ret ? EXIT_HOST : campaign_check(config, &asked);
	config_free(config);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval run campaign CONFIG: runs the trials of a campaign file. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/campaign.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "kernel/features.h"
#include "util/cleanup.h"

enum option_key {
	OPTION_RESUME = OPTION_OWN,
	OPTION_FRESH,
	OPTION_RETRY_FAILED,
	OPTION_RERUN,
	OPTION_ONLY,
	OPTION_PARALLEL,
	OPTION_DRY_RUN,
	OPTION_NO_CHECK,
	OPTION_QUIET,
};

static const struct argp_option options[] = {
	{"resume", OPTION_RESUME, "ID", OPTION_ARG_OPTIONAL,
	 "go on with the campaign ID (default: the newest unfinished one)", 0},
	{"fresh", OPTION_FRESH, NULL, 0, "start anew although a campaign of this file is unfinished", 0},
	{"retry-failed", OPTION_RETRY_FAILED, NULL, 0, "resume, and run failed and void trials again", 0},
	{"rerun", OPTION_RERUN, "GLOB", 0,
	 "run just the trials again whose id matches, whatever came of them; GLOB 'failed': all that did not pass", 0},
	{"only", OPTION_ONLY, "GLOB", 0, "only trials whose id matches", 0},
	{"parallel", OPTION_PARALLEL, "N", 0, "run N trials at once (default: the file's)", 0},
	OPTION_DB_ROW,
	{"dry-run", OPTION_DRY_RUN, NULL, 0, "print what would run, and run nothing; needs no root", 0},
	{"no-check", OPTION_NO_CHECK, NULL, 0, "start although 'eval check' finds errors", 0},
	{"json", OPTION_JSON, NULL, 0, "print one JSON event a line (with --dry-run: the plan as JSON)", 0},
	{"quiet", OPTION_QUIET, NULL, 0, "print the table at the end only", 0},
	{0},
};

struct run {
	struct campaign_options campaign;
	const char *what, *config;
	bool dry_run;
};

static error_t parse_argument(const char *arg, struct run *run, const struct argp_state *state)
{
	if (!run->what) {
		run->what = arg;
		if (strcmp(arg, "campaign"))
			argp_error(state, "cannot run '%s': usage is 'eval run campaign CONFIG'", arg);
		return 0;
	}
	if (run->config)
		argp_error(state, "one file at a time: '%s' is one too many", arg);
	run->config = arg;
	return 0;
}

static error_t take_run_option(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;

	switch (key) {
	case OPTION_RESUME:
		run->campaign.resume = true;
		run->campaign.resume_id = arg;
		return 0;
	case OPTION_FRESH:
		run->campaign.fresh = true;
		return 0;
	case OPTION_RETRY_FAILED:
		run->campaign.retry_failed = true;
		return 0;
	case OPTION_RERUN:
		run->campaign.rerun = arg;
		return 0;
	case OPTION_ONLY:
		run->campaign.only = arg;
		return 0;
	case OPTION_PARALLEL:
		run->campaign.parallel = options_whole_number(state, "parallel", arg, PARALLEL_MAX);
		return 0;
	case OPTION_DB:
		run->campaign.db = arg;
		return 0;
	case OPTION_DRY_RUN:
		run->dry_run = true;
		return 0;
	case OPTION_NO_CHECK:
		run->campaign.no_check = true;
		return 0;
	case OPTION_JSON:
		run->campaign.progress = PROGRESS_JSON;
		return 0;
	case OPTION_QUIET:
		run->campaign.progress = PROGRESS_QUIET;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(arg, run, state);
	case ARGP_KEY_END:
		if (!run->what || !run->config)
			argp_error(state, "no file: usage is 'eval run campaign CONFIG'");
		if (run->campaign.fresh && campaign_goes_on(&run->campaign))
			argp_error(state, "--fresh excludes --resume, --retry-failed and --rerun");
		if (run->campaign.rerun && run->campaign.retry_failed)
			argp_error(state, "--rerun excludes --retry-failed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run_config(struct run *run, const struct config *config)
{
	struct error err = {};

	if (run->dry_run)
		return campaign_dry_run(config, &run->campaign);
	if (features_check_host(&err)) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	return campaign_run(config, &run->campaign);
}

/* Joins the arguments to one line, for the record; NULL if out of memory. */
static char *join(int argc, char **argv)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	for (int i = 0; out && i < argc; i++)
		fprintf(out, "%s%s", i ? " " : "", argv[i]);
	if (out)
		fclose(out);
	return line;
}

int cmd_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = take_run_option,
		.args_doc = "campaign CONFIG",
		.doc = "Run every trial of a campaign file and record each.\v"
		       "Exit: 0 all trials completed and none failed its expectations; 1 some trial failed, was void "
		       "or "
		       "missed an expectation; 2 bad usage or invalid file, nothing was touched; 3 this host cannot do "
		       "it; "
		       "130 interrupted.",
	};
	_cleanup_free_ char *command_line = join(argc, argv);
	struct run run = {};
	struct config *config;
	int ret;

	if (options_parse(&argp, argc, argv, &run))
		return EXIT_USAGE;
	run.campaign.config_path = run.config;
	run.campaign.command_line = command_line ?: "";
	ret = options_load_config(&config, run.config, run.dry_run ? CONFIG_TO_READ : CONFIG_TO_RUN);
	if (ret)
		return ret;
	ret = run_config(&run, config);
	config_free(config);
	return ret;
}

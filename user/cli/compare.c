/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval compare: compares two campaigns, or the trials of one with its baseline. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/report.h"
#include "store/store.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"

enum { OPTION_FAIL = OPTION_OWN, OPTION_EFFECT, OPTION_POWER };

static const struct argp_option options[] = {
	OPTION_DB_ROW,
	{"json", OPTION_JSON, NULL, 0, "print JSON", 0},
	{"fail-on-worse", OPTION_FAIL, NULL, 0, "exit 1 if something is worse", 0},
	{"min-effect", OPTION_EFFECT, "PERCENT", 0, "the smallest difference that counts (default 10)", 0},
	{"plan-power", OPTION_POWER, NULL, 0,
	 "also print how many trials a side that difference needs to be shown in four of five campaigns", 0},
	{},
};

struct compare_asked {
	struct read_options read;
	const char *campaigns[2];
	struct compare_options options;
	bool fail_on_worse, plan_power;
};

static double read_percent(const struct argp_state *state, const char *text)
{
	char *end;
	double percent = strtod(text, &end);

	if (end == text || *end || !(percent >= 0 && percent <= 1000))
		argp_error(state, "--min-effect: '%s' is not a percentage: write 10", text);
	return percent / 100;
}

static error_t take_compare_option(int key, char *arg, struct argp_state *state)
{
	struct compare_asked *asked = state->input;

	if (options_take_read(key, arg, &asked->read))
		return 0;
	switch (key) {
	case OPTION_FAIL:
		asked->fail_on_worse = true;
		return 0;
	case OPTION_EFFECT:
		asked->options.smallest_effect = read_percent(state, arg);
		return 0;
	case OPTION_POWER:
		asked->plan_power = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "unexpected argument '%s': at most two campaigns", arg);
		asked->campaigns[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which campaigns? 'eval list' lists them");
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

/* Sets *id to the whole id of a campaign, and *trials to its rows; new references. */
static int read_trials(struct store *store, const char *asked, json_t **id, json_t **trials, struct error *err)
{
	_cleanup_json_ json_t *campaign = store_campaign(store, asked, err);

	if (!campaign)
		return err->code;
	*id = json_incref(json_object_get(campaign, "id"));
	*trials = store_list_trials(store, json_string_value(*id), STORE_TRIAL_FIGURES, err);
	return *trials ? 0 : err->code;
}

static int compare(const struct compare_asked *asked, struct store *store)
{
	_cleanup_json_ json_t *id_a = NULL, *id_b = NULL, *a = NULL, *b = NULL, *comparisons = NULL;
	struct error err = {};

	if (read_trials(store, asked->campaigns[0], &id_a, &a, &err) ||
	    read_trials(store, asked->campaigns[1] ?: asked->campaigns[0], &id_b, &b, &err)) {
		log_error("%s", err.text);
		return err.code == -ENOENT || err.code == -ENOTUNIQ ? EXIT_USAGE : EXIT_HOST;
	}
	comparisons = compare_trials(a, b, &asked->options);
	if (!comparisons) {
		log_error("out of memory");
		return EXIT_HOST;
	}
	if (asked->read.json) {
		_cleanup_json_ json_t *all = json_pack("{s:O, s:O, s:b, s:f, s:O}", "a", id_a, "b", id_b,
						       "with_baseline", asked->options.with_baseline, "smallest_effect",
						       asked->options.smallest_effect, "comparisons", comparisons);

		json_print_document(all, JSON_INDENT(2), stdout);
		putchar('\n');
	} else {
		report_compare(stdout, terminal_fd(stdout),
			       &(struct report_comparison){.a = json_string_value(id_a),
							   .b = json_string_value(id_b),
							   .with_baseline = asked->options.with_baseline,
							   .with_needed = asked->plan_power,
							   .trials = a,
							   .comparisons = comparisons});
	}
	if (fflush(stdout))
		return EXIT_HOST;
	return asked->fail_on_worse && compare_has_worse(comparisons) ? EXIT_TRIALS : EXIT_OK;
}

int cmd_compare(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = take_compare_option,
		.args_doc = "CAMPAIGN [CAMPAIGN]",
		.doc = "Compare the second campaign with the first, chaos type by chaos type; of one campaign, its "
		       "chaos "
		       "with its baseline. The unit is the trial; below 4 and 4 trials nothing is claimed.",
	};
	struct compare_asked asked = {.options.smallest_effect = COMPARE_EFFECT_DEFAULT};
	struct store *store = NULL;
	struct error err = {};
	int ret;

	if (options_parse(&argp, argc, argv, &asked))
		return EXIT_USAGE;
	asked.options.with_baseline = !asked.campaigns[1];
	if (store_open(&store, asked.read.db, STORE_READ, &err)) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	ret = compare(&asked, store);
	store_close(store);
	return ret;
}

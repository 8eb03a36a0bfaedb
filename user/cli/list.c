/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval list: lists the campaigns of the database. */
#include <argp.h>

#include "campaign/campaign.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/report.h"
#include "store/store.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"

static const struct argp_option options[] = {
	OPTION_DB_ROW,
	{"json", OPTION_JSON, NULL, 0, "print JSON; 'eval show --json' has more of each campaign", 0},
	{},
};

static error_t take_list_option(int key, char *arg, struct argp_state *state)
{
	if (options_take_read(key, arg, state->input))
		return 0;
	if (key == ARGP_KEY_ARG)
		argp_error(state, "unexpected argument '%s' (did you mean 'eval show %s'?)", arg, arg);
	return ARGP_ERR_UNKNOWN;
}

/* True if the default database does not exist yet: then the list is empty. A named database must exist. */
static bool is_first_use(const struct read_options *asked, const struct error *err)
{
	const char *environment = getenv("EVAL_DB");

	return err->code == -ENOENT && !asked->db && (!environment || !environment[0]);
}

static json_t *read_campaigns(const struct read_options *asked, struct error *err)
{
	struct store *store = NULL;
	json_t *campaigns;

	if (store_open(&store, asked->db, STORE_READ, err))
		return is_first_use(asked, err) ? json_array() : NULL;
	campaigns = store_campaigns(store, err);
	store_close(store);
	return campaigns;
}

/* A campaign that is recorded as running is dead if its process is gone. */
static void mark_alive(json_t *campaigns)
{
	json_t *campaign;
	size_t i;

	json_array_foreach (campaigns, i, campaign)
		json_object_set_new(campaign, "alive", json_boolean(campaign_is_alive(campaign)));
}

static void print_json(json_t *campaigns)
{
	_cleanup_json_ json_t *all = json_pack("{s:O}", "campaigns", campaigns);

	json_print_document(all, JSON_INDENT(2), stdout);
	putchar('\n');
}

int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = take_list_option,
		.doc = "List the campaigns of the database, newest first. Needs no root if the file is readable.",
	};
	struct read_options asked = {};
	_cleanup_json_ json_t *campaigns = NULL;
	struct error err = {};

	if (options_parse(&argp, argc, argv, &asked))
		return EXIT_USAGE;
	campaigns = read_campaigns(&asked, &err);
	if (!campaigns) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	mark_alive(campaigns);
	if (asked.json) {
		print_json(campaigns);
	} else if (json_array_size(campaigns)) {
		report_list(stdout, terminal_fd(stdout), campaigns);
	} else {
		printf("no campaigns yet%s%s%s\n", err.code ? " (" : "", err.text, err.code ? ")" : "");
	}
	return fflush(stdout) ? EXIT_HOST : EXIT_OK;
}

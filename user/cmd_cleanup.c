/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval cleanup [ID]: what a crashed run left; --now: the emergency stop. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_inventory.h"
#include "campaign.h"
#include "cmd.h"
#include "report.h"
#include "scope.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define SWEEP_WAIT_NS (3 * NSEC_PER_SEC)

enum option_key { OPTION_NOW = 256, OPTION_DB };

static const struct argp_option options[] = {
	{"now", OPTION_NOW, NULL, 0, "emergency stop: make every fault of ours on this host inert, running campaigns or not", 0},
	{"db", OPTION_DB, "FILE", 0, "database (default: $EVAL_DB, else /var/lib/eval/eval.db)", 0},
	{0},
};

struct cleanup {
	const char *id, *db;
	bool now;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct cleanup *cleanup = state->input;

	switch (key) {
	case OPTION_NOW:
		cleanup->now = true;
		return 0;
	case OPTION_DB:
		cleanup->db = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (cleanup->id)
			argp_error(state, "one campaign at a time: '%s' is one too many", arg);
		cleanup->id = arg;
		return 0;
	case ARGP_KEY_END:
		if (cleanup->now && cleanup->id)
			argp_error(state, "--now stops everything: it takes no campaign");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int stop_everything(void)
{
	struct error err = {};
	int stopped = eval_stop_all(stdout, &err);

	if (stopped < 0) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	printf("%d fault%s stopped\n", stopped, stopped == 1 ? "" : "s");
	return EXIT_OK;
}

static json_int_t count_of(const json_t *campaign, const char *status)
{
	return json_integer_value(json_object_get(json_object_get(campaign, "trials"), status));
}

/* Runs the cleanup of every subject and instance; the file may have changed meanwhile, the subjects' names count. */
static int clean_up_subjects(const json_t *campaign)
{
	const char *path = report_string(campaign, "config_path", NULL);
	struct config *config;
	struct error err = {};
	int failed = 0;

	if (!path)
		return 0;
	if (config_load(&config, path, stderr, &err)) {
		log_error("%s: cannot clean up its subjects: %s", report_string(campaign, "id", "?"),
			  *err.text ? err.text : "the file is invalid now");
		return 1;
	}
	for (size_t s = 0; s < config->subject_count; s++) {
		const struct subject *subject = &config->subjects[s];

		for (unsigned int i = 0; subject->cleanup.exec && i < subject->instances; i++) {
			int ret = campaign_cleanup_subject(subject, i, report_string(campaign, "id", ""), NULL, &err);

			if (ret)
				log_error("%s", err.text);
			else
				printf("cleaned up %s, instance %u\n", subject->name, i);
			failed += ret != 0;
		}
	}
	config_free(config);
	return failed;
}

/* Returns how many problems there were. */
static int clean_up_campaign(struct store *store, const json_t *campaign)
{
	const char *id = report_string(campaign, "id", "");
	struct campaign_lock lock;
	struct error err = {};
	int ret = campaign_lock(&lock, report_string(campaign, "hash", ""), "cleanup", &err);

	if (ret) {
		log_error("%s: %s", id, err.text);
		return 1;
	}
	ret = campaign_bury_running(store, id, &err);
	if (ret < 0)
		log_error("%s", err.text);
	else if (ret)
		printf("%s: %d running trial%s of a dead run marked interrupted\n", id, ret, ret == 1 ? "" : "s");
	if (!strcmp(report_string(campaign, "status", ""), "running")) {
		_cleanup_json_ json_t *columns = json_pack("{s:s}", "status", "interrupted");

		ret = store_campaign_set(store, id, columns, &err) ?: ret;
	}
	ret = (ret < 0) + clean_up_subjects(campaign);
	campaign_unlock(&lock);
	return ret;
}

/* Without an ID: every campaign that a run died on. */
static int clean_up_dead(struct store *store)
{
	struct error err = {};
	_cleanup_json_ json_t *campaigns = store_campaigns(store, &err);
	const json_t *campaign;
	int problems = 0;
	size_t i;

	if (!campaigns) {
		log_error("%s", err.text);
		return 1;
	}
	json_array_foreach (campaigns, i, campaign)
		if (!strcmp(report_string(campaign, "status", ""), "running") || count_of(campaign, "running"))
			problems += clean_up_campaign(store, campaign);
	return problems;
}

static int clean_up_records(const struct cleanup *cleanup)
{
	_cleanup_json_ json_t *campaign = NULL;
	struct store *store;
	struct error err = {};
	int ret = store_open(&store, cleanup->db, STORE_READ, &err);

	if (ret == -ENOENT && !cleanup->id)
		return EXIT_OK;
	if (!ret) {
		store_close(store);
		ret = store_open(&store, cleanup->db, STORE_WRITE, &err);
	}
	if (ret) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	if (cleanup->id) {
		campaign = store_campaign(store, cleanup->id, &err);
		if (!campaign)
			log_error("%s", err.text);
		ret = campaign ? clean_up_campaign(store, campaign) ? EXIT_TRIALS : EXIT_OK : EXIT_USAGE;
	} else {
		ret = clean_up_dead(store) ? EXIT_TRIALS : EXIT_OK;
	}
	store_close(store);
	return ret;
}

int cmd_cleanup(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[ID]",
		.doc = "Remove what a crashed run left and run its subjects' cleanup; safe to repeat.\v"
		       "Without ID: every campaign whose run died. Faults themselves end with the process that holds them.",
	};
	struct cleanup cleanup = {};
	int swept, ret;

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &cleanup))
		return EXIT_USAGE;
	if (geteuid()) {
		log_error("cleanup needs root: run it with sudo");
		return EXIT_HOST;
	}
	if (cleanup.now)
		return stop_everything();
	swept = scope_sweep_stale(SWEEP_WAIT_NS);
	if (swept)
		printf("killed what %d dead worker%s left\n", swept, swept == 1 ? "" : "s");
	ret = clean_up_records(&cleanup);
	campaign_remove_stale_files();
	return ret;
}

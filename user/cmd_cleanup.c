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
	{"now", OPTION_NOW, NULL, 0,
	 "emergency stop: make every fault of ours on this host inert, running campaigns or not", 0},
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

/* The folder that a subject's commands run in: that of the file that describes it now, else the campaign file's. */
static char *subject_directory(const struct config *config, const char *name, const char *config_path)
{
	const char *slash = strrchr(config_path, '/');

	for (size_t i = 0; config && i < config->subject_count; i++)
		if (!strcmp(config->subjects[i].name, name) && config->subjects[i].cleanup.directory)
			return strdup(config->subjects[i].cleanup.directory);
	return strndup(config_path, slash && slash > config_path ? (size_t)(slash - config_path) : 1);
}

/* As it was recorded, whatever the file says now. Returns how many instances failed. */
static int clean_up_subject(const json_t *recorded, const char *campaign_id, const struct config *config,
			    const char *config_path)
{
	const json_t *command = json_object_get(recorded, "cleanup");
	const char *name = report_string(recorded, "name", ""), *exec = report_string(command, "exec", NULL);
	_cleanup_free_ char *directory = subject_directory(config, name, config_path);
	struct subject subject = {
		.name = (char *)name,
		.instances = (unsigned int)json_integer_value(json_object_get(recorded, "instances")),
		.cleanup =
			{
				.exec = (char *)exec,
				.directory = directory,
				.timeout_seconds = json_number_value(json_object_get(command, "timeout_seconds")),
			},
	};
	int failed = 0;

	for (unsigned int i = 0; exec && i < subject.instances; i++) {
		struct error err = {};

		if (campaign_cleanup_subject(&subject, i, campaign_id, NULL, &err)) {
			log_error("%s", err.text);
			failed++;
		} else {
			printf("cleaned up %s, instance %u\n", name, i);
		}
	}
	return failed;
}

/* config, NULL where the file is gone or broken by now, is only for the folders. */
static int clean_up_subjects(const json_t *campaign, const struct config *config)
{
	const json_t *subjects = json_object_get(json_object_get(campaign, "config"), "subjects");
	const char *path = report_string(campaign, "config_path", "/");
	const json_t *subject;
	int failed = 0;
	size_t i;

	json_array_foreach (subjects, i, subject)
		failed += clean_up_subject(subject, report_string(campaign, "id", ""), config, path);
	return failed;
}

static struct config *load_quietly(const char *path)
{
	_cleanup_fclose_ FILE *nowhere = fopen("/dev/null", "we");
	struct config *config = NULL;

	return nowhere && !config_load(&config, path, nowhere, &(struct error){}) ? config : NULL;
}

/* Returns how many problems there were. */
static int clean_up_campaign(struct store *store, const json_t *campaign)
{
	const char *id = report_string(campaign, "id", "");
	struct config *config = load_quietly(report_string(campaign, "config_path", "/"));
	struct campaign_locks locks;
	struct error err = {};
	int ret = campaign_lock(&locks, report_string(campaign, "hash", ""), config, "cleanup", &err);

	if (ret) {
		log_error("%s: %s", id, err.text);
		config_free(config);
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
	ret = (ret < 0) + clean_up_subjects(campaign, config);
	campaign_unlock(&locks);
	config_free(config);
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
		       "Without ID: every campaign whose run died. Faults themselves end with the process that holds "
		       "them.",
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
	host_lock_remove_stale();
	return ret;
}

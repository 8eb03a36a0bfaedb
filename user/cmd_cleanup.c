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

/* The folder of the file that describes the subject now; NULL where there is none. */
static const char *subject_directory(const struct config *config, const char *name)
{
	for (size_t i = 0; config && i < config->subject_count; i++)
		if (!strcmp(config->subjects[i].name, name))
			return config->subjects[i].reset.directory ?: config->subjects[i].cleanup.directory;
	return NULL;
}

static struct command recorded_command(const json_t *subject, const char *key, const char *directory)
{
	const json_t *command = json_object_get(subject, key);
	const char *exec = report_string(command, "exec", NULL);

	return (struct command){
		.exec = (char *)exec,
		.directory = exec ? (char *)directory : NULL,
		.timeout_seconds = json_number_value(json_object_get(command, "timeout_seconds")),
	};
}

static int read_nodes(struct subject *subject, const json_t *nodes)
{
	subject->nodes = calloc(json_array_size(nodes) + 1, sizeof(*subject->nodes));
	for (size_t i = 0; subject->nodes && i < json_array_size(nodes); i++) {
		const json_t *recorded = json_array_get(nodes, i), *addresses = json_object_get(recorded, "addresses");
		struct node *node = &subject->nodes[subject->node_count++];

		node->name = (char *)report_string(recorded, "name", "");
		node->addresses.items = calloc(json_array_size(addresses) + 1, sizeof(char *));
		for (size_t a = 0; node->addresses.items && a < json_array_size(addresses); a++)
			node->addresses.items[node->addresses.count++] =
				(char *)json_string_value(json_array_get(addresses, a));
		if (!node->addresses.items)
			return -ENOMEM;
	}
	return subject->nodes ? 0 : -ENOMEM;
}

static void free_recorded(struct config *recorded)
{
	for (size_t i = 0; i < recorded->subject_count; i++) {
		for (size_t n = 0; n < recorded->subjects[i].node_count; n++)
			free(recorded->subjects[i].nodes[n].addresses.items);
		free(recorded->subjects[i].nodes);
	}
	free(recorded->subjects);
	free(recorded->directory);
}

/*
 * What was recorded, as far as the locks and the cleanup need it; strings are the row's. Folders are not recorded:
 * they come from config, the file as it is now (NULL: gone or broken), else they are the campaign file's.
 */
static int read_recorded(struct config *recorded, const json_t *campaign, const struct config *config)
{
	const json_t *subjects = json_object_get(json_object_get(campaign, "config"), "subjects"), *subject;
	const char *path = report_string(campaign, "config_path", "/"), *slash = strrchr(path, '/');
	size_t i;

	recorded->directory = strndup(path, slash && slash > path ? (size_t)(slash - path) : 1);
	recorded->subjects = calloc(json_array_size(subjects) + 1, sizeof(*recorded->subjects));
	if (!recorded->directory || !recorded->subjects)
		return -ENOMEM;
	json_array_foreach (subjects, i, subject) {
		struct subject *out = &recorded->subjects[recorded->subject_count++];
		const char *directory;

		out->name = (char *)report_string(subject, "name", "");
		directory = subject_directory(config, out->name) ?: recorded->directory;
		out->instances = (unsigned int)json_integer_value(json_object_get(subject, "instances"));
		out->reset = recorded_command(subject, "reset", directory);
		out->cleanup = recorded_command(subject, "cleanup", directory);
		if (read_nodes(out, json_object_get(subject, "nodes")))
			return -ENOMEM;
	}
	return 0;
}

/* Returns how many instances failed. */
static int clean_up_subjects(const struct config *recorded, const char *campaign_id)
{
	int failed = 0;

	for (size_t s = 0; s < recorded->subject_count; s++) {
		const struct subject *subject = &recorded->subjects[s];

		for (unsigned int i = 0; subject->cleanup.exec && i < subject->instances; i++) {
			struct error err = {};

			if (campaign_cleanup_subject(subject, i, campaign_id, NULL, &err)) {
				log_error("%s", err.text);
				failed++;
			} else {
				printf("cleaned up %s, instance %u\n", subject->name, i);
			}
		}
	}
	return failed;
}

static struct config *load_quietly(const char *path)
{
	_cleanup_fclose_ FILE *nowhere = fopen("/dev/null", "we");
	struct config *config = NULL;

	return nowhere && !config_load(&config, path, CONFIG_TO_RUN, nowhere, &(struct error){}) ? config : NULL;
}

/* The locks are held. Returns how many problems there were. */
static int clean_up_locked(struct store *store, const json_t *campaign, const struct config *recorded)
{
	const char *id = report_string(campaign, "id", "");
	struct error err = {};
	int ret = campaign_bury_running(store, id, &err);

	if (ret > 0)
		printf("%s: %d running trial%s of a dead run marked interrupted\n", id, ret, ret == 1 ? "" : "s");
	if (ret >= 0 && !strcmp(report_string(campaign, "status", ""), "running")) {
		_cleanup_json_ json_t *columns = json_pack("{s:s}", "status", "interrupted");

		ret = store_campaign_set(store, id, columns, &err);
	}
	if (ret < 0)
		log_error("%s", err.text);
	return (ret < 0) + clean_up_subjects(recorded, id);
}

enum running { RUNNING_IS_A_PROBLEM, RUNNING_IS_WELL };

/* Returns how many problems there were. */
static int clean_up_campaign(struct store *store, const json_t *campaign, enum running running)
{
	struct config *config = load_quietly(report_string(campaign, "config_path", "/")), recorded = {};
	struct campaign_locks locks = {};
	struct error err = {};
	int problems = 1, ret = campaign_lock(&locks, report_string(campaign, "hash", ""), "cleanup", &err);

	if (ret == -EBUSY && running == RUNNING_IS_WELL) {
		config_free(config);
		return 0;
	}
	if (!ret && read_recorded(&recorded, campaign, config))
		ret = error_set(&err, -ENOMEM, "out of memory");
	/* As it was used, and as the file describes it now: another campaign may use either. */
	if (!ret)
		ret = campaign_lock_subjects(&locks, &recorded, "cleanup", &err);
	if (!ret && config)
		ret = campaign_lock_subjects(&locks, config, "cleanup", &err);
	if (ret)
		log_error("%s: %s", report_string(campaign, "id", "?"), err.text);
	else
		problems = clean_up_locked(store, campaign, &recorded);
	campaign_unlock(&locks);
	free_recorded(&recorded);
	config_free(config);
	return problems;
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
			problems += clean_up_campaign(store, campaign, RUNNING_IS_WELL);
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
		ret = campaign ? clean_up_campaign(store, campaign, RUNNING_IS_A_PROBLEM) ? EXIT_TRIALS : EXIT_OK
			       : EXIT_USAGE;
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
		       "Without ID: every campaign whose run died; one that runs is left alone. Faults themselves end "
		       "with the process that holds them.",
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

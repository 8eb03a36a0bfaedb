/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval cleanup [ID]: removes what a crashed run left; --now: the emergency stop. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "campaign/campaign.h"
#include "chaos/restore.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "config/load.h"
#include "kernel/live.h"
#include "plan/status.h"
#include "process/scope.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/json.h"
#include "util/output.h"
#include "util/text.h"
#include "util/trusted.h"

#define SWEEP_WAIT_NS (3 * NSEC_PER_SEC)

enum option_key { OPTION_NOW = OPTION_OWN, OPTION_RECORDED };

static const struct argp_option options[] = {
	{"now", OPTION_NOW, NULL, 0,
	 "emergency stop: make every fault of ours on this host inert, running campaigns or not", 0},
	{"recorded", OPTION_RECORDED, NULL, 0,
	 "run the cleanup commands that campaign ID recorded, though its file is gone or has changed, or the machine "
	 "has "
	 "booted since",
	 0},
	OPTION_DB_ROW,
	{0},
};

struct cleanup {
	const char *id, *db;
	bool now, recorded;
};

static error_t take_cleanup_option(int key, char *arg, struct argp_state *state)
{
	struct cleanup *cleanup = state->input;

	switch (key) {
	case OPTION_NOW:
		cleanup->now = true;
		return 0;
	case OPTION_RECORDED:
		cleanup->recorded = true;
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
		if (cleanup->recorded && !cleanup->id)
			argp_error(state, "--recorded runs the commands of one campaign: which ID?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int stop_everything(void)
{
	struct error err = {};
	int stopped = live_stop_all(output_stdout(), &err);

	/* Nobody else does it any more. */
	chaos_restore_dead(output_stdout());
	if (stopped < 0) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	fprintf(output_stdout(), "%d fault%s stopped\n", stopped, text_plural(stopped));
	return EXIT_OK;
}

/* The folder that the current file gives for the subject's commands; NULL if it describes no such subject. */
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
	const char *exec = json_text_or(command, "exec", NULL);

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

		node->name = (char *)json_text_or(recorded, "name", "");
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
 * Reads the part of the recorded configuration that the locks and the cleanup need; its strings belong to `campaign`.
 * Folders are not recorded: they come from config, the current file (NULL if it is gone or broken), otherwise they are
 * the folder of the recorded config_path.
 */
static int read_recorded(struct config *recorded, const json_t *campaign, const struct config *config)
{
	const json_t *subjects = json_object_get(json_object_get(campaign, "config"), "subjects"), *subject;
	const char *path = json_text_or(campaign, "config_path", "/"), *slash = strrchr(path, '/');
	size_t i;

	recorded->directory = strndup(path, slash && slash > path ? (size_t)(slash - path) : 1);
	recorded->subjects = calloc(json_array_size(subjects) + 1, sizeof(*recorded->subjects));
	if (!recorded->directory || !recorded->subjects)
		return -ENOMEM;
	json_array_foreach (subjects, i, subject) {
		struct subject *out = &recorded->subjects[recorded->subject_count++];
		const char *directory;

		out->name = (char *)json_text_or(subject, "name", "");
		directory = subject_directory(config, out->name) ?: recorded->directory;
		out->instances = (unsigned int)json_integer_at(subject, "instances");
		out->reset = recorded_command(subject, "reset", directory);
		out->cleanup = recorded_command(subject, "cleanup", directory);
		if (read_nodes(out, json_object_get(subject, "nodes")))
			return -ENOMEM;
	}
	return 0;
}

/* Returns how many instances failed. */
static int clean_up_subjects(const struct config *config, const char *campaign_id)
{
	int failed = 0;

	for (size_t s = 0; s < config->subject_count; s++) {
		const struct subject *subject = &config->subjects[s];

		for (unsigned int i = 0; subject->cleanup.exec && i < subject->instances; i++) {
			struct error err = {};

			if (campaign_cleanup_subject(subject, i, campaign_id, NULL, &err)) {
				log_error("%s", err.text);
				failed++;
			} else {
				fprintf(output_stdout(), "cleaned up %s, instance %u\n", subject->name, i);
			}
		}
	}
	return failed;
}

/* 0 if config equals the recorded configuration and this is the same host and boot; otherwise -ESTALE, err says why. */
static int check_current(const struct config *config, const json_t *campaign, struct error *err)
{
	_cleanup_free_ char *canonical = config_canonical(config);
	const char *path = json_text_or(campaign, "config_path", "?");
	char hash[SHA256_HEX_SIZE], boot_id[40];
	struct utsname host = {};

	if (!canonical)
		return error_set(err, -ENOMEM, "out of memory");
	sha256_hex(hash, canonical, strlen(canonical));
	if (strcmp(hash, json_text_or(campaign, "hash", "")))
		return error_set(err, -ESTALE, "%s has changed since", path);
	uname(&host);
	if (strcmp(host.nodename, json_text_or(campaign, "host", "")))
		return error_set(err, -ESTALE, "it ran on host %.64s, this is %s", json_text_or(campaign, "host", "?"),
				 host.nodename);
	campaign_boot_id(boot_id, sizeof(boot_id));
	if (strcmp(boot_id, json_text_or(campaign, "boot_id", "")))
		return error_set(err, -ESTALE, "the machine has booted since");
	return 0;
}

/* The campaign file as it is now. why.code is set if it must not be used in place of the recorded configuration. */
struct current {
	struct config *config;
	char *problems; /* the messages about an invalid file */
	struct error why;
};

static void load_current(struct current *current, const json_t *campaign)
{
	size_t size;
	FILE *problems = open_memstream(&current->problems, &size);
	int ret = problems ? config_load(&current->config, json_text_or(campaign, "config_path", "/"), CONFIG_TO_RUN,
					 problems, &current->why)
			   : error_set(&current->why, -ENOMEM, "out of memory");

	if (problems)
		fclose(problems);
	if (!ret)
		check_current(current->config, campaign, &current->why);
}

static void free_current(struct current *current)
{
	config_free(current->config);
	free(current->problems);
}

static bool has_cleanup(const struct config *config)
{
	for (size_t i = 0; i < config->subject_count; i++)
		if (config->subjects[i].cleanup.exec)
			return true;
	return false;
}

/* Prints the recorded cleanup commands, which were not run, and how to run them. */
static void print_recorded(const struct config *recorded, const json_t *campaign, const struct current *current,
			   const struct cleanup *cleanup)
{
	const char *id = json_text_or(campaign, "id", "?");

	fputs(current->problems ?: "", output_stream(STDERR_FILENO));
	log_error("%s: its cleanup was not run: %s; what was recorded:", id, current->why.text);
	for (size_t i = 0; i < recorded->subject_count; i++) {
		const struct subject *subject = &recorded->subjects[i];

		if (!subject->cleanup.exec)
			continue;
		fprintf(output_stdout(), "  %s, %u instance%s, in ", subject->name, subject->instances,
			text_plural(subject->instances));
		text_print(subject->cleanup.directory, output_stdout());
		fputs(": ", output_stdout());
		text_print(subject->cleanup.exec, output_stdout());
		fputc('\n', output_stdout());
	}
	log_info("this runs it:");
	campaign_tell_command(&(struct campaign_command){.verb = "cleanup --recorded", .id = id, .db = cleanup->db});
}

/* Refuses folders that others than root can change: a recorded command may be a path relative to its folder. */
static int check_folders(const struct config *recorded, struct error *err)
{
	for (size_t i = 0; i < recorded->subject_count; i++) {
		_cleanup_trusted_ struct trusted folder = TRUSTED_NONE;
		const struct command *command = &recorded->subjects[i].cleanup;
		char path[PATH_MAX];
		int ret;

		if (!command->exec)
			continue;
		snprintf(path, sizeof(path), "%s/", command->directory);
		ret = trusted_find(&folder, path, TRUSTED_LEAVE_MISSING);
		if (ret)
			return error_set_errno(err, ret, "cannot run its cleanup in %s", command->directory);
		if (folder.why[0])
			return error_set(err, -EPERM, "root runs no commands in %s: %s", command->directory,
					 folder.why);
	}
	return 0;
}

/* Returns how many problems there were. */
static int run_cleanup(const json_t *campaign, const struct config *recorded, const struct current *current,
		       const struct cleanup *cleanup)
{
	const char *id = json_text_or(campaign, "id", "");
	struct error err = {};

	if (!has_cleanup(recorded))
		return 0;
	if (!cleanup->recorded && !current->why.code)
		return clean_up_subjects(current->config, id);
	if (!cleanup->recorded) {
		print_recorded(recorded, campaign, current, cleanup);
		return 1;
	}
	if (check_folders(recorded, &err)) {
		log_error("%s: %s", id, err.text);
		return 1;
	}
	return clean_up_subjects(recorded, id);
}

static bool is_recorded_running(const json_t *campaign)
{
	return !strcmp(json_text_or(campaign, "status", ""), status_name(STATUS_RUNNING));
}

/* Call with the locks held. Returns how many problems there were. */
static int bury_dead_run(struct store *store, const json_t *campaign)
{
	const char *id = json_text_or(campaign, "id", "");
	struct error err = {};
	int ret = store_bury_running(store, id, &err);

	if (ret > 0)
		fprintf(output_stdout(), "%s: %d running trial%s of a dead run marked interrupted\n", id, ret,
			text_plural(ret));
	if (ret >= 0 && is_recorded_running(campaign)) {
		_cleanup_json_ json_t *columns = json_pack("{s:s}", "status", status_name(STATUS_INTERRUPTED));

		ret = store_campaign_set(store, id, columns, &err);
	}
	if (ret < 0)
		log_error("%s", err.text);
	return ret < 0;
}

/* Returns how many problems there were. */
static int clean_up_campaign(struct store *store, const json_t *campaign, const struct cleanup *cleanup)
{
	struct config recorded = {};
	struct current current = {};
	struct campaign_locks locks = {};
	struct error err = {};
	int problems = 1, ret = campaign_lock(&locks, json_text_or(campaign, "hash", ""), "cleanup", &err);

	/* Skip a running campaign without an error, unless the user named it. */
	if (ret == -EBUSY && !cleanup->id)
		return 0;
	load_current(&current, campaign);
	if (!ret && read_recorded(&recorded, campaign, current.config))
		ret = error_set(&err, -ENOMEM, "out of memory");
	/* Lock the subjects as recorded and as the file describes them now: another campaign may use either. */
	if (!ret)
		ret = campaign_lock_subjects(&locks, &recorded, "cleanup", &err);
	if (!ret && current.config)
		ret = campaign_lock_subjects(&locks, current.config, "cleanup", &err);
	if (ret)
		log_error("%s: %s", json_text_or(campaign, "id", "?"), err.text);
	else
		problems = bury_dead_run(store, campaign) + run_cleanup(campaign, &recorded, &current, cleanup);
	campaign_unlock(&locks);
	free_recorded(&recorded);
	free_current(&current);
	return problems;
}

/* Returns how many problems there were. */
static int clean_up_id(struct store *store, const char *id, const struct cleanup *cleanup)
{
	struct error err = {};
	_cleanup_json_ json_t *campaign = store_campaign(store, id, &err);

	if (campaign)
		return clean_up_campaign(store, campaign, cleanup);
	log_error("%s", err.text);
	return 1;
}

/* Without an ID: cleans up every campaign that is recorded as running or has a running trial. */
static int clean_up_dead(struct store *store, const struct cleanup *cleanup)
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
		if (is_recorded_running(campaign) ||
		    json_integer_at(json_object_get(campaign, "trials"), status_name(STATUS_RUNNING)))
			problems += clean_up_id(store, json_text_or(campaign, "id", ""), cleanup);
	return problems;
}

static int clean_up_records(const struct cleanup *cleanup)
{
	_cleanup_json_ json_t *campaign = NULL;
	struct store *store;
	struct error err = {};
	int ret = store_open(&store, cleanup->db, STORE_UPDATE, &err);

	if (ret == -ENOENT && !cleanup->id)
		return EXIT_OK;
	if (ret) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	if (cleanup->id) {
		campaign = store_campaign(store, cleanup->id, &err);
		if (!campaign)
			log_error("%s", err.text);
		ret = !campaign ? EXIT_USAGE : clean_up_campaign(store, campaign, cleanup) ? EXIT_TRIALS : EXIT_OK;
	} else {
		ret = clean_up_dead(store, cleanup) ? EXIT_TRIALS : EXIT_OK;
	}
	store_close(store);
	return ret;
}

int cmd_cleanup(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = take_cleanup_option,
		.args_doc = "[ID]",
		.doc = "Remove what a crashed run left and run its subjects' cleanup; safe to repeat.\v"
		       "Without ID: every campaign whose run died; one that runs is left alone. Faults themselves end "
		       "with the process that holds them. What runs is what the campaign file says now, as long as it "
		       "is the one "
		       "that was recorded, on the same host and boot; otherwise the recorded commands are printed.",
	};
	struct cleanup cleanup = {};
	int swept, ret;

	if (options_parse(&argp, argc, argv, &cleanup))
		return EXIT_USAGE;
	if (geteuid()) {
		log_error("cleanup needs root: run it with sudo");
		return EXIT_HOST;
	}
	if (cleanup.now)
		return stop_everything();
	swept = scope_sweep_stale(SWEEP_WAIT_NS);
	if (swept)
		fprintf(output_stdout(), "killed what %d dead worker%s left\n", swept, text_plural(swept));
	chaos_restore_dead(output_stdout());
	ret = clean_up_records(&cleanup);
	host_lock_remove_stale();
	return ret;
}

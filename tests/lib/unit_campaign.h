/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A campaign from a file's text, with a database in its own folder, before its first trial starts. */
#pragma once

#include "unit_config.h"

#include <fcntl.h>
#include <stdbool.h>

#include "campaign/internal.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/output.h"

#define NOON 1700000000000000000ULL /* 2023-11-14T22:13:20Z */

struct run {
	char folder[64], path[96];
	struct config *config;
	struct campaign_options options;
	struct campaign campaign;
};

static int told_fd = -1, stderr_fd = -1;
static char told[8192];

/* Group setup: opens log_info()'s output while stderr is the file, because the first use decides where it writes. */
static inline int catch_told(void **state)
{
	char path[] = "/tmp/eval-told.XXXXXX";

	told_fd = mkostemp(path, O_CLOEXEC);
	stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (told_fd < 0 || stderr_fd < 0 || unlink(path))
		return -1;
	dup2(told_fd, STDERR_FILENO);
	output_standard(STDERR_FILENO);
	dup2(stderr_fd, STDERR_FILENO);
	return 0;
}

static inline void start_telling(void)
{
	assert_false(ftruncate(told_fd, 0) || lseek(told_fd, 0, SEEK_SET));
	dup2(told_fd, STDERR_FILENO);
}

/* Restores stderr; told is then the text logged since start_telling. */
static inline void end_telling(void)
{
	ssize_t size = pread(told_fd, told, sizeof(told) - 1, 0);

	dup2(stderr_fd, STDERR_FILENO);
	told[size < 0 ? 0 : size] = '\0';
}

static inline void assert_told(const char *text)
{
	if (!strstr(told, text))
		fail_msg("told was '%s', not '%s'", told, text);
}

/* Prepares another run of the file on the same database. */
static inline void prepare_run(struct run *run, const char *text)
{
	const uint64_t seed = 7;
	struct error err = {};

	run->config = load_valid(text);
	run->options.config_path = "lab.yaml";
	run->options.command_line = "eval run campaign lab.yaml";
	run->options.db = run->path;
	run->options.progress = PROGRESS_JSON;
	run->campaign = (struct campaign){.config = run->config, .options = &run->options, .guard = {.fd = -1}};
	run->campaign.records_end = &run->campaign.records;
	if (plan_new(&run->campaign.plan, run->config, NOON, &seed, &err) ||
	    store_open(&run->campaign.store, run->path, STORE_WRITE, &err))
		fail_msg("%s", err.text);
}

static inline void end_run(struct run *run)
{
	campaign_forget_signals();
	record_forget(&run->campaign);
	progress_free(run->campaign.progress);
	free(run->campaign.entries);
	store_close(run->campaign.store);
	plan_free(run->campaign.plan);
	config_free(run->config);
	run->options = (struct campaign_options){};
}

static inline int make_run(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	strcpy(run->folder, "/tmp/eval-campaign.XXXXXX");
	if (!mkdtemp(run->folder))
		return -1;
	snprintf(run->path, sizeof(run->path), "%s/eval.db", run->folder);
	*state = run;
	return 0;
}

static inline int drop_run(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	struct run *run = *state;
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", run->path, ends[i]);
		unlink(path);
	}
	rmdir(run->folder);
	free(run);
	return 0;
}

/* Takes columns. */
static inline void set_trial(struct run *run, size_t index, json_t *columns)
{
	const struct plan *plan = run->campaign.plan;
	struct error err = {};

	if (store_trial_set(run->campaign.store, plan->campaign_id, plan->trials[index].id, columns, &err))
		fail_msg("%s", err.text);
	json_decref(columns);
}

static inline json_t *campaign_row(struct run *run)
{
	json_t *row = store_campaign(run->campaign.store, run->campaign.plan->campaign_id, NULL);

	assert_non_null(row);
	return row;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_run, drop_run)

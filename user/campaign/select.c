/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decides between a new and a resumed campaign, and selects the trials to run. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "analysis/outcome.h"
#include "campaign/internal.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/json_diff.h"

#define DIFFERENCES_SHOWN 20
/* Campaigns of one file that start in the same second get the same id; later seconds are then tried. */
#define ID_TRIES 10

bool campaign_selects(const struct campaign *campaign, const struct plan_trial *trial)
{
	const char *only = campaign->options->only;

	return !only || !fnmatch(only, trial->id, 0);
}

static void print_difference(const char *path, const json_t *before, const json_t *after, void *data)
{
	_cleanup_free_ char *old =
		before ? json_dumps(before, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
	_cleanup_free_ char *new =
		after ? json_dumps(after, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
	size_t *shown = data;

	if ((*shown)++ < DIFFERENCES_SHOWN)
		log_info("  %s: %.200s -> %.200s", path, old ?: "(absent)", new ?: "(absent)");
}

static int refuse_changed(const struct campaign *campaign, const json_t *row)
{
	_cleanup_json_ json_t *now = json_loads(campaign->plan->canonical, JSON_DECODE_ANY, NULL);
	size_t shown = 0, total;

	log_error("%s was started with other settings than %s has now; what changed:", json_text_or(row, "id", "?"),
		  campaign->options->config_path);
	total = json_diff(json_object_get(row, "config"), now, print_difference, &shown);
	if (total > DIFFERENCES_SHOWN)
		log_info("  … and %zu more", total - DIFFERENCES_SHOWN);
	log_info("change it back to resume, or start anew with --fresh");
	return EXIT_USAGE;
}

/* The newest campaign for which `wanted` is true, as a new reference; NULL if none. */
static json_t *find_newest(struct campaign *campaign, bool (*wanted)(const struct campaign *, const json_t *),
			   struct error *err)
{
	_cleanup_json_ json_t *rows = store_campaigns(campaign->store, err);
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (wanted(campaign, row))
			return store_campaign(campaign->store, json_text_or(row, "id", ""), err);
	return NULL;
}

static bool has_our_hash(const struct campaign *campaign, const json_t *row)
{
	return !strcmp(json_text_or(row, "hash", ""), campaign->plan->hash);
}

static bool is_unfinished_of_our_file(const struct campaign *campaign, const json_t *row)
{
	const json_t *counts = json_object_get(row, "trials");
	json_int_t unfinished = 0;

	for (enum trial_status status = 0; status < STATUS_COUNT; status++)
		if (!status_is_final(status))
			unfinished += json_integer_at(counts, status_name(status));
	return !strcmp(json_text_or(row, "config_path", ""), campaign->config->path) && unfinished > 0;
}

static int nothing_to_resume(struct campaign *campaign)
{
	struct error err = {};
	_cleanup_json_ json_t *changed = find_newest(campaign, is_unfinished_of_our_file, &err);

	if (changed)
		return refuse_changed(campaign, changed);
	log_error("nothing to resume: database %s has no unfinished campaign of %s", store_path(campaign->store),
		  campaign->options->config_path);
	return EXIT_USAGE;
}

/* Sets *out to the campaign to resume. If there is none, logs why and returns an exit code. */
static int find_resumed(struct campaign *campaign, json_t **out)
{
	const struct campaign_options *options = campaign->options;
	struct error err = {};
	json_t *row;

	if (options->resume_id)
		row = store_campaign(campaign->store, options->resume_id, &err);
	else
		row = store_unfinished(campaign->store, campaign->plan->hash, &err);
	if (!row && !err.code && (options->retry_failed || options->rerun))
		row = find_newest(campaign, has_our_hash, &err);
	if (!row && err.code) {
		log_error("%s", err.text);
		return err.code == -ENOENT || err.code == -ENOTUNIQ ? EXIT_USAGE : EXIT_HOST;
	}
	if (!row)
		return nothing_to_resume(campaign);
	if (!has_our_hash(campaign, row)) {
		int ret = refuse_changed(campaign, row);

		json_decref(row);
		return ret;
	}
	*out = row;
	return EXIT_OK;
}

/* row is the trial's, or NULL if it is new. */
static bool is_to_run(const struct campaign *campaign, const struct plan_trial *plan, const json_t *row,
		      enum trial_status status)
{
	const struct campaign_options *options = campaign->options;

	if (!campaign_selects(campaign, plan))
		return false;
	if (options->rerun && !strcmp(options->rerun, RERUN_FAILED))
		return status_is_final(status) && !outcome_passed(row);
	if (options->rerun)
		return !fnmatch(options->rerun, plan->id, 0);
	return !status_is_final(status) ||
	       (options->retry_failed && (status == STATUS_FAILED || status == STATUS_VOID));
}

static void add_entry(struct campaign *campaign, const struct plan_trial *plan, const json_t *row)
{
	enum trial_status status = row ? status_find(json_text_or(row, "status", "planned")) : STATUS_PLANNED;
	const json_t *instance = json_object_get(row, "instance");
	struct entry *entry = &campaign->entries[campaign->entry_count++];

	*entry = (struct entry){
		.plan = plan,
		.attempt = row ? (unsigned int)json_integer_at(row, "attempt") : 0,
		.instance = json_is_integer(instance) ? (int)json_integer_value(instance) : -1,
		.state = is_to_run(campaign, plan, row, status) ? ENTRY_PENDING : ENTRY_SKIPPED,
	};
	campaign->to_run += entry->state == ENTRY_PENDING;
	campaign->left_out += entry->state == ENTRY_SKIPPED && !status_is_final(status);
}

static int allocate_entries(struct campaign *campaign, struct error *err)
{
	campaign->entries = calloc(campaign->plan->trial_count + 1, sizeof(*campaign->entries));
	return campaign->entries ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int fill_entries(struct campaign *campaign, struct error *err)
{
	int ret = allocate_entries(campaign, err);

	for (size_t i = 0; !ret && i < campaign->plan->trial_count; i++)
		add_entry(campaign, &campaign->plan->trials[i], NULL);
	return ret;
}

static int add_recorded(json_t *row, void *data, struct error *err)
{
	struct campaign *campaign = data;
	const struct plan *plan = campaign->plan;
	size_t at = campaign->entry_count;
	const char *id = json_text_or(row, "id", "?");

	if (at >= plan->trial_count || strcmp(id, plan->trials[at].id) != 0)
		return error_set(err, -EUCLEAN, "%s: trial %zu is '%s', the file plans '%s'", plan->campaign_id, at + 1,
				 id, at < plan->trial_count ? plan->trials[at].id : "none");
	add_entry(campaign, &plan->trials[at], row);
	return 0;
}

static int fill_recorded_entries(struct campaign *campaign, struct error *err)
{
	const struct plan *plan = campaign->plan;
	int ret = allocate_entries(campaign, err);

	ret = ret
		      ?: store_visit_trials(campaign->store, plan->campaign_id, STORE_TRIAL_STATE, add_recorded,
					    campaign, err);
	if (!ret && campaign->entry_count != plan->trial_count)
		return error_set(err, -EUCLEAN, "%s has %zu trials, the file plans %zu", plan->campaign_id,
				 campaign->entry_count, plan->trial_count);
	return ret;
}

/* Plans again with the recorded seed, for the same draws, and keeps the recorded id. */
static int replan(struct campaign *campaign, const json_t *row, struct error *err)
{
	uint64_t seed = store_u64_value(json_object_get(row, "seed"));
	struct plan *plan;
	char *id;
	int ret = plan_new(&plan, campaign->config, clock_realtime_ns(), &seed, err);

	if (ret)
		return ret;
	id = strdup(json_text_or(row, "id", ""));
	if (!id) {
		plan_free(plan);
		return error_set(err, -ENOMEM, "out of memory");
	}
	free(plan->campaign_id);
	plan->campaign_id = id;
	plan_free(campaign->plan);
	campaign->plan = plan;
	return 0;
}

static int resume(struct campaign *campaign, bool only_look)
{
	_cleanup_json_ json_t *row = NULL;
	struct error err = {};
	int ret = find_resumed(campaign, &row);

	if (ret)
		return ret;
	campaign->resumed = true;
	ret = replan(campaign, row, &err);
	if (!ret && !only_look)
		ret = store_bury_running(campaign->store, campaign->plan->campaign_id, &err);
	if (ret >= 0)
		ret = fill_recorded_entries(campaign, &err);
	if (ret) {
		log_error("cannot resume: %s", err.text);
		return EXIT_HOST;
	}
	return EXIT_OK;
}

/* The file's text, recorded for people to read. */
static json_t *read_file(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = malloc(CONFIG_FILE_MAX);
	json_t *json = NULL;

	if (f && text)
		json = json_text(text, fread(text, 1, CONFIG_FILE_MAX, f));
	return json ? json : json_null();
}

static json_t *new_campaign_columns(struct campaign *campaign)
{
	json_t *columns = record_run_columns(campaign);

	json_object_set_new(columns, "config_text", read_file(campaign->config->path));
	json_object_set_new(columns, "command_line", json_outside(campaign->options->command_line));
	return columns;
}

static int create(struct campaign *campaign)
{
	uint64_t seed = campaign->plan->seed, now_ns = clock_realtime_ns();
	struct error err = {};
	int ret = -EEXIST;

	for (int i = 0; i < ID_TRIES && ret; i++) {
		_cleanup_json_ json_t *columns = new_campaign_columns(campaign);
		_cleanup_json_ json_t *existing = store_campaign(campaign->store, campaign->plan->campaign_id, NULL);

		if (!existing) {
			ret = store_campaign_create(campaign->store, campaign->plan, columns, &err);
			break;
		}
		plan_free(TAKE_PTR(campaign->plan));
		now_ns += NSEC_PER_SEC;
		if (plan_new(&campaign->plan, campaign->config, now_ns, &seed, &err))
			break;
	}
	if (!ret)
		ret = fill_entries(campaign, &err);
	if (!ret)
		return EXIT_OK;
	log_error("%s", *err.text ? err.text : "cannot find a free campaign id");
	return EXIT_HOST;
}

enum choice { CHOICE_QUIT, CHOICE_RESUME, CHOICE_FRESH };

static enum choice ask(void)
{
	char answer[16] = "";

	fputs("Go on with it (y), start anew (fresh), or quit (N)? ", stderr);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		fputc('\n', stderr);
	answer[strcspn(answer, "\n")] = '\0';
	if (!strcasecmp(answer, "y") || !strcasecmp(answer, "yes") || !strcasecmp(answer, "resume"))
		return CHOICE_RESUME;
	return !strcasecmp(answer, "f") || !strcasecmp(answer, "fresh") ? CHOICE_FRESH : CHOICE_QUIT;
}

/* If a campaign of this configuration is unfinished, asks what to do; without a terminal, refuses. */
static int choose(struct campaign *campaign, enum choice *choice)
{
	struct error err = {};
	_cleanup_json_ json_t *row = store_unfinished(campaign->store, campaign->plan->hash, &err);
	char progress[160];

	*choice = CHOICE_FRESH;
	if (!row && err.code) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	if (!row)
		return EXIT_OK;
	outcome_progress(progress, sizeof(progress), json_object_get(row, "trials"));
	if (campaign->options->progress == PROGRESS_JSON || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		log_error("%s of this file is unfinished (%s): --resume goes on with it, --fresh starts anew",
			  json_text_or(row, "id", "?"), progress);
		return EXIT_USAGE;
	}
	log_info("%s of this file is unfinished (%s)", json_text_or(row, "id", "?"), progress);
	*choice = ask();
	return *choice == CHOICE_QUIT ? EXIT_USAGE : EXIT_OK;
}

static bool selects_any(const struct campaign *campaign)
{
	for (size_t i = 0; i < campaign->plan->trial_count; i++)
		if (campaign_selects(campaign, &campaign->plan->trials[i]))
			return true;
	return false;
}

int campaign_check_selection(const struct campaign *campaign)
{
	if (selects_any(campaign))
		return EXIT_OK;
	log_error("--only %s: no trial's id matches; the ids look like %s", campaign->options->only,
		  campaign->plan->trials[0].id);
	return EXIT_USAGE;
}

int campaign_look(struct campaign *campaign)
{
	struct error err = {};

	if (campaign_goes_on(campaign->options))
		return resume(campaign, true);
	if (!fill_entries(campaign, &err))
		return EXIT_OK;
	log_error("%s", err.text);
	return EXIT_HOST;
}

int campaign_select(struct campaign *campaign)
{
	const struct campaign_options *options = campaign->options;
	enum choice choice = options->fresh ? CHOICE_FRESH : CHOICE_RESUME;
	struct error err = {};
	int ret = EXIT_OK;

	if (!options->fresh && !campaign_goes_on(options))
		ret = choose(campaign, &choice);
	if (ret)
		return ret;
	/* Only after the question, which Ctrl+C ends. */
	if (campaign_watch_signals(&err)) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	return choice == CHOICE_RESUME ? resume(campaign, false) : create(campaign);
}

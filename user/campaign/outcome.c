/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A campaign's end: its results, its exit code and the commands that continue it. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "analysis/losses.h"
#include "analysis/outcome.h"
#include "campaign/internal.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/output.h"
#include "util/text.h"

/* Reduces a row to what the table and the exit code need, to save memory in long campaigns. */
static void slim_row(json_t *row)
{
	json_t *probes = json_object_get(json_object_get(row, "summary"), "probes"), *probe;
	json_t *evidence = json_object_get(row, "evidence");
	const char *name;
	json_t *hits = json_object_get(evidence, "hit");
	char loss[256];

	json_object_foreach (probes, name, probe)
		json_object_del(probe, "errors");
	if (losses_describe(loss, sizeof(loss), evidence) > 0)
		return;
	json_object_set_new(row, "evidence", hits ? json_pack("{s:O}", "hit", hits) : json_null());
}

struct results {
	const struct campaign *campaign;
	bool heeds_signals;
	size_t seen; /* rows, in plan order */
	json_t *rows;
};

static int collect_result(json_t *row, void *data, struct error *err)
{
	struct results *results = data;
	const struct campaign *campaign = results->campaign;
	const char *only = campaign->options->only, *id = json_text_or(row, "id", "");
	size_t at = results->seen++;

	if (results->heeds_signals && campaign_interrupted())
		return error_set(err, -ECANCELED, "interrupted");
	if (at >= campaign->entry_count || strcmp(id, campaign->entries[at].plan->id) != 0)
		return error_set(err, -EUCLEAN, "%s: trial %zu is '%s', it was '%s'", campaign->plan->campaign_id,
				 at + 1, id, at < campaign->entry_count ? campaign->entries[at].plan->id : "none");
	if (only && fnmatch(only, id, 0))
		return 0;
	slim_row(row);
	return json_array_append(results->rows, row) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

/* NULL with -ECANCELED if a signal came, unless it came before. */
static json_t *collect_results(const struct campaign *campaign, struct error *err)
{
	struct results results = {.campaign = campaign, .heeds_signals = !campaign_interrupted(), .rows = json_array()};

	if (!store_visit_trials(campaign->store, campaign->plan->campaign_id, STORE_TRIAL_RESULTS, collect_result,
				&results, err)) {
		if (results.seen == campaign->entry_count)
			return results.rows;
		error_set(err, -EUCLEAN, "%s has %zu trials, it had %zu", campaign->plan->campaign_id, results.seen,
			  campaign->entry_count);
	}
	json_decref(results.rows);
	return NULL;
}

static void tell_how_to_run(const struct campaign *campaign, const char *only, const char *rerun)
{
	const struct campaign_options *options = campaign->options;

	campaign_tell_command(&(struct campaign_command){
		.verb = "run campaign",
		.file = options->config_path,
		.id_option = "--resume=",
		.id = campaign->plan->campaign_id,
		.only = only,
		.rerun = rerun,
		.parallel = options->parallel,
		.db = options->db,
	});
}

/* all: also the trials that --only left out. */
static void tell_how_to_resume(const struct campaign *campaign, bool all)
{
	tell_how_to_run(campaign, all ? NULL : campaign->options->only, NULL);
}

/* Of those that ended: who reads a red line wants to see it again. */
static void tell_how_to_rerun(const struct campaign *campaign, const json_t *results)
{
	const json_t *trial;
	size_t i, bad = 0;

	json_array_foreach (results, i, trial)
		bad += status_is_final(status_find(json_text_or(trial, "status", ""))) && !outcome_passed(trial);
	if (!bad)
		return;
	log_info("%zu trial%s did not pass; this runs just %s again:", bad, text_plural((long long)bad),
		 bad == 1 ? "it" : "them");
	tell_how_to_run(campaign, campaign->options->only, RERUN_FAILED);
}

/* Ends the output, and records how many lines were lost. */
static void end_output(struct campaign *campaign)
{
	size_t lost = progress_end(campaign->progress) + output_lost(output_standard(STDERR_FILENO));
	char text[96];

	if (!lost)
		return;
	snprintf(text, sizeof(text), "%zu lines of the output are lost: nobody read them", lost);
	record_event(campaign, "output_lost", text);
	record_settle(campaign);
}

static int lost_store(struct campaign *campaign)
{
	progress_end(campaign->progress);
	log_error("the campaign stops, all faults are inert: %s", campaign->store_error.text);
	log_info("what was recorded before is kept; go on when the database is writable again:");
	tell_how_to_resume(campaign, false);
	return EXIT_HOST;
}

static int interrupted(struct campaign *campaign)
{
	record_end(campaign, STATUS_INTERRUPTED, EXIT_INTERRUPTED, json_object());
	if (campaign->lost)
		return lost_store(campaign);
	progress_campaign(campaign->progress, "campaign_end",
			  json_pack("{s:s, s:s}", "campaign", campaign->plan->campaign_id, "status",
				    status_name(STATUS_INTERRUPTED)),
			  status_name(STATUS_INTERRUPTED));
	end_output(campaign);
	log_info("interrupted; all faults are inert. This resumes it:");
	tell_how_to_resume(campaign, false);
	return EXIT_INTERRUPTED;
}

/* trials: how many are unfinished. instances: how many are not cleaned up. */
static void tell_what_is_left(const struct campaign *campaign, size_t trials, size_t instances)
{
	if (trials) {
		log_info("%zu trial%s left; this runs %s:", trials, trials == 1 ? " is" : "s are",
			 trials == 1 ? "it" : "them");
		tell_how_to_resume(campaign, campaign->left_out);
	}
	if (instances) {
		log_info("interrupted: %zu instance%s left to be cleaned up; this does it:", instances,
			 instances == 1 ? " is" : "s are");
		campaign_tell_command(&(struct campaign_command){.verb = "cleanup",
								 .id = campaign->plan->campaign_id,
								 .db = campaign->options->db});
	}
}

int campaign_finish(struct campaign *campaign)
{
	_cleanup_json_ json_t *results = NULL, *counts = NULL;
	struct error err = {};
	enum trial_status status;
	size_t unfinished, dirty;
	int ret;

	if (campaign->lost)
		return lost_store(campaign);
	if (campaign_interrupted())
		return interrupted(campaign);
	dirty = campaign_cleanup_used(campaign);
	results = collect_results(campaign, &err);
	if (!results && err.code == -ECANCELED)
		return interrupted(campaign);
	if (!results) {
		log_error("%s", err.text);
		record_end(campaign, STATUS_INTERRUPTED, EXIT_HOST, json_object());
		return EXIT_HOST;
	}
	ret = dirty ? EXIT_INTERRUPTED : outcome_exit_code(results);
	counts = outcome_count(results);
	/* Trials whose workers something other than this campaign stopped. */
	unfinished = (size_t)json_integer_at(counts, status_name(STATUS_INTERRUPTED));
	status = unfinished || dirty || campaign->left_out ? STATUS_INTERRUPTED : STATUS_COMPLETED;
	record_end(campaign, status, ret, json_incref(counts));
	if (campaign->lost)
		return lost_store(campaign);
	progress_campaign(campaign->progress, "campaign_end",
			  json_pack("{s:s, s:s, s:O, s:i}", "campaign", campaign->plan->campaign_id, "status",
				    status_name(status), "trials", counts, "exit_code", ret),
			  "done");
	progress_clear(campaign->progress);
	progress_table(campaign->progress, results);
	end_output(campaign);
	tell_what_is_left(campaign, unfinished + campaign->left_out, dirty);
	tell_how_to_rerun(campaign, results);
	return ret;
}

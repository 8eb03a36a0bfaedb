/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A campaign's end: its results, its exit code and the commands that continue it. */
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/losses.h"
#include "analysis/outcome.h"
#include "campaign/internal.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/output.h"

/* Keeps only the columns that the table and the exit code need, to save memory in long campaigns. */
static json_t *slim_row(const json_t *row)
{
	static const char *const kept[] = {"id",         "status",       "verdict",     "error_stage",
					   "error_text", "recovered_at", "expectations"};
	json_t *slim = json_object();
	_cleanup_json_ json_t *summary = json_copy(json_object_get(row, "summary"));
	json_t *evidence = json_object_get(row, "evidence"), *hits = json_object_get(evidence, "hit");
	char loss[256];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (!json_is_null(json_object_get(row, kept[i])))
			json_object_set(slim, kept[i], json_object_get(row, kept[i]));
	if (json_is_object(summary)) {
		json_object_del(summary, "probes");
		json_object_set(slim, "summary", summary);
	}
	if (losses_describe(loss, sizeof(loss), evidence) > 0)
		json_object_set(slim, "evidence", evidence);
	else if (hits)
		json_object_set_new(slim, "evidence", json_pack("{s:O}", "hit", hits));
	return slim;
}

static json_t *collect_results(struct campaign *campaign, struct error *err)
{
	json_t *results = json_array();

	for (size_t i = 0; i < campaign->entry_count; i++) {
		const char *id = campaign->entries[i].plan->id;
		_cleanup_json_ json_t *row = NULL;

		if (campaign->options->only && fnmatch(campaign->options->only, id, 0))
			continue;
		row = store_trial(campaign->store, campaign->plan->campaign_id, id, err);
		if (!row) {
			json_decref(results);
			return NULL;
		}
		json_array_append_new(results, slim_row(row));
	}
	return results;
}

/* Prints a word so that a shell reads it unchanged. */
static void print_quoted(FILE *out, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-=+,:@%";

	if (*word && !word[strspn(word, safe)]) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\'", out);
		fputc(*word, out);
	}
	fputc('\'', out);
}

void campaign_tell_command(const char *verb, const char *file, const char *id_option, const char *id, const char *db)
{
	_cleanup_free_ char *command = NULL;
	char program[PATH_MAX] = "";
	size_t size;
	FILE *out = open_memstream(&command, &size);

	if (!out)
		return;
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		snprintf(program, sizeof(program), "%s", program_invocation_name);
	print_quoted(out, program);
	fprintf(out, " %s ", verb);
	if (file) {
		print_quoted(out, file);
		fputc(' ', out);
	}
	fprintf(out, "%s%s", id_option, id);
	if (db) {
		fputs(" --db ", out);
		print_quoted(out, db);
	}
	fclose(out);
	log_info("%s", command);
}

static void tell_how_to_resume(const struct campaign *campaign)
{
	campaign_tell_command("run campaign", campaign->options->config_path, "--resume=", campaign->plan->campaign_id,
			      campaign->options->db);
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
	tell_how_to_resume(campaign);
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
	tell_how_to_resume(campaign);
	return EXIT_INTERRUPTED;
}

/* trials: how many are unfinished. instances: how many are not cleaned up. */
static void tell_what_is_left(const struct campaign *campaign, size_t trials, size_t instances)
{
	if (trials) {
		log_info("%zu trials are left; this runs them:", trials);
		tell_how_to_resume(campaign);
	}
	if (instances) {
		log_info("interrupted: %zu instance%s left to be cleaned up; this does it:", instances,
			 instances == 1 ? " is" : "s are");
		campaign_tell_command("cleanup", NULL, "", campaign->plan->campaign_id, campaign->options->db);
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
	if (!results) {
		log_error("%s", err.text);
		record_end(campaign, STATUS_INTERRUPTED, EXIT_HOST, json_object());
		return EXIT_HOST;
	}
	ret = dirty ? EXIT_INTERRUPTED : outcome_exit_code(results);
	counts = outcome_count(results);
	/* Trials whose workers something other than this campaign stopped. */
	unfinished = (size_t)json_integer_at(counts, status_name(STATUS_INTERRUPTED));
	status = unfinished || dirty ? STATUS_INTERRUPTED : STATUS_COMPLETED;
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
	return ret;
}

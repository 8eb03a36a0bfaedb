/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "campaign/campaign.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/losses.h"
#include "campaign/internal.h"
#include "kernel/features.h"
#include "kernel/session.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/output.h"
#include "util/procfs.h"
#include "util/sched.h"

#define STALE_WAIT_NS (2 * NSEC_PER_SEC)

void campaign_boot_id(char *out, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || !fgets(out, (int)size, f))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static bool runs_chaos(const struct campaign *campaign)
{
	for (size_t i = 0; i < campaign->entry_count; i++)
		if (campaign->entries[i].state == ENTRY_PENDING && campaign->entries[i].plan->chaos)
			return true;
	return false;
}

/* What a chaos type hangs on; a parameter narrows it to some trials. */
static const struct {
	const char *type, *param, *value;
	enum feature_id feature;
} needs[] = {
	{.type = "latency", .feature = FEATURE_TCX},
	{.type = "latency", .param = "line", .value = "tap", .feature = FEATURE_TAP},
	{.type = "latency", .param = "line", .value = "fq", .feature = FEATURE_SCH_FQ},
	{.type = "network_partition", .feature = FEATURE_TCX},
	{.type = "network_partition", .param = "engine", .value = "xdp", .feature = FEATURE_XDP_LINK},
	{.type = "disk_pressure", .param = "engine", .value = "hook", .feature = FEATURE_FMOD_RET},
	{.type = "disk_pressure", .param = "statfs", .value = "on", .feature = FEATURE_STATFS},
};

static bool is_needed(const struct campaign *campaign, size_t need)
{
	for (size_t i = 0; i < campaign->entry_count; i++) {
		const struct plan_trial *plan = campaign->entries[i].plan;
		const char *value = needs[need].param ? json_text_or(plan->params, needs[need].param, "") : NULL;

		if (plan->chaos && !strcmp(plan->chaos->ops->name, needs[need].type) &&
		    (!value || !strcmp(value, needs[need].value)))
			return true;
	}
	return false;
}

static json_t *features_to_json(const struct feature features[FEATURE_COUNT])
{
	json_t *json = json_object();

	for (size_t i = 0; i < FEATURE_COUNT; i++)
		json_object_set_new(json, features[i].name,
				    features[i].usable ? json_true() : json_string(features[i].reason));
	return json;
}

static bool is_usable(const struct feature features[FEATURE_COUNT], enum feature_id id)
{
	return features[id].usable || (id == FEATURE_TCX && features[FEATURE_CLSACT].usable);
}

/* An engine that this kernel lacks fails its trials, not the campaign. */
static void warn_of_missing_features(struct campaign *campaign)
{
	struct feature features[FEATURE_COUNT] = {};

	if (!runs_chaos(campaign) || features_probe(features))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		const struct feature *feature = &features[needs[i].feature];

		if (!is_usable(features, needs[i].feature) && is_needed(campaign, i))
			log_warning("this kernel has no %s (%s): %s trials will fail", feature->name, feature->reason,
				    needs[i].type);
	}
	record_campaign(campaign, json_pack("{s:o}", "features", features_to_json(features)));
}

/* What an earlier run used has to be cleaned up, too. */
static void mark_used_before(struct campaign *campaign)
{
	for (size_t i = 0; i < campaign->entry_count; i++) {
		const struct entry *entry = &campaign->entries[i];
		const struct subject *subject = entry->plan->subject;
		bool *used = campaign->usage[subject - campaign->config->subjects].used;

		if (used && entry->instance >= 0 && (unsigned int)entry->instance < subject->instances)
			used[entry->instance] = true;
	}
}

static int prepare(struct campaign *campaign, struct error *err)
{
	const struct config *config = campaign->config;

	scope_prefix(campaign->scope_prefix, getpid(), procfs_start_ticks(getpid()));
	campaign->lane_count = campaign->options->parallel ?: config->parallel ?: 1;
	if (campaign->lane_count > campaign->to_run)
		campaign->lane_count = campaign->to_run ? (unsigned int)campaign->to_run : 1;
	campaign->lanes = calloc(campaign->lane_count, sizeof(*campaign->lanes));
	campaign->usage = calloc(config->subject_count, sizeof(*campaign->usage));
	campaign->buffer = malloc(TRIAL_MESSAGE_MAX);
	if (!campaign->lanes || !campaign->usage || !campaign->buffer)
		return error_set(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < campaign->lane_count; i++)
		campaign->lanes[i].pidfd = campaign->lanes[i].socket_fd = -1;
	for (size_t i = 0; i < config->subject_count; i++) {
		campaign->usage[i].busy = calloc(config->subjects[i].instances, sizeof(bool));
		campaign->usage[i].used = calloc(config->subjects[i].instances, sizeof(bool));
		if (!campaign->usage[i].busy || !campaign->usage[i].used)
			return error_set(err, -ENOMEM, "out of memory");
	}
	mark_used_before(campaign);
	if (progress_new(&campaign->progress, campaign->options->progress, stdout, campaign->lane_count,
			 campaign->to_run))
		return error_set(err, -ENOMEM, "out of memory");
	return campaign_watch_workers(campaign, err);
}

static void announce(struct campaign *campaign)
{
	const struct plan *plan = campaign->plan;
	char text[512];

	snprintf(text, sizeof(text), "%s%s: %zu of %zu trials to run, %u at a time, seed %llu, database %s",
		 plan->campaign_id, campaign->resumed ? " goes on" : "", campaign->to_run, plan->trial_count,
		 campaign->lane_count, (unsigned long long)plan->seed, store_path(campaign->store));
	progress_campaign(campaign->progress, "campaign_start",
			  json_pack("{s:s, s:b, s:i, s:i, s:i, s:o, s:s}", "campaign", plan->campaign_id, "resumed",
				    campaign->resumed, "to_run", (int)campaign->to_run, "trials",
				    (int)plan->trial_count, "parallel", (int)campaign->lane_count, "seed",
				    store_u64(plan->seed), "database", store_path(campaign->store)),
			  text);
	record_event(campaign, campaign->resumed ? "resumed" : "started", text);
}

static void clean_up_failed(struct campaign *campaign, const char *kind, const char *text)
{
	progress_clear(campaign->progress);
	log_warning("%s", text);
	record_event(campaign, kind, text);
	record_commit(campaign);
}

/* Returns false where a signal kept it from its end. */
static bool clean_up_instance(struct campaign *campaign, const struct subject *subject, unsigned int instance)
{
	struct error err = {};
	int ret = campaign_interrupted()
			  ? -ECANCELED
			  : campaign_cleanup_subject(subject, instance, campaign->plan->campaign_id, NULL, &err);

	if (ret == -ECANCELED) {
		error_set(&err, ret, "cleanup of %s (instance %u) did not run to its end", subject->name, instance);
		clean_up_failed(campaign, "cleanup_stopped", err.text);
		return false;
	}
	if (ret)
		clean_up_failed(campaign, "cleanup_failed", err.text);
	return true;
}

/* Returns how many instances a signal kept from it. */
static size_t clean_up_subjects(struct campaign *campaign)
{
	size_t left = 0;

	for (size_t s = 0; s < campaign->config->subject_count; s++) {
		const struct subject *subject = &campaign->config->subjects[s];

		for (unsigned int i = 0; subject->cleanup.exec && i < subject->instances; i++)
			left += campaign->usage[s].used[i] && !clean_up_instance(campaign, subject, i);
	}
	return left;
}

/* The columns that the table and the exit code need: whole rows of a long campaign would fill the memory. */
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

static int judge(const json_t *results)
{
	const json_t *row;
	size_t i;

	json_array_foreach (results, i, row)
		if (strcmp(json_text_or(row, "status", ""), "completed") ||
		    !strcmp(json_text_or(row, "verdict", ""), "fail"))
			return EXIT_TRIALS;
	return EXIT_OK;
}

static json_t *count_results(const json_t *results)
{
	json_t *counts = json_object();
	const json_t *row;
	size_t i;

	json_array_foreach (results, i, row) {
		const char *status = json_text_or(row, "status", "?");

		json_object_set_new(counts, status, json_integer(json_integer_at(counts, status) + 1));
	}
	return counts;
}

/* For a shell, as it stands. */
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

/* What was not read must at least be counted in the record. */
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

static void tell_guard_lost(struct campaign *campaign)
{
	char text[96];

	if (!campaign->guard.lost)
		return;
	snprintf(text, sizeof(text), "the guard (pid %d) was not told of %zu workers: it is stopped",
		 (int)campaign->guard.pid, campaign->guard.lost);
	log_warning("%s", text);
	record_event(campaign, "guard_lost", text);
}

static int lost_store(struct campaign *campaign)
{
	progress_end(campaign->progress);
	log_error("the campaign stops, all faults are inert: %s", campaign->store_error.text);
	log_info("what was recorded before is kept; go on when the database is writable again:");
	tell_how_to_resume(campaign);
	return EXIT_HOST;
}

static void record_end(struct campaign *campaign, const char *status, int exit_code, json_t *counts)
{
	uint64_t now_ns = clock_monotonic_ns();
	char at[RFC3339_SIZE];

	tell_guard_lost(campaign);
	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	record_event(campaign, status, status);
	record_campaign(campaign,
			json_pack("{s:s, s:i, s:s, s:I, s:o}", "status", status, "exit_code", exit_code, "ended_at", at,
				  "ended_at_monotonic_ns", (json_int_t)now_ns, "summary", counts));
	record_settle(campaign);
}

static int interrupted(struct campaign *campaign)
{
	record_end(campaign, "interrupted", EXIT_INTERRUPTED, json_object());
	if (campaign->lost)
		return lost_store(campaign);
	progress_campaign(campaign->progress, "campaign_end",
			  json_pack("{s:s, s:s}", "campaign", campaign->plan->campaign_id, "status", "interrupted"),
			  "interrupted");
	end_output(campaign);
	log_info("interrupted; all faults are inert. This resumes it:");
	tell_how_to_resume(campaign);
	return EXIT_INTERRUPTED;
}

static int finish(struct campaign *campaign)
{
	_cleanup_json_ json_t *results = NULL, *counts = NULL;
	struct error err = {};
	const char *status;
	size_t unfinished, dirty;
	int ret;

	if (campaign->lost)
		return lost_store(campaign);
	if (campaign_interrupted())
		return interrupted(campaign);
	dirty = clean_up_subjects(campaign);
	results = collect_results(campaign, &err);
	if (!results) {
		log_error("%s", err.text);
		record_end(campaign, "interrupted", EXIT_HOST, json_object());
		return EXIT_HOST;
	}
	ret = dirty ? EXIT_INTERRUPTED : judge(results);
	counts = count_results(results);
	/* A worker that someone else stopped. */
	unfinished = (size_t)json_integer_at(counts, "interrupted");
	status = unfinished || dirty ? "interrupted" : "completed";
	record_end(campaign, status, ret, json_incref(counts));
	if (campaign->lost)
		return lost_store(campaign);
	progress_campaign(campaign->progress, "campaign_end",
			  json_pack("{s:s, s:s, s:O, s:i}", "campaign", campaign->plan->campaign_id, "status", status,
				    "trials", counts, "exit_code", ret),
			  "done");
	progress_clear(campaign->progress);
	progress_table(campaign->progress, results);
	end_output(campaign);
	if (unfinished + campaign->left_out) {
		log_info("%zu trials are left; this runs them:", unfinished + campaign->left_out);
		tell_how_to_resume(campaign);
	}
	if (dirty) {
		log_info("interrupted: %zu instance%s left to be cleaned up; this does it:", dirty,
			 dirty == 1 ? " is" : "s are");
		campaign_tell_command("cleanup", NULL, "", campaign->plan->campaign_id, campaign->options->db);
	}
	return ret;
}

static int start_guard(struct campaign *campaign, struct error *err)
{
	const struct campaign_locks *locks = &campaign->locks;
	int fds[locks->count];

	for (size_t i = 0; i < locks->count; i++)
		fds[i] = locks->locks[i].fd;
	return guard_start(&campaign->guard, campaign->scope_prefix, fds, locks->count, err);
}

static int run_locked(struct campaign *campaign)
{
	struct error err = {};
	int ret = campaign_select(campaign);

	if (ret)
		return ret;
	record_watch_file(campaign);
	/* What outlived its coordinator and its guard must not meet the trials. */
	scope_sweep_stale(STALE_WAIT_NS);
	if (prepare(campaign, &err) || start_guard(campaign, &err)) {
		log_error("%s", err.text);
		record_end(campaign, "interrupted", EXIT_HOST, json_object());
		return EXIT_HOST;
	}
	if (campaign->resumed)
		record_campaign(campaign, record_host_columns(campaign));
	warn_of_missing_features(campaign);
	announce(campaign);
	campaign_loop(campaign);
	ret = finish(campaign);
	guard_stop(&campaign->guard);
	return ret;
}

static void campaign_clear(struct campaign *campaign)
{
	progress_free(campaign->progress);
	for (unsigned int i = 0; campaign->lanes && i < campaign->lane_count; i++)
		lane_clear(&campaign->lanes[i]);
	for (size_t i = 0; campaign->usage && i < campaign->config->subject_count; i++) {
		free(campaign->usage[i].busy);
		free(campaign->usage[i].used);
	}
	campaign_forget_signals();
	record_forget(campaign);
	free(campaign->lanes);
	free(campaign->usage);
	free(campaign->entries);
	free(campaign->buffer);
	store_close(campaign->store);
	plan_free(campaign->plan);
}

int campaign_run(const struct config *config, const struct campaign_options *options)
{
	struct campaign campaign = {
		.config = config,
		.options = options,
		.guard = {.fd = -1},
	};
	struct error err = {};
	int ret;

	campaign.records_end = &campaign.records;
	object_log_init();
	campaign_boot_id(campaign.boot_id, sizeof(campaign.boot_id));
	ret = plan_new(&campaign.plan, config, clock_realtime_ns(), NULL, &err);
	if (!ret)
		ret = store_open(&campaign.store, options->db, STORE_WRITE, &err);
	if (ret) {
		log_error("%s", err.text);
		campaign_clear(&campaign);
		return EXIT_HOST;
	}
	ret = campaign_lock(&campaign.locks, campaign.plan->hash, campaign.plan->campaign_id, &err);
	if (!ret)
		ret = campaign_lock_subjects(&campaign.locks, config, campaign.plan->campaign_id, &err);
	if (ret) {
		log_error("%s", err.text);
		campaign_clear(&campaign);
		return ret == -EBUSY ? EXIT_USAGE : EXIT_HOST;
	}
	sched_go_first();
	ret = run_locked(&campaign);
	campaign_unlock(&campaign.locks);
	campaign_clear(&campaign);
	return ret;
}

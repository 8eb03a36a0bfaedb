/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "campaign/campaign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "campaign/internal.h"
#include "chaos/type.h"
#include "kernel/features.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
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

bool campaign_is_alive(const json_t *row)
{
	pid_t pid = (pid_t)json_integer_at(row, "holder_pid");
	uint64_t recorded = (uint64_t)json_integer_at(row, "holder_start_ticks"), ticks;
	struct utsname host = {};
	char boot_id[40];

	uname(&host);
	if (status_find(json_text_or(row, "status", "")) != STATUS_RUNNING ||
	    strcmp(json_text_or(row, "host", ""), host.nodename) != 0)
		return true;
	campaign_boot_id(boot_id, sizeof(boot_id));
	ticks = pid > 0 ? procfs_start_ticks(pid) : 0;
	/* An older eval recorded no start. */
	return !strcmp(json_text_or(row, "boot_id", ""), boot_id) && ticks && (!recorded || recorded == ticks);
}

static json_t *features_to_json(const struct feature features[FEATURE_COUNT])
{
	json_t *json = json_object();

	for (size_t i = 0; i < FEATURE_COUNT; i++)
		json_object_set_new(json, features[i].name,
				    features[i].usable ? json_true() : json_outside(features[i].reason));
	return json;
}

/* Marks the instances that an earlier run used, so that they are cleaned up too. */
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
	return pump_add(&campaign->pump, &campaign_source, campaign, err)
		       ?: notify_prepare(campaign, err) ?: campaign_watch_workers(campaign, err);
}

/* Per trial of the plan; NULL if out of memory. */
static bool *pending_trials(const struct campaign *campaign)
{
	bool *runs = calloc(campaign->plan->trial_count + 1, sizeof(*runs));

	for (size_t i = 0; runs && i < campaign->entry_count; i++)
		runs[i] = campaign->entries[i].state == ENTRY_PENDING;
	return runs;
}

static void announce(struct campaign *campaign)
{
	const struct plan *plan = campaign->plan;
	_cleanup_free_ bool *runs = pending_trials(campaign);
	struct plan_time time = plan_time(plan, runs, campaign->lane_count);
	char text[512], how_long[PLAN_TIME_SIZE];

	snprintf(text, sizeof(text), "%s%s: %zu of %zu trials to run, %u at a time, %s, seed %llu, database %s",
		 plan->campaign_id, campaign->resumed ? " goes on" : "", campaign->to_run, plan->trial_count,
		 campaign->lane_count, plan_time_text(how_long, &time), (unsigned long long)plan->seed,
		 store_path(campaign->store));
	progress_campaign(campaign->progress, "campaign_start",
			  json_pack("{s:s, s:b, s:i, s:i, s:i, s:o, s:o}", "campaign", plan->campaign_id, "resumed",
				    campaign->resumed, "to_run", (int)campaign->to_run, "trials",
				    (int)plan->trial_count, "parallel", (int)campaign->lane_count, "seed",
				    store_u64(plan->seed), "database", json_outside(store_path(campaign->store))),
			  text);
	record_event(campaign, campaign->resumed ? "resumed" : "started", text);
}

static int start_guard(struct campaign *campaign, struct error *err)
{
	const struct campaign_locks *locks = &campaign->locks;
	int fds[locks->count];

	for (size_t i = 0; i < locks->count; i++)
		fds[i] = locks->locks[i].fd;
	return guard_start(&campaign->guard, campaign->scope_prefix, live_sweep_dead, fds, locks->count, err);
}

static int run_locked(struct campaign *campaign)
{
	struct error err = {};
	int ret = campaign_select(campaign);

	if (ret)
		return ret;
	record_watch_file(campaign);
	/* Processes that outlived their coordinator and guard would disturb the trials. */
	scope_sweep_stale(STALE_WAIT_NS);
	if (prepare(campaign, &err) || start_guard(campaign, &err)) {
		log_error("%s", err.text);
		record_end(campaign, STATUS_INTERRUPTED, EXIT_HOST, json_object());
		return EXIT_HOST;
	}
	if (campaign->resumed)
		record_campaign(campaign, record_run_columns(campaign));
	if (campaign->check.has_features)
		record_campaign(campaign, json_pack("{s:o}", "features", features_to_json(campaign->check.features)));
	announce(campaign);
	campaign_loop(campaign);
	notify_finish(campaign);
	ret = campaign_finish(campaign);
	guard_stop(&campaign->guard);
	return ret;
}

static void campaign_clear(struct campaign *campaign)
{
	notify_free(campaign);
	progress_free(campaign->progress);
	pump_clear(&campaign->pump);
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

/* Makes the plan and checks the selection. Returns an exit code, having logged why. */
static int start(struct campaign *campaign, const struct config *config, const struct campaign_options *options)
{
	struct error err = {};

	*campaign = (struct campaign){.config = config, .options = options, .guard = {.fd = -1}};
	campaign->records_end = &campaign->records;
	campaign_boot_id(campaign->boot_id, sizeof(campaign->boot_id));
	if (!plan_new(&campaign->plan, campaign->config, clock_realtime_ns(), NULL, &err))
		return campaign_check_selection(campaign);
	log_error("%s", err.text);
	return EXIT_HOST;
}

/* Logs what this host lacks. Returns an exit code. */
static int check(struct campaign *campaign, bool tells_unchecked)
{
	_cleanup_free_ bool *selected = calloc(campaign->plan->trial_count + 1, sizeof(*selected));

	for (size_t i = 0; selected && i < campaign->plan->trial_count; i++)
		selected[i] = campaign_selects(campaign, &campaign->plan->trials[i]);
	campaign->check = (struct check){
		.plan = campaign->plan,
		.runs = selected,
		.database = store_choose_path(campaign->options->db),
		.tells_unchecked = tells_unchecked,
	};
	check_host(&campaign->check);
	campaign->check.runs = NULL;
	campaign->check.plan = NULL;
	if (campaign->check.disk_is_full)
		return EXIT_HOST;
	return campaign->check.errors ? EXIT_USAGE : EXIT_OK;
}

int campaign_check(const struct config *config, const struct campaign_options *options)
{
	struct campaign campaign;
	int ret;

	object_log_init();
	ret = start(&campaign, config, options) ?: check(&campaign, true);
	if (!ret)
		printf("%s: this host can run it%s\n", options->config_path,
		       campaign.check.warnings ? ", see the warnings" : "");
	campaign_clear(&campaign);
	return ret;
}

/* Locks the campaign, then opens its database: a run that is refused leaves none behind. */
static int open_campaign(struct campaign *campaign, struct error *err)
{
	const struct campaign_options *options = campaign->options;
	bool resumes = campaign_goes_on(options);
	int ret = campaign_lock(&campaign->locks, campaign->plan->hash, campaign->plan->campaign_id, err);

	if (!ret)
		ret = campaign_lock_subjects(&campaign->locks, campaign->config, campaign->plan->campaign_id, err);
	if (ret)
		return ret == -EBUSY ? EXIT_USAGE : EXIT_HOST;
	ret = check(campaign, false);
	if (ret && !options->no_check)
		return error_set(err, -EINVAL, "nothing was started; --no-check starts all the same"), ret;
	ret = store_open(&campaign->store, options->db, resumes ? STORE_UPDATE : STORE_WRITE, err);
	return !ret ? EXIT_OK : ret == -ENOENT && resumes ? EXIT_USAGE : EXIT_HOST;
}

int campaign_run(const struct config *config, const struct campaign_options *options)
{
	struct campaign campaign;
	struct error err = {};
	int ret;

	object_log_init();
	ret = start(&campaign, config, options);
	if (!ret) {
		ret = open_campaign(&campaign, &err);
		if (ret)
			log_error("%s", err.text);
	}
	if (!ret) {
		sched_go_first();
		ret = run_locked(&campaign);
	}
	campaign_unlock(&campaign.locks);
	campaign_clear(&campaign);
	return ret;
}

static void print_plan(const struct campaign *campaign, FILE *out)
{
	const struct campaign_options *options = campaign->options;
	_cleanup_free_ bool *runs = pending_trials(campaign);
	struct plan_view view = {.runs = runs, .parallel = options->parallel ?: campaign->config->parallel};

	if (options->progress == PROGRESS_JSON) {
		_cleanup_json_ json_t *plan = plan_to_json(campaign->plan, &view);

		json_print_document(plan, JSON_COMPACT | JSON_REAL_PRECISION(15), out);
		fputc('\n', out);
	} else {
		plan_print(campaign->plan, &view, out);
	}
}

int campaign_dry_run(const struct config *config, const struct campaign_options *options)
{
	struct campaign campaign;
	struct error err = {};
	int ret = start(&campaign, config, options);

	if (!ret && campaign_goes_on(options) && store_open(&campaign.store, options->db, STORE_READ, &err)) {
		log_error("%s", err.text);
		ret = err.code == -ENOENT ? EXIT_USAGE : EXIT_HOST;
	}
	ret = ret ?: campaign_look(&campaign);
	if (!ret)
		print_plan(&campaign, stdout);
	campaign_clear(&campaign);
	return ret;
}

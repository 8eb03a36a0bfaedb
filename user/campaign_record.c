/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The coordinator's records. Each commit is an fsync: what one turn of the loop changes is one transaction, and
 * events and samples wait for the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "campaign_internal.h"
#include "report.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* What a new attempt has to forget of the last one. */
static const char *const forgotten[] = {
	"error_stage",
	"error_errno",
	"error_text",
	"target_node",
	"target_role",
	"engine",
	"initial_state",
	"final_state",
	"chaos_metadata",
	"commands_json",
	"evidence",
	"summary",
	"expectations",
	"healthy_at",
	"healthy_at_monotonic_ns",
	"chaos_injected_at",
	"chaos_injected_at_monotonic_ns",
	"first_effect_at",
	"first_effect_at_monotonic_ns",
	"chaos_reverted_at",
	"chaos_reverted_at_monotonic_ns",
	"recovered_at",
	"recovered_at_monotonic_ns",
	"ended_at",
	"ended_at_monotonic_ns",
};

/* What a trial's row shares with its attempt's. */
static const char *const attempt_columns[] = {
	"status", "verdict",  "error_stage",           "error_errno",   "error_text", "target_node",
	"engine", "ended_at", "ended_at_monotonic_ns", "commands_json", "evidence",   "summary",
};

static void check(struct campaign *campaign, int ret, const struct error *err)
{
	if (!ret || campaign->lost)
		return;
	campaign->lost = true;
	campaign->store_error = *err;
	campaign_stop(campaign);
}

/* True where something can be written. */
static bool begin(struct campaign *campaign)
{
	struct error err = {};

	if (campaign->lost)
		return false;
	if (!campaign->in_transaction) {
		check(campaign, store_begin(campaign->store, &err), &err);
		campaign->in_transaction = !campaign->lost;
	}
	return !campaign->lost;
}

void record_watch_file(struct campaign *campaign)
{
	struct stat file;

	if (stat(store_path(campaign->store), &file))
		return;
	campaign->store_inode = file.st_ino;
	campaign->store_device = file.st_dev;
}

/* SQLite goes on writing to a file that was deleted. */
static int check_file(const struct campaign *campaign, struct error *err)
{
	const char *path = store_path(campaign->store);
	struct stat file;

	if (stat(path, &file))
		return error_set_errno(err, -errno, "database %s is gone", path);
	if (file.st_ino != campaign->store_inode || file.st_dev != campaign->store_device)
		return error_set(err, -ESTALE, "database %s was replaced by another file", path);
	return 0;
}

void record_commit(struct campaign *campaign)
{
	struct error err = {};

	if (!campaign->in_transaction)
		return;
	campaign->in_transaction = false;
	if (campaign->lost)
		return;
	check(campaign, store_commit(campaign->store, &err), &err);
	if (!campaign->lost)
		check(campaign, check_file(campaign, &err), &err);
}

void record_campaign(struct campaign *campaign, json_t *columns)
{
	struct error err = {};

	if (begin(campaign))
		check(campaign, store_campaign_set(campaign->store, campaign->plan->campaign_id, columns, &err), &err);
	json_decref(columns);
}

void record_event(struct campaign *campaign, const char *kind, const char *text)
{
	_cleanup_json_ json_t *event = json_pack("{s:s, s:o, s:I}", "kind", kind, "text", json_text(text, strlen(text)),
						 "monotonic_ns", (json_int_t)clock_monotonic_ns());
	struct error err = {};

	if (begin(campaign))
		check(campaign, store_event_add(campaign->store, campaign->plan->campaign_id, NULL, event, &err), &err);
}

static void set_trial(struct campaign *campaign, const char *trial_id, const json_t *columns)
{
	struct error err = {};

	if (begin(campaign))
		check(campaign, store_trial_set(campaign->store, campaign->plan->campaign_id, trial_id, columns, &err),
		      &err);
}

static void set_attempt(struct campaign *campaign, const struct lane *lane, const json_t *columns)
{
	struct error err = {};

	if (begin(campaign))
		check(campaign,
		      store_attempt_set(campaign->store, campaign->plan->campaign_id, lane->entry->plan->id,
					lane->entry->attempt, columns, &err),
		      &err);
}

void record_trial_start(struct campaign *campaign, const struct lane *lane)
{
	const struct plan_trial *plan = lane->entry->plan;
	_cleanup_json_ json_t *columns = NULL, *attempt = NULL;
	uint64_t now_ns = clock_monotonic_ns();
	char at[RFC3339_SIZE];

	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	columns = json_pack("{s:s, s:s, s:i, s:i, s:b, s:O?, s:s, s:I}", "status", "running", "verdict", "none",
			    "attempt", (int)lane->entry->attempt, "instance", (int)lane->instance, "fresh",
			    plan->subject->fresh, "params_effective", plan->params, "started_at", at,
			    "started_at_monotonic_ns", (json_int_t)now_ns);
	for (size_t i = 0; lane->entry->attempt > 1 && i < ARRAY_SIZE(forgotten); i++)
		json_object_set_new(columns, forgotten[i], json_null());
	set_trial(campaign, plan->id, columns);
	attempt =
		json_pack("{s:s, s:i, s:s, s:s, s:I}", "status", "running", "instance", (int)lane->instance, "boot_id",
			  campaign->boot_id, "started_at", at, "started_at_monotonic_ns", (json_int_t)now_ns);
	set_attempt(campaign, lane, attempt);
}

void record_buffered(struct campaign *campaign, struct lane *lane)
{
	const char *campaign_id = campaign->plan->campaign_id, *trial_id = lane->entry->plan->id;
	struct error err = {};
	const json_t *event;
	size_t i;

	if (!json_array_size(lane->events) && !json_array_size(lane->samples))
		return;
	if (!begin(campaign))
		return;
	json_array_foreach (lane->events, i, event)
		check(campaign, store_event_add(campaign->store, campaign_id, trial_id, event, &err), &err);
	check(campaign,
	      store_samples_add(campaign->store, campaign_id, trial_id, lane->entry->attempt, lane->samples, &err),
	      &err);
	json_array_clear(lane->events);
	json_array_clear(lane->samples);
}

void record_trial_end(struct campaign *campaign, struct lane *lane)
{
	_cleanup_json_ json_t *attempt = json_object();

	if (json_array_size(lane->commands))
		json_object_set(lane->columns, "commands_json", lane->commands);
	record_buffered(campaign, lane);
	set_trial(campaign, lane->entry->plan->id, lane->columns);
	for (size_t i = 0; i < ARRAY_SIZE(attempt_columns); i++)
		if (json_object_get(lane->columns, attempt_columns[i]))
			json_object_set(attempt, attempt_columns[i],
					json_object_get(lane->columns, attempt_columns[i]));
	json_object_set_new(attempt, "worker_pid", json_integer(lane->pid));
	set_attempt(campaign, lane, attempt);
}

json_t *record_host_columns(const struct campaign *campaign)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct utsname host = {};
	char at[RFC3339_SIZE];

	uname(&host);
	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:n, s:n, s:n, s:n}", "status", "running", "holder_pid",
			 (int)getpid(), "host", host.nodename, "kernel", host.release, "boot_id", campaign->boot_id,
			 "started_at", at, "started_at_monotonic_ns", (json_int_t)now_ns, "ended_at",
			 "ended_at_monotonic_ns", "exit_code", "summary");
}

int campaign_bury_running(struct store *store, const char *campaign_id, struct error *err)
{
	_cleanup_json_ json_t *trials = store_trials(store, campaign_id, err);
	_cleanup_json_ json_t *columns =
		json_pack("{s:s, s:s}", "status", "interrupted", "error_text", "the coordinator died while it ran");
	const json_t *trial;
	int buried = 0, ret;
	size_t i;

	if (!trials)
		return err->code;
	ret = store_begin(store, err);
	json_array_foreach (trials, i, trial) {
		const char *id = report_string(trial, "id", "");

		if (ret || strcmp(report_string(trial, "status", ""), "running"))
			continue;
		ret = store_trial_set(store, campaign_id, id, columns, err);
		if (!ret)
			ret = store_attempt_set(store, campaign_id, id,
						(unsigned int)json_integer_value(json_object_get(trial, "attempt")),
						columns, err);
		buried++;
	}
	if (!ret)
		ret = store_commit(store, err);
	return ret ? ret : buried;
}

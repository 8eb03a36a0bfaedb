/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The coordinator's records. Each commit costs an fsync, so the changes of one turn of the loop are one transaction,
 * and events, samples and metrics are buffered in their lane for up to a second.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "campaign/internal.h"
#include "plan/status.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/moment.h"
#include "util/procfs.h"

/* If another process holds the lock for longer, the database is lost. Each try itself waits STORE_BUSY_TIMEOUT_MS. */
#define BUSY_PATIENCE_NS (180 * NSEC_PER_SEC)
/* The same after a signal such as Ctrl+C. */
#define BUSY_PATIENCE_STOPPED_NS (10 * NSEC_PER_SEC)

/* The columns that a new attempt resets to NULL. */
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

/* The columns that are copied from a trial's row to its attempt's row. */
static const char *const attempt_columns[] = {
	"status",      "verdict", "error_stage",  "error_errno",           "error_text",
	"target_node", "engine",  "ended_at",     "ended_at_monotonic_ns", "commands_json",
	"evidence",    "summary", "expectations",
};

/* A change that waits for the next commit, so that no transaction stays open while commands run. */
struct record {
	struct record *next;
	int (*write)(struct campaign *campaign, const struct record *record, struct error *err);
	const char *trial_id; /* the plan's; NULL for the campaign */
	unsigned int attempt;
	json_t *data;
};

static void lose(struct campaign *campaign, const struct error *err)
{
	record_forget(campaign);
	if (campaign->lost)
		return;
	campaign->lost = true;
	campaign->store_error = *err;
	campaign_stop(campaign);
}

/* Takes data. */
static void add_record(struct campaign *campaign, const struct record *record)
{
	struct record *added;
	struct error err = {};

	if (!record->data) {
		log_warning("%s: a record could not be made", record->trial_id ?: "the campaign");
		return;
	}
	added = campaign->lost ? NULL : malloc(sizeof(*added));
	if (!added) {
		json_decref(record->data);
		error_set(&err, -ENOMEM, "out of memory");
		lose(campaign, &err);
		return;
	}
	*added = *record;
	*campaign->records_end = added;
	campaign->records_end = &added->next;
}

void record_forget(struct campaign *campaign)
{
	while (campaign->records) {
		struct record *first = campaign->records;

		campaign->records = first->next;
		json_decref(first->data);
		free(first);
	}
	campaign->records_end = &campaign->records;
}

void record_watch_file(struct campaign *campaign)
{
	struct stat file;

	if (stat(store_path(campaign->store), &file))
		return;
	campaign->store_inode = file.st_ino;
	campaign->store_device = file.st_dev;
}

/* Needed because SQLite keeps writing to a deleted file without an error. */
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

static int write_records(struct campaign *campaign, struct error *err)
{
	int ret = store_begin(campaign->store, err);

	for (const struct record *record = campaign->records; !ret && record; record = record->next)
		ret = record->write(campaign, record, err);
	ret = ret ?: store_commit(campaign->store, err);
	if (ret)
		store_rollback(campaign->store);
	return ret ?: check_file(campaign, err);
}

/* Keeps the records while another process (a backup, a database browser) holds the lock; gives up after a while. */
static void bear_busy(struct campaign *campaign, const struct error *err)
{
	uint64_t patience_ns = campaign_interrupted() ? BUSY_PATIENCE_STOPPED_NS : BUSY_PATIENCE_NS;
	uint64_t now_ns = clock_monotonic_ns();
	struct error given_up = {};

	if (!campaign->busy_since_ns) {
		campaign->busy_since_ns = now_ns;
		progress_clear(campaign->progress);
		log_warning("%s; retrying for up to %d s", err->text, (int)(patience_ns / NSEC_PER_SEC));
	} else if (now_ns - campaign->busy_since_ns >= patience_ns) {
		error_set(&given_up, -EBUSY, "given up after %d s: %.400s",
			  (int)((now_ns - campaign->busy_since_ns) / NSEC_PER_SEC), err->text);
		lose(campaign, &given_up);
	}
}

void record_commit(struct campaign *campaign)
{
	struct error err = {};
	int ret;

	if (!campaign->records)
		return;
	ret = write_records(campaign, &err);
	if (ret == -EBUSY) {
		bear_busy(campaign, &err);
		return;
	}
	campaign->busy_since_ns = 0;
	if (ret)
		lose(campaign, &err);
	record_forget(campaign);
}

void record_settle(struct campaign *campaign)
{
	while (record_commit(campaign), campaign->records)
		poll(NULL, 0, BUSY_RETRY_MS);
}

static int write_campaign(struct campaign *campaign, const struct record *record, struct error *err)
{
	return store_campaign_set(campaign->store, campaign->plan->campaign_id, record->data, err);
}

static int write_trial(struct campaign *campaign, const struct record *record, struct error *err)
{
	return store_trial_set(campaign->store, campaign->plan->campaign_id, record->trial_id, record->data, err);
}

static int write_attempt(struct campaign *campaign, const struct record *record, struct error *err)
{
	return store_attempt_set(campaign->store, campaign->plan->campaign_id, record->trial_id, record->attempt,
				 record->data, err);
}

static int write_samples(struct campaign *campaign, const struct record *record, struct error *err)
{
	return store_samples_add(campaign->store, campaign->plan->campaign_id, record->trial_id, record->attempt,
				 record->data, err);
}

static int write_metrics(struct campaign *campaign, const struct record *record, struct error *err)
{
	return store_metrics_add(campaign->store, campaign->plan->campaign_id, record->trial_id, record->attempt,
				 record->data, err);
}

static int write_event(struct campaign *campaign, const struct record *record, struct error *err)
{
	return store_event_add(campaign->store, campaign->plan->campaign_id, record->trial_id, record->data, err);
}

void record_campaign(struct campaign *campaign, json_t *columns)
{
	add_record(campaign, &(struct record){.write = write_campaign, .data = columns});
}

void record_event(struct campaign *campaign, const char *kind, const char *text)
{
	char at[RFC3339_SIZE];

	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	add_record(campaign,
		   &(struct record){
			   .write = write_event,
			   .data = json_pack("{s:s, s:s, s:o, s:I}", "at", at, "kind", kind, "text", json_outside(text),
					     "monotonic_ns", (json_int_t)clock_monotonic_ns()),
		   });
}

/* Takes data. */
static void add_of_lane(struct campaign *campaign, const struct lane *lane,
			int (*write)(struct campaign *, const struct record *, struct error *), json_t *data)
{
	add_record(campaign, &(struct record){
				     .write = write,
				     .trial_id = lane->entry->plan->id,
				     .attempt = lane->entry->attempt,
				     .data = data,
			     });
}

void record_trial_start(struct campaign *campaign, const struct lane *lane)
{
	const struct plan_trial *plan = lane->entry->plan;
	json_t *columns, *attempt;
	uint64_t now_ns = clock_monotonic_ns();
	char at[RFC3339_SIZE];

	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	columns = json_pack("{s:s, s:s, s:i, s:i, s:b, s:O?, s:s, s:I}", "status", status_name(STATUS_RUNNING),
			    "verdict", verdict_name(VERDICT_NONE), "attempt", (int)lane->entry->attempt, "instance",
			    (int)lane->instance, "fresh", plan->subject->fresh, "params_effective", plan->params,
			    "started_at", at, "started_at_monotonic_ns", (json_int_t)now_ns);
	for (size_t i = 0; lane->entry->attempt > 1 && i < ARRAY_SIZE(forgotten); i++)
		json_object_set_new(columns, forgotten[i], json_null());
	add_of_lane(campaign, lane, write_trial, columns);
	attempt = json_pack("{s:s, s:i, s:s, s:s, s:I}", "status", status_name(STATUS_RUNNING), "instance",
			    (int)lane->instance, "boot_id", campaign->boot_id, "started_at", at,
			    "started_at_monotonic_ns", (json_int_t)now_ns);
	add_of_lane(campaign, lane, write_attempt, attempt);
}

static void record_rows(struct campaign *campaign, const struct lane *lane,
			int (*write)(struct campaign *, const struct record *, struct error *), json_t **rows)
{
	if (!json_array_size(*rows))
		return;
	add_of_lane(campaign, lane, write, *rows);
	*rows = json_array();
}

void record_buffered(struct campaign *campaign, struct lane *lane)
{
	json_t *event;
	size_t i;

	json_array_foreach (lane->events, i, event) {
		json_object_set_new(event, "attempt", json_integer(lane->entry->attempt));
		add_of_lane(campaign, lane, write_event, json_incref(event));
	}
	json_array_clear(lane->events);
	record_rows(campaign, lane, write_samples, &lane->samples);
	record_rows(campaign, lane, write_metrics, &lane->metrics);
}

void record_trial_end(struct campaign *campaign, struct lane *lane)
{
	json_t *attempt = json_object();

	if (json_array_size(lane->commands))
		json_object_set(lane->columns, "commands_json", lane->commands);
	record_buffered(campaign, lane);
	add_of_lane(campaign, lane, write_trial, json_copy(lane->columns));
	for (size_t i = 0; i < ARRAY_SIZE(attempt_columns); i++)
		if (json_object_get(lane->columns, attempt_columns[i]))
			json_object_set(attempt, attempt_columns[i],
					json_object_get(lane->columns, attempt_columns[i]));
	json_object_set_new(attempt, "worker_pid", json_integer(lane->pid));
	add_of_lane(campaign, lane, write_attempt, attempt);
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

void record_end(struct campaign *campaign, enum trial_status status, int exit_code, json_t *counts)
{
	uint64_t now_ns = clock_monotonic_ns();
	char at[RFC3339_SIZE];

	tell_guard_lost(campaign);
	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	record_event(campaign, status_name(status), status_name(status));
	record_campaign(campaign,
			json_pack("{s:s, s:i, s:s, s:I, s:o}", "status", status_name(status), "exit_code", exit_code,
				  "ended_at", at, "ended_at_monotonic_ns", (json_int_t)now_ns, "summary", counts));
	record_settle(campaign);
}

json_t *record_run_columns(const struct campaign *campaign)
{
	struct utsname host = {};
	json_t *columns;

	uname(&host);
	columns = json_pack("{s:o, s:s, s:i, s:I, s:s, s:s, s:s, s:n, s:n, s:n, s:n}", "config_path",
			    json_outside(campaign->config->path), "status", status_name(STATUS_RUNNING), "holder_pid",
			    (int)getpid(), "holder_start_ticks", (json_int_t)procfs_start_ticks(getpid()), "host",
			    host.nodename, "kernel", host.release, "boot_id", campaign->boot_id, "ended_at",
			    "ended_at_monotonic_ns", "exit_code", "summary");
	/* A resumed campaign started earlier; its event "resumed" has the time. */
	if (!campaign->resumed)
		moment_add(columns, "started_at", clock_monotonic_ns());
	return columns;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The coordinator's writes: campaigns, trials, attempts, samples, metrics and events. */
#include "store/internal.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "version.h"

static json_t *keys_of(const char *campaign_id, const char *trial_id)
{
	return trial_id ? json_pack("{s:s, s:s}", "campaign_id", campaign_id, "trial_id", trial_id)
			: json_pack("{s:s}", "campaign_id", campaign_id);
}

static int out_of_memory(struct store *store, struct error *err)
{
	return error_set_errno(err, -ENOMEM, "database %s", store->path);
}

static json_t *settings_column(const struct settings *settings)
{
	_cleanup_json_ json_t *column = settings_to_json(settings);

	if (!column)
		return NULL;
	if (settings->abort_if.exec && json_object_set_new(column, "abort_if", json_string(settings->abort_if.exec)))
		return NULL;
	if (json_object_set_new(column, "expect", expectations_to_json(settings)))
		return NULL;
	return TAKE_PTR(column);
}

static json_t *trial_row(const struct plan *plan, const struct plan_trial *trial)
{
	_cleanup_json_ json_t *row = NULL;

	row = json_pack("{s:s, s:s, s:i, s:s, s:s, s:o, s:i, s:b, s:b, s:o, s:o, s:o, s:O?}", "campaign_id",
			plan->campaign_id, "id", trial->id, "trial_index", (int)trial->index, "subject",
			trial->subject->name, "chaos", trial->chaos_name, "type",
			json_text_or_null(trial->chaos ? trial->chaos->ops->name : NULL), "repetition",
			(int)trial->repetition, "baseline", !trial->chaos, "fresh", trial->subject->fresh, "seed",
			store_u64(trial->seed), "settings", settings_column(trial->settings), "target_asked",
			json_text_or_null(trial->target), "params_asked", trial->params);
	return TAKE_PTR(row);
}

static json_t *campaign_row(const struct plan *plan, const json_t *columns)
{
	_cleanup_json_ json_t *row = NULL;
	const struct config *config = plan->config;
	char now[RFC3339_SIZE];

	clock_format_rfc3339(now, sizeof(now), clock_realtime_ns());
	row = json_pack("{s:s, s:o, s:s, s:o, s:o, s:i, s:f, s:i, s:s, s:s}", "id", plan->campaign_id, "label",
			json_text_or_null(config->name), "hash", plan->hash, "seed", store_u64(plan->seed), "config",
			json_loads(plan->canonical, JSON_DECODE_ANY, NULL), "parallel", (int)config->parallel,
			"cooldown_seconds", config->cooldown_seconds, "trial_count", (int)plan->trial_count,
			"eval_version", EVAL_VERSION, "created_at", now);
	if (!row || (columns && json_object_update(row, (json_t *)columns)))
		return NULL;
	return TAKE_PTR(row);
}

static int insert_new(struct store *store, enum store_table_id table, json_t *row, struct error *err)
{
	_cleanup_json_ json_t *owned = row;

	return owned ? store_insert(store, table, owned, err) : out_of_memory(store, err);
}

static int insert_plan(struct store *store, const struct plan *plan, const json_t *campaign, struct error *err)
{
	int ret = insert_new(store, TABLE_CAMPAIGNS, campaign_row(plan, campaign), err);

	for (size_t i = 0; !ret && i < plan->trial_count; i++)
		ret = insert_new(store, TABLE_TRIALS, trial_row(plan, &plan->trials[i]), err);
	return ret;
}

/* Begins a transaction unless one is open; store_leave ends it only if *own is true. */
static int store_enter(struct store *store, bool *own, struct error *err)
{
	*own = !store_in_transaction(store);
	return *own ? store_begin(store, err) : 0;
}

static int store_leave(struct store *store, bool own, int ret, struct error *err)
{
	if (own && !ret)
		ret = store_commit(store, err);
	if (own && ret)
		store_rollback(store);
	return ret;
}

int store_campaign_create(struct store *store, const struct plan *plan, const json_t *campaign, struct error *err)
{
	bool own;
	int ret = store_enter(store, &own, err);

	return ret ?: store_leave(store, own, insert_plan(store, plan, campaign, err), err);
}

int store_campaign_set(struct store *store, const char *campaign_id, const json_t *columns, struct error *err)
{
	_cleanup_json_ json_t *keys = json_pack("{s:s}", "id", campaign_id);
	int ret = keys ? store_update(store, TABLE_CAMPAIGNS, keys, columns, err) : out_of_memory(store, err);

	if (ret == -ENOENT)
		return error_set(err, ret, "database %s has no campaign %s", store->path, campaign_id);
	return ret;
}

int store_trial_set(struct store *store, const char *campaign_id, const char *trial_id, const json_t *columns,
		    struct error *err)
{
	_cleanup_json_ json_t *keys = json_pack("{s:s, s:s}", "campaign_id", campaign_id, "id", trial_id);
	int ret = keys ? store_update(store, TABLE_TRIALS, keys, columns, err) : out_of_memory(store, err);

	if (ret == -ENOENT)
		return error_set(err, ret, "database %s has no trial %s of %s", store->path, trial_id, campaign_id);
	return ret;
}

int store_attempt_set(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *columns, struct error *err)
{
	static const char *const keys[] = {"campaign_id", "trial_id", "attempt", NULL};
	_cleanup_json_ json_t *row = keys_of(campaign_id, trial_id);

	if (!row || json_object_set_new(row, "attempt", json_integer(attempt)) ||
	    json_object_update(row, (json_t *)columns))
		return out_of_memory(store, err);
	return store_upsert(store, TABLE_ATTEMPTS, keys, row, err);
}

/* One attempt at a trial. */
struct attempt_key {
	const char *campaign_id, *trial_id;
	unsigned int attempt;
};

static int insert_rows(struct store *store, enum store_table_id table, const struct attempt_key *key,
		       const json_t *rows, struct error *err)
{
	const json_t *columns;
	size_t i;

	json_array_foreach (rows, i, columns) {
		json_t *row = keys_of(key->campaign_id, key->trial_id);
		int ret;

		if (!row || json_object_set_new(row, "attempt", json_integer(key->attempt)) ||
		    json_object_update(row, (json_t *)columns)) {
			json_decref(row);
			return out_of_memory(store, err);
		}
		ret = insert_new(store, table, row, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int add_rows(struct store *store, enum store_table_id table, const struct attempt_key *key, const json_t *rows,
		    struct error *err)
{
	bool own;
	int ret;

	if (!json_array_size(rows))
		return 0;
	ret = store_enter(store, &own, err);
	return ret ?: store_leave(store, own, insert_rows(store, table, key, rows, err), err);
}

int store_samples_add(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *samples, struct error *err)
{
	return add_rows(store, TABLE_SAMPLES, &(struct attempt_key){campaign_id, trial_id, attempt}, samples, err);
}

int store_metrics_add(struct store *store, const char *campaign_id, const char *trial_id, unsigned int attempt,
		      const json_t *metrics, struct error *err)
{
	return add_rows(store, TABLE_METRICS, &(struct attempt_key){campaign_id, trial_id, attempt}, metrics, err);
}

/* Copies columns into row and all other keys into details. */
static int event_row(json_t *row, const json_t *event)
{
	_cleanup_json_ json_t *details = json_object();
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)event, name, value)
		if (json_object_set(store_column_find(&store_tables[TABLE_EVENTS], name) ? row : details, name, value))
			return -ENOMEM;
	if (json_object_size(details) && json_object_set(row, "details", details))
		return -ENOMEM;
	if (!json_object_get(row, "at")) {
		char now[RFC3339_SIZE];

		clock_format_rfc3339(now, sizeof(now), clock_realtime_ns());
		if (json_object_set_new(row, "at", json_string(now)))
			return -ENOMEM;
	}
	return 0;
}

int store_event_add(struct store *store, const char *campaign_id, const char *trial_id, const json_t *event,
		    struct error *err)
{
	json_t *row = keys_of(campaign_id, trial_id);

	if (!row || event_row(row, event)) {
		json_decref(row);
		return out_of_memory(store, err);
	}
	return insert_new(store, TABLE_EVENTS, row, err);
}

static int update_running(struct store *store, const char *sql, const char *campaign_id, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int ret = store_prepare(store, &statement, sql, err);

	if (ret)
		return ret;
	sqlite3_bind_text(statement, 1, campaign_id, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, "the coordinator died while it ran", -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE)
		return store_fail(store, err, "write to table trials");
	return sqlite3_changes(store->db);
}

int store_bury_running(struct store *store, const char *campaign_id, struct error *err)
{
	bool own;
	int ret = store_enter(store, &own, err), count = 0;

	if (ret)
		return ret;
	/* The attempts first: the trials say which of them ran. */
	ret = update_running(store,
			     "UPDATE attempts SET status = 'interrupted', error_text = ?2 WHERE campaign_id = ?1 AND "
			     "EXISTS (SELECT 1 FROM trials WHERE trials.campaign_id = ?1 AND id = trial_id AND "
			     "trials.attempt = attempts.attempt AND trials.status = 'running')",
			     campaign_id, err);
	if (ret >= 0)
		ret = count = update_running(store,
					     "UPDATE trials SET status = 'interrupted', error_text = ?2 WHERE "
					     "campaign_id = ?1 AND status = 'running'",
					     campaign_id, err);
	ret = store_leave(store, own, ret < 0 ? ret : 0, err);
	return ret ?: count;
}

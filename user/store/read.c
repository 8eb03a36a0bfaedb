/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Queries for campaigns, trials, attempts, samples and events. */
#include "store/internal.h"

#include <string.h>

#include "plan/status.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

#define CANDIDATES_SHOWN 5
#define HASH_DIGITS 8 /* at the end of a campaign's id */

/* Prepares a SELECT with up to two text parameters; NULL leaves its parameter unbound (null). */
static int prepare_select(struct store *store, sqlite3_stmt **out, const char *sql, const char *first,
			  const char *second, struct error *err)
{
	int ret = store_prepare(store, out, sql, err);

	if (!ret && first)
		sqlite3_bind_text(*out, 1, first, -1, SQLITE_STATIC);
	if (!ret && second)
		sqlite3_bind_text(*out, 2, second, -1, SQLITE_STATIC);
	return ret;
}

/* Returns the rows of such a SELECT. */
static json_t *select_rows(struct store *store, enum store_table_id table, const char *sql, const char *first,
			   const char *second, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	if (prepare_select(store, &statement, sql, first, second, err))
		return NULL;
	return store_rows(store, table, statement, err);
}

static const char *text_of(const json_t *row, const char *column)
{
	return json_text_or(row, column, "");
}

static void name_candidates(char *out, size_t size, const json_t *rows, const char *column)
{
	const json_t *row;
	size_t i;

	out[0] = '\0';
	json_array_foreach (rows, i, row)
		if (i < CANDIDATES_SHOWN)
			text_append(out, size, "%s%s", i ? ", " : "", json_text_or(row, column, ""));
	if (json_array_size(rows) > CANDIDATES_SHOWN)
		text_append(out, size, ", …");
}

const char *store_hint(struct store *store, const char *asked, char out[STORE_HINT_SIZE])
{
	static const char sql[] = "SELECT id FROM campaigns UNION ALL SELECT DISTINCT id FROM trials LIMIT 2000";
	_cleanup_json_ json_t *rows = select_rows(store, TABLE_CAMPAIGNS, sql, NULL, NULL, NULL);
	_cleanup_free_ const char **known = calloc(2 * json_array_size(rows) + 1, sizeof(*known));
	const char *nearest;
	const json_t *row;
	size_t i, count = 0;

	json_array_foreach (rows, i, row) {
		const char *id = text_of(row, "id");

		if (!known)
			break;
		known[count++] = id;
		/* Of a campaign, its last eight digits will do. */
		if (strlen(asked) == HASH_DIGITS && strlen(id) > HASH_DIGITS)
			known[count++] = id + strlen(id) - HASH_DIGITS;
	}
	nearest = known ? text_nearest(asked, known, count) : NULL;
	if (nearest)
		snprintf(out, STORE_HINT_SIZE, "did you mean '%.100s'?", nearest);
	else
		snprintf(out, STORE_HINT_SIZE, "'eval list' shows what there is");
	return out;
}

/* Takes rows and returns the only one; NULL with -ENOENT if there is none, -ENOTUNIQ if there are several. */
static json_t *take_only(struct store *store, json_t *rows, const char *what, const char *asked, struct error *err)
{
	_cleanup_json_ json_t *owned = rows;
	char candidates[320];

	if (!rows)
		return NULL;
	if (json_array_size(rows) == 1)
		return json_incref(json_array_get(rows, 0));
	if (!json_array_size(rows)) {
		char hint[STORE_HINT_SIZE];

		error_set(err, -ENOENT, "no %s '%s' in database %s; %s", what, asked, store->path,
			  store_hint(store, asked, hint));
		return NULL;
	}
	name_candidates(candidates, sizeof(candidates), rows, "id");
	error_set(err, -ENOTUNIQ, "%s '%s' is ambiguous: %s", what, asked, candidates);
	return NULL;
}

/* An exact id wins over longer ids that start or end with it. */
static json_t *find_campaign(struct store *store, const char *asked, struct error *err)
{
	json_t *rows = select_rows(store, TABLE_CAMPAIGNS, "SELECT * FROM campaigns WHERE id = ?1", asked, NULL, err);

	if (rows && !json_array_size(rows) && asked[0]) {
		json_decref(rows);
		rows = select_rows(store, TABLE_CAMPAIGNS,
				   "SELECT * FROM campaigns WHERE substr(id, 1, length(?1)) = ?1 OR "
				   "substr(id, 10, length(?1)) = ?1 OR (length(?1) = 8 AND substr(id, -8) = ?1) "
				   "ORDER BY rowid DESC",
				   asked, NULL, err);
	}
	return take_only(store, rows, "campaign", asked, err);
}

static int add_counts(struct store *store, json_t *campaign, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	_cleanup_json_ json_t *counts = json_object();
	json_int_t total = 0, failed_verdicts = 0, inconclusive = 0;
	int ret = store_prepare(store, &statement,
				"SELECT status, count(*), sum(verdict = 'fail'), sum(verdict = 'inconclusive') FROM "
				"trials WHERE campaign_id = ? "
				"GROUP BY status",
				err);

	if (ret)
		return ret;
	for (enum trial_status status = 0; status < STATUS_COUNT; status++)
		json_object_set_new(counts, status_name(status), json_integer(0));
	sqlite3_bind_text(statement, 1, text_of(campaign, "id"), -1, SQLITE_STATIC);
	while ((ret = sqlite3_step(statement)) == SQLITE_ROW) {
		json_int_t count = sqlite3_column_int64(statement, 1);

		json_object_set_new(counts, (const char *)sqlite3_column_text(statement, 0), json_integer(count));
		total += count;
		failed_verdicts += sqlite3_column_int64(statement, 2);
		inconclusive += sqlite3_column_int64(statement, 3);
	}
	if (ret != SQLITE_DONE)
		return store_fail(store, err, "read it");
	json_object_set_new(counts, "total", json_integer(total));
	json_object_set_new(counts, "verdict_fail", json_integer(failed_verdicts));
	json_object_set_new(counts, "verdict_inconclusive", json_integer(inconclusive));
	return json_object_set(campaign, "trials", counts) ? error_set_errno(err, -ENOMEM, "trials") : 0;
}

static bool is_large(const char *column)
{
	static const char *const large[] = {"config", "config_text", "features", "summary"};

	for (size_t i = 0; i < ARRAY_SIZE(large); i++)
		if (!strcmp(column, large[i]))
			return true;
	return false;
}

/* Selects what the file has: an older one, which is only read, lacks columns. */
static char *campaigns_query(struct store *store, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	sqlite3_str *sql;
	int result;

	if (store_prepare(store, &statement, "SELECT name FROM pragma_table_info('campaigns')", err))
		return NULL;
	sql = sqlite3_str_new(store->db);
	sqlite3_str_appendall(sql, "SELECT id");
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);

		if (name && strcmp(name, "id") != 0 && !is_large(name))
			sqlite3_str_appendf(sql, ", \"%w\"", name);
	}
	sqlite3_str_appendall(sql, " FROM campaigns ORDER BY rowid DESC");
	if (result != SQLITE_DONE) {
		sqlite3_free(sqlite3_str_finish(sql));
		store_fail(store, err, "read it");
		return NULL;
	}
	return sqlite3_str_finish(sql);
}

static int append_row(json_t *row, void *data, struct error *err)
{
	return json_array_append((json_t *)data, row) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

/* Leaves out the large columns: a file's text may have 1 MiB. Orders by rowid: clocks are set back. */
json_t *store_campaigns(struct store *store, struct error *err)
{
	_cleanup_json_ json_t *campaigns = json_array();
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	_cleanup_sqlite_ char *sql = campaigns_query(store, err);
	json_t *campaign;
	size_t i;

	if (!sql || store_prepare(store, &statement, sql, err) ||
	    store_visit(store, TABLE_CAMPAIGNS, statement, append_row, campaigns, err))
		return NULL;
	json_array_foreach (campaigns, i, campaign)
		if (add_counts(store, campaign, err))
			return NULL;
	return TAKE_PTR(campaigns);
}

json_t *store_campaign(struct store *store, const char *campaign_id, struct error *err)
{
	_cleanup_json_ json_t *campaign = find_campaign(store, campaign_id, err);

	if (!campaign || add_counts(store, campaign, err))
		return NULL;
	return TAKE_PTR(campaign);
}

json_t *store_trials(struct store *store, const char *campaign_id, struct error *err)
{
	_cleanup_json_ json_t *campaign = find_campaign(store, campaign_id, err);

	if (!campaign)
		return NULL;
	return select_rows(store, TABLE_TRIALS, "SELECT * FROM trials WHERE campaign_id = ?1 ORDER BY trial_index",
			   text_of(campaign, "id"), NULL, err);
}

/* Searches all campaigns if campaign is NULL; an ambiguous id is then reported with the campaigns that have it. */
static json_t *find_trial(struct store *store, const char *campaign, const char *asked, struct error *err)
{
	/* By the primary key, unless the campaign is unknown. */
	json_t *rows = select_rows(store, TABLE_TRIALS,
				   campaign ? "SELECT * FROM trials WHERE campaign_id = ?1 AND id = ?2"
					    : "SELECT * FROM trials WHERE id = ?2",
				   campaign, asked, err);

	if (rows && !json_array_size(rows) && asked[0]) {
		json_decref(rows);
		rows = select_rows(store, TABLE_TRIALS,
				   "SELECT * FROM trials WHERE ifnull(?1, campaign_id) = campaign_id AND "
				   "CASE WHEN ?2 NOT GLOB '*[^0-9]*' THEN trial_index = CAST(?2 AS INTEGER) "
				   "ELSE substr(id, 1, length(?2)) = ?2 OR substr(id, 7, length(?2)) = ?2 "
				   "OR substr(id, -length(?2)) = ?2 END ORDER BY campaign_id DESC, trial_index",
				   campaign, asked, err);
	}
	if (rows && json_array_size(rows) > 1 && !campaign) {
		char candidates[320];

		name_candidates(candidates, sizeof(candidates), rows, "campaign_id");
		error_set(err, -ENOTUNIQ, "trial '%s' is ambiguous, name its campaign too: %s", asked, candidates);
		json_decref(rows);
		return NULL;
	}
	return take_only(store, rows, "trial", asked, err);
}

json_t *store_trial(struct store *store, const char *campaign_id, const char *trial_id, struct error *err)
{
	_cleanup_json_ json_t *campaign = NULL;

	if (!campaign_id)
		return find_trial(store, NULL, trial_id, err);
	campaign = find_campaign(store, campaign_id, err);
	return campaign ? find_trial(store, text_of(campaign, "id"), trial_id, err) : NULL;
}

static json_t *rows_of_trial(struct store *store, enum store_table_id table, const char *sql, const char *campaign_id,
			     const char *trial_id, struct error *err)
{
	_cleanup_json_ json_t *trial = store_trial(store, campaign_id, trial_id, err);

	if (!trial)
		return NULL;
	return select_rows(store, table, sql, text_of(trial, "campaign_id"), text_of(trial, "id"), err);
}

json_t *store_attempts(struct store *store, const char *campaign_id, const char *trial_id, struct error *err)
{
	return rows_of_trial(store, TABLE_ATTEMPTS,
			     "SELECT * FROM attempts WHERE campaign_id = ?1 AND trial_id = ?2 ORDER BY attempt",
			     campaign_id, trial_id, err);
}

json_t *store_events(struct store *store, const char *campaign_id, const char *trial_id, struct error *err)
{
	_cleanup_json_ json_t *campaign = NULL;

	if (trial_id)
		return rows_of_trial(store, TABLE_EVENTS,
				     "SELECT * FROM events WHERE campaign_id = ?1 AND trial_id = ?2 ORDER BY rowid",
				     campaign_id, trial_id, err);
	campaign = find_campaign(store, campaign_id, err);
	if (!campaign)
		return NULL;
	return select_rows(store, TABLE_EVENTS, "SELECT * FROM events WHERE campaign_id = ?1 ORDER BY rowid",
			   text_of(campaign, "id"), NULL, err);
}

json_t *store_unfinished(struct store *store, const char *hash, struct error *err)
{
	_cleanup_json_ json_t *rows = select_rows(store, TABLE_CAMPAIGNS,
						  "SELECT * FROM campaigns WHERE hash = ?1 AND EXISTS (SELECT 1 FROM "
						  "trials WHERE campaign_id = campaigns.id AND status NOT IN "
						  "('completed', 'failed', 'void')) "
						  "ORDER BY rowid DESC LIMIT 1",
						  hash, NULL, err);
	json_t *campaign;

	if (!rows)
		return NULL;
	if (err)
		err->code = 0;
	campaign = json_array_get(rows, 0);
	if (!campaign || add_counts(store, campaign, err))
		return NULL;
	return json_incref(campaign);
}

#define FIGURES \
	"CASE WHEN json_valid(summary) THEN json_remove(summary, '$.intervals', '$.shifts') ELSE summary END AS " \
	"summary"
#define OF_TRIALS " FROM trials WHERE campaign_id = ?1 ORDER BY trial_index"

int store_visit_trials(struct store *store, const char *campaign_id, enum store_trial_part part, store_row_visit visit,
		       void *data, struct error *err)
{
	static const char *const queries[] = {
		[STORE_TRIAL_STATE] = "SELECT id, status, verdict, attempt, instance" OF_TRIALS,
		[STORE_TRIAL_RESULTS] =
			"SELECT id, subject, chaos, baseline, status, verdict, error_stage, error_text, "
			"CASE WHEN verdict IN ('fail', 'inconclusive') THEN expectations END AS expectations, "
			"CASE WHEN json_valid(evidence) AND json_type(evidence, '$.targets') IS NULL AND "
			"json_array_length(evidence, '$.losses') = 0 THEN json_object('hit', "
			"json_extract(evidence, '$.hit'), 'losses', json('[]')) ELSE evidence END AS evidence, " FIGURES
				OF_TRIALS,
		[STORE_TRIAL_FIGURES] = "SELECT id, subject, chaos, baseline, status, " FIGURES OF_TRIALS,
	};
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int ret = prepare_select(store, &statement, queries[part], campaign_id, NULL, err);

	return ret ? ret : store_visit(store, TABLE_TRIALS, statement, visit, data, err);
}

json_t *store_list_trials(struct store *store, const char *campaign_id, enum store_trial_part part, struct error *err)
{
	_cleanup_json_ json_t *trials = json_array();

	return store_visit_trials(store, campaign_id, part, append_row, trials, err) ? NULL : TAKE_PTR(trials);
}

static const char *column_text(sqlite3_stmt *statement, int at)
{
	return (const char *)sqlite3_column_text(statement, at);
}

int store_visit_samples(struct store *store, const char *campaign_id, const char *trial_id,
			int (*visit)(const struct store_sample *sample, void *data), void *data, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int result, ret = prepare_select(store, &statement,
					 "SELECT attempt, probe, scheduled_ns, started_at_ns, latency_ns, ok, error, "
					 "phase FROM samples WHERE campaign_id = ?1 AND trial_id = ?2 ORDER BY rowid",
					 campaign_id, trial_id, err);

	if (ret)
		return ret;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_sample sample = {
			.attempt = (unsigned int)sqlite3_column_int(statement, 0),
			.probe = column_text(statement, 1) ?: "",
			.scheduled_ns = sqlite3_column_int64(statement, 2),
			.started_at_ns = sqlite3_column_int64(statement, 3),
			.latency_ns = sqlite3_column_int64(statement, 4),
			.ok = sqlite3_column_int(statement, 5),
			.error = column_text(statement, 6),
			.phase = column_text(statement, 7) ?: "",
		};

		ret = visit(&sample, data);
		if (ret)
			return ret;
	}
	return result == SQLITE_DONE ? 0 : store_fail(store, err, "read it");
}

static int has_metrics(struct store *store, bool *out, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int ret = store_prepare(store, &statement,
				"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'metrics'", err);
	int result = ret ? SQLITE_DONE : sqlite3_step(statement);

	*out = result == SQLITE_ROW;
	return ret || result == SQLITE_ROW || result == SQLITE_DONE ? ret : store_fail(store, err, "read it");
}

int store_visit_metrics(struct store *store, const char *campaign_id, const char *trial_id,
			int (*visit)(const struct store_metric *metric, void *data), void *data, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	bool there;
	int result, ret = has_metrics(store, &there, err);

	if (ret || !there)
		return ret;
	ret = prepare_select(store, &statement,
			     "SELECT attempt, source, series, at_ns, value, kind, phase FROM metrics WHERE "
			     "campaign_id = ?1 AND trial_id = ?2 ORDER BY rowid",
			     campaign_id, trial_id, err);
	if (ret)
		return ret;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_metric metric = {
			.attempt = (unsigned int)sqlite3_column_int(statement, 0),
			.source = column_text(statement, 1) ?: "",
			.series = column_text(statement, 2) ?: "",
			.at_ns = sqlite3_column_int64(statement, 3),
			.value = sqlite3_column_double(statement, 4),
			.kind = column_text(statement, 5) ?: "",
			.phase = column_text(statement, 6) ?: "",
		};

		ret = visit(&metric, data);
		if (ret)
			return ret;
	}
	return result == SQLITE_DONE ? 0 : store_fail(store, err, "read it");
}

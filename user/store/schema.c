/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The only list of tables and columns: CREATE, INSERT, SELECT and migration follow from it. */
#include "store/internal.h"

#include <string.h>

#include "util/cleanup.h"
#include "version.h"

/* A moment has two columns: RFC 3339 text in UTC with microseconds, and CLOCK_MONOTONIC of the same boot. */
#define MOMENT(column) \
	{#column, STORE_TEXT, NULL}, \
	{ \
#column "_monotonic_ns", STORE_INTEGER, NULL \
	}
#define TRIAL_STATUS "('planned', 'running', 'completed', 'failed', 'void', 'interrupted')"
#define STAGE "CHECK (error_stage IN ('reset', 'ready', 'warmup', 'inject', 'hold', 'revert', 'recover', 'check'))"
#define VERDICT "NOT NULL DEFAULT 'none' CHECK (verdict IN ('none', 'pass', 'fail', 'inconclusive'))"

static const struct store_column campaign_columns[] = {
	{"id", STORE_TEXT, "PRIMARY KEY NOT NULL"},
	{"label", STORE_TEXT, NULL},
	{"status", STORE_TEXT,
	 "NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'running', 'completed', "
	 "'interrupted'))"},
	{"hash", STORE_TEXT, "NOT NULL"},
	{"seed", STORE_U64, "NOT NULL"},
	{"config", STORE_JSON, "NOT NULL"}, /* canonical; the hash covers it */
	{"config_path", STORE_TEXT, NULL},
	{"config_text", STORE_TEXT, NULL}, /* the file's text when it was read */
	{"command_line", STORE_TEXT, NULL},
	{"parallel", STORE_INTEGER, NULL},
	{"cooldown_seconds", STORE_REAL, NULL},
	{"trial_count", STORE_INTEGER, NULL},
	{"host", STORE_TEXT, NULL},
	{"kernel", STORE_TEXT, NULL},
	{"boot_id", STORE_TEXT, NULL},
	{"eval_version", STORE_TEXT, NULL},
	{"features", STORE_JSON, NULL},              /* which features the kernel had */
	{"holder_pid", STORE_INTEGER, NULL},         /* pid of the last coordinator */
	{"holder_start_ticks", STORE_INTEGER, NULL}, /* its start, as procfs_start_ticks() */
	{"exit_code", STORE_INTEGER, NULL},
	{"summary", STORE_JSON, NULL},
	{"created_at", STORE_TEXT, "NOT NULL"},
	MOMENT(started_at),
	MOMENT(ended_at),
	{NULL},
};

static const struct store_column trial_columns[] = {
	{"campaign_id", STORE_TEXT, "NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE"},
	{"id", STORE_TEXT, "NOT NULL"},
	{"trial_index", STORE_INTEGER, "NOT NULL"},
	{"subject", STORE_TEXT, "NOT NULL"},
	{"chaos", STORE_TEXT, "NOT NULL"},
	{"type", STORE_TEXT, NULL}, /* null: baseline */
	{"repetition", STORE_INTEGER, "NOT NULL"},
	{"baseline", STORE_BOOL, "NOT NULL DEFAULT 0 CHECK (baseline IN (0, 1))"},
	{"attempt", STORE_INTEGER, "NOT NULL DEFAULT 0"}, /* number of the last attempt; 0: none yet */
	{"instance", STORE_INTEGER, NULL},
	{"fresh", STORE_BOOL, "CHECK (fresh IN (0, 1))"},
	{"seed", STORE_U64, "NOT NULL"},
	{"status", STORE_TEXT, "NOT NULL DEFAULT 'planned' CHECK (status IN " TRIAL_STATUS ")"},
	{"verdict", STORE_TEXT, VERDICT},
	{"error_stage", STORE_TEXT, STAGE},
	{"error_errno", STORE_INTEGER, NULL},
	{"error_text", STORE_TEXT, NULL},
	{"settings", STORE_JSON, NULL}, /* durations, retries, expectations */
	{"target_asked", STORE_TEXT, NULL},
	{"target_node", STORE_TEXT, NULL},
	{"target_role", STORE_TEXT, NULL},
	{"engine", STORE_TEXT, NULL},
	{"params_asked", STORE_JSON, NULL},
	{"params_effective", STORE_JSON, NULL},
	MOMENT(started_at),
	MOMENT(healthy_at),
	MOMENT(chaos_injected_at),
	MOMENT(first_effect_at),
	MOMENT(chaos_reverted_at),
	MOMENT(recovered_at),
	MOMENT(ended_at),
	{"ticket_created_at", STORE_TEXT, NULL}, /* other programs write these two */
	{"resolved_at", STORE_TEXT, NULL},
	{"initial_state", STORE_JSON, NULL},
	{"final_state", STORE_JSON, NULL},
	{"chaos_metadata", STORE_JSON, NULL},
	{"commands_json", STORE_JSON, NULL},
	{"evidence", STORE_JSON, NULL},
	{"summary", STORE_JSON, NULL},
	{"expectations", STORE_JSON, NULL},
	{NULL},
};

static const struct store_column attempt_columns[] = {
	{"campaign_id", STORE_TEXT, "NOT NULL"},
	{"trial_id", STORE_TEXT, "NOT NULL"},
	{"attempt", STORE_INTEGER, "NOT NULL"},
	{"instance", STORE_INTEGER, NULL},
	{"worker_pid", STORE_INTEGER, NULL},
	{"boot_id", STORE_TEXT, NULL},
	{"status", STORE_TEXT, "NOT NULL DEFAULT 'running' CHECK (status IN " TRIAL_STATUS ")"},
	{"verdict", STORE_TEXT, VERDICT},
	{"error_stage", STORE_TEXT, STAGE},
	{"error_errno", STORE_INTEGER, NULL},
	{"error_text", STORE_TEXT, NULL},
	{"target_node", STORE_TEXT, NULL},
	{"engine", STORE_TEXT, NULL},
	MOMENT(started_at),
	MOMENT(ended_at),
	{"commands_json", STORE_JSON, NULL},
	{"evidence", STORE_JSON, NULL},
	{"summary", STORE_JSON, NULL},
	{"expectations", STORE_JSON, NULL},
	{NULL},
};

static const struct store_column sample_columns[] = {
	{"campaign_id", STORE_TEXT, "NOT NULL"},
	{"trial_id", STORE_TEXT, "NOT NULL"},
	{"attempt", STORE_INTEGER, "NOT NULL"},
	{"probe", STORE_TEXT, "NOT NULL"},
	{"scheduled_ns", STORE_INTEGER, "NOT NULL"}, /* CLOCK_MONOTONIC, as started_at_ns */
	{"started_at_ns", STORE_INTEGER, NULL},
	{"latency_ns", STORE_INTEGER, NULL},
	{"ok", STORE_BOOL, "NOT NULL CHECK (ok IN (0, 1))"},
	{"error", STORE_TEXT, NULL},
	{"phase", STORE_TEXT, NULL},
	{NULL},
};

static const struct store_column metric_columns[] = {
	{"campaign_id", STORE_TEXT, "NOT NULL"},
	{"trial_id", STORE_TEXT, "NOT NULL"},
	{"attempt", STORE_INTEGER, "NOT NULL"},
	{"source", STORE_TEXT, "NOT NULL"},
	{"series", STORE_TEXT, "NOT NULL"},
	{"at_ns", STORE_INTEGER, "NOT NULL"}, /* CLOCK_MONOTONIC */
	{"value", STORE_REAL, "NOT NULL"},
	{"kind", STORE_TEXT, "NOT NULL CHECK (kind IN ('gauge', 'rate'))"},
	{"phase", STORE_TEXT, NULL},
	{NULL},
};

static const struct store_column event_columns[] = {
	{"campaign_id", STORE_TEXT, "NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE"},
	{"trial_id", STORE_TEXT, NULL}, /* null: an event of the campaign */
	{"attempt", STORE_INTEGER, NULL},
	{"at", STORE_TEXT, "NOT NULL"},
	{"monotonic_ns", STORE_INTEGER, NULL},
	{"phase", STORE_TEXT, NULL},
	{"kind", STORE_TEXT, NULL},
	{"text", STORE_TEXT, NULL},
	{"details", STORE_JSON, NULL}, /* every other key of the event */
	{NULL},
};

#define OF_A_TRIAL "FOREIGN KEY (campaign_id, trial_id) REFERENCES trials (campaign_id, id) ON DELETE CASCADE"

const struct store_table store_tables[TABLE_COUNT] = {
	[TABLE_CAMPAIGNS] = {.name = "campaigns", .columns = campaign_columns, .index = "hash"},
	[TABLE_TRIALS] = {.name = "trials",
			  .columns = trial_columns,
			  .constraint = "PRIMARY KEY (campaign_id, id)",
			  .index = "campaign_id, trial_index"},
	[TABLE_ATTEMPTS] = {.name = "attempts",
			    .columns = attempt_columns,
			    .constraint = "PRIMARY KEY (campaign_id, trial_id, attempt), " OF_A_TRIAL},
	[TABLE_SAMPLES] = {.name = "samples",
			   .columns = sample_columns,
			   .constraint = OF_A_TRIAL,
			   .index = "campaign_id, trial_id"},
	[TABLE_METRICS] = {.name = "metrics",
			   .columns = metric_columns,
			   .constraint = OF_A_TRIAL,
			   .index = "campaign_id, trial_id"},
	[TABLE_EVENTS] = {.name = "events",
			  .columns = event_columns,
			  .constraint = OF_A_TRIAL,
			  .index = "campaign_id, trial_id"},
};

static const char *const sql_types[] = {
	[STORE_TEXT] = "TEXT",    [STORE_INTEGER] = "INTEGER", [STORE_REAL] = "REAL",
	[STORE_BOOL] = "INTEGER", [STORE_U64] = "TEXT",        [STORE_JSON] = "TEXT",
};

const struct store_column *store_column_find(const struct store_table *table, const char *name)
{
	for (const struct store_column *column = table->columns; column->name; column++)
		if (!strcmp(column->name, name))
			return column;
	return NULL;
}

static int query_integer(struct store *store, const char *sql, int *out, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int ret = store_prepare(store, &statement, sql, err);

	if (ret)
		return ret;
	if (sqlite3_step(statement) != SQLITE_ROW)
		return store_fail(store, err, "read it");
	*out = sqlite3_column_int(statement, 0);
	return 0;
}

int store_schema_check(struct store *store, int *version, struct error *err)
{
	int application = 0, tables = 0, ret;

	ret = query_integer(store, "PRAGMA user_version", version, err);
	ret = ret ?: query_integer(store, "PRAGMA application_id", &application, err);
	ret = ret ?: query_integer(store, "SELECT count(*) FROM sqlite_master", &tables, err);
	if (ret)
		return ret;
	if (application != STORE_APPLICATION_ID && (application || *version || tables))
		return error_set(err, -EUCLEAN, "database %s belongs to another program; name another file by --db",
				 store->path);
	if (*version > STORE_SCHEMA_VERSION)
		return error_set(err, -EPROTO,
				 "database %s has schema %d, this eval (%s) knows up to %d; use the newer eval, "
				 "or another file by --db",
				 store->path, *version, EVAL_VERSION, STORE_SCHEMA_VERSION);
	return 0;
}

static int create_table(struct store *store, const struct store_table *table, struct error *err)
{
	_cleanup_sqlite_ char *sql = NULL;
	sqlite3_str *text = sqlite3_str_new(store->db);

	sqlite3_str_appendf(text, "CREATE TABLE \"%w\" (", table->name);
	for (const struct store_column *column = table->columns; column->name; column++)
		sqlite3_str_appendf(text, "%s\n  \"%w\" %s%s%s", column == table->columns ? "" : ",", column->name,
				    sql_types[column->type], column->constraint ? " " : "", column->constraint ?: "");
	if (table->constraint)
		sqlite3_str_appendf(text, ",\n  %s", table->constraint);
	sqlite3_str_appendall(text, "\n) STRICT");
	sql = sqlite3_str_finish(text);
	return sql ? store_exec(store, sql, err) : error_set_errno(err, -ENOMEM, "schema");
}

static int column_exists(struct store *store, const struct store_table *table, const char *column, int *out,
			 struct error *err)
{
	_cleanup_sqlite_ char *sql = sqlite3_mprintf("SELECT count(*) FROM pragma_table_info(%Q) WHERE "
						     "%Q IN ('', name)",
						     table->name, column);

	return sql ? query_integer(store, sql, out, err) : error_set_errno(err, -ENOMEM, "schema");
}

static int add_missing_columns(struct store *store, const struct store_table *table, struct error *err)
{
	for (const struct store_column *column = table->columns; column->name; column++) {
		_cleanup_sqlite_ char *sql = NULL;
		int there = 0, ret = column_exists(store, table, column->name, &there, err);

		if (ret)
			return ret;
		if (there)
			continue;
		sql = sqlite3_mprintf("ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s %s", table->name, column->name,
				      sql_types[column->type], column->constraint ?: "");
		ret = sql ? store_exec(store, sql, err) : error_set_errno(err, -ENOMEM, "schema");
		if (ret)
			return ret;
	}
	return 0;
}

static int migrate_table(struct store *store, const struct store_table *table, struct error *err)
{
	_cleanup_sqlite_ char *index = NULL;
	int there = 0, ret = column_exists(store, table, "", &there, err);

	if (ret)
		return ret;
	ret = there ? add_missing_columns(store, table, err) : create_table(store, table, err);
	if (ret || !table->index)
		return ret;
	index = sqlite3_mprintf("CREATE INDEX IF NOT EXISTS \"%w_index\" ON \"%w\" (%s)", table->name, table->name,
				table->index);
	return index ? store_exec(store, index, err) : error_set_errno(err, -ENOMEM, "schema");
}

/*
 * SQLite's documented way to change what is not on the disk: before schema 3 a verdict could not be inconclusive. A
 * writable schema is trusted only within this transaction.
 */
static int widen_verdicts(struct store *store, struct error *err)
{
	return store_exec(store,
			  "PRAGMA writable_schema = ON; "
			  "UPDATE sqlite_master SET sql = replace(sql, '(''none'', ''pass'', ''fail'')', "
			  "'(''none'', ''pass'', ''fail'', ''inconclusive'')') "
			  "WHERE type = 'table' AND name IN ('trials', 'attempts'); "
			  "PRAGMA writable_schema = RESET",
			  err);
}

int store_schema_migrate(struct store *store, struct error *err)
{
	_cleanup_sqlite_ char *stamp = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d",
						       STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
	int version = 0, ret = store_begin(store, err);

	if (ret)
		return ret;
	/* Another process may have migrated the file to this or a newer schema before this one got the lock. */
	ret = store_schema_check(store, &version, err);
	for (int i = 0; !ret && version < STORE_SCHEMA_VERSION && i < TABLE_COUNT; i++)
		ret = migrate_table(store, &store_tables[i], err);
	if (!ret && version < 3)
		ret = widen_verdicts(store, err);
	if (!ret)
		ret = stamp ? store_exec(store, stamp, err) : error_set_errno(err, -ENOMEM, "schema");
	if (!ret)
		ret = store_commit(store, err);
	if (ret)
		store_rollback(store);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Converts rows between JSON objects and SQL by the table of columns. */
#include "store/internal.h"

#include <inttypes.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

#define COLUMNS_MAX 64

json_t *store_u64(uint64_t value)
{
	return json_sprintf("%" PRIu64, value);
}

uint64_t store_u64_value(const json_t *value)
{
	return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10) : 0;
}

static bool is_u64(const json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		return json_integer_value(value) >= 0;
	if (!text || !text[0] || strspn(text, "0123456789") != json_string_length(value))
		return false;
	errno = 0;
	strtoull(text, NULL, 10);
	return !errno;
}

static bool fits(const struct store_column *column, const json_t *value)
{
	if (json_is_null(value))
		return true;
	switch (column->type) {
	case STORE_TEXT:
		return json_is_string(value);
	case STORE_INTEGER:
		return json_is_integer(value);
	case STORE_REAL:
		return json_is_number(value);
	case STORE_BOOL:
		return json_is_boolean(value) ||
		       (json_is_integer(value) &&
			(json_int_t)(json_integer_value(value) & 1) == json_integer_value(value));
	case STORE_U64:
		return is_u64(value);
	case STORE_JSON:
		return true;
	}
	return false;
}

static int unknown_column(const struct store_table *table, const char *name, struct error *err)
{
	const char *known[COLUMNS_MAX], *nearest;
	size_t count = 0;

	for (; count < COLUMNS_MAX && table->columns[count].name; count++)
		known[count] = table->columns[count].name;
	nearest = text_nearest(name, known, count);
	return error_set(err, -EINVAL, "table %s has no column '%s'%s%s%s", table->name, name,
			 nearest ? ", the nearest is '" : "", nearest ?: "", nearest ? "'" : "");
}

/* Returns -EINVAL unless every key is a column of the table and every value fits its type. */
static int columns_check(const struct store_table *table, const json_t *columns, struct error *err)
{
	static const char *const takes[] = {
		[STORE_TEXT] = "text",
		[STORE_INTEGER] = "an integer",
		[STORE_REAL] = "a number",
		[STORE_BOOL] = "true or false",
		[STORE_U64] = "a string of digits up to 2^64 - 1",
		[STORE_JSON] = "any value",
	};
	const char *name;
	json_t *value;

	if (!json_is_object(columns))
		return error_set(err, -EINVAL, "a row of table %s must be an object", table->name);
	json_object_foreach ((json_t *)columns, name, value) {
		const struct store_column *column = store_column_find(table, name);

		if (!column)
			return unknown_column(table, name, err);
		if (!fits(column, value))
			return error_set(err, -EINVAL, "column %s.%s takes %s", table->name, name, takes[column->type]);
	}
	return 0;
}

static int bind_json(sqlite3_stmt *statement, int at, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	/* SQLite frees text even if the call fails. */
	return text ? sqlite3_bind_text(statement, at, text, -1, free) : SQLITE_NOMEM;
}

static int bind_u64(sqlite3_stmt *statement, int at, const json_t *value)
{
	char digits[24];

	/* Normalises the digits: "007" would not compare equal to "7". */
	snprintf(digits, sizeof(digits), "%" PRIu64,
		 json_is_integer(value) ? (uint64_t)json_integer_value(value) : store_u64_value(value));
	return sqlite3_bind_text(statement, at, digits, -1, SQLITE_TRANSIENT);
}

/* Binds a value that columns_check has accepted. */
static int bind_value(struct store *store, sqlite3_stmt *statement, int at, const struct store_column *column,
		      const json_t *value, struct error *err)
{
	int result = SQLITE_ERROR;

	if (!value || json_is_null(value))
		result = sqlite3_bind_null(statement, at);
	else if (column->type == STORE_JSON)
		result = bind_json(statement, at, value);
	else if (column->type == STORE_U64)
		result = bind_u64(statement, at, value);
	else if (column->type == STORE_BOOL)
		result = sqlite3_bind_int(statement, at, json_is_true(value) || json_integer_value(value));
	else if (json_is_string(value))
		result = sqlite3_bind_text64(statement, at, json_string_value(value), json_string_length(value),
					     SQLITE_STATIC, SQLITE_UTF8);
	else if (json_is_integer(value))
		result = sqlite3_bind_int64(statement, at, json_integer_value(value));
	else if (json_is_real(value))
		result = sqlite3_bind_double(statement, at, json_real_value(value));
	if (result != SQLITE_OK)
		return error_set(err, result == SQLITE_NOMEM ? -ENOMEM : -EIO, "database %s: cannot write %s: %s",
				 store->path, column->name, sqlite3_errstr(result));
	return 0;
}

/* Binds the values of row in the object's order, starting at parameter *at. */
static int bind_row(struct store *store, sqlite3_stmt *statement, int *at, const struct store_table *table,
		    const json_t *row, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)row, name, value) {
		int ret = bind_value(store, statement, (*at)++, store_column_find(table, name), value, err);

		if (ret)
			return ret;
	}
	return 0;
}

static int step_write(struct store *store, const struct store_table *table, sqlite3_stmt *statement, struct error *err)
{
	char what[64];

	if (sqlite3_step(statement) == SQLITE_DONE)
		return 0;
	snprintf(what, sizeof(what), "write to table %s", table->name);
	return store_fail(store, err, what);
}

static void append_names(sqlite3_str *sql, const json_t *row, const char *format, const char *separator)
{
	const char *name, *before = "";
	json_t *value;

	json_object_foreach ((json_t *)row, name, value) {
		sqlite3_str_appendall(sql, before);
		sqlite3_str_appendf(sql, format, name);
		before = separator;
	}
}

static void append_insert(sqlite3_str *sql, const struct store_table *table, const json_t *row)
{
	sqlite3_str_appendf(sql, "INSERT INTO \"%w\" (", table->name);
	append_names(sql, row, "\"%w\"", ", ");
	sqlite3_str_appendall(sql, ") VALUES (?");
	for (size_t i = 1; i < json_object_size(row); i++)
		sqlite3_str_appendall(sql, ", ?");
	sqlite3_str_appendall(sql, ")");
}

static bool is_key(const char *name, const char *const *keys)
{
	for (; *keys; keys++)
		if (!strcmp(name, *keys))
			return true;
	return false;
}

static void append_conflict(sqlite3_str *sql, const char *const *keys, const json_t *row)
{
	const char *name, *before = "";
	json_t *value;

	sqlite3_str_appendall(sql, " ON CONFLICT (");
	for (size_t i = 0; keys[i]; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", keys[i]);
	sqlite3_str_appendall(sql, ") DO UPDATE SET ");
	json_object_foreach ((json_t *)row, name, value) {
		if (is_key(name, keys))
			continue;
		sqlite3_str_appendf(sql, "%s\"%w\" = excluded.\"%w\"", before, name, name);
		before = ", ";
	}
	/* DO UPDATE needs an assignment even if the row has only keys. */
	if (!before[0])
		sqlite3_str_appendf(sql, "\"%w\" = excluded.\"%w\"", keys[0], keys[0]);
}

static int run_write(struct store *store, const struct store_table *table, sqlite3_str *text, const json_t *row,
		     const json_t *keys, struct error *err)
{
	_cleanup_sqlite_ char *sql = sqlite3_str_finish(text);
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int at = 1, ret;

	if (!sql)
		return error_set_errno(err, -ENOMEM, "database %s", store->path);
	ret = store_prepare(store, &statement, sql, err);
	ret = ret ?: bind_row(store, statement, &at, table, row, err);
	if (keys)
		ret = ret ?: bind_row(store, statement, &at, table, keys, err);
	return ret ?: step_write(store, table, statement, err);
}

int store_upsert(struct store *store, enum store_table_id id, const char *const *keys, const json_t *row,
		 struct error *err)
{
	const struct store_table *table = &store_tables[id];
	int ret = columns_check(table, row, err);
	sqlite3_str *sql;

	if (ret)
		return ret;
	sql = sqlite3_str_new(store->db);
	append_insert(sql, table, row);
	if (keys)
		append_conflict(sql, keys, row);
	return run_write(store, table, sql, row, NULL, err);
}

int store_insert(struct store *store, enum store_table_id id, const json_t *row, struct error *err)
{
	return store_upsert(store, id, NULL, row, err);
}

int store_update(struct store *store, enum store_table_id id, const json_t *keys, const json_t *columns,
		 struct error *err)
{
	const struct store_table *table = &store_tables[id];
	int ret = columns_check(table, columns, err);
	sqlite3_str *sql;

	if (ret || !json_object_size(columns))
		return ret;
	sql = sqlite3_str_new(store->db);
	sqlite3_str_appendf(sql, "UPDATE \"%w\" SET ", table->name);
	append_names(sql, columns, "\"%w\" = ?", ", ");
	sqlite3_str_appendall(sql, " WHERE ");
	append_names(sql, keys, "\"%w\" = ?", " AND ");
	ret = run_write(store, table, sql, columns, keys, err);
	if (ret)
		return ret;
	return sqlite3_changes(store->db) ? 0 : -ENOENT;
}

static json_t *read_value(sqlite3_stmt *statement, int at, enum store_type type)
{
	const char *text = (const char *)sqlite3_column_text(statement, at);
	size_t size = (size_t)sqlite3_column_bytes(statement, at);
	json_t *value;

	if (!text)
		return json_null();
	switch (type) {
	case STORE_INTEGER:
		return json_integer(sqlite3_column_int64(statement, at));
	case STORE_REAL:
		return json_real(sqlite3_column_double(statement, at));
	case STORE_BOOL:
		return json_boolean(sqlite3_column_int(statement, at));
	case STORE_JSON:
		/* A value from another program that is not JSON comes back as text. */
		value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		return value ?: json_text(text, size);
	default:
		return json_text(text, size);
	}
}

/* whole: columns that the file lacks become null, as of a SELECT *. */
static json_t *read_row(const struct store_table *table, sqlite3_stmt *statement, bool whole)
{
	_cleanup_json_ json_t *row = json_object();

	for (const struct store_column *column = table->columns; whole && column->name; column++)
		json_object_set_new(row, column->name, json_null());
	for (int at = 0; at < sqlite3_column_count(statement); at++) {
		const struct store_column *column = store_column_find(table, sqlite3_column_name(statement, at));

		/* Skips columns that are not in our schema, for example added by hand. */
		if (column && json_object_set_new(row, column->name, read_value(statement, at, column->type)))
			return NULL;
	}
	return TAKE_PTR(row);
}

int store_visit(struct store *store, enum store_table_id id, sqlite3_stmt *statement, store_row_visit visit, void *data,
		struct error *err)
{
	int result;

	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		_cleanup_json_ json_t *row = read_row(&store_tables[id], statement, false);
		int ret = row ? visit(row, data, err) : error_set_errno(err, -ENOMEM, "database %s", store->path);

		if (ret)
			return ret;
	}
	return result == SQLITE_DONE ? 0 : store_fail(store, err, "read it");
}

json_t *store_rows(struct store *store, enum store_table_id id, sqlite3_stmt *statement, struct error *err)
{
	_cleanup_json_ json_t *rows = json_array();
	int result;

	while ((result = sqlite3_step(statement)) == SQLITE_ROW)
		if (json_array_append_new(rows, read_row(&store_tables[id], statement, true))) {
			error_set_errno(err, -ENOMEM, "database %s", store->path);
			return NULL;
		}
	if (result != SQLITE_DONE) {
		store_fail(store, err, "read it");
		return NULL;
	}
	return TAKE_PTR(rows);
}

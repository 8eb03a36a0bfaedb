/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internal to the store: only its files include this. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

#include "store/store.h"

#define STORE_SCHEMA_VERSION 4
#define STORE_APPLICATION_ID 0x4556414c /* "EVAL" */
#define STORE_BUSY_TIMEOUT_MS 5000

struct store {
	sqlite3 *db;
	char *path; /* as the user gave it */
	char *file; /* absolute path without links, which SQLite opens */
	enum store_mode mode;
};

enum store_type {
	STORE_TEXT,
	STORE_INTEGER,
	STORE_REAL,
	STORE_BOOL, /* 0 or 1; JSON true or false */
	STORE_U64,  /* decimal digits as TEXT: SQLite's and JSON's integers are signed */
	STORE_JSON, /* any JSON value, as TEXT */
};

struct store_column {
	const char *name;
	enum store_type type;
	const char *constraint; /* SQL after the type; a NOT NULL column added later needs a default */
};

struct store_table {
	const char *name;
	const struct store_column *columns; /* ends with .name = NULL */
	const char *constraint;             /* table constraint; NULL: none */
	const char *index;                  /* indexed columns; NULL: none */
};

enum store_table_id {
	TABLE_CAMPAIGNS,
	TABLE_TRIALS,
	TABLE_ATTEMPTS,
	TABLE_SAMPLES,
	TABLE_METRICS,
	TABLE_EVENTS,
	TABLE_COUNT,
};
extern const struct store_table store_tables[TABLE_COUNT];

/* store/schema.c */
const struct store_column *store_column_find(const struct store_table *table, const char *name);
/* Refuses files of other programs (-EUCLEAN) and newer schemas (-EPROTO). *version is the file's, 0 if it is empty. */
int store_schema_check(struct store *store, int *version, struct error *err);
/* Creates missing tables, columns and indexes in one transaction. */
int store_schema_migrate(struct store *store, struct error *err);

/*
 * store/file.c: *out is the database's absolute path without links; STORE_WRITE creates a missing file. Refuses
 * (-EPERM) a file that root would write but cannot trust.
 */
int store_file_find(char **out, const char *path, enum store_mode mode, struct error *err);
/* Lets SQLite open only files that root can trust; STORE_READ lifts this. No effect if the process is not root. */
void store_file_guard(enum store_mode mode);

_Static_assert(SQLITE_VERSION_NUMBER >= 3037000, "STRICT tables need SQLite 3.37");

static inline void cleanup_statementp(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}
#define _cleanup_statement_ _cleanup_(cleanup_statementp)

static inline void cleanup_sqlitep(char **text)
{
	sqlite3_free(*text);
}
#define _cleanup_sqlite_ _cleanup_(cleanup_sqlitep)

/* store/connection.c */
/* Fills err from the connection's last failure and returns its negative errno. `what` completes "cannot …". */
int store_fail(struct store *store, struct error *err, const char *what);
int store_prepare(struct store *store, sqlite3_stmt **out, const char *sql, struct error *err);
int store_exec(struct store *store, const char *sql, struct error *err);
/* True between store_begin and store_commit. */
bool store_in_transaction(const struct store *store);

/* store/row.c */
int store_insert(struct store *store, enum store_table_id table, const json_t *row, struct error *err);
/* Inserts row, or updates its other columns if a row with the same key columns (NULL-terminated list) exists. */
int store_upsert(struct store *store, enum store_table_id table, const char *const *keys, const json_t *row,
		 struct error *err);
/* Sets columns in every row that matches all of keys (a JSON object); -ENOENT if none does. */
int store_update(struct store *store, enum store_table_id table, const json_t *keys, const json_t *columns,
		 struct error *err);
/* Calls visit for each row of a bound SELECT, with the selected columns; ends with its first result that is not 0. */
int store_visit(struct store *store, enum store_table_id table, sqlite3_stmt *statement, store_row_visit visit,
		void *data, struct error *err);
/* Returns all rows of a bound SELECT * statement as an array of objects; columns that the file lacks are null. */
json_t *store_rows(struct store *store, enum store_table_id table, sqlite3_stmt *statement, struct error *err);

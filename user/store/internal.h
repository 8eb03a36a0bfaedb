/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of the store share; nobody else includes it. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>

#include "store/store.h"

#define STORE_SCHEMA_VERSION 1
#define STORE_APPLICATION_ID 0x4556414c /* "EVAL" */
#define STORE_BUSY_TIMEOUT_MS 5000

struct store {
	sqlite3 *db;
	char *path; /* as the user gave it */
	char *file; /* absolute, without links: what SQLite opens */
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
	const char *constraint; /* behind the type; a column added to an older file needs a default if NOT NULL */
};

struct store_table {
	const char *name;
	const struct store_column *columns; /* ends with .name = NULL */
	const char *constraint;             /* of the table, NULL: none */
	const char *index;                  /* columns of its index, NULL: none */
};

enum store_table_id { TABLE_CAMPAIGNS, TABLE_TRIALS, TABLE_ATTEMPTS, TABLE_SAMPLES, TABLE_EVENTS, TABLE_COUNT };
extern const struct store_table store_tables[TABLE_COUNT];

/* store/schema.c */
const struct store_column *store_column_find(const struct store_table *table, const char *name);
/* Refuses files of other programs (-EUCLEAN) and newer schemas (-EPROTO); *version gets the file's, 0 when empty. */
int store_schema_check(struct store *store, int *version, struct error *err);
/* Creates what is missing: tables, columns, indexes; in one transaction. */
int store_schema_migrate(struct store *store, struct error *err);

/*
 * store/file.c: the path without links of the database to open, which STORE_WRITE creates. Refuses (-EPERM) what root
 * is about to write and cannot trust.
 */
int store_file_find(char **out, const char *path, enum store_mode mode, struct error *err);
/* From here on SQLite opens only files that root can trust, unless it is to read or this process is not root. */
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
/* Fills err from the connection's last failure and returns the negative errno. what: "write trial x". */
int store_fail(struct store *store, struct error *err, const char *what);
int store_prepare(struct store *store, sqlite3_stmt **out, const char *sql, struct error *err);
int store_exec(struct store *store, const char *sql, struct error *err);
/* Inside store_begin … store_commit? */
bool store_in_transaction(const struct store *store);

/* store/row.c */
int store_insert(struct store *store, enum store_table_id table, const json_t *row, struct error *err);
/* Inserts, or updates the row's other columns where a row of these key columns (NULL-terminated) is there. */
int store_upsert(struct store *store, enum store_table_id table, const char *const *keys, const json_t *row,
		 struct error *err);
/* Sets columns of the rows where each of keys (a row of key columns) matches; -ENOENT where there is none. */
int store_update(struct store *store, enum store_table_id table, const json_t *keys, const json_t *columns,
		 struct error *err);
/* All rows of a SELECT * statement (bound already) as an array of objects; columns the file lacks are null. */
json_t *store_rows(struct store *store, enum store_table_id table, sqlite3_stmt *statement, struct error *err);

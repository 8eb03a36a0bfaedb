/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening and closing a database. */
#include "store/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define DEFAULT_PATH "/var/lib/eval/eval.db"

const char *store_path(const struct store *store)
{
	return store->path;
}

/* The pragma returns the mode in force: "wal" even if WAL was already on. */
static int use_wal(struct store *store, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int ret = store_prepare(store, &statement, "PRAGMA journal_mode = WAL", err);

	if (ret)
		return ret;
	if (sqlite3_step(statement) != SQLITE_ROW)
		return store_fail(store, err, "use it");
	if (strcmp((const char *)sqlite3_column_text(statement, 0), "wal"))
		return error_set(err, -EIO,
				 "database %s: this file system has no shared memory for a write-ahead log; "
				 "name a file on a local disk by --db",
				 store->path);
	return 0;
}

static int setup_writer(struct store *store, int version, struct error *err)
{
	int ret;

	/* SQLite silently opens a file read-only if it cannot write to it. */
	if (sqlite3_db_readonly(store->db, "main"))
		return error_set(err, -EROFS, "database %s is not writable; run as root, or name another file by --db",
				 store->path);
	ret = use_wal(store, err);
	if (!ret && version < STORE_SCHEMA_VERSION)
		ret = store_schema_migrate(store, err);
	return ret;
}

/*
 * A reader without write access to the folder cannot create the index of the write-ahead log. If there is no log or it
 * is empty, the database file alone is complete.
 */
static bool is_quiescent(const char *path)
{
	_cleanup_sqlite_ char *log = sqlite3_mprintf("%s-wal", path);
	struct stat st;

	return log && (stat(log, &st) ? errno == ENOENT : st.st_size == 0);
}

static char *make_uri(const char *path, const char *query)
{
	sqlite3_str *uri = sqlite3_str_new(NULL);

	sqlite3_str_appendall(uri, path[0] == '/' ? "file://" : "file:");
	for (const char *c = path; *c; c++)
		if (strchr("%?#", *c))
			sqlite3_str_appendf(uri, "%%%02x", (unsigned int)*c);
		else
			sqlite3_str_appendchar(uri, 1, *c);
	sqlite3_str_appendall(uri, query);
	return sqlite3_str_finish(uri);
}

static int connect_to(struct store *store, const char *query, int *version, struct error *err)
{
	_cleanup_sqlite_ char *uri = make_uri(store->file, query);
	int flags = store->mode == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, ret;

	if (!uri)
		return error_set_errno(err, -ENOMEM, "database %s", store->path);
	sqlite3_close(store->db);
	if (sqlite3_open_v2(uri, &store->db, flags | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
		return store->db ? store_fail(store, err, "open it")
				 : error_set_errno(err, -ENOMEM, "database %s", store->path);
	sqlite3_busy_timeout(store->db, STORE_BUSY_TIMEOUT_MS);
	ret = store_exec(store, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF",
			 err);
	return ret ?: store_schema_check(store, version, err);
}

static int open_file(struct store *store, struct error *err)
{
	int version = 0, ret = store_file_find(&store->file, store->path, store->mode, err);

	if (ret)
		return ret;
	store_file_guard(store->mode);
	ret = connect_to(store, "", &version, err);
	if ((ret == -EACCES || ret == -EROFS) && store->mode == STORE_READ)
		ret = is_quiescent(store->file)
			      ? connect_to(store, "?immutable=1", &version, err)
			      : error_set(err, ret,
					  "database %s is in use and its write-ahead log needs more rights to be read; "
					  "run as root",
					  store->path);
	return ret || store->mode == STORE_READ ? ret : setup_writer(store, version, err);
}

const char *store_choose_path(const char *path)
{
	if (!path)
		path = getenv("EVAL_DB");
	return path && path[0] ? path : DEFAULT_PATH;
}

int store_open(struct store **out, const char *path, enum store_mode mode, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	int ret;

	path = store_choose_path(path);
	if (!store)
		return error_set_errno(err, -ENOMEM, "database %s", path);
	store->mode = mode;
	store->path = strdup(path);
	ret = store->path ? open_file(store, err) : error_set_errno(err, -ENOMEM, "database %s", path);
	if (ret)
		store_close(store);
	else
		*out = store;
	return ret;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	/* This rolls back an open transaction. */
	sqlite3_close(store->db);
	free(store->path);
	free(store->file);
	free(store);
}

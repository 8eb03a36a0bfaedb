/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening, transactions, errors. */
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define DEFAULT_PATH "/var/lib/eval/eval.db"

/* What the primary result code means to the user; the advice ends the line. */
static const struct {
	int result, code;
	const char *text;
} failures[] = {
	{SQLITE_BUSY, -EBUSY, "it is locked by another process; wait for that to end, or name another file by --db"},
	{SQLITE_LOCKED, -EBUSY, "it is locked by another process; wait for that to end, or name another file by --db"},
	{SQLITE_READONLY, -EROFS, "it is not writable; name another file by --db"},
	{SQLITE_PERM, -EACCES, "permission denied; run as root, or name another file by --db"},
	{SQLITE_CANTOPEN, -EACCES, "it cannot be opened; check the folder's permissions, or name another file by --db"},
	{SQLITE_FULL, -ENOSPC, "the disk is full; free some space, or name another file by --db"},
	{SQLITE_CORRUPT, -EUCLEAN, "it is damaged; move it away, or name another file by --db"},
	{SQLITE_NOTADB, -EUCLEAN, "it is not a database; name another file by --db"},
	{SQLITE_CONSTRAINT, -EINVAL, NULL},
	{SQLITE_MISMATCH, -EINVAL, NULL},
	{SQLITE_NOMEM, -ENOMEM, "out of memory"},
};

int store_fail(struct store *store, struct error *err, const char *what)
{
	/* SQLite 3.40 does not keep it for a write that failed. */
	int os = errno, result = sqlite3_errcode(store->db);

	if (sqlite3_system_errno(store->db))
		os = sqlite3_system_errno(store->db);
	if (result == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT))
		result = SQLITE_FULL;
	/* What a file system does to itself on an error of its device. */
	if (result == SQLITE_IOERR && os == EROFS)
		result = SQLITE_READONLY;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (failures[i].result == result)
			return error_set(err, failures[i].code, "database %s: cannot %s: %s", store->path, what,
					 failures[i].text ?: sqlite3_errmsg(store->db));
	return error_set(err, -EIO, "database %s: cannot %s: %s%s%s", store->path, what, sqlite3_errmsg(store->db),
			 result == SQLITE_IOERR && os ? ": " : "", result == SQLITE_IOERR && os ? strerror(os) : "");
}

int store_prepare(struct store *store, sqlite3_stmt **out, const char *sql, struct error *err)
{
	if (sqlite3_prepare_v2(store->db, sql, -1, out, NULL) == SQLITE_OK)
		return 0;
	return store_fail(store, err, store->mode == STORE_READ ? "read it" : "use it");
}

int store_exec(struct store *store, const char *sql, struct error *err)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_fail(store, err, store->mode == STORE_READ ? "read it" : "write it");
}

bool store_in_transaction(const struct store *store)
{
	return !sqlite3_get_autocommit(store->db);
}

int store_begin(struct store *store, struct error *err)
{
	return store_exec(store, "BEGIN IMMEDIATE", err);
}

int store_commit(struct store *store, struct error *err)
{
	return store_exec(store, "COMMIT", err);
}

void store_rollback(struct store *store)
{
	if (store_in_transaction(store))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

const char *store_path(const struct store *store)
{
	return store->path;
}

static const char *advice(int os_error)
{
	return (os_error == EACCES || os_error == EPERM) && geteuid() ? "run as root, or name another file by --db"
								      : "name another file by --db";
}

/* Each missing folder of path, mode 0700. */
static int make_folders(const char *path, struct error *err)
{
	_cleanup_free_ char *folder = strdup(path);

	if (!folder)
		return error_set_errno(err, -ENOMEM, "database %s", path);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (access(folder, F_OK) && mkdir(folder, 0700) && errno != EEXIST)
			return error_set(err, -errno, "cannot make folder %s for database %s: %s; %s", folder, path,
					 strerror(errno), advice(errno));
		*slash = '/';
	}
	return 0;
}

static int create_file(const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int ret = make_folders(path, err);

	if (ret)
		return ret;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot create database %s: %s; %s", path, strerror(errno),
				 advice(errno));
	return 0;
}

/*
 * Looks before SQLite does, whose one message is "unable to open". The file is not opened for that: closing a
 * descriptor of a database drops the locks of every connection that this process has to it.
 */
static int check_file(const char *path, enum store_mode mode, struct error *err)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno == ENOENT && mode == STORE_WRITE)
			return create_file(path, err);
		if (errno == ENOENT)
			return error_set(err, -ENOENT, "no database %s; name one by --db or EVAL_DB", path);
		return error_set(err, -errno, "cannot open database %s: %s; %s", path, strerror(errno), advice(errno));
	}
	if (S_ISDIR(st.st_mode))
		return error_set(err, -EISDIR, "database %s is a directory; name a file by --db", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "database %s is not a regular file; name another by --db", path);
	if (access(path, mode == STORE_WRITE ? R_OK | W_OK : R_OK))
		return error_set(err, -errno, "cannot open database %s: %s; %s", path, strerror(errno), advice(errno));
	return 0;
}

/* The pragma's answer is the mode in force: "wal" also where it was that before. */
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

	/* SQLite falls back to read-only by itself. */
	if (sqlite3_db_readonly(store->db, "main"))
		return error_set(err, -EROFS, "database %s is not writable; run as root, or name another file by --db",
				 store->path);
	ret = use_wal(store, err);
	if (!ret && version < STORE_SCHEMA_VERSION)
		ret = store_schema_migrate(store, err);
	return ret;
}

/*
 * A reader without write access to the folder cannot make the index of the write-ahead log. Where no log is left
 * (nobody has the database open), the file alone is the whole truth.
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
	_cleanup_sqlite_ char *uri = make_uri(store->path, query);
	int flags = store->mode == STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, ret;

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

int store_open(struct store **out, const char *path, enum store_mode mode, struct error *err)
{
	struct store *store;
	int version = 0, ret;

	if (!path)
		path = getenv("EVAL_DB");
	if (!path || !path[0])
		path = DEFAULT_PATH;
	ret = check_file(path, mode, err);
	if (ret)
		return ret;
	store = calloc(1, sizeof(*store));
	if (!store)
		return error_set_errno(err, -ENOMEM, "database %s", path);
	store->mode = mode;
	store->path = strdup(path);
	ret = store->path ? connect_to(store, "", &version, err) : error_set_errno(err, -ENOMEM, "database %s", path);
	if ((ret == -EACCES || ret == -EROFS) && mode == STORE_READ)
		ret = is_quiescent(path)
			      ? connect_to(store, "?immutable=1", &version, err)
			      : error_set(err, ret,
					  "database %s is in use and its write-ahead log needs more rights to be read; "
					  "run as root",
					  path);
	if (!ret && mode == STORE_WRITE)
		ret = setup_writer(store, version, err);
	if (ret) {
		store_close(store);
		return ret;
	}
	*out = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	/* An open transaction is rolled back. */
	sqlite3_close(store->db);
	free(store->path);
	free(store);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Statements, transactions and errors of a connection. */
#include "store/internal.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"

/* Maps SQLite's primary result codes to an errno and a text that ends with advice. */
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
	/* SQLite 3.40 does not keep the system errno of a failed write. */
	int os = errno, result = sqlite3_errcode(store->db);

	if (sqlite3_system_errno(store->db))
		os = sqlite3_system_errno(store->db);
	if (result == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT))
		result = SQLITE_FULL;
	/* After a device error, a file system may turn itself read-only. */
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds, creates and checks the database file before SQLite opens it. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/trusted.h"

static const char *advice(int os_error)
{
	return (os_error == -EACCES || os_error == -EPERM) && geteuid() ? "run as root, or name another file by --db"
									: "name another file by --db";
}

static int refuse(const struct trusted *file, const char *path, struct error *err)
{
	return error_set(err, -EPERM, "root does not write database %s: %s; or name another file by --db", path,
			 file->why);
}

/* Creates the file (mode 0600) and its folders (0700); succeeds if another process has just created the file. */
static int create_file(struct trusted *file, const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int ret;

	trusted_clear(file);
	ret = trusted_find(file, path, TRUSTED_MAKE_FOLDERS);
	if (!geteuid() && file->why[0])
		return refuse(file, path, err);
	if (ret)
		return error_set(err, ret, "cannot make folder %s for database %s: %s; %s", file->path, path,
				 strerror(-ret), advice(ret));
	if (file->fd >= 0)
		return 0;
	fd = trusted_open(file, O_RDWR | O_CREAT, TRUSTED_NO_ACCESS);
	if (fd < 0 && fd != -EEXIST)
		return error_set(err, fd, "cannot create database %s: %s; %s", path, strerror(-fd), advice(fd));
	return 0;
}

static int check_kind(const struct trusted *file, const char *path, enum store_mode mode, struct error *err)
{
	struct stat st;

	/* Uses the path: file->fd is not open if create_file has just made the file. */
	if (stat(file->path, &st))
		return error_set(err, -errno, "cannot open database %s: %s; %s", path, strerror(errno), advice(-errno));
	if (S_ISDIR(st.st_mode))
		return error_set(err, -EISDIR, "database %s is a directory; name a file by --db", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "database %s is not a regular file; name another by --db", path);
	if (access(file->path, mode == STORE_READ ? R_OK : R_OK | W_OK))
		return error_set(err, -errno, "cannot open database %s: %s; %s", path, strerror(errno), advice(-errno));
	return 0;
}

/* Only for root: refuses an untrusted file to a writer, warns a reader. */
static int check_trust(struct trusted *file, const char *path, enum store_mode mode, struct error *err)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};

	if (geteuid())
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		trusted_look(file, suffixes[i], TRUSTED_NO_ACCESS);
	if (file->why[0] && mode != STORE_READ)
		return refuse(file, path, err);
	if (file->why[0])
		log_warning("database %s: %s", path, file->why);
	return 0;
}

/*
 * Opens the file only with O_PATH: closing any other descriptor of a database would drop the locks of every connection
 * that this process has to it.
 */
int store_file_find(char **out, const char *path, enum store_mode mode, struct error *err)
{
	_cleanup_trusted_ struct trusted file = TRUSTED_NONE;
	int ret = trusted_find(&file, path, TRUSTED_LEAVE_MISSING);

	if (!ret && file.fd < 0)
		ret = -ENOENT;
	if (ret == -ENOENT && mode == STORE_WRITE)
		ret = create_file(&file, path, err);
	else if (ret == -ENOENT)
		return error_set(err, ret, "no database %s; name one by --db or EVAL_DB", path);
	else if (ret)
		return error_set(err, ret, "cannot open database %s: %s; %s", path, strerror(-ret), advice(ret));
	ret = ret ?: check_kind(&file, path, mode, err);
	ret = ret ?: check_trust(&file, path, mode, err);
	if (ret)
		return ret;
	*out = strdup(file.path);
	return *out ? 0 : error_set_errno(err, -ENOMEM, "database %s", path);
}

/*
 * In a sticky folder, anybody can add a log or a journal between our check and SQLite's open, so this checks each file
 * again through the descriptor that SQLite uses.
 */
static int open_trusted(const char *path, int flags, int mode)
{
	int fd = open(path, flags | O_NOFOLLOW, mode);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || trusted_descriptor(fd, TRUSTED_NO_ACCESS))
		return fd;
	close(fd);
	errno = EACCES;
	return -1;
}

void store_file_guard(enum store_mode mode)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

	if (!geteuid() && vfs)
		vfs->xSetSystemCall(vfs, "open", mode == STORE_READ ? NULL : (sqlite3_syscall_ptr)open_trusted);
}

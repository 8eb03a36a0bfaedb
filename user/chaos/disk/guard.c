/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keeps disk_pressure from filling up the host's root or a campaign's database, unless that is allowed. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "chaos/disk/disk.h"
#include "util/cleanup.h"
#include "util/procfs.h"

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* 1 if the file or folder takes space of one of these file systems, 0 if not, or a negative errno with why. */
static int is_on(int fd, const char *pid, const struct fs_stack *fs, struct error *why)
{
	struct fs_stack other;
	int ret = fs_stack_read(&other, fd, pid, why);

	return fs_stack_meets(&other, fs) ? 1 : ret;
}

/* 1 if it is a regular file on the file systems, named and open for writing, 0 if not, or a negative errno. */
static int writes_on(int fds, const char *name, const char *pid, const struct fs_stack *fs, struct error *why)
{
	_cleanup_close_ int fd = -1;
	struct stat link, file;

	if (fstatat(fds, name, &file, 0) || fstatat(fds, name, &link, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISREG(file.st_mode) || !file.st_nlink || !(link.st_mode & S_IWUSR))
		return 0;
	fd = openat(fds, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : is_on(fd, pid, fs, why);
}

/* 1 if the process has a named file open for writing on the file systems: for an eval, this is its database. */
static int process_writes_on(int proc_fd, const char *pid, const struct fs_stack *fs, struct error *why)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int ret = 0, fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		ret = procfs_without_gone(-errno);
		fd_close(fd);
		return ret;
	}
	while (!ret && (entry = readdir(dir))) {
		/* Skips the standard streams. */
		if (atoi(entry->d_name) <= STDERR_FILENO)
			continue;
		ret = writes_on(dirfd(dir), entry->d_name, pid, fs, why);
		ret = procfs_without_gone(ret);
	}
	return ret;
}

/*
 * 1 if the process is an eval, of this binary or another (installed, or rebuilt since), 0 if not, or a negative errno.
 * Only root writes a database, so other users' processes named "eval" do not count.
 */
static int is_eval(int proc_fd, const struct stat *own)
{
	struct procfs_binary binary;
	int ret = procfs_root_binary(proc_fd, &binary);

	if (ret <= 0)
		return ret;
	if (binary.known && binary.device == own->st_dev && binary.inode == own->st_ino)
		return 1;
	if (strcmp(binary.name, "eval") && (binary.known || strncmp(binary.name, "eval-", 5)))
		return 0;
	return binary.known ? 1 : -EACCES;
}

/* 1 if a campaign of this host has its database there, 0 if none has, or a negative errno if unknown. */
static int holds_database(const struct fs_stack *fs, struct error *why)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct stat own;
	int ret = 0;

	if (!dir || stat("/proc/self/exe", &own))
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		_cleanup_close_ int proc_fd = -1;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		proc_fd = procfs_open(entry->d_name);
		ret = proc_fd < 0 ? procfs_without_gone(proc_fd) : is_eval(proc_fd, &own);
		if (ret == 1)
			ret = process_writes_on(proc_fd, entry->d_name, fs, why);
	}
	return ret;
}

/* In a container that sees the host's processes, process 1 has the host's root. Elsewhere it may be inaccessible. */
static const char *const roots[] = {"/", "/proc/1/root"};

/* 1 if a root folder is on these file systems, 0 if not, or a negative errno. */
static int holds_root(const struct fs_stack *fs, struct error *why)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < ARRAY_SIZE(roots); i++) {
		_cleanup_close_ int fd = open(roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 && i && (errno == EACCES || errno == EPERM || errno == ENOENT))
			continue;
		ret = fd < 0 ? -errno : is_on(fd, i ? "1" : NULL, fs, why);
	}
	return ret;
}

/* why->code is 0 if the error has no text of its own. */
static int cannot_tell(const struct target_directory *directory, int code, const char *whom, const char *guard,
		       const struct error *why, struct error *err)
{
	if (!why->code)
		return error_set_errno(err, code,
				       "cannot tell whether filling up the file system of data_dir '%s' would hit %s",
				       directory->path, whom);
	return error_set(err, -EPERM,
			 "cannot tell whether filling up the file system of data_dir '%s' would hit %s: %s; give it a "
			 "file system of its own, or allow: [%s]",
			 directory->path, whom, why->text, guard);
}

static int refuse_unknown(const struct target *target, const struct target_directory *directory, struct error *err)
{
	if (!directory->fs_unknown.code || (target->allow_root_fs && target->allow_shared_fs))
		return 0;
	return cannot_tell(directory, directory->fs_unknown.code, "this host's own, or a campaign's database",
			   "root_fs, shared_fs", &directory->fs_unknown, err);
}

int disk_guard_fill(const struct target *target, const struct target_directory *directory, bool *keep_margin,
		    struct error *err)
{
	struct error why_root = {}, why_database = {};
	int root = holds_root(&directory->fs, &why_root);
	int database = holds_database(&directory->fs, &why_database);

	/* Set also if a check failed. */
	*keep_margin = root || database || directory->fs_unknown.code;
	if (target->allow_root_fs)
		root = 0;
	if (root > 0 || target->allow_shared_fs)
		database = 0;
	if (root > 0)
		return error_set(
			err, -EPERM,
			"engine: fill would fill up the root file system, which holds data_dir '%s': give it a "
			"file system of its own, or allow: [root_fs]",
			directory->path);
	if (database > 0)
		return error_set(err, -EPERM,
				 "engine: fill would fill up the file system of data_dir '%s', where an eval keeps the "
				 "database of its campaign: put that elsewhere (--db), or allow: [shared_fs]",
				 directory->path);
	if (root)
		return cannot_tell(directory, root, "this host's own", "root_fs", &why_root, err);
	if (database)
		return cannot_tell(directory, database, "a campaign's database", "shared_fs", &why_database, err);
	return refuse_unknown(target, directory, err);
}

int disk_guard_root(const struct target *target, const struct target_directory *directory, const char *what,
		    struct error *err)
{
	struct stat root, here;

	if (target->allow_root_fs)
		return 0;
	if (stat("/", &root) || fstat(directory->fd, &here))
		return error_set_errno(err, -errno, "cannot tell whether data_dir '%s' is the root folder",
				       directory->path);
	if (!is_same(&root, &here))
		return 0;
	return error_set(err, -EINVAL,
			 "data_dir '%s' is the root folder: everything on this host's root file system %s; name the "
			 "folder that is meant, or allow: [root_fs]",
			 directory->path, what);
}

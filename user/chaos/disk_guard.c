// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What no disk_pressure may do to the host, or to the records of a campaign, unless it is allowed. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "chaos/disk.h"
#include "util/cleanup.h"

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* One of the process's files is on the device and open for writing: a database, for what else has a name? */
static bool process_writes_on(const char *pid, dev_t device)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	struct stat link, file;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		/* Not its output. */
		if (atoi(entry->d_name) <= STDERR_FILENO || fstatat(dirfd(dir), entry->d_name, &file, 0) ||
		    fstatat(dirfd(dir), entry->d_name, &link, AT_SYMLINK_NOFOLLOW))
			continue;
		if (S_ISREG(file.st_mode) && file.st_nlink && file.st_dev == device && link.st_mode & S_IWUSR)
			return true;
	}
	return false;
}

/* Of any campaign on this host. */
static bool holds_database(dev_t device)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct stat own, other;

	if (!dir || stat("/proc/self/exe", &own))
		return false;
	while ((entry = readdir(dir))) {
		char path[64];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/exe", entry->d_name);
		if (!stat(path, &other) && is_same(&own, &other) && process_writes_on(entry->d_name, device))
			return true;
	}
	return false;
}

int disk_guard_fill(const struct target *target, const struct target_directory *directory, struct error *err)
{
	struct stat root;

	if (!target->allow_root_fs && !stat("/", &root) && root.st_dev == directory->device)
		return error_set(
			err, -EPERM,
			"engine: fill would fill up the root file system, which holds data_dir '%s': give it a "
			"file system of its own, or allow: [root_fs]",
			directory->path);
	if (!target->allow_shared_fs && holds_database(directory->device))
		return error_set(err, -EPERM,
				 "engine: fill would fill up the file system of data_dir '%s', where an eval keeps the "
				 "database of its campaign: put that elsewhere (--db), or allow: [shared_fs]",
				 directory->path);
	return 0;
}

int disk_guard_hook(const struct target *target, const struct target_directory *directory, struct error *err)
{
	struct stat root, here;

	if (target->allow_root_fs || stat("/", &root) || fstat(directory->fd, &here) || !is_same(&root, &here))
		return 0;
	return error_set(err, -EINVAL,
			 "data_dir '%s' is the root folder: everything on this host's root file system would run out "
			 "of space; name the folder that is meant, or allow: [root_fs]",
			 directory->path);
}

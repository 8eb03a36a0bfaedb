/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Walks through the folders below a data_dir. Other mounts below are other disks; a btrfs's subvolumes are the same. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "util/cleanup.h"

#define DEPTH_MAX 64

uint64_t calls_mount_of(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) ? 0 : st.stx_mnt_id;
}

static int walk_into(const struct calls_walk *walk, int fd, const char *path, unsigned int depth);

static void walk_child(const struct calls_walk *walk, int parent, const char *name, const char *path,
		       unsigned int depth)
{
	_cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			walk->lost(walk->arg, -errno);
		return;
	}
	if (calls_mount_of(fd) != calls_mount_of(parent))
		return;
	if (depth == DEPTH_MAX)
		walk->lost(walk->arg, -ENAMETOOLONG);
	else
		walk_into(walk, fd, path, depth + 1);
}

/* False, and the entry is lost, if the path is too long. */
static bool join(const struct calls_walk *walk, char out[PATH_MAX], const char *path, const char *name)
{
	if (snprintf(out, PATH_MAX, "%s%s%s", path, *path ? "/" : "", name) < PATH_MAX)
		return true;
	walk->lost(walk->arg, -ENAMETOOLONG);
	return false;
}

static void walk_entry(const struct calls_walk *walk, int fd, const char *path, const struct dirent *entry,
		       unsigned int depth)
{
	bool may_be_folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
	bool may_be_file = walk->file && (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
	char whole[PATH_MAX];

	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || (!may_be_folder && !may_be_file) ||
	    !join(walk, whole, path, entry->d_name))
		return;
	if (may_be_folder)
		walk_child(walk, fd, entry->d_name, whole, depth);
	if (may_be_file)
		walk->file(walk->arg, fd, entry->d_name, whole);
}

/* A folder that is lost does not end the walk. */
static int walk_into(const struct calls_walk *walk, int fd, const char *path, unsigned int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int ret = walk->folder(walk->arg, fd, path), list_fd;

	if (ret) {
		walk->lost(walk->arg, ret);
		return ret;
	}
	list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!dir) {
		ret = -errno;
		fd_close(list_fd);
		walk->lost(walk->arg, ret);
		return ret;
	}
	while ((entry = readdir(dir)))
		walk_entry(walk, fd, path, entry, depth);
	return 0;
}

int calls_walk(const struct calls_walk *walk, int root_fd)
{
	return walk_into(walk, root_fd, "", 0);
}

void calls_walk_child(const struct calls_walk *walk, int parent, const char *name, const char *path)
{
	char whole[PATH_MAX];

	if (join(walk, whole, path, name))
		walk_child(walk, parent, name, whole, 0);
}

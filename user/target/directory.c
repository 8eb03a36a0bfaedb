/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The target's data directories, opened once: later changes of a path have no effect. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "target/internal.h"
#include "util/cleanup.h"
#include "util/mount.h"

/* Takes the type from mountinfo, because statfs() on 9p returns the server's type. */
static int check_mount(const char *path, int fd, struct error *err)
{
	struct mount mount = {0};
	int ret = mount_find(&mount, fd, NULL);

	if (ret)
		return error_set_errno(err, ret, "cannot find the mount of data_dir '%s'", path);
	if (mount_is_network(&mount))
		ret = error_set(
			err, -EOPNOTSUPP,
			"data_dir '%s' is on a network file system (%s), whose space is another host's: inject there",
			path, mount.type);
	mount_free(&mount);
	return ret;
}

static int directory_check(const char *path, int fd, struct error *err)
{
	struct statvfs space;
	int ret;

	if (fstatvfs(fd, &space))
		return error_set_errno(err, -errno, "cannot ask data_dir '%s' for its space", path);
	ret = check_mount(path, fd, err);
	if (ret)
		return ret;
	if (space.f_flag & ST_RDONLY)
		return error_set(err, -EROFS, "data_dir '%s' is on a file system that is mounted read-only", path);
	if (!space.f_blocks)
		return error_set(err, -EOPNOTSUPP, "data_dir '%s' is on a file system that has no size", path);
	return 0;
}

static int directory_open(struct target_directory *directory, const char *path, struct error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOTDIR)
		return error_set(err, -EINVAL, "data_dir '%s' is not a directory", path);
	if (fd < 0)
		return error_set_errno(err, -errno, "cannot open data_dir '%s'", path);
	directory->fd = fd;
	directory->path = strdup(path);
	if (!directory->path)
		return error_set(err, -ENOMEM, "out of memory");
	if (fstat(fd, &st))
		return error_set_errno(err, -errno, "cannot identify data_dir '%s'", path);
	directory->device = st.st_dev;
	directory->inode = st.st_ino;
	/* Not an error: the hook engine does not need the stack. */
	fs_stack_read(&directory->fs, fd, NULL, &directory->fs_unknown);
	return directory_check(path, fd, err);
}

int target_open_directories(struct target *target, const char *const *paths, struct error *err)
{
	size_t total = 0;

	while (paths && paths[total])
		total++;
	if (!total)
		return error_set(err, -EINVAL, "no data_dir: name the directory whose disk fills up (--data-dir)");
	target->directories = calloc(total, sizeof(*target->directories));
	if (!target->directories)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < total; i++) {
		int ret;

		target->directories[i].fd = -1;
		target->directory_count++;
		ret = directory_open(&target->directories[i], paths[i], err);
		if (ret)
			return ret;
	}
	return 0;
}

void target_close_directories(struct target *target)
{
	for (size_t i = 0; i < target->directory_count; i++) {
		fd_close(target->directories[i].fd);
		free(target->directories[i].path);
	}
	free(target->directories);
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The target's data directories: opened once, so that a path that changes later changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "target_internal.h"
#include "util/cleanup.h"

#define TYPE_SIZE 32

/* The type of the mount that fd is on, as mountinfo names it. statfs will not do: 9p passes its server's answer on. */
static int mount_type(int fd, char type[TYPE_SIZE])
{
	_cleanup_fclose_ FILE *mounts = NULL, *info = NULL;
	char path[64], line[4096];
	int id = -1, found;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	while (info && id < 0 && fgets(line, sizeof(line), info))
		sscanf(line, "mnt_id: %d", &id);
	mounts = fopen("/proc/self/mountinfo", "re");
	while (mounts && fgets(line, sizeof(line), mounts)) {
		const char *rest = strstr(line, " - ");

		if (sscanf(line, "%d", &found) == 1 && found == id && rest)
			return sscanf(rest, " - %31s", type) == 1 ? 0 : -EINVAL;
	}
	return -ENOENT;
}

/* Of fuse.NAME the NAME. */
static bool is_network(const char *type)
{
	static const char *const types[] = {"nfs",      "nfs4",    "cifs",      "smb3",     "smbfs", "9p",
					    "virtiofs", "ceph",    "afs",       "coda",     "ncpfs", "ocfs2",
					    "gfs2",     "lustre",  "beegfs",    "orangefs", "sshfs", "s3fs",
					    "rclone",   "gcsfuse", "glusterfs", "curlftpfs"};

	if (!strncmp(type, "fuse.", 5))
		type += 5;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i], type))
			return true;
	return false;
}

static int directory_check(const char *path, int fd, struct error *err)
{
	char type[TYPE_SIZE];
	struct statvfs space;

	if (fstatvfs(fd, &space))
		return error_set_errno(err, -errno, "cannot ask data_dir '%s' for its space", path);
	if (!mount_type(fd, type) && is_network(type))
		return error_set(
			err, -EOPNOTSUPP,
			"data_dir '%s' is on a network file system (%s), whose space is another host's: inject there",
			path, type);
	if (space.f_flag & ST_RDONLY)
		return error_set(err, -EROFS, "data_dir '%s' is on a file system that is mounted read-only", path);
	if (!space.f_blocks)
		return error_set(err, -EOPNOTSUPP, "data_dir '%s' is on a file system that has no size", path);
	return 0;
}

static int directory_open(struct target_directory *directory, const char *path, struct error *err)
{
	struct stat st;
	int ret, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

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
	ret = fs_id_read(fd, &directory->fs);
	if (ret)
		return error_set_errno(err, ret, "cannot identify the file system of data_dir '%s'", path);
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The target's cgroup (v2): its id, and its level, which the kernel counts from the host's root. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "target/internal.h"
#include "util/cleanup.h"

/* Of the host's root (WARN_ON_ONCE in cgroup_setup_root()). */
#define ROOT_ID 1ULL
/* FILEID_KERNFS, not in the kernel's UAPI. */
#define HANDLE_TYPE_KERNFS 0xfe
#define LEVEL_MAX 64

_Static_assert(sizeof(ino_t) == sizeof(uint64_t), "a cgroup's inode number is its id");

/* A cgroup's id is its kernfs handle (kernel commit 67c0496e87d1). */
union cgroup_handle {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + sizeof(uint64_t)];
};

static uint64_t id_of(int fd, const char *path)
{
	union cgroup_handle file = {.handle.handle_bytes = sizeof(uint64_t)};
	uint64_t id = 0;
	int mount_id;

	if (!name_to_handle_at(fd, path, &file.handle, &mount_id, *path ? 0 : AT_EMPTY_PATH))
		memcpy(&id, file.handle.f_handle, sizeof(id));
	return id;
}

uint64_t target_cgroup_id(const struct target *target)
{
	return id_of(AT_FDCWD, target->cgroup_path);
}

int cgroup_root(char *out, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mounts", "re");
	char line[4096], path[128], type[32];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %127s %31s", path, type) == 2 && !strcmp(type, "cgroup2")) {
			snprintf(out, size, "%s", path);
			return 0;
		}
	return -ENOENT;
}

/* The host's root, also where what is mounted here is only a part of it: by its handle, as it has no path here. */
static int host_root_open(int fd)
{
	union cgroup_handle root = {
		.handle = {.handle_bytes = sizeof(uint64_t), .handle_type = HANDLE_TYPE_KERNFS},
	};
	int root_fd;

	memcpy(root.handle.f_handle, &(uint64_t){ROOT_ID}, sizeof(uint64_t));
	root_fd = open_by_handle_at(fd, &root.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 ? -errno : root_fd;
}

/* How far below the folder the cgroup is; -ENOENT: it is not. */
static int level_below(int folder_fd, uint64_t id, int level)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -ENOENT;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return -ENOENT;
	}
	while (found < 0 && level < LEVEL_MAX && (entry = readdir(dir))) {
		_cleanup_close_ int below_fd = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (entry->d_ino == id)
			return level + 1;
		below_fd = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		found = below_fd < 0 ? -ENOENT : level_below(below_fd, id, level + 1);
	}
	return found;
}

static int level_of(int fd, const char *mounted)
{
	_cleanup_close_ int mounted_fd = open(mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int root_fd = -1;
	uint64_t id = id_of(fd, "");

	if (id == ROOT_ID)
		return 0;
	if (id_of(mounted_fd, "") == ROOT_ID)
		return level_below(mounted_fd, id, 0);
	root_fd = host_root_open(fd);
	return root_fd < 0 ? root_fd : level_below(root_fd, id, 0);
}

int target_find_cgroup(struct target *target, const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct statfs fs;
	char root[128];
	size_t length;
	bool complete;
	int level;

	if (cgroup_root(root, sizeof(root)))
		return error_set(err, -ENOENT, "no cgroup v2 is mounted here, but the node has a cgroup");
	length = strlen(root);
	complete = !strncmp(path, root, length) && (!path[length] || path[length] == '/');
	if (asprintf(&target->cgroup_path, "%s%s%s", complete ? "" : root, *path == '/' ? "" : "/", path) < 0) {
		target->cgroup_path = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	fd = open(target->cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs))
		return error_set_errno(err, -errno, "cannot open cgroup '%s'", target->cgroup_path);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, -EINVAL, "'%s' is no cgroup (v2)", target->cgroup_path);
	level = level_of(fd, root);
	if (level < 0)
		return error_set(
			err, -ENOSYS,
			"cannot tell how deep below the host's root cgroup '%s' is, which the kernel counts from "
			"there (%s): eval is in a cgroup namespace of its own; run it in the host's",
			target->cgroup_path, strerror(-level));
	target->cgroup_level = (unsigned int)level;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/pidfd.h"

/* Id of the host's root cgroup (WARN_ON_ONCE in cgroup_setup_root()). */
#define ROOT_ID 1ULL
/* FILEID_KERNFS, not in the kernel's UAPI. */
#define HANDLE_TYPE_KERNFS 0xfe
#define LEVEL_MAX 64
#define ROOT_PATH_SIZE 128
#define REMOVE_DEPTH_MAX 16
/* Pidfds open at once: there may be few left. */
#define MEMBERS_AT_ONCE 16

_Static_assert(sizeof(ino_t) == sizeof(uint64_t), "a cgroup's inode number is its id");

/* A cgroup's id is its kernfs handle (kernel commit 67c0496e87d1). */
union cgroup_handle {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + sizeof(uint64_t)];
};

uint64_t cgroup_id(int fd, const char *path)
{
	union cgroup_handle file = {.handle.handle_bytes = sizeof(uint64_t)};
	uint64_t id = 0;
	int mount_id;

	if (!name_to_handle_at(fd, path, &file.handle, &mount_id, *path ? 0 : AT_EMPTY_PATH))
		memcpy(&id, file.handle.f_handle, sizeof(id));
	return id;
}

/* On a hybrid host /sys/fs/cgroup/unified. -ENOENT if not mounted. */
static int root_path(char *out, size_t size)
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

int cgroup_root_open(void)
{
	char root[ROOT_PATH_SIZE];
	int ret = root_path(root, sizeof(root));

	if (ret)
		return ret;
	ret = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

/* The host's root cgroup by its handle: it has no path here if only a part of the tree is mounted. */
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

/* Returns the level of cgroup id below the folder (at `level`), or -ENOENT. */
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
	uint64_t id = cgroup_id(fd, "");

	if (id == ROOT_ID)
		return 0;
	if (cgroup_id(mounted_fd, "") == ROOT_ID)
		return level_below(mounted_fd, id, 0);
	root_fd = host_root_open(fd);
	return root_fd < 0 ? root_fd : level_below(root_fd, id, 0);
}

int cgroup_find(char **path, unsigned int *level, const char *name, struct error *err)
{
	_cleanup_free_ char *found = NULL;
	_cleanup_close_ int fd = -1;
	char root[ROOT_PATH_SIZE];
	struct statfs fs;
	size_t length;
	bool complete;
	int ret;

	if (root_path(root, sizeof(root)))
		return error_set(err, -ENOENT, "no cgroup v2 is mounted here, but the node has a cgroup");
	length = strlen(root);
	complete = !strncmp(name, root, length) && (!name[length] || name[length] == '/');
	if (asprintf(&found, "%s%s%s", complete ? "" : root, *name == '/' ? "" : "/", name) < 0) {
		found = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	fd = open(found, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs))
		return error_set_errno(err, -errno, "cannot open cgroup '%s'", found);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, -EINVAL, "'%s' is no cgroup (v2)", found);
	ret = level_of(fd, root);
	if (ret < 0)
		return error_set(
			err, -ENOSYS,
			"cannot tell how deep below the host's root cgroup '%s' is, which the kernel counts from "
			"there (%s): eval is in a cgroup namespace of its own; run it in the host's",
			found, strerror(-ret));
	*path = TAKE_PTR(found);
	*level = (unsigned int)ret;
	return 0;
}

static size_t members_of(int fd, int *pids, size_t room)
{
	int procs_fd = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *procs = procs_fd < 0 ? NULL : fdopen(procs_fd, "re");
	size_t count = 0;

	if (!procs)
		fd_close(procs_fd);
	while (procs && count < room && fscanf(procs, "%d", &pids[count]) == 1)
		count += pids[count] > 0;
	return count;
}

/*
 * Before 5.14 there is no cgroup.kill (commit 661ee6280931). A pid that is still listed after its pidfd was opened is
 * the pidfd's process, unless that is dead. Repeated calls kill the other members and new forks.
 */
static void kill_members(int fd)
{
	int pids[MEMBERS_AT_ONCE], again[2 * MEMBERS_AT_ONCE], pidfds[MEMBERS_AT_ONCE];
	size_t count = members_of(fd, pids, ARRAY_SIZE(pids)), listed;

	for (size_t i = 0; i < count; i++)
		pidfds[i] = pidfd_of(pids[i]);
	listed = members_of(fd, again, ARRAY_SIZE(again));
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; pidfds[i] >= 0 && j < listed; j++)
			if (again[j] == pids[i])
				pidfd_signal(pidfds[i], SIGKILL);
		fd_close(pidfds[i]);
	}
}

void cgroup_kill(int fd)
{
	_cleanup_close_ int kill_fd = openat(fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (kill_fd < 0 || write(kill_fd, "1", 1) != 1)
		kill_members(fd);
}

static int remove_tree(int parent_fd, const char *name, unsigned int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	if (!unlinkat(parent_fd, name, AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	fd = depth < REMOVE_DEPTH_MAX ? openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return errno == ENOENT ? 0 : -EBUSY;
	cgroup_kill(fd);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -EBUSY;
	}
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			remove_tree(fd, entry->d_name, depth + 1);
	return !unlinkat(parent_fd, name, AT_REMOVEDIR) || errno == ENOENT ? 0 : -EBUSY;
}

int cgroup_remove(int parent_fd, const char *name)
{
	return remove_tree(parent_fd, name, 0);
}

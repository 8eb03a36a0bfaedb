/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks the folders below the data_dirs for fanotify: each has its files marked, whoever opens them by whatever mount.
 * inotify tells of new, moved and removed folders. Reading a folder asks nobody, so this process may do it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "util/array.h"
#include "util/cleanup.h"

#define CHANGES (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR | IN_EXCL_UNLINK)
#define DEPTH_MAX 64
#define BETWEEN_FOLDERS 16

struct marked_folder {
	int watch;
	size_t root;
	char *path; /* below the root; "" is the root */
};

static int lose(struct marks *marks, int code)
{
	marks->lost++;
	marks->first_error = marks->first_error ?: code;
	return code;
}

static size_t find(const struct marks *marks, int watch)
{
	size_t low = 0, high = marks->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (marks->folders[middle].watch < watch)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int remember(struct marks *marks, int watch, size_t root, const char *path)
{
	struct marked_folder *grown;
	size_t at = find(marks, watch);
	char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (at < marks->count && marks->folders[at].watch == watch) {
		free(marks->folders[at].path);
		marks->folders[at].path = copy;
		marks->folders[at].root = root;
		return 0;
	}
	grown = array_reserve(marks->folders, marks->count, &marks->room, 64, sizeof(*grown));
	if (!grown) {
		free(copy);
		return -ENOMEM;
	}
	marks->folders = grown;
	memmove(&grown[at + 1], &grown[at], (marks->count - at) * sizeof(*grown));
	grown[at] = (struct marked_folder){.watch = watch, .root = root, .path = copy};
	marks->count++;
	return 0;
}

static void forget(struct marks *marks, int watch)
{
	size_t at = find(marks, watch);

	if (at == marks->count || marks->folders[at].watch != watch)
		return;
	free(marks->folders[at].path);
	memmove(&marks->folders[at], &marks->folders[at + 1], (--marks->count - at) * sizeof(*marks->folders));
}

static int mark_one(struct marks *marks, int fd, size_t root, const char *path)
{
	char name[32];
	int watch;

	if (marks->count % BETWEEN_FOLDERS == 0 && marks->between)
		marks->between(marks->between_arg);
	/* First, so that a folder made after the listing is told of. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	watch = inotify_add_watch(marks->changes_fd, name, CHANGES);
	if (watch < 0)
		return -errno;
	if (remember(marks, watch, root, path))
		return -ENOMEM;
	if (fanotify_mark(marks->fan_fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, marks->mask | FAN_EVENT_ON_CHILD, fd, NULL))
		return -errno;
	return 0;
}

uint64_t calls_mount_of(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) ? 0 : st.stx_mnt_id;
}

static int mark_tree(struct marks *marks, int fd, size_t root, const char *path, unsigned int depth);

/* Other mounts below are other disks; a btrfs's subvolumes are the same mount. */
static int mark_child(struct marks *marks, int parent, size_t root, const char *path, const char *name,
		      unsigned int depth)
{
	_cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	char whole[PATH_MAX];

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : lose(marks, -errno);
	if (calls_mount_of(fd) != calls_mount_of(parent))
		return 0;
	if (depth == DEPTH_MAX || snprintf(whole, sizeof(whole), "%s%s%s", path, *path ? "/" : "", name) >= PATH_MAX)
		return lose(marks, -ENAMETOOLONG);
	return mark_tree(marks, fd, root, whole, depth + 1);
}

static bool may_be_folder(const struct dirent *entry)
{
	return (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) && strcmp(entry->d_name, ".") != 0 &&
	       strcmp(entry->d_name, "..") != 0;
}

/* A folder that cannot be marked is lost; the others are marked nevertheless. */
static int mark_tree(struct marks *marks, int fd, size_t root, const char *path, unsigned int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int ret = mark_one(marks, fd, root, path), list_fd;

	if (ret)
		return lose(marks, ret);
	list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!dir) {
		ret = lose(marks, -errno);
		fd_close(list_fd);
		return ret;
	}
	while ((entry = readdir(dir)))
		if (may_be_folder(entry))
			mark_child(marks, fd, root, path, entry->d_name, depth);
	return 0;
}

int marks_set(struct marks *marks)
{
	for (size_t i = 0; i < marks->root_count; i++) {
		int ret = mark_tree(marks, marks->root_fds[i], i, "", 0);

		if (ret)
			return ret;
	}
	return 0;
}

/* A folder that moved may have left the data_dir, with everything below it: marks everything anew. */
static void marks_renew(struct marks *marks)
{
	fanotify_mark(marks->fan_fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
	while (marks->count) {
		struct marked_folder *last = &marks->folders[--marks->count];

		inotify_rm_watch(marks->changes_fd, last->watch);
		free(last->path);
	}
	marks_set(marks);
}

/* Nothing on the way may lead out of the data_dir: the target may put a link in a folder's place. */
static int open_below(int root_fd, const char *path)
{
	const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

static void add_new(struct marks *marks, int watch, const char *name)
{
	size_t at = find(marks, watch), root;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	if (at == marks->count || marks->folders[at].watch != watch)
		return;
	root = marks->folders[at].root;
	snprintf(path, sizeof(path), "%s", marks->folders[at].path);
	fd = *path ? open_below(marks->root_fds[root], path) : dup(marks->root_fds[root]);
	if (fd >= 0)
		mark_child(marks, fd, root, path, name, 0);
}

/* Sets *moved to the cookie of a folder that has left its place and, so far, is nowhere else below the data_dirs. */
static void follow_one(struct marks *marks, const struct inotify_event *event, bool *renew, uint32_t *moved)
{
	if (event->mask & IN_Q_OVERFLOW)
		*renew = true;
	if (event->mask & IN_IGNORED)
		forget(marks, event->wd);
	if (!(event->mask & IN_ISDIR) || !event->len)
		return;
	if (event->mask & (IN_CREATE | IN_MOVED_TO))
		add_new(marks, event->wd, event->name);
	if (event->mask & IN_MOVED_FROM) {
		*renew |= *moved != 0;
		*moved = event->cookie;
	} else if ((event->mask & IN_MOVED_TO) && event->cookie == *moved) {
		*moved = 0;
	}
}

void marks_follow(struct marks *marks)
{
	_Alignas(struct inotify_event) char buffer[16 * 1024];
	ssize_t got = read(marks->changes_fd, buffer, sizeof(buffer));
	uint32_t moved = 0;
	bool renew = false;

	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

		follow_one(marks, event, &renew, &moved);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	if (renew || moved)
		marks_renew(marks);
}

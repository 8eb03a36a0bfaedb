/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks the folders below the data_dirs for fanotify: each has its files marked, whoever opens them by whatever mount.
 * inotify tells of new, moved and removed folders. Reading a folder asks nobody, so this process may do it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "util/array.h"
#include "util/cleanup.h"

#define CHANGES (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR | IN_EXCL_UNLINK)
#define BETWEEN_FOLDERS 16

struct marked_folder {
	int watch;
	size_t root;
	char *path; /* below the root; "" is the root */
};

/* A walk through the folders of one root. */
struct marking {
	struct marks *marks;
	size_t root;
};

static void lose_folder(void *arg, int code)
{
	struct marks *marks = ((struct marking *)arg)->marks;

	marks->lost++;
	marks->first_error = marks->first_error ?: code;
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

static int mark_folder(void *arg, int fd, const char *path)
{
	const struct marking *marking = arg;
	struct marks *marks = marking->marks;
	char name[32];
	int watch;

	if (marks->count % BETWEEN_FOLDERS == 0 && marks->between)
		marks->between(marks->between_arg);
	/* First, so that a folder made after the listing is told of. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	watch = inotify_add_watch(marks->changes_fd, name, CHANGES);
	if (watch < 0)
		return -errno;
	if (remember(marks, watch, marking->root, path))
		return -ENOMEM;
	if (fanotify_mark(marks->fan_fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, marks->mask | FAN_EVENT_ON_CHILD, fd, NULL))
		return -errno;
	return 0;
}

static struct calls_walk walk_of(struct marking *marking)
{
	return (struct calls_walk){.folder = mark_folder, .lost = lose_folder, .arg = marking};
}

int marks_set(struct marks *marks)
{
	for (size_t i = 0; i < marks->root_count; i++) {
		struct marking marking = {marks, i};
		const struct calls_walk walk = walk_of(&marking);
		int ret = calls_walk(&walk, marks->root_fds[i]);

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
	struct marking marking = {.marks = marks};
	const struct calls_walk walk = walk_of(&marking);
	size_t at = find(marks, watch);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	if (at == marks->count || marks->folders[at].watch != watch)
		return;
	marking.root = marks->folders[at].root;
	snprintf(path, sizeof(path), "%s", marks->folders[at].path);
	fd = *path ? open_below(marks->root_fds[marking.root], path) : dup(marks->root_fds[marking.root]);
	if (fd >= 0)
		calls_walk_child(&walk, fd, name, path);
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

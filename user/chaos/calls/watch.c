/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Marks file systems so that the kernel finds a watcher when a file is opened, and never asks it. */
#include "chaos/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#include "chaos/calls/calls.h"
#include "kernel/features.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* STATX_MNT_ID_UNIQUE, since 6.8: unlike a device's number it is never used again. Debian 12's header has no name. */
#define MOUNT_ID_UNIQUE 0x4000U

struct watched {
	char *path;
	uint64_t mount; /* that is watched, or was refused; 0: none yet */
	bool is_watched;
	dev_t device;
	uint64_t since_ns;
};

struct chaos_watch {
	int fan_fd, mounts_fd;
	struct watched *paths;
	size_t count;
};

/* The event is asked for and ignored: the kernel finds a watcher, and never asks it. */
static int watch_device(const struct chaos_watch *watch, int fd)
{
	const unsigned int add = FAN_MARK_ADD | FAN_MARK_FILESYSTEM;

	/* Ignored first, so that nobody ever waits for an answer. */
	if (fanotify_mark(watch->fan_fd, add | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY,
			  EVAL_FAN_PRE_ACCESS, fd, NULL) ||
	    fanotify_mark(watch->fan_fd, add, EVAL_FAN_PRE_ACCESS, fd, NULL))
		return -errno;
	return 0;
}

uint64_t chaos_watch_since_ns(const struct chaos_watch *watch, dev_t device)
{
	uint64_t since_ns = UINT64_MAX;

	/* A device's number may have been that of an earlier file system: the last one counts. */
	for (size_t i = 0; watch && i < watch->count; i++)
		if (watch->paths[i].is_watched && watch->paths[i].device == device)
			since_ns = watch->paths[i].since_ns;
	return since_ns;
}

static void watch_path(const struct chaos_watch *watch, struct watched *watched)
{
	_cleanup_close_ int fd = -1;
	struct statx now;
	struct stat st;

	if (statx(AT_FDCWD, watched->path, AT_NO_AUTOMOUNT, MOUNT_ID_UNIQUE, &now) || now.stx_mnt_id == watched->mount)
		return;
	fd = open(watched->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		return;
	/* A file system that has no such events is not tried again: the open folder would keep it from being unmounted.
	 */
	watched->mount = now.stx_mnt_id;
	watched->is_watched = !watch_device(watch, fd);
	watched->device = st.st_dev;
	watched->since_ns = clock_boottime_to_host_ns(clock_boottime_ns());
}

int chaos_watch_new(struct chaos_watch **out, const char *const *paths, size_t count, struct error *err)
{
	struct chaos_watch *watch = calloc(1, sizeof(*watch));
	bool whole = watch != NULL;

	if (!watch)
		return error_set(err, -ENOMEM, "out of memory");
	watch->mounts_fd = -1;
	watch->fan_fd = calls_group_open(&calls_precontent);
	watch->paths = calloc(count + 1, sizeof(*watch->paths));
	for (size_t i = 0; watch->paths && i < count; i++)
		whole &= (watch->paths[watch->count++].path = strdup(paths[i])) != NULL;
	if (!whole || !watch->paths) {
		chaos_watch_free(watch);
		return error_set(err, -ENOMEM, "out of memory");
	}
	if (watch->fan_fd >= 0)
		watch->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	chaos_watch_step(watch);
	*out = watch;
	return 0;
}

int chaos_watch_fd(const struct chaos_watch *watch)
{
	return watch ? watch->mounts_fd : -1;
}

void chaos_watch_step(struct chaos_watch *watch)
{
	for (size_t i = 0; watch && watch->fan_fd >= 0 && i < watch->count; i++)
		watch_path(watch, &watch->paths[i]);
}

void chaos_watch_free(struct chaos_watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->count; i++)
		free(watch->paths[i].path);
	free(watch->paths);
	fd_close(watch->fan_fd);
	fd_close(watch->mounts_fd);
	free(watch);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes may have opened the target's files before the kernel could be made to ask about them. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/calls/calls.h"
#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/watch.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"
#include "util/text.h"

#define NAMED_MAX 3

/* True if the link of an open descriptor is a file below one of the target's folders. */
static bool is_below(const struct target *target, const char *link, const struct stat *st, dev_t *device)
{
	for (size_t i = 0; i < target->directory_count; i++) {
		const struct target_directory *directory = &target->directories[i];
		char root[PATH_MAX], name[32];
		ssize_t length;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", directory->fd);
		length = readlink(name, root, sizeof(root) - 1);
		if (st->st_dev != directory->device || length < 0)
			continue;
		*device = directory->device;
		if (!strncmp(link, root, (size_t)length) && (link[length] == '/' || length == 1))
			return true;
	}
	return false;
}

/* How many files below the folders, on file systems watched since after the process began, it has open. */
static size_t count_files(int proc_fd, const struct target *target, const struct chaos_watch *watch,
			  uint64_t started_ns)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t count = 0;

	if (!dir)
		fd_close(fd);
	while (dir && (entry = readdir(dir))) {
		char link[PATH_MAX];
		struct stat st;
		dev_t device;
		ssize_t length = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);

		if (length < 0 || fstatat(fd, entry->d_name, &st, 0) || !S_ISREG(st.st_mode))
			continue;
		link[length] = '\0';
		count += is_below(target, link, &st, &device) && chaos_watch_since_ns(watch, device) > started_ns;
	}
	return count;
}

static uint64_t start_of(pid_t pid)
{
	return procfs_start_ticks(pid) * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

json_t *calls_opened_before(const struct target *target, const struct chaos_watch *watch)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;
	size_t files = 0, processes = 0;
	char named[256] = "";

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int proc_fd = -1;
		struct procfs_binary binary = {};
		pid_t pid = (pid_t)atoi(entry->d_name);
		size_t count;

		if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid())
			continue;
		proc_fd = procfs_open(entry->d_name);
		count = proc_fd < 0 ? 0 : count_files(proc_fd, target, watch, start_of(pid));
		if (!count)
			continue;
		files += count;
		procfs_root_binary(proc_fd, &binary);
		if (processes++ < NAMED_MAX)
			text_append(named, sizeof(named), "%s%s%spid %d", *named ? ", " : "", binary.name,
				    *binary.name ? " " : "", pid);
	}
	if (!files)
		return NULL;
	return json_sprintf("%zu open file%s of %s%s may stay untouched: this kernel decides when a file is opened "
			    "whether calls on it can be held, and they began before eval watched: restart them",
			    files, text_plural((long long)files), named, processes > NAMED_MAX ? " and others" : "");
}

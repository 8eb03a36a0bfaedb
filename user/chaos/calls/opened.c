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
#include <sys/sysmacros.h>
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

struct search {
	const struct target *target;
	const struct chaos_watch *watch;
	char (*roots)[PATH_MAX]; /* paths of the target's folders */
};

static bool is_path_below(const struct search *search, const char *path)
{
	for (size_t i = 0; i < search->target->directory_count; i++) {
		size_t length = strlen(search->roots[i]);

		if (length && !strncmp(path, search->roots[i], length) && (path[length] == '/' || length == 1))
			return true;
	}
	return false;
}

/* True if the descriptor is a regular file on the device of one of the target's folders. */
static bool is_on_device(const struct target *target, int fds, const char *name, dev_t *device)
{
	struct statx st;

	/* Does not ask who serves the file system. */
	if (statx(fds, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) || !S_ISREG(st.stx_mode))
		return false;
	*device = makedev(st.stx_dev_major, st.stx_dev_minor);
	for (size_t i = 0; i < target->directory_count; i++)
		if (target->directories[i].device == *device)
			return true;
	return false;
}

/* Where mounts differ, so do paths: then all files on the device may be the target's. */
static bool has_own_mounts(int proc_fd)
{
	struct stat theirs, ours;

	return !fstatat(proc_fd, "ns/mnt", &theirs, 0) && !stat("/proc/self/ns/mnt", &ours) &&
	       theirs.st_ino != ours.st_ino;
}

/* How many files below the folders, on file systems watched since after the process began, it has open. */
static size_t count_files(int proc_fd, const struct search *search, uint64_t started_ns)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool by_device = has_own_mounts(proc_fd);
	const struct dirent *entry;
	size_t count = 0;

	if (!dir)
		fd_close(fd);
	while (dir && (entry = readdir(dir))) {
		char link[PATH_MAX];
		dev_t device;
		ssize_t length = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);

		if (length < 0)
			continue;
		link[length] = '\0';
		count += (by_device || is_path_below(search, link)) &&
			 is_on_device(search->target, fd, entry->d_name, &device) &&
			 chaos_watch_since_ns(search->watch, device) > started_ns;
	}
	return count;
}

static uint64_t start_of(pid_t pid)
{
	return procfs_start_ticks(pid) * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

json_t *calls_opened_before(const struct fault_spec *spec)
{
	_cleanup_free_ char(*roots)[PATH_MAX] = calloc(spec->target->directory_count, sizeof(*roots));
	const struct search search = {spec->target, spec->watch, roots};
	_cleanup_closedir_ DIR *dir = roots ? opendir("/proc") : NULL;
	const struct dirent *entry;
	size_t files = 0, processes = 0;
	char named[256] = "";

	for (size_t i = 0; roots && i < spec->target->directory_count; i++)
		calls_path_of(spec->target->directories[i].fd, roots[i], sizeof(roots[i]));
	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int proc_fd = -1;
		struct procfs_binary binary = {};
		pid_t pid = (pid_t)atoi(entry->d_name);
		size_t count;

		if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid())
			continue;
		fault_spec_renew_others(spec);
		proc_fd = procfs_open(entry->d_name);
		count = proc_fd < 0 ? 0 : count_files(proc_fd, &search, start_of(pid));
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

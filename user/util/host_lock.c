/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/host_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"

/* After SIGKILL the lock stays held until the kernel has torn down the holder and a guard has swept. */
#define DEAD_HOLDER_WAIT_NS (5 * NSEC_PER_SEC)
#define DEAD_HOLDER_STEP_MS 5

/* True if the path still names the locked file, which a holder may have unlinked after our open(). */
static bool is_current(int fd, const char *path)
{
	struct stat ours, named;

	return !fstat(fd, &ours) && !stat(path, &named) && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

static void read_holder(int fd, char *other)
{
	ssize_t got = pread(fd, other, HOST_LOCK_HOLDER_SIZE - 1, 0);

	other[got > 0 ? got : 0] = '\0';
	other[strcspn(other, "\n")] = '\0';
}

bool host_lock_holder_lives(const char *other)
{
	pid_t pid = atoi(other);

	/* Killed, its first thread is a zombie while another one still closes what it holds: that takes a tenth of a
	 * second. */
	return pid > 0 && (!kill(pid, 0) || errno == EPERM) && procfs_start_ticks(pid);
}

static int try_lock(struct host_lock *lock, char *other, bool *lives, struct error *err)
{
	_cleanup_close_ int fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	*lives = false;
	if (fd < 0)
		return error_set_errno(err, -errno, "cannot open %s", lock->path);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		read_holder(fd, other);
		*lives = host_lock_holder_lives(other);
		return -EBUSY;
	}
	if (!is_current(fd, lock->path))
		return -EBUSY;
	lock->fd = TAKE_FD(fd);
	return 0;
}

int host_lock_take(struct host_lock *lock, const char *name, const char *word, char other[HOST_LOCK_HOLDER_SIZE],
		   struct error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + DEAD_HOLDER_WAIT_NS;
	bool lives;
	int ret;

	*lock = HOST_LOCK_NONE;
	other[0] = '\0';
	if (mkdir(HOST_LOCK_DIRECTORY, 0700) && errno != EEXIST)
		return error_set_errno(err, -errno, "cannot create " HOST_LOCK_DIRECTORY);
	snprintf(lock->path, sizeof(lock->path), HOST_LOCK_DIRECTORY "/%.150s.lock", name);
	for (char *c = lock->path + strlen(HOST_LOCK_DIRECTORY) + 1; *c; c++)
		if (*c == '/')
			*c = '_';
	while ((ret = try_lock(lock, other, &lives, err)) == -EBUSY) {
		if (lives || clock_monotonic_ns() >= end_ns)
			return ret;
		poll(NULL, 0, DEAD_HOLDER_STEP_MS);
	}
	if (ret)
		return ret;
	if (ftruncate(lock->fd, 0) ||
	    dprintf(lock->fd, "%d %.*s\n", (int)getpid(), (int)strcspn(word, "\n"), word) < 0) {
		ret = error_set_errno(err, -errno, "cannot write %s", lock->path);
		host_lock_release(lock);
	}
	return ret;
}

void host_lock_release(struct host_lock *lock)
{
	if (lock->fd < 0)
		return;
	unlink(lock->path);
	lock->fd = fd_close(lock->fd);
}

int host_lock_remove_stale(void)
{
	_cleanup_closedir_ DIR *dir = opendir(HOST_LOCK_DIRECTORY);
	struct dirent *entry;
	int removed = 0;

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int fd = -1;
		size_t length = strlen(entry->d_name);
		char path[sizeof(HOST_LOCK_DIRECTORY) + sizeof(entry->d_name) + 1];

		if (length < 5 || strcmp(entry->d_name + length - 5, ".lock"))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		snprintf(path, sizeof(path), HOST_LOCK_DIRECTORY "/%s", entry->d_name);
		/* The path may already name a newer file of another process. */
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && is_current(fd, path) && !unlink(path))
			removed++;
	}
	return removed;
}

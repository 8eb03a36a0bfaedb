/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "campaign.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* After SIGKILL the guard holds the lock until it has swept. */
#define DEAD_HOLDER_WAIT_NS (5 * NSEC_PER_SEC)
#define DEAD_HOLDER_STEP_MS 10

/* True where the path still names the locked file: its holder removes it when it ends. */
static bool is_current(int fd, const char *path)
{
	struct stat ours, named;

	return !fstat(fd, &ours) && !stat(path, &named) && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* The holder's "pid text"; returns the pid, 0: unknown. */
static pid_t read_holder(int fd, char *text, size_t size)
{
	ssize_t got = pread(fd, text, size - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return atoi(text);
}

static int try_lock(struct campaign_lock *lock, bool *holder_lives, char *holder, size_t size, struct error *err)
{
	_cleanup_close_ int fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	pid_t pid;

	if (fd < 0)
		return error_set_errno(err, -errno, "cannot open %s", lock->path);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		pid = read_holder(fd, holder, size);
		*holder_lives = pid > 0 && (!kill(pid, 0) || errno == EPERM);
		return -EBUSY;
	}
	*holder_lives = false;
	if (!is_current(fd, lock->path))
		return -EBUSY;
	lock->fd = TAKE_FD(fd);
	return 0;
}

int campaign_lock(struct campaign_lock *lock, const char *hash, const char *holder, struct error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + DEAD_HOLDER_WAIT_NS;
	char other[256] = "";
	bool lives;
	int ret;

	lock->fd = -1;
	if (mkdir(CAMPAIGN_LOCK_DIRECTORY, 0700) && errno != EEXIST)
		return error_set_errno(err, -errno, "cannot create " CAMPAIGN_LOCK_DIRECTORY);
	snprintf(lock->path, sizeof(lock->path), CAMPAIGN_LOCK_DIRECTORY "/campaign-%.8s.lock", hash);
	while ((ret = try_lock(lock, &lives, other, sizeof(other), err)) == -EBUSY) {
		if (lives || clock_monotonic_ns() >= end_ns)
			return error_set(err, -EBUSY, "this campaign is already running (pid %s)", *other ? other : "?");
		poll(NULL, 0, DEAD_HOLDER_STEP_MS);
	}
	if (ret)
		return ret;
	if (ftruncate(lock->fd, 0) || dprintf(lock->fd, "%d %s\n", (int)getpid(), holder) < 0) {
		ret = error_set_errno(err, -errno, "cannot write %s", lock->path);
		campaign_unlock(lock);
	}
	return ret;
}

void campaign_unlock(struct campaign_lock *lock)
{
	if (lock->fd < 0)
		return;
	unlink(lock->path);
	lock->fd = fd_close(lock->fd);
}

int campaign_remove_stale_files(void)
{
	_cleanup_closedir_ DIR *dir = opendir(CAMPAIGN_LOCK_DIRECTORY);
	struct dirent *entry;
	int removed = 0;

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int fd = -1;
		size_t length = strlen(entry->d_name);

		if (length < 5 || strcmp(entry->d_name + length - 5, ".lock"))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && !unlinkat(dirfd(dir), entry->d_name, 0))
			removed++;
	}
	return removed;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

/* Reads field 22 of /proc/PID/stat, which a zombie has as well. 0 or a negative errno. */
static int read_start(pid_t pid, char *state, uint64_t *ticks)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[32], line[1024];
	const char *after_name;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return -ENOENT;
	/* The name may contain blanks and parentheses: count fields from the last ')'. */
	after_name = strrchr(line, ')');
	if (!after_name ||
	    sscanf(after_name + 1,
		   " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, state,
		   ticks) != 2)
		return -EINVAL;
	return 0;
}

static uint64_t tick_ns(void)
{
	return NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
}

/*
 * True if /proc/PID/stat has this time namespace's time, which a new child shows; before Linux 5.11 it has the host's.
 */
static bool start_is_shifted(void)
{
	static int shifted = -1;
	uint64_t from_ns = clock_boottime_ns(), ticks = 0;
	pid_t child;
	char state;

	if (shifted >= 0 || clock_boottime_to_host_ns(from_ns) == from_ns)
		return shifted > 0;
	child = fork();
	if (!child)
		_exit(0);
	shifted = child > 0 && !read_start(child, &state, &ticks) && (ticks + 1) * tick_ns() >= from_ns &&
		  ticks * tick_ns() <= clock_boottime_ns();
	if (child > 0)
		waitpid(child, NULL, 0);
	return shifted;
}

uint64_t procfs_start_ticks(pid_t pid)
{
	uint64_t ticks;
	char state;

	if (read_start(pid, &state, &ticks) || state == 'Z' || state == 'X')
		return 0;
	return start_is_shifted() ? clock_boottime_to_host_ns(ticks * tick_ns()) / tick_ns() : ticks;
}

bool procfs_is_alive(const struct procfs_identity *identity)
{
	uint64_t ticks = procfs_start_ticks(identity->pid), slack;

	slack = identity->time_namespace != procfs_time_namespace();
	return ticks && ticks + slack >= identity->start_ticks && ticks <= identity->start_ticks + slack;
}

int procfs_open(const char *pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static FILE *open_below(int proc_fd, const char *name)
{
	int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "re");

	if (!f)
		fd_close(fd);
	return f;
}

/* 1 if real, effective, saved and file system user id are 0, as seen from here (root of a user namespace is not). */
static int is_roots(int proc_fd)
{
	_cleanup_fclose_ FILE *f = open_below(proc_fd, "status");
	unsigned int ids[4];
	char line[256];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Uid: %u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4)
			return !(ids[0] | ids[1] | ids[2] | ids[3]);
	return ferror(f) ? -errno : 0;
}

static int read_name(int proc_fd, struct procfs_binary *out)
{
	_cleanup_fclose_ FILE *f = open_below(proc_fd, "comm");

	if (!f || (!fgets(out->name, sizeof(out->name), f) && ferror(f)))
		return -errno;
	out->name[strcspn(out->name, "\n")] = '\0';
	return 1;
}

/* Reads path and owner through one descriptor, because the process may execute another binary. */
static int read_binary(int fd, struct procfs_binary *out)
{
	static const char deleted[] = " (deleted)";
	char link[64], path[4096];
	ssize_t length;
	struct stat st;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0 || fstat(fd, &st))
		return -errno;
	path[length] = '\0';
	if ((size_t)length > strlen(deleted) && !strcmp(path + length - strlen(deleted), deleted))
		path[(size_t)length - strlen(deleted)] = '\0';
	snprintf(out->name, sizeof(out->name), "%.63s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	out->known = true;
	out->is_trusted =
		S_ISREG(st.st_mode) && !st.st_uid && !(st.st_mode & S_IWOTH) && (!st.st_gid || !(st.st_mode & S_IWGRP));
	out->device = st.st_dev;
	out->inode = st.st_ino;
	return 1;
}

int procfs_root_binary(int proc_fd, struct procfs_binary *out)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int ret;

	*out = (struct procfs_binary){};
	/* Cheap check first: /proc/PID belongs to the process's user, or to root if the process is not dumpable. */
	if (fstat(proc_fd, &st))
		return procfs_without_gone(-errno);
	if (st.st_uid)
		return 0;
	ret = is_roots(proc_fd);
	if (ret <= 0)
		return procfs_without_gone(ret);
	fd = openat(proc_fd, "exe", O_PATH | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		ret = read_name(proc_fd, out);
	else
		ret = fd < 0 ? -errno : read_binary(fd, out);
	return ret < 0 ? procfs_without_gone(ret) : ret;
}

int procfs_without_gone(int code)
{
	return code == -ENOENT || code == -ESRCH ? 0 : code;
}

static uint64_t own_namespace(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

uint64_t procfs_pid_namespace(void)
{
	char self[16] = "";

	/* A different number means another PID namespace's /proc. */
	if (readlink("/proc/self", self, sizeof(self) - 1) < 0 || atoi(self) != getpid())
		return 0;
	return own_namespace("/proc/self/ns/pid");
}

uint64_t procfs_time_namespace(void)
{
	return own_namespace("/proc/self/ns/time");
}

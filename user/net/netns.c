/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/netns.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "util/cleanup.h"

int netns_open(const char *netns, struct error *err)
{
	_cleanup_close_ int fd = netns ? -1 : netns_current();
	char path[4096];

	if (!netns)
		return fd < 0 ? error_set_errno(err, fd, "cannot open the network namespace") : TAKE_FD(fd);
	if (*netns && strspn(netns, "0123456789") == strlen(netns))
		snprintf(path, sizeof(path), "/proc/%s/ns/net", netns);
	else
		snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set_errno(err, -errno, "cannot open network namespace '%s' (%s)", netns, path);
	/* By the descriptor: nothing else can take the file's place now. */
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return error_set(err, -EINVAL, "'%s' (%s) is not a network namespace: was it deleted?", netns, path);
	return TAKE_FD(fd);
}

int netns_current(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

uint64_t netns_inode(int netns_fd)
{
	struct stat st;

	return fstat(netns_fd, &st) ? 0 : st.st_ino;
}

int netns_enter(int netns_fd, int *saved)
{
	_cleanup_close_ int own = netns_current();

	if (own < 0)
		return own;
	if (setns(netns_fd, CLONE_NEWNET))
		return -errno;
	*saved = TAKE_FD(own);
	return 0;
}

void netns_leave(int *saved)
{
	if (*saved < 0)
		return;
	/* Otherwise the process would run its next command in the other namespace. */
	if (setns(*saved, CLONE_NEWNET))
		abort();
	*saved = fd_close(*saved);
}

static int open_checked(const char *path, uint64_t inode)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && netns_inode(fd) == inode ? TAKE_FD(fd) : -ENOENT;
}

int netns_open_link(int dir_fd, const char *name)
{
	char kind[8] = "";
	int fd;

	/* Opening another kind of file may have side effects. */
	if (readlinkat(dir_fd, name, kind, sizeof(kind) - 1) < 0 || strncmp(kind, "net:[", 5) != 0)
		return -ENOENT;
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* `ip netns` and container runtimes keep a namespace by mounting it; mountinfo names its inode. */
static int open_mounted(uint64_t inode)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[4096], root[64], path[2048], wanted[64];
	int fd = -ENOENT;

	snprintf(wanted, sizeof(wanted), "net:[%" PRIu64 "]", inode);
	while (fd < 0 && mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %*s %*s %63s %2047s", root, path) == 2 && !strcmp(root, wanted))
			fd = open_checked(path, inode);
	return fd;
}

static int open_of_process(uint64_t inode)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;
	int fd = -ENOENT;

	while (fd < 0 && dir && (entry = readdir(dir))) {
		char path[300];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		fd = open_checked(path, inode);
	}
	return fd;
}

int netns_open_inode(uint64_t inode)
{
	int fd = open_checked("/proc/thread-self/ns/net", inode);

	if (fd < 0)
		fd = open_mounted(inode);
	return fd < 0 ? open_of_process(inode) : fd;
}

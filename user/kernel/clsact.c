/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/clsact.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/netns.h"
#include "net/tc.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/host_lock.h"

#define LOCK_WAIT_NS NSEC_PER_SEC
#define LOCK_STEP_MS 1
#define NOTE_FORMAT "clsact-%" PRIu64 "-%u" /* the namespace's inode, ifindex */
#define NOTE_SCAN "clsact-%" SCNu64 "-%u%c"
#define NOTE_SIZE 64

int clsact_lock(void)
{
	/* Wait for a stuck holder once, not once per fault. */
	static bool holder_is_stuck;
	_cleanup_close_ int fd = -1;
	uint64_t end_ns = clock_monotonic_ns() + (holder_is_stuck ? 0 : LOCK_WAIT_NS);

	if (mkdir(HOST_LOCK_DIRECTORY, 0700) && errno != EEXIST)
		return -1;
	fd = open(HOST_LOCK_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
		holder_is_stuck = errno == EWOULDBLOCK && clock_monotonic_ns() >= end_ns;
		if (errno != EWOULDBLOCK || holder_is_stuck)
			return -1;
		poll(NULL, 0, LOCK_STEP_MS);
	}
	holder_is_stuck = false;
	return TAKE_FD(fd);
}

static uint64_t current_inode(void)
{
	_cleanup_close_ int fd = netns_current();

	return fd < 0 ? 0 : netns_inode(fd);
}

/* True if there was no such note. Errors are ignored: the note is for a rare death. */
static bool note(unsigned int ifindex)
{
	char path[sizeof(HOST_LOCK_DIRECTORY) + NOTE_SIZE];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), HOST_LOCK_DIRECTORY "/" NOTE_FORMAT, current_inode(), ifindex);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd >= 0;
}

static void forget(unsigned int ifindex)
{
	char path[sizeof(HOST_LOCK_DIRECTORY) + NOTE_SIZE];

	snprintf(path, sizeof(path), HOST_LOCK_DIRECTORY "/" NOTE_FORMAT, current_inode(), ifindex);
	unlink(path);
}

int clsact_make(unsigned int ifindex, uint32_t parent, bool noted)
{
	struct bpf_tc_hook hook = {.sz = sizeof(hook),
				   .ifindex = (int)ifindex,
				   .attach_point = parent == TC_PARENT_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS};
	int ret = tc_has_clsact(ifindex);
	bool is_new;

	/* A plain ingress qdisc serves for ingress; an egress filter on it would run on ingress. */
	if (ret == -EEXIST && parent == TC_PARENT_INGRESS)
		return 0;
	if (ret)
		return ret < 0 ? ret : 0;
	is_new = noted && note(ifindex);
	ret = bpf_tc_hook_create(&hook);
	if (ret && is_new)
		forget(ifindex);
	return ret ? ret : 1;
}

static int count_visit(const struct tc_filter *filter, void *data)
{
	(*(size_t *)data)++;
	return 0;
}

/* True if it is gone. */
static bool remove_empty(unsigned int ifindex)
{
	struct bpf_tc_hook hook = {.sz = sizeof(hook),
				   .ifindex = (int)ifindex,
				   .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS};
	size_t count = 0;

	if (tc_has_clsact(ifindex) != 1)
		return true;
	return !tc_each_filter(ifindex, TC_PARENT_INGRESS, count_visit, &count) &&
	       !tc_each_filter(ifindex, TC_PARENT_EGRESS, count_visit, &count) && !count && !bpf_tc_hook_destroy(&hook);
}

void clsact_remove(unsigned int ifindex)
{
	if (remove_empty(ifindex))
		forget(ifindex);
}

/* True if it removed a clsact. */
static bool sweep(int dir_fd, const char *name, uint64_t inode, unsigned int ifindex)
{
	_cleanup_close_ int netns_fd = netns_open_inode(inode);
	bool was_there = false, gone = true;
	int saved = -1;

	if (netns_fd >= 0 && netns_enter(netns_fd, &saved))
		return false;
	if (netns_fd >= 0) {
		was_there = tc_has_clsact(ifindex) == 1;
		gone = remove_empty(ifindex);
		netns_leave(&saved);
	}
	if (gone)
		unlinkat(dir_fd, name, 0);
	return was_there && gone;
}

int clsact_sweep(void)
{
	_cleanup_closedir_ DIR *dir = opendir(HOST_LOCK_DIRECTORY);
	_cleanup_close_ int lock_fd = dir ? clsact_lock() : -1;
	const struct dirent *entry;
	int swept = 0;

	while (lock_fd >= 0 && (entry = readdir(dir))) {
		unsigned int ifindex;
		uint64_t inode;
		char rest;

		if (sscanf(entry->d_name, NOTE_SCAN, &inode, &ifindex, &rest) == 2)
			swept += sweep(dirfd(dir), entry->d_name, inode, ifindex);
	}
	return swept;
}

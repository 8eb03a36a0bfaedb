/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes every kind of call that may need space on a disk, one after the other, and prints the results:
 *     disk_calls prepare DIR SIZE          makes a file for each call, while there is space
 *     disk_calls fill DIR LEAVE            takes all space but LEAVE bytes
 *     disk_calls run DIR SIZE SETTLE_MS    prints "CALL RESULT" for each call, as in docs/chaos/disk_pressure.md
 * Each call writes SIZE bytes. The tool frees the space of a call before the next call and waits SETTLE_MS for eval to
 * notice it. A result ends in ",fsync:ERROR" if the call succeeded but fsync failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libaio.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_call.h"
#include "util/cleanup.h"

static void write_all(int fd, const char *buffer, size_t size)
{
	if (write(fd, buffer, size) != (ssize_t)size)
		die("preparing");
}

static void prepare(const struct work *work)
{
	_cleanup_close_ int source = open("source", O_CREAT | O_RDWR | O_TRUNC, 0600);

	if (source < 0)
		die("source");
	write_all(source, work->buffer, work->size);
	write_all(source, work->buffer, BLOCK);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		_cleanup_close_ int fd = -1;
		int ret = 0;

		if (calls[i].setup == ABSENT)
			continue;
		fd = open(calls[i].name, O_CREAT | O_RDWR | O_TRUNC, 0600);
		if (fd < 0)
			die(calls[i].name);
		if (calls[i].setup == ALLOCATED)
			write_all(fd, work->buffer, work->size);
		else if (calls[i].setup == PREALLOCATED || calls[i].setup == PREALLOCATED_BEYOND)
			ret = fallocate(fd, calls[i].setup == PREALLOCATED ? 0 : FALLOC_FL_KEEP_SIZE, 0,
					(off_t)work->size);
		else if (calls[i].setup == HOLE)
			ret = ftruncate(fd, (off_t)work->size);
		else if (calls[i].setup == BEHIND_HOLE)
			ret = pwrite(fd, work->buffer, work->size, (off_t)work->size) != (ssize_t)work->size;
		if (ret)
			die(calls[i].name);
	}
	if (syncfs(source))
		die("syncfs");
}

/* Runs in a child process, which a store to mapped memory may kill. Returns false if the call failed. */
static bool run_call(const struct call *call, struct work *work)
{
	const char *fsync_error = NULL;
	ssize_t ret;

	work->name = call->name;
	if (call->setup != ABSENT) {
		work->fd = open(call->name, O_RDWR | call->flags);
		if (work->fd < 0)
			die(call->name);
	}
	ret = call->run(work);
	if (ret < 0) {
		printf("%s %s\n", call->name, strerrorname_np(errno));
		return false;
	}
	if (work->fd >= 0 && fsync(work->fd))
		fsync_error = strerrorname_np(errno);
	printf("%s %s%s%s\n", call->name, ret == (ssize_t)work->size ? "ok" : "short", fsync_error ? ",fsync:" : "",
	       fsync_error ?: "");
	return true;
}

static void give_back(const struct call *call, unsigned int settle_ms)
{
	_cleanup_close_ int here = open(".", O_RDONLY);

	if (call->setup == EMPTY && truncate(call->name, 0) && errno != ENOENT)
		die(call->name);
	if (syncfs(here))
		die("syncfs");
	usleep(settle_ms * 1000);
}

enum outcome { GOT_NOTHING, GOT_SOMETHING, BROKEN };

static enum outcome run_apart(const struct call *call, struct work *work)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		exit(run_call(call, work) ? GOT_SOMETHING : GOT_NOTHING);
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	printf("%s SIG%s\n", call->name, sigabbrev_np(WTERMSIG(status)));
	return GOT_SOMETHING;
}

static void run(struct work *work, unsigned int settle_ms)
{
	work->source_fd = open("source", O_RDONLY);
	if (work->source_fd < 0)
		die("source: prepare first");
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		enum outcome outcome;

		lseek(work->source_fd, 0, SEEK_SET);
		outcome = run_apart(&calls[i], work);
		if (outcome == BROKEN)
			exit(2);
		if (outcome == GOT_SOMETHING)
			give_back(&calls[i], settle_ms);
	}
}

/* --- fill ------------------------------------------------------------------------------------------------------- */

/* Repeats until a round gets nothing: space reserved for delayed allocation is freed when the sync allocates it. */
static void take_all(int filler, const char *block)
{
	off_t end = lseek(filler, 0, SEEK_END), before;

	do {
		before = end;
		for (off_t step = 64 << 20; step >= BLOCK; step /= 2)
			while (!fallocate(filler, 0, end, step))
				end += step;
		while (write(filler, block, BLOCK) == BLOCK)
			end += BLOCK;
		if (errno != ENOSPC)
			die("filler");
		if (fsync(filler) || syncfs(filler))
			die("sync");
	} while (end > before);
}

static void fill(const struct work *work, uint64_t leave)
{
	_cleanup_close_ int filler = open("filler", O_CREAT | O_RDWR | O_APPEND, 0600);

	if (filler < 0)
		die("filler");
	if (leave) {
		_cleanup_close_ int spare = open("spare", O_CREAT | O_RDWR, 0600);

		if (spare < 0 || fallocate(spare, 0, 0, (off_t)leave))
			die("spare");
	}
	take_all(filler, work->buffer);
	if (leave && unlink("spare"))
		die("spare");
	if (syncfs(filler))
		die("sync");
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text || *end) {
		fprintf(stderr, "disk_calls: '%s' is not a number\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	struct work work = {.fd = -1, .source_fd = -1, .size = BLOCK};

	if (argc < 4)
		goto usage;
	if (strcmp(argv[1], "fill"))
		work.size = number(argv[3]);
	if (chdir(argv[2]))
		die(argv[2]);
	if (work.size < (size_t)2 * BLOCK && strcmp(argv[1], "fill"))
		goto usage;
	work.buffer = aligned_alloc(BLOCK, work.size);
	if (!work.buffer)
		die("buffer");
	memset(work.buffer, 'e', work.size);
	if (!strcmp(argv[1], "prepare") && argc == 4)
		prepare(&work);
	else if (!strcmp(argv[1], "fill") && argc == 4)
		fill(&work, number(argv[3]));
	else if (!strcmp(argv[1], "run") && argc == 5)
		run(&work, (unsigned int)number(argv[4]));
	else
		goto usage;
	return 0;
usage:
	fprintf(stderr, "usage: disk_calls prepare DIR SIZE | fill DIR LEAVE | run DIR SIZE SETTLE_MS\n");
	return 2;
}

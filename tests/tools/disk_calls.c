/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes every kind of call that may need space on a disk, one after the other, and prints the results:
 *     disk_calls prepare DIR SIZE          makes a file for each call, while there is space
 *     disk_calls fill DIR LEAVE            takes all space but LEAVE bytes
 *     disk_calls run DIR SIZE SETTLE_MS    prints "CALL RESULT" for each call, as in docs/disk-pressure.md
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

#include "util/cleanup.h"

#define BLOCK 4096

struct work {
	int fd, source_fd;
	size_t size;
	char *buffer;
	const char *name;
};

/* The content of a call's file before the call. */
enum setup {
	EMPTY,
	ALLOCATED, /* SIZE bytes written */
	PREALLOCATED,
	PREALLOCATED_BEYOND, /* the same, after the end of the file */
	HOLE,                /* SIZE bytes long, nothing allocated */
	BEHIND_HOLE,         /* SIZE bytes written after such a hole */
	ABSENT,
};

static void die(const char *what)
{
	fprintf(stderr, "disk_calls: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- The calls: each returns the bytes written (SIZE if the call writes none), or −1 with errno ------------------ */

static ssize_t whole(const struct work *work, int ret)
{
	return ret ? -1 : (ssize_t)work->size;
}

static ssize_t negative_errno(ssize_t ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

static ssize_t call_write(const struct work *work)
{
	return write(work->fd, work->buffer, work->size);
}

static ssize_t call_pwrite(const struct work *work)
{
	return pwrite(work->fd, work->buffer, work->size, 0);
}

/* Splits the buffer into two pieces. */
static void pieces(const struct work *work, struct iovec iov[2])
{
	iov[0] = (struct iovec){work->buffer, BLOCK};
	iov[1] = (struct iovec){work->buffer + BLOCK, work->size - BLOCK};
}

static ssize_t call_writev(const struct work *work)
{
	struct iovec iov[2];

	pieces(work, iov);
	return writev(work->fd, iov, 2);
}

static ssize_t call_pwritev(const struct work *work)
{
	struct iovec iov[2];

	pieces(work, iov);
	return pwritev(work->fd, iov, 2, 0);
}

static ssize_t call_pwritev2(const struct work *work)
{
	struct iovec iov[2];

	pieces(work, iov);
	return pwritev2(work->fd, iov, 2, 0, RWF_DSYNC);
}

static ssize_t call_append_flag(const struct work *work)
{
	struct iovec iov[2];

	pieces(work, iov);
	return pwritev2(work->fd, iov, 2, 0, RWF_APPEND);
}

static ssize_t call_pwrite_behind(const struct work *work)
{
	return pwrite(work->fd, work->buffer, work->size, (off_t)work->size);
}

static ssize_t call_libaio(const struct work *work)
{
	io_context_t context = NULL;
	struct iocb request, *requests[] = {&request};
	struct io_event event;
	ssize_t ret;

	if (io_setup(1, &context))
		die("io_setup");
	io_prep_pwrite(&request, work->fd, work->buffer, work->size, 0);
	ret = io_submit(context, 1, requests);
	if (ret == 1)
		ret = io_getevents(context, 1, 1, &event, NULL) == 1 ? (ssize_t)event.res : -EIO;
	io_destroy(context);
	return negative_errno(ret);
}

static ssize_t ring_run(const struct work *work, bool is_fallocate)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	ssize_t ret;

	ret = io_uring_queue_init(4, &ring, 0);
	if (ret)
		return negative_errno(ret);
	sqe = io_uring_get_sqe(&ring);
	if (is_fallocate)
		io_uring_prep_fallocate(sqe, work->fd, 0, 0, (off_t)work->size);
	else
		io_uring_prep_write(sqe, work->fd, work->buffer, (unsigned int)work->size, 0);
	ret = io_uring_submit(&ring);
	if (ret == 1)
		ret = io_uring_wait_cqe(&ring, &cqe);
	if (!ret)
		ret = cqe->res;
	io_uring_queue_exit(&ring);
	if (is_fallocate && !ret)
		return (ssize_t)work->size;
	return negative_errno(ret);
}

static ssize_t call_io_uring(const struct work *work)
{
	return ring_run(work, false);
}

static ssize_t call_io_uring_fallocate(const struct work *work)
{
	return ring_run(work, true);
}

static ssize_t call_sendfile(const struct work *work)
{
	return sendfile(work->fd, work->source_fd, NULL, work->size);
}

static ssize_t call_splice(const struct work *work)
{
	int ends[2];

	if (pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, work->size) < (int)work->size)
		die("pipe");
	if (write(ends[1], work->buffer, work->size) != (ssize_t)work->size)
		die("write to the pipe");
	return splice(ends[0], NULL, work->fd, NULL, work->size, 0);
}

static ssize_t call_copy_file_range(const struct work *work)
{
	return copy_file_range(work->source_fd, NULL, work->fd, NULL, work->size, 0);
}

/* Unaligned data cannot share the source's blocks. */
static ssize_t call_copy_file_range_unaligned(const struct work *work)
{
	off_t from = 1;

	return copy_file_range(work->source_fd, &from, work->fd, NULL, work->size, 0);
}

static ssize_t call_clone(const struct work *work)
{
	struct file_clone_range range = {.src_fd = work->source_fd, .src_length = work->size};

	return whole(work, ioctl(work->fd, FICLONERANGE, &range));
}

static ssize_t call_fallocate(const struct work *work)
{
	return whole(work, fallocate(work->fd, 0, 0, (off_t)work->size));
}

static ssize_t call_fallocate_keep_size(const struct work *work)
{
	return whole(work, fallocate(work->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)work->size));
}

static ssize_t call_fallocate_punch(const struct work *work)
{
	return whole(work, fallocate(work->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)work->size));
}

static ssize_t call_fallocate_zero(const struct work *work)
{
	return whole(work, fallocate(work->fd, FALLOC_FL_ZERO_RANGE, 0, (off_t)work->size));
}

static ssize_t call_mmap_store(const struct work *work)
{
	char *map = mmap(NULL, work->size, PROT_READ | PROT_WRITE, MAP_SHARED, work->fd, 0);

	if (map == MAP_FAILED)
		return -1;
	memcpy(map, work->buffer, work->size);
	return whole(work, msync(map, work->size, MS_SYNC));
}

static ssize_t call_ftruncate_growth(const struct work *work)
{
	return whole(work, ftruncate(work->fd, (off_t)work->size));
}

static ssize_t call_truncate_and_write(const struct work *work)
{
	if (ftruncate(work->fd, 0))
		return -1;
	return write(work->fd, work->buffer, work->size);
}

static ssize_t call_fsync(const struct work *work)
{
	return whole(work, fsync(work->fd));
}

static ssize_t call_create(const struct work *work)
{
	int fd = open(work->name, O_CREAT | O_EXCL | O_WRONLY, 0600);

	return whole(work, fd < 0);
}

static ssize_t call_mkdir(const struct work *work)
{
	return whole(work, mkdir(work->name, 0700));
}

static ssize_t call_rename(const struct work *work)
{
	return whole(work, rename(work->name, "renamed"));
}

static ssize_t call_unlink(const struct work *work)
{
	return whole(work, unlink(work->name));
}

static const struct call {
	const char *name;
	enum setup setup;
	int flags;
	ssize_t (*run)(const struct work *work);
} calls[] = {
	{"write", EMPTY, 0, call_write},
	{"pwrite", EMPTY, 0, call_pwrite},
	{"writev", EMPTY, 0, call_writev},
	{"pwritev", EMPTY, 0, call_pwritev},
	{"pwritev2", EMPTY, 0, call_pwritev2},
	{"libaio", EMPTY, 0, call_libaio},
	{"io_uring", EMPTY, 0, call_io_uring},
	{"sendfile", EMPTY, 0, call_sendfile},
	{"splice", EMPTY, 0, call_splice},
	{"copy_file_range", EMPTY, 0, call_copy_file_range},
	{"copy_file_range-unaligned", EMPTY, 0, call_copy_file_range_unaligned},
	{"clone", EMPTY, 0, call_clone},
	{"fallocate", EMPTY, 0, call_fallocate},
	{"fallocate-keep-size", EMPTY, 0, call_fallocate_keep_size},
	{"fallocate-zero-range", EMPTY, 0, call_fallocate_zero},
	{"fallocate-io_uring", EMPTY, 0, call_io_uring_fallocate},
	{"direct", EMPTY, O_DIRECT, call_pwrite},
	{"direct-libaio", EMPTY, O_DIRECT, call_libaio},
	{"direct-io_uring", EMPTY, O_DIRECT, call_io_uring},
	{"append", EMPTY, O_APPEND, call_write},
	{"append-behind-data", ALLOCATED, O_APPEND, call_write},
	{"append-direct", ALLOCATED, O_APPEND | O_DIRECT, call_write},
	{"sync-write", EMPTY, O_DSYNC, call_write},
	{"overwrite", ALLOCATED, 0, call_pwrite},
	{"overwrite-direct", ALLOCATED, O_DIRECT, call_pwrite},
	{"overwrite-mmap", ALLOCATED, 0, call_mmap_store},
	{"fallocate-over-data", ALLOCATED, 0, call_fallocate},
	{"preallocated", PREALLOCATED, 0, call_pwrite},
	{"preallocated-direct", PREALLOCATED, O_DIRECT, call_pwrite},
	{"preallocated-mmap", PREALLOCATED, 0, call_mmap_store},
	{"preallocated-beyond", PREALLOCATED_BEYOND, 0, call_pwrite},
	{"preallocated-append", PREALLOCATED_BEYOND, O_APPEND, call_write},
	{"overwrite-behind-hole", BEHIND_HOLE, 0, call_pwrite_behind},
	{"hole", HOLE, 0, call_pwrite},
	{"hole-mmap", HOLE, 0, call_mmap_store},
	{"ftruncate-growth", EMPTY, 0, call_ftruncate_growth},
	{"fsync", ALLOCATED, 0, call_fsync},
	{"create", ABSENT, 0, call_create},
	{"mkdir", ABSENT, 0, call_mkdir},
	{"rename", EMPTY, 0, call_rename},
	{"unlink", EMPTY, 0, call_unlink},
	/* Late, because under pressure it gets space that the fault reports as used. */
	{"flagged-append", ALLOCATED, 0, call_append_flag},
	/* Last, because these free space. */
	{"truncate-and-write", ALLOCATED, 0, call_truncate_and_write},
	{"punch-hole", ALLOCATED, 0, call_fallocate_punch},
};

/* --- prepare, run ----------------------------------------------------------------------------------------------- */

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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The calls of disk_calls.c that may need space, and what their files hold before. */
#pragma once

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

/* What a call's file holds before. */
enum setup {
	EMPTY,
	ALLOCATED, /* SIZE bytes written */
	PREALLOCATED,
	PREALLOCATED_BEYOND, /* the same, behind the end of the file */
	HOLE,                /* SIZE bytes long, nothing allocated */
	BEHIND_HOLE,         /* SIZE bytes written behind such a hole */
	ABSENT,
};

static void die(const char *what)
{
	fprintf(stderr, "disk_calls: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- The calls: each returns how much it wrote, or SIZE where that has no meaning, or −1 and errno --------------- */

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

/* Two pieces. */
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

/* What is not aligned cannot share the source's blocks. */
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
	/* Late, as under pressure it takes what is not left. */
	{"flagged-append", ALLOCATED, 0, call_append_flag},
	/* Last, as these make space. */
	{"truncate-and-write", ALLOCATED, 0, call_truncate_and_write},
	{"punch-hole", ALLOCATED, 0, call_fallocate_punch},
};

/* --- prepare, run ----------------------------------------------------------------------------------------------- */

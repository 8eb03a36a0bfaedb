/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * io_uring's requests are in memory that the process shares with the kernel. They stay there until the process writes
 * others over them, so the last one that fits the event's file and range is the one that the kernel asks about.
 */
#include "chaos/calls/uring.h"

#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "util/cleanup.h"
#include "util/clock.h"

/* How long a process is taken not to have made further rings. */
#define LOOK_NS (100 * NSEC_PER_MSEC)
/* Requests looked at: a ring may have 32,768. */
#define REQUESTS_MAX 256
/* IORING_OP_FTRUNCATE, since Linux 6.9; Debian 12's header has no name for it. */
#define OP_FTRUNCATE 55

bool caller_stat(pid_t thread, unsigned long descriptor, unsigned int mask, struct statx *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread, (int)descriptor);
	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, mask, out);
}

bool caller_has_file(pid_t thread, unsigned long descriptor, int file_fd)
{
	struct statx theirs;
	struct stat file;

	return caller_stat(thread, descriptor, STATX_INO, &theirs) && !fstat(file_fd, &file) &&
	       makedev(theirs.stx_dev_major, theirs.stx_dev_minor) == file.st_dev && theirs.stx_ino == file.st_ino;
}

bool caller_read(pid_t thread, unsigned long address, void *out, size_t size)
{
	const struct iovec here = {out, size}, there = {(void *)address, size};

	return process_vm_readv(thread, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* Rings and their entries are mapped one after the other. */
static void add_mapping(struct uring *rings, unsigned long start, unsigned long offset)
{
	struct uring_place *place;

	if (offset == IORING_OFF_SQ_RING && rings->count < URINGS_MAX) {
		rings->places[rings->count++].ring = start;
		return;
	}
	if (offset != IORING_OFF_SQES)
		return;
	/* The entries may be mapped below the ring. */
	for (size_t i = 0; i < URINGS_MAX; i++) {
		place = &rings->places[i];
		if (place->entries)
			continue;
		place->entries = start;
		return;
	}
}

static void find_rings(struct uring *rings, pid_t thread)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[512];

	*rings = (struct uring){.looked_ns = clock_monotonic_ns()};
	snprintf(path, sizeof(path), "/proc/%d/maps", thread);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long start, offset;

		if (strstr(line, "anon_inode:[io_uring]") && sscanf(line, "%lx-%*x %*s %lx", &start, &offset) == 2)
			add_mapping(rings, start, offset);
	}
}

static enum eval_call call_of_request(const struct io_uring_sqe *request)
{
	switch (request->opcode) {
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
		return EVAL_CALL_READ;
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
		return EVAL_CALL_WRITE;
	case IORING_OP_FALLOCATE:
		return EVAL_CALL_FALLOCATE;
	case OP_FTRUNCATE:
		return EVAL_CALL_TRUNCATE;
	default:
		return EVAL_CALL_UNKNOWN;
	}
}

/* The event's range is the request's, rounded to pages. A fixed file's descriptor is not a descriptor. */
static bool is_about(const struct io_uring_sqe *request, pid_t thread, int file_fd, const struct caller *event)
{
	if (call_of_request(request) == EVAL_CALL_UNKNOWN)
		return false;
	/* off -1 is the file's own position; fallocate and ftruncate have other fields. */
	if (request->opcode != IORING_OP_FALLOCATE && request->opcode != OP_FTRUNCATE && request->off != UINT64_MAX &&
	    (request->off < event->offset || request->off >= event->offset + event->length))
		return false;
	return (request->flags & IOSQE_FIXED_FILE) || caller_has_file(thread, (unsigned long)request->fd, file_fd);
}

static enum eval_call find_in(const struct uring_place *place, pid_t thread, int file_fd, struct caller *out)
{
	/* As struct io_uring_params of such kernels says. */
	struct {
		uint32_t head, tail, done_head, done_tail, mask;
	} queue;

	if (!place->entries || !caller_read(thread, place->ring, &queue, sizeof(queue)))
		return EVAL_CALL_UNKNOWN;
	for (uint32_t i = 1; i <= queue.mask + 1 && i <= REQUESTS_MAX; i++) {
		uint32_t index = (queue.tail - i) & queue.mask;
		struct io_uring_sqe request;

		if (!caller_read(thread, place->entries + index * sizeof(request), &request, sizeof(request)))
			return EVAL_CALL_UNKNOWN;
		if (!is_about(&request, thread, file_fd, out))
			continue;
		if (!(request.flags & IOSQE_FIXED_FILE))
			out->descriptor = request.fd;
		if (request.opcode == IORING_OP_FALLOCATE) {
			out->mode = (int)request.len;
			out->offset = request.off;
			out->length = request.addr;
		}
		if (request.opcode == IORING_OP_READ || request.opcode == IORING_OP_WRITE) {
			out->offset = request.off == UINT64_MAX ? out->offset : request.off;
			out->length = request.len;
			out->exact = request.off != UINT64_MAX;
		}
		return call_of_request(&request);
	}
	return EVAL_CALL_UNKNOWN;
}

static enum eval_call find_in_any(const struct uring *rings, pid_t thread, int file_fd, struct caller *out)
{
	enum eval_call call = EVAL_CALL_UNKNOWN;

	for (size_t i = 0; call == EVAL_CALL_UNKNOWN && i < rings->count; i++)
		call = find_in(&rings->places[i], thread, file_fd, out);
	return call;
}

enum eval_call uring_call(struct uring *rings, pid_t thread, int file_fd, struct caller *out)
{
	enum eval_call call = find_in_any(rings, thread, file_fd, out);

	if (call != EVAL_CALL_UNKNOWN || clock_monotonic_ns() - rings->looked_ns < LOOK_NS)
		return call;
	find_rings(rings, thread);
	return find_in_any(rings, thread, file_fd, out);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/clock.h"

/* A pipe holds 64 KiB, and one event with the samples of many probes more than that. */
#define WAITING_MAX (4UL << 20)

struct output {
	int fd;
	int own_fd; /* the same pipe or terminal by a description of our own, which never blocks; -1: not to be had */
	char *waiting;
	size_t used, lost;
};

/* Not for files: a description of one's own has a position of its own. */
static int open_own(int fd)
{
	char path[64];
	struct stat st;

	if (fstat(fd, &st) || !(S_ISFIFO(st.st_mode) || isatty(fd)))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct output *output_new(int fd)
{
	struct output *output = calloc(1, sizeof(*output));

	if (!output)
		return NULL;
	output->waiting = malloc(WAITING_MAX);
	if (!output->waiting) {
		free(output);
		return NULL;
	}
	output->fd = fd;
	output->own_fd = open_own(fd);
	return output;
}

void output_free(struct output *output)
{
	if (!output)
		return;
	fd_close(output->own_fd);
	free(output->waiting);
	free(output);
}

static ssize_t write_some(const struct output *output)
{
	struct pollfd fd = {.fd = output->fd, .events = POLLOUT};

	if (output->own_fd >= 0)
		return write(output->own_fd, output->waiting, output->used);
	if (poll(&fd, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	/* What a pipe that can be written to takes without blocking. */
	return write(output->fd, output->waiting, output->used < PIPE_BUF ? output->used : PIPE_BUF);
}

void output_flush(struct output *output)
{
	while (output->used) {
		ssize_t wrote = write_some(output);

		if (wrote < 0 && errno == EAGAIN)
			return;
		if (wrote < 0 && errno == EINTR)
			continue;
		/* A reader that is gone, a disk that is full: nobody wants it. */
		if (wrote < 0)
			wrote = (ssize_t)output->used;
		output->used -= (size_t)wrote;
		memmove(output->waiting, output->waiting + wrote, output->used);
	}
}

void output_add(struct output *output, const char *text, size_t size)
{
	output_flush(output);
	if (size > WAITING_MAX - output->used) {
		output->lost++;
		return;
	}
	memcpy(output->waiting + output->used, text, size);
	output->used += size;
	output_flush(output);
}

int output_poll_fd(const struct output *output)
{
	if (!output->used)
		return -1;
	return output->own_fd >= 0 ? output->own_fd : output->fd;
}

void output_drain(struct output *output, uint64_t patience_ns)
{
	uint64_t end_ns = clock_monotonic_ns() + patience_ns;

	for (output_flush(output); output->used && clock_monotonic_ns() < end_ns;) {
		struct pollfd fd = {.fd = output_poll_fd(output), .events = POLLOUT};
		size_t before = output->used;

		poll(&fd, 1, (int)(patience_ns / NSEC_PER_MSEC));
		output_flush(output);
		if (output->used < before)
			end_ns = clock_monotonic_ns() + patience_ns;
	}
}

size_t output_take_lost(struct output *output)
{
	size_t lost = output->lost;

	output->lost = 0;
	return lost;
}

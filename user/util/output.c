/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/terminal.h"
#include "util/thread.h"

/* One event with the samples of many probes can exceed the 64 KiB that a pipe holds. */
#define WAITING_MAX (4UL << 20)
/* Longer than any line, so that every line is passed on whole. */
#define STREAM_BUFFER_SIZE (256 * 1024)
/* What waits for a file that blocks, besides WAITING_MAX. */
#define PIPE_SIZE (1 << 20)
#define COPY_SIZE 4096
/* At the end, for a reader that does not read. */
#define END_PATIENCE_NS NSEC_PER_SEC

struct output {
	int fd;
	int own_fd; /* the same pipe or terminal, opened again with O_NONBLOCK; -1: not possible */
	bool is_socket;
	pthread_t copier; /* of copier_fd to fd */
	int copier_fd;    /* the other end of own_fd; -1: no copier */
	size_t copy_lost; /* lines; atomic */
	pid_t owner;      /* the process whose bytes wait */
	char *waiting;
	size_t used, lost;
	const char *lost_before, *lost_after;
};

static struct output *standard_outputs[STDERR_FILENO + 1];
static FILE *standard_streams[STDERR_FILENO + 1];

/* Not for files: a new description has its own file position. */
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
	struct stat st;

	if (!output)
		return NULL;
	output->waiting = malloc(WAITING_MAX);
	if (!output->waiting) {
		free(output);
		return NULL;
	}
	output->fd = fd;
	output->own_fd = open_own(fd);
	output->copier_fd = -1;
	output->is_socket = !fstat(fd, &st) && S_ISSOCK(st.st_mode);
	output->owner = getpid();
	output_set_lost_text(output, "", " lines were lost here: nobody read the output");
	return output;
}

void output_set_lost_text(struct output *output, const char *before, const char *after)
{
	output->lost_before = before;
	output->lost_after = after;
}

static size_t count_lines(const char *text, size_t size)
{
	size_t lines = 0;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	return lines;
}

static void *copy_thread(void *arg)
{
	static char text[COPY_SIZE];
	struct output *output = arg;
	ssize_t size;

	while ((size = read(output->copier_fd, text, sizeof(text))) > 0)
		for (ssize_t done = 0; done < size;) {
			ssize_t wrote = write(output->fd, text + done, (size_t)(size - done));

			if (wrote < 0)
				__atomic_fetch_add(&output->copy_lost, count_lines(text + done, (size_t)(size - done)),
						   __ATOMIC_RELAXED);
			done = wrote < 0 ? size : done + wrote;
		}
	return NULL;
}

int output_begin_background(struct output *output)
{
	struct stat st;
	int ends[2], ret;

	if (!output || output->own_fd >= 0 || fstat(output->fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	output->copier_fd = ends[0];
	ret = thread_start(&output->copier, copy_thread, output);
	if (ret) {
		output->copier_fd = fd_close(output->copier_fd);
		fd_close(ends[1]);
		return ret;
	}
	output->own_fd = ends[1];
	return 0;
}

void output_end_background(struct output *output)
{
	if (!output || output->copier_fd < 0 || output->owner != getpid())
		return;
	output_drain(output, END_PATIENCE_NS);
	output->own_fd = fd_close(output->own_fd);
	pthread_join(output->copier, NULL);
	output->copier_fd = fd_close(output->copier_fd);
	output->lost += __atomic_exchange_n(&output->copy_lost, 0, __ATOMIC_RELAXED);
}

void output_free(struct output *output)
{
	if (!output)
		return;
	output_end_background(output);
	fd_close(output->own_fd);
	free(output->waiting);
	free(output);
}

static ssize_t write_some(const struct output *output)
{
	struct pollfd fd = {.fd = output->fd, .events = POLLOUT};

	if (output->own_fd >= 0)
		return write(output->own_fd, output->waiting, output->used);
	if (output->is_socket)
		return send(output->fd, output->waiting, output->used, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (poll(&fd, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	/* A writable pipe takes up to PIPE_BUF bytes without blocking. */
	return write(output->fd, output->waiting, output->used < PIPE_BUF ? output->used : PIPE_BUF);
}

/* After a fork the waiting bytes are the parent's, and the child may have closed own_fd or reused its number. */
static void heed_fork(struct output *output)
{
	if (output->owner == getpid())
		return;
	output->owner = getpid();
	output->used = output->lost = 0;
	output->own_fd = open_own(output->fd);
}

void output_flush(struct output *output)
{
	heed_fork(output);
	while (output->used) {
		ssize_t wrote = write_some(output);

		if (wrote < 0 && errno == EAGAIN)
			return;
		if (wrote < 0 && errno == EINTR)
			continue;
		/* A closed reader (EPIPE) wants none; on a full disk, for example, they are lost. */
		if (wrote < 0 && errno != EPIPE)
			output->lost += count_lines(output->waiting, output->used);
		if (wrote < 0)
			wrote = (ssize_t)output->used;
		output->used -= (size_t)wrote;
		memmove(output->waiting, output->waiting + wrote, output->used);
	}
}

/* Reports the lost lines once nothing waits any more. */
static void tell_lost(struct output *output)
{
	size_t lost = output->lost;

	if (!lost || output->used)
		return;
	output->used = (size_t)snprintf(output->waiting, WAITING_MAX, "%s%zu%s\n", output->lost_before, lost,
					output->lost_after);
	output->lost = 0;
	output_flush(output);
	/* The report was lost as well: repeat it later. */
	if (output->lost)
		output->lost = lost;
}

void output_add(struct output *output, const char *text, size_t size)
{
	output_flush(output);
	tell_lost(output);
	if (size > WAITING_MAX - output->used) {
		output->lost += count_lines(text, size);
		return;
	}
	memcpy(output->waiting + output->used, text, size);
	output->used += size;
	output_flush(output);
}

int output_poll_fd(const struct output *output)
{
	if (!output || !output->used)
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

size_t output_lost(const struct output *output)
{
	return output ? output->lost : 0;
}

size_t output_end(struct output *output, uint64_t patience_ns)
{
	output_end_background(output);
	output_drain(output, patience_ns);
	tell_lost(output);
	output->lost += count_lines(output->waiting, output->used);
	output->used = 0;
	return output->lost;
}

static ssize_t stream_write(void *output, const char *text, size_t size)
{
	output_add(output, text, size);
	return (ssize_t)size;
}

struct output *output_standard(int fd)
{
	if (!standard_outputs[fd])
		standard_outputs[fd] = output_new(fd);
	return standard_outputs[fd];
}

FILE *output_stream(int fd)
{
	static char buffers[STDERR_FILENO + 1][STREAM_BUFFER_SIZE];
	struct output *output = output_standard(fd);

	if (!standard_streams[fd] && output) {
		FILE *below = fopencookie(output, "w", (cookie_io_functions_t){.write = stream_write});

		/* Unbuffered, so that whole lines stay one write. */
		if (below)
			setvbuf(below, NULL, _IONBF, 0);
		standard_streams[fd] = below ? terminal_stream(below) : NULL;
		if (standard_streams[fd])
			setvbuf(standard_streams[fd], buffers[fd], _IOLBF, STREAM_BUFFER_SIZE);
	}
	if (standard_streams[fd])
		return standard_streams[fd];
	return fd == STDOUT_FILENO ? stdout : stderr;
}

FILE *output_stdout(void)
{
	return output_stream(STDOUT_FILENO);
}

void output_flush_standard(void)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (standard_outputs[fd])
			output_flush(standard_outputs[fd]);
}

void output_end_standard(void)
{
	size_t lost =
		standard_outputs[STDOUT_FILENO] ? output_end(standard_outputs[STDOUT_FILENO], END_PATIENCE_NS) : 0;

	if (lost)
		fprintf(output_stream(STDERR_FILENO),
			"eval: warning: nobody reads the output: %zu lines of it are lost\n", lost);
	if (standard_outputs[STDERR_FILENO])
		output_end(standard_outputs[STDERR_FILENO], END_PATIENCE_NS);
}

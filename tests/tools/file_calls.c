/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes file calls of one kind and prints how long each took:
 *     file_calls FILE CALL [COUNT [THREADS [PAUSE_MS]]]
 * prints a line "MICROSECONDS RESULT" a call, RESULT being "ok" or an errno's name; each thread has a file of its own,
 * FILE.N, which is made if it does not exist (of 64 KiB). CALL: see calls[] below. With `keep` instead of CALL it opens
 * FILE, prints "open", and writes to it at each line of its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

#define FILE_BYTES 65536
#define BLOCK 4096
#define THREADS_MAX 64

struct job {
	const char *file, *call;
	int count, number, pause_ms;
	char *buffer;
};

static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* Each returns 0 or a negative errno. */
static int result(ssize_t ret)
{
	return ret < 0 ? -errno : 0;
}

static int call_pread(int fd, char *buffer)
{
	return result(pread(fd, buffer, BLOCK, 0));
}

static int call_pwrite(int fd, char *buffer)
{
	return result(pwrite(fd, buffer, BLOCK, 0));
}

static int call_append(int fd, char *buffer)
{
	return lseek(fd, 0, SEEK_END) < 0 ? -errno : result(write(fd, buffer, BLOCK));
}

static int call_fallocate(int fd, char *buffer)
{
	return result(fallocate(fd, 0, 0, FILE_BYTES));
}

static int call_truncate(int fd, char *buffer)
{
	return result(ftruncate(fd, FILE_BYTES));
}

static int call_fsync(int fd, char *buffer)
{
	return result(fsync(fd));
}

static int call_mmap(int fd, char *buffer)
{
	char *page = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return -errno;
	buffer[0] = page[0];
	return munmap(page, BLOCK);
}

/* Kept, because making and ending them takes longer than the calls. */
static __thread io_context_t context;
static __thread struct io_uring ring;
static __thread bool has_ring;

static int submit_aio(struct iocb *request)
{
	struct iocb *list[] = {request};
	struct io_event done;
	int ret = context ? 0 : io_setup(1, &context);

	if (!ret)
		ret = io_submit(context, 1, list);
	if (ret == 1)
		ret = io_getevents(context, 1, 1, &done, NULL) == 1 && (long)done.res < 0 ? (int)(long)done.res : 0;
	return ret;
}

static int call_aio_write(int fd, char *buffer)
{
	struct iocb request;

	io_prep_pwrite(&request, fd, buffer, BLOCK, 0);
	return submit_aio(&request);
}

static int call_aio_read(int fd, char *buffer)
{
	struct iocb request;

	io_prep_pread(&request, fd, buffer, BLOCK, 0);
	return submit_aio(&request);
}

static int call_uring(int fd, char *buffer, bool writes)
{
	struct io_uring_cqe *done;
	struct io_uring_sqe *request;
	int ret = has_ring ? 0 : io_uring_queue_init(2, &ring, 0);

	if (ret)
		return ret;
	has_ring = true;
	request = io_uring_get_sqe(&ring);
	if (writes)
		io_uring_prep_write(request, fd, buffer, BLOCK, 0);
	else
		io_uring_prep_read(request, fd, buffer, BLOCK, 0);
	ret = io_uring_submit(&ring);
	if (ret == 1 && !io_uring_wait_cqe(&ring, &done)) {
		ret = done->res < 0 ? done->res : 0;
		io_uring_cqe_seen(&ring, done);
	}
	return ret;
}

static int call_uring_write(int fd, char *buffer)
{
	return call_uring(fd, buffer, true);
}

static int call_uring_read(int fd, char *buffer)
{
	return call_uring(fd, buffer, false);
}

static const struct {
	const char *name;
	int (*make)(int fd, char *buffer);
	int flags; /* of open */
} calls[] = {
	{"pread", call_pread, 0},
	{"pwrite", call_pwrite, 0},
	{"append", call_append, 0},
	{"fallocate", call_fallocate, 0},
	{"truncate", call_truncate, 0},
	{"fsync", call_fsync, 0},
	{"mmap", call_mmap, 0},
	{"direct_pread", call_pread, O_DIRECT},
	{"direct_pwrite", call_pwrite, O_DIRECT},
	{"aio_read", call_aio_read, O_DIRECT},
	{"aio_write", call_aio_write, O_DIRECT},
	{"uring_read", call_uring_read, 0},
	{"uring_write", call_uring_write, 0},
};

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void *run(void *arg)
{
	const struct job *job = arg;
	char path[4096];
	size_t kind = 0;
	int fd;

	while (kind < ARRAY_SIZE(calls) && strcmp(calls[kind].name, job->call) != 0)
		kind++;
	if (kind == ARRAY_SIZE(calls)) {
		fprintf(stderr, "no call '%s'\n", job->call);
		exit(2);
	}
	snprintf(path, sizeof(path), "%s.%d", job->file, job->number);
	fd = open(path, O_RDWR | O_CREAT | calls[kind].flags, 0600);
	if (fd < 0)
		die(path);
	for (int i = 0; i < job->count; i++) {
		double from = now_us(), took;
		int ret = calls[kind].make(fd, job->buffer);

		took = now_us() - from;
		pthread_mutex_lock(&printing);
		printf("%.1f %s\n", took, ret ? strerrorname_np(-ret) : "ok");
		fflush(stdout);
		pthread_mutex_unlock(&printing);
		usleep((useconds_t)job->pause_ms * 1000);
	}
	close(fd);
	return NULL;
}

static int keep(const char *file)
{
	char line[64], block[BLOCK] = "";
	int fd = open(file, O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		die(file);
	puts("open");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		double from = now_us();
		ssize_t ret = pwrite(fd, block, BLOCK, 0);

		printf("%.1f %s\n", now_us() - from, ret < 0 ? strerrorname_np(errno) : "ok");
		fflush(stdout);
	}
	return 0;
}

/* Has content, so that a read has something to read; before any fault, if the test calls it once. */
static void make_file(const char *file, int number, const char *buffer)
{
	char path[4096];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s.%d", file, number);
	if (!stat(path, &st) && st.st_size >= FILE_BYTES)
		return;
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < FILE_BYTES / BLOCK; i++)
		if (write(fd, buffer, BLOCK) != BLOCK)
			die(path);
	fsync(fd);
	close(fd);
}

int main(int argc, char **argv)
{
	int threads = argc > 4 ? atoi(argv[4]) : 1;
	struct job jobs[THREADS_MAX];
	pthread_t ids[THREADS_MAX];

	if (argc < 3 || threads < 1 || threads > THREADS_MAX) {
		fputs("usage: file_calls FILE CALL [COUNT [THREADS [PAUSE_MS]]]\n", stderr);
		return 2;
	}
	if (!strcmp(argv[2], "keep"))
		return keep(argv[1]);
	for (int i = 0; i < threads; i++) {
		void *buffer;

		if (posix_memalign(&buffer, BLOCK, BLOCK))
			die("memory");
		memset(buffer, 'x', BLOCK);
		jobs[i] = (struct job){argv[1], argv[2], argc > 3 ? atoi(argv[3]) : 1, i, argc > 5 ? atoi(argv[5]) : 0,
				       buffer};
		make_file(argv[1], i, buffer);
	}
	for (int i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, run, &jobs[i]))
			die("thread");
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	return 0;
}

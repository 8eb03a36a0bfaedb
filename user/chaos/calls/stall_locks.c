/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Holds inodes' locks: a write takes the inode's lock and then reads its source, a page of userfaultfd that never
 * arrives. To let go the page is made inaccessible and its waiters are woken: the write ends with EFAULT and has
 * written nothing. A thread that is killed there ends the same way, so that no zero page can ever come in the page's
 * place: the userfaultfd closes only after the last thread is out of its write.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chaos/calls/stall.h"
#include "util/cleanup.h"

#define STACK_BYTES (64 * 1024)

static struct uffdio_range all_pages(const struct stall_locks *locks)
{
	return (struct uffdio_range){(uintptr_t)locks->pages, locks->bytes};
}

int stall_locks_init(struct stall_locks *locks, struct error *err)
{
	struct uffdio_register pages = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	struct uffdio_api api = {.api = UFFD_API};

	*locks = (struct stall_locks){.page_size = (size_t)sysconf(_SC_PAGESIZE)};
	locks->bytes = locks->page_size * CALLS_STALL_FILES;
	pthread_mutex_init(&locks->mutex, NULL);
	pthread_cond_init(&locks->changed, NULL);
	for (size_t i = 0; i < CALLS_STALL_FILES; i++)
		locks->threads[i] = (struct stall_thread){.locks = locks, .number = i, .fd = -1};
	locks->fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (locks->fault_fd < 0 && errno == ENOSYS)
		return error_set(err, -EOPNOTSUPP, "this kernel has no userfaultfd (CONFIG_USERFAULTFD)");
	if (locks->fault_fd < 0 && errno == EPERM)
		return error_set(
			err, -EPERM,
			"userfaultfd needs CAP_SYS_PTRACE in the initial user namespace: run eval on the host");
	if (locks->fault_fd < 0 || ioctl(locks->fault_fd, UFFDIO_API, &api))
		return error_set_errno(err, -errno, "cannot use userfaultfd");
	locks->pages = mmap(NULL, locks->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (locks->pages == MAP_FAILED)
		return error_set(err, -ENOMEM, "out of memory");
	pages.range = all_pages(locks);
	if (ioctl(locks->fault_fd, UFFDIO_REGISTER, &pages))
		return error_set_errno(err, -errno, "cannot register pages with userfaultfd");
	return 0;
}

static char *page_of(const struct stall_thread *thread)
{
	return thread->locks->pages + thread->number * thread->locks->page_size;
}

static void *hold_locks(void *arg)
{
	struct stall_thread *thread = arg;
	struct stall_locks *locks = thread->locks;

	pthread_mutex_lock(&locks->mutex);
	for (;;) {
		while (thread->fd < 0)
			pthread_cond_wait(&locks->changed, &locks->mutex);
		pthread_mutex_unlock(&locks->mutex);
		/* The page is not there, so nothing is written, wherever the file ends. */
		pwrite(thread->fd, page_of(thread), 1, 0);
		pthread_mutex_lock(&locks->mutex);
		thread->fd = fd_close(thread->fd);
		thread->is_busy = false;
		locks->failed += locks->is_held && thread->stall == locks->stall;
	}
	return NULL;
}

static int begin_thread(struct stall_thread *thread)
{
	pthread_attr_t attributes;
	pthread_t id;
	int ret;

	if (thread->exists)
		return 0;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&id, &attributes, hold_locks, thread);
	pthread_attr_destroy(&attributes);
	thread->exists = !ret;
	return -ret;
}

/*
 * A thread that is still in its write waits for its turn behind others, or for the disk. Its page stays inaccessible,
 * so that it holds nothing when it gets the lock.
 */
size_t stall_locks_take(struct stall_locks *locks, const struct stall_files *files)
{
	size_t begun = 0, next = 0;

	pthread_mutex_lock(&locks->mutex);
	locks->is_held = true;
	locks->failed = 0;
	locks->stall++;
	for (size_t i = 0; i < files->count; i++) {
		struct stall_thread *thread;

		while (next < CALLS_STALL_FILES && locks->threads[next].is_busy)
			next++;
		if (next == CALLS_STALL_FILES)
			break;
		thread = &locks->threads[next++];
		if (begin_thread(thread) || mprotect(page_of(thread), locks->page_size, PROT_READ))
			continue;
		/* The thread's own, which stays open for as long as it needs. */
		thread->fd = fcntl(files->list[i].fd, F_DUPFD_CLOEXEC, 0);
		thread->is_busy = thread->fd >= 0;
		thread->stall = locks->stall;
		begun += thread->is_busy;
	}
	pthread_cond_broadcast(&locks->changed);
	pthread_mutex_unlock(&locks->mutex);
	return begun;
}

size_t stall_locks_let_go(struct stall_locks *locks)
{
	struct uffdio_range range = all_pages(locks);
	size_t failed;

	pthread_mutex_lock(&locks->mutex);
	locks->is_held = false;
	failed = locks->failed;
	pthread_mutex_unlock(&locks->mutex);
	/* In this order: who comes between the two meets the inaccessible page. */
	mprotect(locks->pages, locks->bytes, PROT_NONE);
	ioctl(locks->fault_fd, UFFDIO_WAKE, &range);
	return failed;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests that a namespace is the calling thread's: faults are opened in a thread while the main one visits others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sched.h>
#include <unistd.h>

#include "net/netns.h"
#include "util/cleanup.h"
#include "util/thread.h"

static uint64_t inode_of_own(void)
{
	_cleanup_close_ int fd = netns_open(NULL, NULL);

	return fd < 0 ? 0 : netns_inode(fd);
}

struct visit {
	int netns_fd;
	uint64_t inode; /* of what is open there without a name */
};

static void *look_around(void *arg)
{
	struct visit *visit = arg;
	int saved = -1;

	if (netns_enter(visit->netns_fd, &saved))
		return NULL;
	visit->inode = inode_of_own();
	netns_leave(&saved);
	return NULL;
}

static void no_name_means_the_own_thread(void **state)
{
	uint64_t before = inode_of_own();
	struct visit visit = {};
	pthread_t thread;
	int saved;

	if (geteuid())
		skip();
	saved = netns_current();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	visit.netns_fd = netns_current();
	netns_leave(&saved);
	assert_int_equal(thread_start(&thread, look_around, &visit), 0);
	pthread_join(thread, NULL);
	assert_int_not_equal(visit.inode, before);
	assert_int_equal(visit.inode, netns_inode(visit.netns_fd));
	assert_int_equal(inode_of_own(), before);
	fd_close(visit.netns_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_name_means_the_own_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

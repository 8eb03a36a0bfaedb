/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/calls/retry.h"

#include <sys/stat.h>

#include "util/clock.h"

#define WITHIN_NS (20 * NSEC_PER_MSEC)

void retries_expect(struct retries *retries, int file_fd, pid_t thread, const struct caller *caller,
		    uint64_t answered_ns)
{
	struct stat st;

	if (!caller->is_uring || caller->submitter || fstat(file_fd, &st))
		return;
	retries->tried[retries->next++ % RETRIES_MAX] = (struct tried){
		.thread = thread,
		.device = st.st_dev,
		.inode = st.st_ino,
		.offset = caller->offset,
		.length = caller->length,
		.until_ns = answered_ns + WITHIN_NS,
	};
}

bool retries_take(struct retries *retries, int file_fd, const struct caller *caller, uint64_t now_ns)
{
	struct stat st;

	if (!caller->submitter || fstat(file_fd, &st))
		return false;
	for (size_t i = 0; i < RETRIES_MAX; i++) {
		struct tried *one = &retries->tried[i];

		if (one->thread != caller->submitter || one->until_ns < now_ns || one->device != st.st_dev ||
		    one->inode != st.st_ino || one->offset != caller->offset || one->length != caller->length)
			continue;
		one->thread = 0;
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/fds.h"

#include <fcntl.h>
#include <unistd.h>

void fds_fill_standard(void)
{
	int fd;

	/* open() returns the lowest free number. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void fds_keep_only(int *const fds[], size_t count)
{
	unsigned int next = STDERR_FILENO + 1;

	/* Move all above the target numbers first: a descriptor may occupy another's. */
	for (size_t i = 0; i < count; i++)
		if (*fds[i] >= 0)
			*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1 + (int)count);
	for (size_t i = 0; i < count; i++)
		if (*fds[i] >= 0)
			*fds[i] = dup3(*fds[i], (int)next++, O_CLOEXEC);
	close_range(next, ~0U, 0);
}

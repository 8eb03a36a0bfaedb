/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * floor FILE TRIALS COMMANDS SYNCS: the least that a campaign of empty trials can cost: the same number of processes,
 * shells and syncs, and nothing else. Each trial forks a worker, which runs its commands one after the other by
 * posix_spawn of /bin/sh -c true, as eval does; the parent appends pages to FILE and syncs each. COMMANDS and SYNCS are
 * per 1,000 trials.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "util/cleanup.h"

static int run_true(void)
{
	static char *const argv[] = {"sh", "-c", "true", NULL};
	int status;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ))
		return -1;
	return waitpid(pid, &status, 0) == pid && !status ? 0 : -1;
}

static int run_worker(long commands)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -1;
	if (!pid) {
		while (commands--)
			if (run_true())
				_exit(1);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && !status ? 0 : -1;
}

static int append_and_sync(int fd)
{
	static const char page[4096];

	return write(fd, page, sizeof(page)) == sizeof(page) && !fdatasync(fd) ? 0 : -1;
}

/* Returns this trial's part of a total that is given per 1,000 trials. */
static long share(long per_thousand, long trial)
{
	return per_thousand * (trial + 1) / 1000 - per_thousand * trial / 1000;
}

int main(int argc, char **argv)
{
	_cleanup_close_ int fd = -1;

	if (argc != 5) {
		fprintf(stderr, "usage: floor FILE TRIALS COMMANDS SYNCS\n");
		return 2;
	}
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		fprintf(stderr, "floor: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (long trial = 0; trial < atol(argv[2]); trial++) {
		int ret = run_worker(share(atol(argv[3]), trial));

		for (long i = share(atol(argv[4]), trial); !ret && i; i--)
			ret = append_and_sync(fd);
		if (ret) {
			fprintf(stderr, "floor: %s\n", strerror(errno));
			return 1;
		}
	}
	return 0;
}

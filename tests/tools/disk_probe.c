/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * disk_probe FILE SIZE [MS]: every MS milliseconds (default 1), writes SIZE bytes to the empty FILE and truncates it.
 * Prints a line "SECONDS RESULT" when the result changes: the time of day before the first try with that result, and
 * "ok", "short" or an error. After SIGUSR1, the first "ok" is always printed, preceded by "# refused N": the number of
 * other tries since the signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

static volatile sig_atomic_t marked;

static void on_mark(int signal_number)
{
	marked = 1;
}

static const char *try_growth(int fd, const char *buffer, size_t size)
{
	ssize_t ret = pwrite(fd, buffer, size, 0);

	if (ret < 0)
		return strerrorname_np(errno);
	if (ftruncate(fd, 0)) {
		perror("disk_probe: ftruncate");
		exit(1);
	}
	return ret == (ssize_t)size ? "ok" : "short";
}

int main(int argc, char **argv)
{
	size_t size = argc >= 3 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned int pause_ms = argc == 4 ? (unsigned int)atoi(argv[3]) : 1;
	_cleanup_free_ char *buffer = calloc(1, size ?: 1);
	_cleanup_close_ int fd = -1;
	const char *last = "";
	unsigned long refused = 0;

	if (!size || !buffer) {
		fprintf(stderr, "usage: disk_probe FILE SIZE [MS]\n");
		return 2;
	}
	fd = open(argv[1], O_CREAT | O_TRUNC | O_WRONLY, 0600);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_mark, .sa_flags = SA_RESTART}, NULL);
	for (;;) {
		struct timespec now;
		const char *result;
		bool counts = marked;

		clock_gettime(CLOCK_REALTIME, &now);
		result = try_growth(fd, buffer, size);
		if (counts && strcmp(result, "ok")) {
			refused++;
		} else if (counts) {
			printf("# refused %lu\n", refused);
			marked = 0;
			refused = 0;
			last = "";
		}
		if (strcmp(result, last))
			printf("%lld.%06ld %s\n", (long long)now.tv_sec, now.tv_nsec / 1000, result);
		fflush(stdout);
		last = result;
		usleep(pause_ms * 1000);
	}
}

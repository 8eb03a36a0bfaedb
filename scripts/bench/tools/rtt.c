/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Prints round-trip times by ICMP echo in milliseconds with microseconds, one per line in the order of sending; ping
 * rounds to 0.1 ms. Requests leave on schedule and do not wait for answers. Exits 1 if an answer is missing.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "echo.h"
#include "util/clock.h"

#define COUNT_MAX 65000
#define LAST_ANSWER_NS (2 * NSEC_PER_SEC)

struct echo {
	uint64_t sent_ns, answered_ns; /* 0: not (yet) */
};

/* Receives answers until until_ns. */
static void wait_until(int fd, uint64_t until_ns, struct echo *echoes, long sent)
{
	uint64_t now_ns;
	int number;

	while ((now_ns = clock_monotonic_ns()) < until_ns) {
		struct pollfd poll = {.fd = fd, .events = POLLIN};
		struct timespec left = {.tv_sec = (time_t)((until_ns - now_ns) / NSEC_PER_SEC),
					.tv_nsec = (long)((until_ns - now_ns) % NSEC_PER_SEC)};

		if (ppoll(&poll, 1, &left, NULL) <= 0)
			continue;
		while ((number = echo_receive(fd)) >= 0)
			if (number < sent)
				echoes[number].answered_ns = clock_monotonic_ns();
	}
}

/* Checks all answers, because the last request sent may not be the last answered. */
static bool all_answered(const struct echo *echoes, long count)
{
	for (long i = count; i-- > 0;)
		if (!echoes[i].answered_ns)
			return false;
	return true;
}

static int print_answers(const struct echo *echoes, long count)
{
	long lost = 0;

	for (long i = 0; i < count; i++) {
		if (echoes[i].answered_ns)
			printf("%.3f\n", (double)(echoes[i].answered_ns - echoes[i].sent_ns) / (double)NSEC_PER_MSEC);
		else
			lost++;
	}
	if (lost)
		fprintf(stderr, "rtt: %ld of %ld answers are missing\n", lost, count);
	return lost ? 1 : 0;
}

int main(int argc, char **argv)
{
	_cleanup_free_ struct echo *echoes = NULL;
	_cleanup_close_ int fd = -1;
	long count, interval_ms;
	uint64_t next_ns;

	if (argc != 4 || (count = atol(argv[2])) < 1 || count > COUNT_MAX || (interval_ms = atol(argv[3])) < 1) {
		fprintf(stderr, "usage: rtt IPV4_ADDRESS COUNT INTERVAL_MS\n");
		return 2;
	}
	fd = echo_open(argv[1]);
	echoes = calloc((size_t)count, sizeof(*echoes));
	if (fd < 0 || !echoes) {
		fprintf(stderr, "rtt: %s: %s\n", argv[1], strerror(fd < 0 ? -fd : ENOMEM));
		return 2;
	}
	/* Reduces the effect of load on the machine, because only the line is measured. */
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, -20);
	next_ns = clock_monotonic_ns();
	for (long i = 0; i < count; i++) {
		echoes[i].sent_ns = clock_monotonic_ns();
		if (echo_send(fd, (uint16_t)i)) {
			fprintf(stderr, "rtt: send: %s\n", strerror(errno));
			return 2;
		}
		next_ns += (uint64_t)interval_ms * NSEC_PER_MSEC;
		wait_until(fd, next_ns, echoes, i + 1);
	}
	next_ns = clock_monotonic_ns() + LAST_ANSWER_NS;
	while (!all_answered(echoes, count) && clock_monotonic_ns() < next_ns)
		wait_until(fd, clock_monotonic_ns() + NSEC_PER_MSEC, echoes, count);
	return print_answers(echoes, count);
}

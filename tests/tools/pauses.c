// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tells when a processor stood still: a thread per processor, with the highest real-time priority, sleeps 20 ms at a time and
 * prints each time that it woke over 200 ms late: "HH:MM:SS processor N stood still for M ms". Runs until it is ended.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 20000000L
#define SECOND_NS 1000000000L
#define LATE_MS 200

static long since_ms(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

static void tell(int processor, long late_ms)
{
	char text[16];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s processor %d stood still for %ld ms\n", text, processor, late_ms);
}

static void *watch(void *arg)
{
	int processor = (int)(long)arg;
	struct timespec next;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		long late_ms;

		next.tv_nsec += STEP_NS;
		if (next.tv_nsec >= SECOND_NS) {
			next.tv_nsec -= SECOND_NS;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		late_ms = since_ms(&next);
		if (late_ms <= LATE_MS)
			continue;
		tell(processor, late_ms);
		clock_gettime(CLOCK_MONOTONIC, &next);
	}
}

int main(void)
{
	struct sched_param param = {.sched_priority = sched_get_priority_max(SCHED_FIFO)};
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sched_setscheduler(0, SCHED_FIFO, &param)) {
		perror("pauses: real-time priority");
		return EXIT_FAILURE;
	}
	for (long i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++) {
		if (pthread_create(&thread, NULL, watch, (void *)i)) {
			perror("pauses: thread");
			return EXIT_FAILURE;
		}
	}
	pause();
	return EXIT_SUCCESS;
}

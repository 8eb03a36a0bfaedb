/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tells when the machine itself was late, so that a check of times that failed then can be told from a slow product. A
 * thread per processor, with the highest real-time priority, wakes every 50 ms and times a fixed piece of work. Prints
 *     HH:MM:SS processor N stood still for M ms           it woke over 200 ms late
 *     HH:MM:SS processor N was F times slower for 5 s     its work took F times as long as at best, on average; from 2
 * on The second one tells that the hypervisor gives the time to others, or that the processor is throttled. Runs until
 * it is ended.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#define STEP_NS (50 * NSEC_PER_MSEC)
#define LATE_NS (200 * NSEC_PER_MSEC)
#define WINDOW 100 /* steps */
#define SLOWER 3.0
#define ROUNDS 200000

static const char *now_text(char text[16])
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, 16, "%H:%M:%S", &tm);
	return text;
}

/* The time that the same work takes each time, about 0.1 ms. */
static uint64_t work_ns(void)
{
	uint64_t start_ns = clock_monotonic_ns();
	volatile unsigned int sum = 0;

	for (unsigned int i = 0; i < ROUNDS; i++)
		sum += i;
	return clock_monotonic_ns() - start_ns;
}

static void step(uint64_t *next_ns, long processor)
{
	struct timespec next;
	uint64_t late_ns;
	char text[16];

	*next_ns += STEP_NS;
	next = clock_monotonic_timespec(*next_ns);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	late_ns = clock_monotonic_ns() - *next_ns;
	if (late_ns <= LATE_NS)
		return;
	printf("%s processor %ld stood still for %llu ms\n", now_text(text), processor,
	       (unsigned long long)(late_ns / NSEC_PER_MSEC));
	*next_ns += late_ns;
}

static void *watch(void *arg)
{
	uint64_t best_ns = work_ns(), next_ns;
	long processor = (long)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((int)processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return NULL;
	next_ns = clock_monotonic_ns();
	for (;;) {
		uint64_t sum_ns = 0;
		double slower;
		char text[16];

		for (int i = 0; i < WINDOW; i++) {
			uint64_t took_ns;

			step(&next_ns, processor);
			took_ns = work_ns();
			sum_ns += took_ns;
			best_ns = clock_earlier(best_ns, took_ns);
		}
		slower = (double)sum_ns / WINDOW / (double)best_ns;
		if (slower >= SLOWER)
			printf("%s processor %ld was %.1f times slower for 5 s\n", now_text(text), processor, slower);
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

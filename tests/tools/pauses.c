// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
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

#define STEP_NS 50000000L
#define SECOND_NS 1000000000L
#define LATE_NS 200000000L
#define WINDOW 100 /* steps */
#define SLOWER 3.0
#define ROUNDS 200000

static long ns_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * SECOND_NS + now.tv_nsec - then->tv_nsec;
}

static const char *now_text(char text[16])
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, 16, "%H:%M:%S", &tm);
	return text;
}

/* The time that the same work takes each time, about 0.1 ms. */
static long work_ns(void)
{
	volatile unsigned int sum = 0;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned int i = 0; i < ROUNDS; i++)
		sum += i;
	return ns_since(&start);
}

static void step(struct timespec *next, long processor)
{
	char text[16];
	long late;

	next->tv_nsec += STEP_NS;
	if (next->tv_nsec >= SECOND_NS) {
		next->tv_nsec -= SECOND_NS;
		next->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL);
	late = ns_since(next);
	if (late <= LATE_NS)
		return;
	printf("%s processor %ld stood still for %ld ms\n", now_text(text), processor, late / 1000000);
	clock_gettime(CLOCK_MONOTONIC, next);
}

static void *watch(void *arg)
{
	long processor = (long)arg, best = work_ns();
	struct timespec next;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((int)processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		char text[16];
		double slower;
		long sum = 0;

		for (int i = 0; i < WINDOW; i++) {
			long took;

			step(&next, processor);
			took = work_ns();
			sum += took;
			best = took < best ? took : best;
		}
		slower = (double)sum / WINDOW / (double)best;
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

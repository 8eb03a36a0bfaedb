/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Measures how far apart many faults end: stop_spread COUNT COMMAND [ARGUMENT…]
 * Waits until COUNT faults of any version are live on this host, starts COMMAND (eval cleanup --now) and prints
 * "FIRST_MS SPREAD_MS COMMAND_MS": from the command's start to the first control block that says "over", from the first
 * to the last such block, and from the command's start to its end.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "eval_abi.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "util/clock.h"

#define FAULTS_MAX 1024
/* How often the control blocks are read. */
#define WATCH_NS (20 * NSEC_PER_USEC)
#define LIVE_TIMEOUT_NS (60 * NSEC_PER_SEC)
#define STOP_TIMEOUT_NS (60 * NSEC_PER_SEC)

struct live {
	const struct eval_ctl *blocks[FAULTS_MAX];
	size_t count;
};

static void die(const char *what)
{
	fprintf(stderr, "stop_spread: %s\n", what);
	exit(1);
}

static int find_live(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	struct live *live = data;

	if (ctl->deadline_ns <= clock_monotonic_ns() || live->count == FAULTS_MAX)
		return 0;
	live->blocks[live->count] = mmap(NULL, sizeof(*ctl), PROT_READ, MAP_SHARED, map_fd, 0);
	if (live->blocks[live->count] == MAP_FAILED)
		die("cannot map a control block");
	live->count++;
	return 0;
}

static void forget(struct live *live)
{
	while (live->count)
		munmap((void *)live->blocks[--live->count], sizeof(struct eval_ctl));
}

static void wait_until_live(struct live *live, size_t count)
{
	uint64_t give_up_ns = clock_monotonic_ns() + LIVE_TIMEOUT_NS;
	struct error err = {};

	for (;;) {
		if (live_walk_all_versions(find_live, find_live, live, &err) < 0)
			die(err.text);
		if (live->count >= count)
			return;
		if (clock_monotonic_ns() > give_up_ns)
			die("there are not as many live faults after 60 s");
		forget(live);
		poll(NULL, 0, 50);
	}
}

static size_t count_over(const struct live *live)
{
	size_t over = 0;

	for (size_t i = 0; i < live->count; i++)
		over += !__atomic_load_n(&live->blocks[i]->deadline_ns, __ATOMIC_ACQUIRE);
	return over;
}

static double ms(uint64_t ns)
{
	return (double)ns / (double)NSEC_PER_MSEC;
}

int main(int argc, char **argv)
{
	const struct timespec watch = {.tv_nsec = WATCH_NS};
	uint64_t start_ns, first_ns = 0, last_ns = 0;
	static struct live live;
	size_t over;
	pid_t pid;

	if (argc < 3 || atoi(argv[1]) < 1) {
		fprintf(stderr, "usage: stop_spread COUNT COMMAND [ARGUMENT…]\n");
		return 2;
	}
	object_log_init();
	wait_until_live(&live, (size_t)atoi(argv[1]));
	start_ns = clock_monotonic_ns();
	pid = fork();
	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while (!last_ns) {
		over = count_over(&live);
		if (over && !first_ns)
			first_ns = clock_monotonic_ns();
		if (over == live.count)
			last_ns = clock_monotonic_ns();
		else if (clock_monotonic_ns() > start_ns + STOP_TIMEOUT_NS)
			die("the faults go on");
		nanosleep(&watch, NULL);
	}
	if (waitpid(pid, NULL, 0) != pid)
		die("the command does not end");
	printf("%.3f %.3f %.3f\n", ms(first_ns - start_ns), ms(last_ns - first_ns),
	       ms(clock_monotonic_ns() - start_ns));
	return 0;
}

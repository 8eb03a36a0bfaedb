/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Measures how long a fault goes on after Ctrl+C. Per try: starts COMMAND, waits until a fault is live in network
 * namespace NETNS and takes effect, sends SIGINT and prints "INERT_MS FREE_MS": from the signal until the fault's
 * control block says "over", and until the first packet sent after the signal comes back without chaos. Packets are
 * echo requests from NETNS to ADDRESS; the fault must cut them or delay them by more than 100 ms.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "echo.h"
#include "eval_abi.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "util/clock.h"

#define DELAYED_NS (100 * NSEC_PER_MSEC)
#define PROBE_EVERY_NS (NSEC_PER_MSEC / 2)
/* How often the control block is read. */
#define WATCH_NS (50 * NSEC_PER_USEC)
#define LIVE_TIMEOUT_NS (30 * NSEC_PER_SEC)
#define STOP_TIMEOUT_NS (10 * NSEC_PER_SEC)
#define PROBES_MAX 65536

struct live {
	ino_t netns_ino;
	const struct eval_ctl *ctl; /* NULL until the fault is live, then mapped */
};

static pid_t running;

static void die(const char *what, int code)
{
	fprintf(stderr, "stop_time: %s%s%s\n", what, code ? ": " : "", code ? strerror(code < 0 ? -code : code) : "");
	if (running)
		kill(running, SIGKILL);
	exit(1);
}

static int echo_open_in(const char *netns, const char *address, ino_t *ino)
{
	_cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int other = -1;
	char path[128];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	other = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || other < 0 || fstat(other, &st) || setns(other, CLONE_NEWNET))
		die(path, errno);
	*ino = st.st_ino;
	fd = echo_open(address);
	if (fd < 0)
		die(address, fd);
	if (setns(own, CLONE_NEWNET))
		die("setns", errno);
	return fd;
}

static pid_t spawn(char **command)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (!freopen("/dev/null", "r", stdin) || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	execvp(command[0], command);
	_exit(127);
}

static int find_live(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	struct live *live = data;
	void *mapped;

	if (ctl->netns_ino != live->netns_ino || ctl->deadline_ns <= clock_monotonic_ns())
		return 0;
	mapped = mmap(NULL, sizeof(*ctl), PROT_READ, MAP_SHARED, map_fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	live->ctl = mapped;
	return 1;
}

static void wait_until_live(struct live *live)
{
	uint64_t give_up_ns = clock_monotonic_ns() + LIVE_TIMEOUT_NS;
	struct error err = {};

	while (!live->ctl) {
		if (live_walk(find_live, live, &err) < 0)
			die(err.text, 0);
		if (clock_monotonic_ns() > give_up_ns)
			die("the command injected nothing in 30 s", 0);
		poll(NULL, 0, 2);
	}
}

/* Sends a request and waits for a time that varies per try, in which the request must not be answered. */
static void wait_until_it_bites(int fd)
{
	uint64_t until_ns = clock_monotonic_ns() + (20 + (uint64_t)(rand() % 60)) * NSEC_PER_MSEC;

	while (echo_receive(fd) >= 0)
		;
	if (echo_send(fd, PROBES_MAX - 1))
		die("send", errno);
	while (clock_monotonic_ns() < until_ns) {
		poll(NULL, 0, 1);
		if (echo_receive(fd) == PROBES_MAX - 1)
			die("the fault neither cuts nor delays", 0);
	}
}

struct times {
	uint64_t inert_ns, free_ns; /* from the signal */
};

static void stop_and_watch(pid_t pid, const struct eval_ctl *ctl, int fd, struct times *times)
{
	static uint64_t sent_ns[PROBES_MAX];
	const struct timespec watch = {.tv_nsec = WATCH_NS};
	uint64_t signal_ns = clock_monotonic_ns(), next_ns = signal_ns, now_ns;
	int sent = 0, number;

	if (kill(pid, SIGINT))
		die("kill", errno);
	while (!times->inert_ns || !times->free_ns) {
		struct pollfd poll = {.fd = fd, .events = POLLIN};

		now_ns = clock_monotonic_ns();
		if (now_ns > signal_ns + STOP_TIMEOUT_NS || sent == PROBES_MAX - 1)
			die("the fault goes on after the signal", 0);
		if (!times->inert_ns && !__atomic_load_n(&ctl->deadline_ns, __ATOMIC_ACQUIRE))
			times->inert_ns = now_ns - signal_ns;
		if (now_ns >= next_ns) {
			sent_ns[sent] = now_ns;
			if (echo_send(fd, (uint16_t)sent++))
				die("send", errno);
			next_ns = now_ns + PROBE_EVERY_NS;
		}
		ppoll(&poll, 1, &watch, NULL);
		while ((number = echo_receive(fd)) >= 0) {
			now_ns = clock_monotonic_ns();
			if (!times->free_ns && number < sent && now_ns - sent_ns[number] < DELAYED_NS)
				times->free_ns = now_ns - signal_ns;
		}
	}
}

static void wait_until_gone(pid_t pid)
{
	uint64_t give_up_ns = clock_monotonic_ns() + STOP_TIMEOUT_NS;

	while (!waitpid(pid, NULL, WNOHANG)) {
		if (clock_monotonic_ns() > give_up_ns)
			die("the command does not end", 0);
		poll(NULL, 0, 2);
	}
	running = 0;
}

int main(int argc, char **argv)
{
	struct live live = {};
	long tries;
	int fd;

	if (argc < 5 || (tries = atol(argv[3])) < 1) {
		fprintf(stderr, "usage: stop_time NETNS ADDRESS TRIES COMMAND [ARGUMENT…]\n");
		return 2;
	}
	object_log_init();
	srand(1);
	fd = echo_open_in(argv[1], argv[2], &live.netns_ino);
	for (long i = 0; i < tries; i++) {
		struct times times = {};

		running = spawn(argv + 4);
		if (running < 0)
			die("fork", errno);
		wait_until_live(&live);
		wait_until_it_bites(fd);
		stop_and_watch(running, live.ctl, fd, &times);
		printf("%.3f %.3f\n", (double)times.inert_ns / (double)NSEC_PER_MSEC,
		       (double)times.free_ns / (double)NSEC_PER_MSEC);
		fflush(stdout);
		wait_until_gone(running);
		munmap((void *)live.ctl, sizeof(*live.ctl));
		live.ctl = NULL;
	}
	fd_close(fd);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/scope.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "process/cgroup.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/pidfd.h"
#include "util/procfs.h"

#define SCOPE_WAIT_STEP_NS 500000L
#define ENVIRON_MAX (256 * 1024)

void scope_prefix(char out[SCOPE_NAME_SIZE], pid_t coordinator, uint64_t start_ticks)
{
	snprintf(out, SCOPE_NAME_SIZE, "eval-%d-%" PRIu64 "-%" PRIu64 "-%" PRIu64 "-", (int)coordinator, start_ticks,
		 procfs_pid_namespace(), procfs_time_namespace());
}

void scope_name(char out[SCOPE_NAME_SIZE], const char *prefix, pid_t worker)
{
	snprintf(out, SCOPE_NAME_SIZE, "%.*s%dw", SCOPE_NAME_SIZE - 16, prefix, (int)worker);
}

int scope_create(struct scope *scope, const char *prefix, pid_t worker, struct error *err)
{
	_cleanup_close_ int root_fd = cgroup_root_open();

	scope->cgroup_fd = -1;
	scope_name(scope->name, prefix, worker);
	/* A container may show cgroup v2 read-only: the environment then marks the members. */
	if (root_fd < 0 || (mkdirat(root_fd, scope->name, 0755) && errno != EEXIST))
		return 0;
	scope->cgroup_fd = openat(root_fd, scope->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scope->cgroup_fd < 0 ? error_set_errno(err, -errno, "cannot open cgroup %s", scope->name) : 0;
}

/* True if /proc/PID/environ has a variable that starts with wanted. */
static bool environ_has(int proc_fd, const char *pid, const char *wanted)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	char path[64];
	size_t used = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "%.20s/environ", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	text = fd < 0 ? NULL : malloc(ENVIRON_MAX + 1);
	if (!text)
		return false;
	while (used < ENVIRON_MAX && (got = read(fd, text + used, ENVIRON_MAX - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	for (size_t at = 0; at < used; at += strlen(text + at) + 1)
		if (!strncmp(text + at, wanted, strlen(wanted)))
			return true;
	return false;
}

/* Kills every process with a variable that starts with wanted, in the session (0: any). Returns how many. */
static int marked_kill(const char *wanted, pid_t session)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	struct dirent *entry;
	int found = 0;

	while (dir && (entry = readdir(dir))) {
		int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		_cleanup_close_ int pidfd = -1;

		if (pid <= 1 || pid == getpid() || (session && getsid(pid) != session) ||
		    !environ_has(dirfd(dir), entry->d_name, wanted))
			continue;
		/* Checks again with a pidfd: the pid may have been reused. */
		pidfd = pidfd_of(pid);
		if (pidfd < 0 || (session && getsid(pid) != session) || !environ_has(dirfd(dir), entry->d_name, wanted))
			continue;
		pidfd_signal(pidfd, SIGKILL);
		found++;
	}
	return found;
}

static int scope_kill_marked(const char *name_start)
{
	char wanted[SCOPE_NAME_SIZE + 16];

	snprintf(wanted, sizeof(wanted), SCOPE_VARIABLE "=%s", name_start);
	return marked_kill(wanted, 0);
}

void scope_kill_group(int leader_pidfd, pid_t group)
{
	/* marked_kill() takes 0 for every session. */
	if (group <= 1)
		return;
	/* Before Linux 6.9: the members of the leader's session that have a command's environment. */
	if (pidfd_signal_group(leader_pidfd, SIGKILL) == -EINVAL) {
		pidfd_signal(leader_pidfd, SIGKILL);
		marked_kill("EVAL_TRIAL=", group);
	}
}

static void wait_step(void)
{
	nanosleep(&(struct timespec){.tv_nsec = SCOPE_WAIT_STEP_NS}, NULL);
}

int scope_destroy(struct scope *scope, uint64_t wait_ns)
{
	_cleanup_close_ int root_fd = scope->cgroup_fd < 0 ? -1 : cgroup_root_open();
	uint64_t end_ns = clock_monotonic_ns() + wait_ns;
	int ret;

	for (;;) {
		if (root_fd >= 0)
			ret = cgroup_remove(root_fd, scope->name);
		else
			ret = scope_kill_marked(scope->name) ? -EBUSY : 0;
		if (!ret || clock_monotonic_ns() >= end_ns)
			break;
		wait_step();
	}
	scope->cgroup_fd = fd_close(scope->cgroup_fd);
	return ret;
}

int scope_sweep(const char *name_start)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int left = 0, root_fd = cgroup_root_open();
	struct dirent *entry;

	dir = root_fd < 0 ? NULL : fdopendir(root_fd);
	/* Without a writable cgroup v2 the environment marks the members. */
	if (!dir || faccessat(dirfd(dir), ".", W_OK, 0)) {
		if (!dir)
			fd_close(root_fd);
		return scope_kill_marked(name_start);
	}
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, name_start, strlen(name_start)) && cgroup_remove(root_fd, entry->d_name))
			left++;
	return left;
}

int scope_sweep_wait(const char *name_start, uint64_t wait_ns)
{
	uint64_t end_ns = clock_monotonic_ns() + wait_ns;
	int left;

	while ((left = scope_sweep(name_start)) && clock_monotonic_ns() < end_ns)
		wait_step();
	return left;
}

/* Also parses a name without a time namespace (eval before ABI 3), which leaves that 0. */
static bool scope_parse(const char *name, struct procfs_identity *coordinator)
{
	int worker, end = 0;

	*coordinator = (struct procfs_identity){0};
	if (sscanf(name, "eval-%d-%" SCNu64 "-%" SCNu64 "-%" SCNu64 "-%dw%n", &coordinator->pid,
		   &coordinator->start_ticks, &coordinator->pid_namespace, &coordinator->time_namespace, &worker,
		   &end) == 5)
		return end && !name[end];
	return sscanf(name, "eval-%d-%" SCNu64 "-%" SCNu64 "-%dw%n", &coordinator->pid, &coordinator->start_ticks,
		      &coordinator->pid_namespace, &worker, &end) == 4 &&
	       end && !name[end];
}

void scope_each_stale(void (*visit)(int root_fd, const char *name, void *data), void *data)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int root_fd = cgroup_root_open();
	struct dirent *entry;

	dir = root_fd < 0 ? NULL : fdopendir(root_fd);
	if (!dir) {
		fd_close(root_fd);
		return;
	}
	while ((entry = readdir(dir))) {
		struct procfs_identity coordinator;

		/* Coordinators of other PID namespaces are not visible here; their members die with the namespace. */
		if (scope_parse(entry->d_name, &coordinator) && coordinator.pid_namespace == procfs_pid_namespace() &&
		    !procfs_is_alive(&coordinator))
			visit(root_fd, entry->d_name, data);
	}
}

struct sweep {
	int found, left;
};

static void sweep_visit(int root_fd, const char *name, void *data)
{
	struct sweep *sweep = data;

	sweep->found++;
	sweep->left += cgroup_remove(root_fd, name) != 0;
}

int scope_sweep_stale(uint64_t wait_ns)
{
	uint64_t end_ns = clock_monotonic_ns() + wait_ns;
	struct sweep first = {}, sweep;

	scope_each_stale(sweep_visit, &first);
	for (sweep = first; sweep.left && clock_monotonic_ns() < end_ns;) {
		wait_step();
		sweep = (struct sweep){};
		scope_each_stale(sweep_visit, &sweep);
	}
	return first.found;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "util/cleanup.h"

/* How far the clocks of this time namespace are ahead of the host's. */
static int64_t monotonic_offset_ns, boottime_offset_ns;

static uint64_t clock_read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Succeeds without time namespaces: the kernel then has neither file. */
static int join_children(void)
{
	_cleanup_close_ int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	struct stat own, children;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (stat("/proc/self/ns/time", &own) || fstat(fd, &children))
		return -errno;
	if (own.st_ino == children.st_ino)
		return 0;
	return setns(fd, CLONE_NEWTIME) ? -errno : 0;
}

static int read_offset(FILE *offsets, const char *clock, int64_t *offset_ns)
{
	char line[128], format[32];
	int64_t seconds, nanoseconds;

	snprintf(format, sizeof(format), "%s %%" SCNd64 " %%" SCNd64, clock);
	if (!fgets(line, sizeof(line), offsets) || sscanf(line, format, &seconds, &nanoseconds) != 2)
		return -EINVAL;
	*offset_ns = seconds * (int64_t)NSEC_PER_SEC + nanoseconds;
	return 0;
}

int clock_join_namespace(void)
{
	_cleanup_fclose_ FILE *offsets = NULL;
	int ret = join_children();

	if (ret)
		return ret;
	/* The offsets of the children's namespace, which this process has joined. */
	offsets = fopen("/proc/self/timens_offsets", "re");
	if (!offsets)
		return errno == ENOENT ? 0 : -errno;
	return read_offset(offsets, "monotonic", &monotonic_offset_ns)
		       ?: read_offset(offsets, "boottime", &boottime_offset_ns);
}

uint64_t clock_monotonic_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC) - (uint64_t)monotonic_offset_ns;
}

struct timespec clock_monotonic_timespec(uint64_t monotonic_ns)
{
	uint64_t own_ns = monotonic_ns + (uint64_t)monotonic_offset_ns;

	return (struct timespec){.tv_sec = (time_t)(own_ns / NSEC_PER_SEC), .tv_nsec = (long)(own_ns % NSEC_PER_SEC)};
}

uint64_t clock_from_seconds(double seconds)
{
	return (uint64_t)(seconds * (double)NSEC_PER_SEC);
}

uint64_t clock_boottime_ns(void)
{
	return clock_read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_boottime_to_host_ns(uint64_t boottime_ns)
{
	return boottime_ns - (uint64_t)boottime_offset_ns;
}

uint64_t clock_realtime_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}

void clock_format_rfc3339(char *out, size_t size, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / NSEC_PER_SEC);
	unsigned int micros = (unsigned int)(realtime_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	struct tm tm;
	char date[32];

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%06uZ", date, micros);
}

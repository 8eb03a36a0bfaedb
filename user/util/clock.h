/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Clocks of the host in nanoseconds, whatever this process's time namespace. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

/*
 * Learns how far this process's time namespace shifts the clocks below, which are the host's. Before Linux 6.1 a
 * process that was started by unshare is not in the namespace, but its children are: it joins them. Call at the start,
 * with one thread. Returns 0 or a negative errno.
 */
int clock_join_namespace(void);
/* The host's CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns(), which no time namespace shifts. */
uint64_t clock_monotonic_ns(void);
/* The same moment as the kernel takes it from this process. */
struct timespec clock_monotonic_timespec(uint64_t monotonic_ns);
/* CLOCK_BOOTTIME as this process's time namespace has it. */
uint64_t clock_boottime_ns(void);
/* A CLOCK_BOOTTIME that was read in this process's time namespace, as the host's. */
uint64_t clock_boottime_to_host_ns(uint64_t boottime_ns);
/* 0 s to 292 years; what is finer than a nanosecond is cut off. */
uint64_t clock_from_seconds(double seconds);
static inline uint64_t clock_earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}
/* CLOCK_REALTIME since the epoch. */
uint64_t clock_realtime_ns(void);

#define RFC3339_SIZE sizeof("2026-11-23T21:56:43.123456Z")
/* RFC 3339 in UTC with microseconds; out has RFC3339_SIZE bytes. */
void clock_format_rfc3339(char *out, size_t size, uint64_t realtime_ns);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Clocks in nanoseconds, as the host and as this process's time namespace have them. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

/*
 * Reads how far this process's time namespace shifts the clocks below. Before Linux 6.1 unshare puts only a process's
 * children into the new namespace: this process joins it. Call at the start, with one thread. Returns 0 or a negative
 * errno.
 */
int clock_join_namespace(void);
/* The host's CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns(), which no time namespace shifts. */
uint64_t clock_monotonic_ns(void);
/* Converts clock_monotonic_ns() to this time namespace, for system calls. */
struct timespec clock_monotonic_timespec(uint64_t monotonic_ns);
/* CLOCK_BOOTTIME in this process's time namespace. */
uint64_t clock_boottime_ns(void);
/* Converts clock_boottime_ns() to the host's CLOCK_BOOTTIME. */
uint64_t clock_boottime_to_host_ns(uint64_t boottime_ns);
/* seconds is 0 to 292 years; fractions of a nanosecond are cut off. */
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

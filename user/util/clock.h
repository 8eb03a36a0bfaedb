/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

/* CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns(). */
uint64_t clock_monotonic_ns(void);
/* CLOCK_REALTIME since the epoch. */
uint64_t clock_realtime_ns(void);

#define RFC3339_SIZE sizeof("2026-11-23T21:56:43.123456Z")
/* RFC 3339 in UTC with microseconds; out has RFC3339_SIZE bytes. */
void clock_format_rfc3339(char *out, size_t size, uint64_t realtime_ns);

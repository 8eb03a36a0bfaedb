/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A moment in records: an RFC 3339 text and its monotonic companion. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* Sets column ("started_at") and its companion; for clock_realtime_ns() and clock_monotonic_ns(). 0 or -ENOMEM. */
int moment_set(json_t *columns, const char *column, uint64_t realtime_ns, uint64_t monotonic_ns);
/* The same for a moment of clock_monotonic_ns() in the past. */
void moment_add(json_t *columns, const char *column, uint64_t monotonic_ns);
/* Adds now to a message: "at" and "monotonic_ns". */
void moment_add_now(json_t *json);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A moment in records: an RFC 3339 text and a companion with its monotonic time. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* Sets column ("started_at") to realtime_ns as text and its companion ("started_at_monotonic_ns"). 0 or -ENOMEM. */
int moment_set(json_t *columns, const char *column, uint64_t realtime_ns, uint64_t monotonic_ns);
/* As moment_set(), for a past clock_monotonic_ns(). */
void moment_add(json_t *columns, const char *column, uint64_t monotonic_ns);
/* Adds the current time to a message as "at" and "monotonic_ns". */
void moment_add_now(json_t *json);

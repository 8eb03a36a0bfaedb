/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/moment.h"

#include <errno.h>
#include <stdio.h>

#include "util/clock.h"

int moment_set(json_t *columns, const char *column, uint64_t realtime_ns, uint64_t monotonic_ns)
{
	char text[RFC3339_SIZE], companion[64];

	clock_format_rfc3339(text, sizeof(text), realtime_ns);
	snprintf(companion, sizeof(companion), "%s_monotonic_ns", column);
	if (json_object_set_new(columns, column, json_string(text)) ||
	    json_object_set_new(columns, companion, json_integer((json_int_t)monotonic_ns)))
		return -ENOMEM;
	return 0;
}

void moment_add(json_t *columns, const char *name, uint64_t monotonic_ns)
{
	uint64_t age_ns = clock_monotonic_ns() - monotonic_ns;

	moment_set(columns, name, clock_realtime_ns() - age_ns, monotonic_ns);
}

void moment_add_now(json_t *json)
{
	char at[RFC3339_SIZE];

	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	json_object_set_new(json, "at", json_string(at));
	json_object_set_new(json, "monotonic_ns", json_integer((json_int_t)clock_monotonic_ns()));
}

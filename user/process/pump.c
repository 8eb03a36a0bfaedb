/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "util/array.h"
#include "util/clock.h"

struct pump_entry {
	const struct pump_source *source;
	void *arg;
};

int pump_add(struct pump *pump, const struct pump_source *source, void *arg, struct error *err)
{
	struct pump_entry *entries = array_reserve(pump->entries, pump->count, &pump->room, 8, sizeof(*entries));

	if (!entries)
		return error_set(err, -ENOMEM, "out of memory");
	pump->entries = entries;
	entries[pump->count++] = (struct pump_entry){.source = source, .arg = arg};
	return 0;
}

void pump_step(struct pump *pump)
{
	for (size_t i = 0; i < pump->count; i++)
		if (pump->entries[i].source->step)
			pump->entries[i].source->step(pump->entries[i].arg);
}

static uint64_t earliest_wake_ns(const struct pump *pump, uint64_t until_ns)
{
	for (size_t i = 0; i < pump->count; i++) {
		const struct pump_entry *entry = &pump->entries[i];

		if (entry->source->wake_ns)
			until_ns = clock_earlier(until_ns, entry->source->wake_ns(entry->arg));
	}
	return until_ns;
}

static size_t collect_fds(struct pump *pump)
{
	size_t most = 0, used = 0;

	for (size_t i = 0; i < pump->count; i++)
		if (pump->entries[i].source->poll_fds)
			most += pump->entries[i].source->poll_count(pump->entries[i].arg);
	if (most > pump->fds_room) {
		struct pollfd *grown = realloc(pump->fds, most * 2 * sizeof(*grown));

		if (!grown)
			return 0;
		pump->fds = grown;
		pump->fds_room = most * 2;
	}
	for (size_t i = 0; i < pump->count; i++)
		if (pump->entries[i].source->poll_fds)
			used += pump->entries[i].source->poll_fds(pump->entries[i].arg, pump->fds + used);
	return used;
}

void pump_wait(struct pump *pump, uint64_t until_ns)
{
	uint64_t at_ns = earliest_wake_ns(pump, until_ns), now_ns = clock_monotonic_ns();
	uint64_t wait_ns = at_ns > now_ns ? at_ns - now_ns : 0;
	struct timespec timeout = {
		.tv_sec = (time_t)(wait_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(wait_ns % NSEC_PER_SEC),
	};
	size_t count = collect_fds(pump);

	ppoll(pump->fds, count, at_ns == UINT64_MAX ? NULL : &timeout, NULL);
}

void pump_clear(struct pump *pump)
{
	free(pump->entries);
	free(pump->fds);
	*pump = (struct pump){};
}

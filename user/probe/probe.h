/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open-loop probes: samples start on schedule, and a slow sample does not delay the next. The caller's poll loop drives
 * them.
 */
#pragma once

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* Good samples in a row that mean "recovered"; also how many of the last samples probes_healthy judges. */
#define PROBE_GOOD_SAMPLES 5

struct probes;

struct probe_list {
	const struct probe *items;
	size_t count;
};
/* Probes of the subject for one of its instances; the namespaces must be there. cgroup_fd as in proc_spec. */
int probes_new(struct probes **out, const struct subject *subject, struct probe_list list, unsigned int instance,
	       int cgroup_fd, struct error *err);
/* Kills the samples that still run. */
void probes_free(struct probes *probes);

/* First samples are due at now_ns. */
void probes_start(struct probes *probes, uint64_t now_ns);
/* Starts no new samples; running samples continue to their end or timeout. */
void probes_finish(struct probes *probes);
bool probes_running(const struct probes *probes);

/*
 * Records ended samples and starts due ones with this phase (which must outlive them) and environment. A sample that
 * cannot start is recorded as bad.
 */
void probes_step(struct probes *probes, const char *phase, char *const *environment);
/* Latest time of the next probes_step, CLOCK_MONOTONIC. */
uint64_t probes_wake_ns(const struct probes *probes);
size_t probes_poll_count(const struct probes *probes);
size_t probes_poll_fds(const struct probes *probes, struct pollfd *out);

/* How many samples probes_take_samples() would return. */
size_t probes_pending(const struct probes *probes);
/* Returns the samples that ended since the last call, as store_samples_add() takes them; NULL if none. */
json_t *probes_take_samples(struct probes *probes);
/*
 * Returns the values that PROBE_METRICS brought since the last call: [{"source", "series", "since_ns": of a rate, its
 * start, "at_ns", "value", "kind": "gauge", or "rate" per second}]; NULL if none.
 */
json_t *probes_take_values(struct probes *probes);
/* Resets the streak of good samples; samples started before since_ns no longer count. */
void probes_count_from(struct probes *probes, uint64_t since_ns);
/* True if each probe's current streak since probes_count_from has PROBE_GOOD_SAMPLES good samples or more. */
bool probes_recovered(const struct probes *probes);
/*
 * False if more than half of a probe's last samples (up to PROBE_GOOD_SAMPLES) were bad; reason then gives the probe
 * and its last error. A probe without samples counts as healthy.
 */
bool probes_healthy(const struct probes *probes, char *reason, size_t size);
/*
 * {NAME: {"ok": true, "good_in_a_row": n, "samples": n, "missed": n, "latency_ms": x, "error": text}} of each probe's
 * last sample and totals. "ok" and "latency_ms" are null before the first sample, "error" is null without an error.
 */
json_t *probes_state(const struct probes *probes);
/*
 * [{"text", "count", "output": of the last one, or null}] of a probe's bad samples: the first 20 texts that occurred,
 * and "others". index is the probe's in the subject.
 */
json_t *probes_errors(const struct probes *probes, size_t index);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open-loop probes: samples start on schedule, a slow one does not hold back the next. Driven by the caller's poll
 * loop.
 */
#pragma once

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* In a row after the revert: recovered (SPEC.md "Records"). As many at the end of warm-up are looked at. */
#define PROBE_GOOD_SAMPLES 5

struct probes;

/* probes must live as long. cgroup_fd as in proc_spec. */
int probes_new(struct probes **out, const struct probe *probes, size_t count, int cgroup_fd, struct error *err);
/* Kills what still runs. */
void probes_free(struct probes *probes);

/* First samples are due at now_ns. */
void probes_start(struct probes *probes, uint64_t now_ns);
/* No new samples from now on; those under way go on to their end or timeout. */
void probes_finish(struct probes *probes);
bool probes_running(const struct probes *probes);

/*
 * Handles what has ended and starts what is due. phase and environment are those of the samples that start now;
 * what cannot start is a bad sample.
 */
void probes_step(struct probes *probes, const char *phase, char *const *environment);
/* When probes_step has to be called again at the latest. */
uint64_t probes_wake_ns(const struct probes *probes);
size_t probes_poll_count(const struct probes *probes);
size_t probes_poll_fds(const struct probes *probes, struct pollfd *out);

/* The samples that ended since the last call, as store_samples_add() takes them; NULL: none. */
json_t *probes_take_samples(struct probes *probes);
/* Rows of good samples start anew, with samples that start at since_ns or later. */
void probes_count_from(struct probes *probes, uint64_t since_ns);
/* Each probe had PROBE_GOOD_SAMPLES good samples in a row since then. */
bool probes_recovered(const struct probes *probes);
/*
 * False where most of a probe's last samples (up to PROBE_GOOD_SAMPLES) were bad; reason says which probe and why.
 * A probe without any sample yet says nothing.
 */
bool probes_healthy(const struct probes *probes, char *reason, size_t size);
/* {NAME: {"ok": true, "good_in_a_row": n, "samples": n, "missed": n, "latency_ms": x, "error": text or null}} */
json_t *probes_state(const struct probes *probes);

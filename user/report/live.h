/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Internal to report/: what the live line of a running trial says of its probes and of its fault. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "report/spark.h"

#define LIVE_PROBES_MAX 6

struct live_probe {
	char name[32], state[48]; /* state: "ok 2.0 ms" */
	struct spark latency;     /* in ms */
};

/* Zero-initialize before use. */
struct live_trial {
	struct live_probe probes[LIVE_PROBES_MAX];
	size_t probe_count;
	bool has_hits;
	json_int_t hits;     /* of the kernel, so far */
	struct spark growth; /* hits between two messages */
};

/* Keeps what a worker's message "samples" says (trial/trial.h). */
void live_take(struct live_trial *live, const json_t *message);
/* The characters that live_describe needs for short sparklines. */
size_t live_width(const struct live_trial *live);
/* Writes "put ok 2.0 ms ▁▂█×, hits 12 ▁█▂": the sparklines are as long as fits `columns` characters. */
void live_describe(char *out, size_t size, const struct live_trial *live, size_t columns, bool utf8);

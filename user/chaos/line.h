/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A delay line: where the tc programs send packets and get them back from when their time has come. One per device
 * and direction. The line's device goes away with this process.
 */
#pragma once

#include <stdint.h>

#include "eval_abi.h"
#include "util/error.h"

/* What does not fit is counted as dropped. */
#define LINE_BYTES_MAX (256ULL << 20)

struct line;

struct line_ops {
	const char *engine;
	/* Creates the line's device in the current network namespace and brings it up. */
	int (*open)(struct line **out, struct error *err);
	/* Starts to move packets; counters live in shared memory and outlive the line. */
	int (*start)(struct line *line, struct eval_line *counters, struct error *err);
	/* Delivers at once, in order, what the line holds and what still comes in, until it stays empty. */
	void (*drain)(struct line *line);
	void (*free)(struct line *line);
};

/* The part that every line starts with. */
struct line {
	const struct line_ops *ops;
	char device[16];
	unsigned int ifindex;
};

extern const struct line_ops tap_line_ops;

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A delay line: the tc programs redirect packets to its device, and it returns each at its departure time. One per
 * device and direction. The line's device ends with this process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "eval_net.h"
#include "util/error.h"

struct bpf_object;
struct error;
struct line;
struct session;

struct line_ops {
	const char *engine;
	size_t hooks; /* number that start attaches */
	/* Creates the line's device in the current network namespace, brings it up and sets its part of config. */
	int (*open)(struct line **out, struct eval_latency_config *config, struct error *err);
	/*
	 * Attaches the line's hooks except the one on its device, and starts to move packets. counters is shared memory
	 * that outlives the line.
	 */
	int (*start)(struct line *line, struct bpf_object *obj, struct session *session, struct eval_line *counters,
		     struct error *err);
	/* Called with each lease renewal, in the device's network namespace like all of these: counts lost packets. */
	void (*renew)(struct line *line);
	/* For an inert fault: empties the line, or waits at most 2 s for it to empty and counts the rest as lost. */
	void (*drain)(struct line *line);
	void (*free)(struct line *line);
};

/* The first member of every line. */
struct line {
	const struct line_ops *ops;
	char device[16];
	unsigned int ifindex;
};

/* open returns -ENOPKG if the kernel lacks sch_fq or veth (fq line) or TUN (TAP line). */
extern const struct line_ops fq_line_ops;
extern const struct line_ops tap_line_ops;

/* Moves `lost` packets, at most those held, from the "held" counters to "dropped". */
void fq_line_count_lost(struct eval_line *counters, uint64_t lost);

/* Sets config->keeps_departure and returns the options of fq that go with it. */
struct tc_fq fq_line_plan(struct eval_latency_config *config);

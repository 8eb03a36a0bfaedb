/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A delay line: where the tc programs send packets and get them back from when their time has come. One per device
 * and direction. The line's device goes away with this process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "eval_abi.h"
#include "eval_net.h"
#include "kernel/session.h"
#include "net/device.h"
#include "util/error.h"

struct bpf_object;
struct error;
struct line;
struct session;

struct line_ops {
	const char *engine;
	size_t hooks; /* that start attaches */
	/* Creates the line's device in the current network namespace and brings it up; what it needs of config is set.
	 */
	int (*open)(struct line **out, struct eval_latency_config *config, struct error *err);
	/*
	 * Attaches what the line needs beside the hook on its device, and starts to move packets. Counters live in
	 * shared memory and outlive the line.
	 */
	int (*start)(struct line *line, struct bpf_object *obj, struct session *session, struct eval_line *counters,
		     struct error *err);
	/* With the lease: counts what was lost on the way since. In the device's network namespace, as all here. */
	void (*renew)(struct line *line);
	/* The fault is inert. Returns once the line is empty, at once or as soon as it can; what is lost is counted. */
	void (*drain)(struct line *line);
	void (*free)(struct line *line);
};

/* The part that every line starts with. */
struct line {
	const struct line_ops *ops;
	char device[16];
	unsigned int ifindex;
};

/* -ENOPKG from open: this kernel lacks what the line is made of (sch_fq, veth; TUN). */
extern const struct line_ops fq_line_ops;
extern const struct line_ops tap_line_ops;

/* Of what the line holds, so many packets were lost: from "held" to "dropped". */
void fq_line_count_lost(struct eval_line *counters, uint64_t lost);

/* Sets keeps_departure, and says how fq must be set up for it. */
struct tc_fq fq_line_plan(struct eval_latency_config *config);

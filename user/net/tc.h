/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Qdiscs and filters in the calling thread's network namespace, by netlink. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

struct tc_filter {
	unsigned int ifindex;
	uint32_t parent, chain;
	uint16_t priority, protocol; /* protocol in host order */
	uint32_t handle;             /* 0: the entry of the priority itself, ahead of its filters */
	uint32_t program_id;         /* 0: not a BPF filter */
	bool is_bpf;
};

/* clsact's two hooks. */
#define TC_PARENT_INGRESS 0xfffffff2U
#define TC_PARENT_EGRESS 0xfffffff3U

/*
 * Calls visit with every filter of a hook, in the order in which the kernel runs them within a chain. A non-zero result
 * ends the walk and is returned; otherwise 0 or a negative errno.
 */
int tc_each_filter(unsigned int ifindex, uint32_t parent, int (*visit)(const struct tc_filter *filter, void *data),
		   void *data);

/*
 * 1 if the device has clsact, the hooks' qdisc; 0 if none; -EEXIST if another (ingress), which has no egress hook; or a
 * negative errno.
 */
int tc_has_clsact(unsigned int ifindex);

/* Settings with which only skb->tstamp decides when fq sends a packet. */
struct tc_fq {
	uint32_t packets;     /* limit of the qdisc, and of each of its flows */
	uint32_t horizon_us;  /* packets that are due later leave at the horizon */
	uint32_t orphan_mask; /* of skb->hash: packets with equal bits are one flow, which keeps its order */
};

/* Tests for fq by setting it with its defaults. Returns 0 or a negative errno, -ENOENT if the kernel has no sch_fq. */
int tc_try_fq(unsigned int ifindex);
/* Makes fq the device's root qdisc. -ENOPKG if the kernel has no sch_fq. */
int tc_set_fq(const char *name, const struct tc_fq *fq, struct error *err);

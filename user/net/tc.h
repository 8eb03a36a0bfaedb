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
 * Visits every filter of a hook, in the order in which the kernel runs them within a chain; a non-zero return ends
 * the walk and is returned. Else 0 or a negative errno.
 */
int tc_each_filter(unsigned int ifindex, uint32_t parent, int (*visit)(const struct tc_filter *filter, void *data),
		   void *data);

/*
 * The qdisc that the hooks belong to: 1 clsact, 0 none, -EEXIST another (ingress) that has no hook on the way out,
 * or a negative errno.
 */
int tc_has_clsact(unsigned int ifindex);

/* fq so that only skb->tstamp decides when a packet leaves. */
struct tc_fq {
	uint32_t packets;     /* of the qdisc, and of each of its flows */
	uint32_t horizon_us;  /* what would leave later leaves then */
	uint32_t orphan_mask; /* of skb->hash: which packets are one flow and keep their order */
};

/* Sets one with its defaults, to see if it can be had: 0 or a negative errno, -ENOENT: this kernel has no sch_fq. */
int tc_try_fq(unsigned int ifindex);
/* The device's root qdisc. -ENOPKG: this kernel has no sch_fq. */
int tc_set_fq(const char *name, const struct tc_fq *fq, struct error *err);

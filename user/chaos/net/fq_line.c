/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fq line: a veth pair whose far end is in a network namespace that only this process holds, with fq as its qdisc.
 * The kernel moves all packets: see bpf/net/fq_line.bpf.h. Closing the namespace's descriptor removes the namespace and
 * both ends.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "chaos/net/line.h"
#include "eval_net.h"
#include "kernel/session.h"
#include "net/device.h"
#include "net/tc.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define FAR_DEVICE LINE_DEVICE_PREFIX "far"
/* Numbers tried for the near device's name. */
#define NAMES_MAX 4096
#define QUEUE_PACKETS 1000
/* How long revert waits for the line to empty: fq cannot release packets early. */
#define DRAIN_NS_MAX (2 * NSEC_PER_SEC)
#define DRAIN_SLACK_NS (200 * NSEC_PER_MSEC)
#define DRAIN_STEP_NS (NSEC_PER_MSEC / 2)
/* Counting lost packets takes the lock of all network devices. */
#define DRAIN_STEPS_A_LOOK 16

struct fq_line {
	struct line line; /* first: see line.h */
	int netns_fd;     /* the far end's */
	uint64_t drain_ns;
	uint64_t near_drops, far_drops; /* of the two devices, already counted */
	struct eval_line *counters;
};

struct tc_fq fq_line_plan(struct eval_latency_config *config)
{
	bool one_delay = config->min_ns == config->max_ns;

	/*
	 * fq does not look at a flow again before the departure of its first packet. If all delays are the same, the
	 * whole line is one flow of fq, which is cheapest. Otherwise each flow is one, so its packets leave in order;
	 * with reorder each departure time is one.
	 */
	config->keeps_departure = one_delay || config->reorder;
	return (struct tc_fq){
		.packets = EVAL_LINE_BYTES_MAX / EVAL_LINE_PACKET_BYTES,
		.horizon_us = (uint32_t)((config->max_ns + EVAL_PACING_NS_MAX) / 1000),
		.orphan_mask = one_delay ? 0 : UINT32_MAX,
	};
}

static int enter(int netns_fd, int *saved, struct error *err)
{
	_cleanup_close_ int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (own < 0 || (netns_fd < 0 ? unshare(CLONE_NEWNET) : setns(netns_fd, CLONE_NEWNET)))
		return error_set_errno(err, -errno, "cannot enter a network namespace of our own");
	*saved = TAKE_FD(own);
	return 0;
}

static int leave(int *saved, struct error *err)
{
	int ret = setns(*saved, CLONE_NEWNET) ? -errno : 0;

	*saved = fd_close(*saved);
	return ret ? error_set_errno(err, ret, "cannot return to the target's network namespace") : 0;
}

/* Numbers the name itself: the kernel would number "%d" too, but not report the name here. */
static int add_pair(struct fq_line *fq, int near_netns_fd, struct error *err)
{
	int ret = -EEXIST;

	for (unsigned int i = 0; ret == -EEXIST && i < NAMES_MAX; i++) {
		snprintf(fq->line.device, sizeof(fq->line.device), LINE_DEVICE_PREFIX "%u", i);
		ret = device_add_veth(FAR_DEVICE, fq->line.device, near_netns_fd);
	}
	if (ret == -EOPNOTSUPP)
		return error_set(err, -ENOPKG,
				 "this kernel has no veth (CONFIG_VETH), which line: fq needs: use line: tap or auto");
	return ret ? error_set_errno(err, ret, "cannot create the delay line's veth pair") : 0;
}

/* Call in the new namespace. */
static int far_end_create(struct fq_line *fq, const struct tc_fq *plan, int near_netns_fd, struct error *err)
{
	int ret;

	fq->netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fq->netns_fd < 0)
		return error_set_errno(err, -errno, "cannot open the delay line's network namespace");
	ret = add_pair(fq, near_netns_fd, err);
	if (!ret)
		ret = tc_set_fq(FAR_DEVICE, plan, err);
	return ret ? ret : device_set_up(FAR_DEVICE, QUEUE_PACKETS, err);
}

static int line_create(struct fq_line *fq, struct eval_latency_config *config, struct error *err)
{
	struct tc_fq plan = fq_line_plan(config);
	int saved = -1, ret, left;

	fq->drain_ns = config->max_ns + DRAIN_SLACK_NS < DRAIN_NS_MAX ? config->max_ns + DRAIN_SLACK_NS : DRAIN_NS_MAX;
	ret = enter(-1, &saved, err);
	if (ret)
		return ret;
	ret = far_end_create(fq, &plan, saved, err);
	left = leave(&saved, ret ? NULL : err);
	if (ret || left)
		return ret ? ret : left;
	fq->line.ifindex = if_nametoindex(fq->line.device);
	device_receive_in_order(fq->line.device);
	return device_set_up(fq->line.device, QUEUE_PACKETS, err);
}

static void fq_line_free(struct line *line)
{
	struct fq_line *fq = (struct fq_line *)line;
	int saved = -1;

	if (!fq)
		return;
	/* Closing the descriptor is enough, but the kernel may take seconds to delete the devices. */
	if (fq->netns_fd >= 0 && !enter(fq->netns_fd, &saved, NULL)) {
		device_delete(FAR_DEVICE);
		leave(&saved, NULL);
	}
	fd_close(fq->netns_fd);
	free(fq);
}

static int fq_line_open(struct line **out, struct eval_latency_config *config, struct error *err)
{
	struct fq_line *fq = calloc(1, sizeof(*fq));
	int ret;

	if (!fq)
		return error_set(err, -ENOMEM, "out of memory");
	fq->line.ops = &fq_line_ops;
	fq->netns_fd = -1;
	config->fq = 1;
	ret = line_create(fq, config, err);
	if (ret) {
		fq_line_free(&fq->line);
		return ret;
	}
	*out = &fq->line;
	return 0;
}

static int far_attach(struct bpf_object *obj, const char *name, enum hook hook, struct session *session,
		      struct error *err)
{
	struct bpf_program *program = bpf_object__find_program_by_name(obj, name);
	int ctl_fd = bpf_object__find_map_fd_by_name(obj, EVAL_CTL_MAP);
	/* The program does not use the control block; bound to it, it counts as the fault's in bpf-status. */
	int ret = bpf_prog_bind_map(bpf_program__fd(program), ctl_fd, NULL);

	if (ret)
		return error_set_errno(err, ret, "cannot tie %s to its fault", name);
	return session_attach(session, FAR_DEVICE, program, hook, if_nametoindex(FAR_DEVICE), HOOK_FIRST, err);
}

static int fq_line_start(struct line *line, struct bpf_object *obj, struct session *session, struct eval_line *counters,
			 struct error *err)
{
	struct fq_line *fq = (struct fq_line *)line;
	int saved = -1, ret, left;

	fq->counters = counters;
	ret = enter(fq->netns_fd, &saved, err);
	if (ret)
		return ret;
	ret = far_attach(obj, "line_depart", HOOK_TC_EGRESS, session, err);
	if (!ret)
		ret = far_attach(obj, "line_turn", HOOK_TC_INGRESS, session, err);
	left = leave(&saved, ret ? NULL : err);
	return ret ? ret : left;
}

/*
 * How many packets were lost since the last call because a CPU's queue was full (net.core.netdev_max_backlog): the
 * sending veth counts them as tx_dropped.
 */
static uint64_t fq_lost(struct fq_line *fq)
{
	uint64_t lost = device_tx_dropped(fq->line.device, &fq->near_drops);
	int saved = -1;

	if (!enter(fq->netns_fd, &saved, NULL)) {
		lost += device_tx_dropped(FAR_DEVICE, &fq->far_drops);
		leave(&saved, NULL);
	}
	return lost;
}

void fq_line_count_lost(struct eval_line *counters, uint64_t lost)
{
	int64_t bytes = __atomic_load_n(&counters->held_bytes, __ATOMIC_RELAXED);
	int64_t packets = __atomic_load_n(&counters->held_packets, __ATOMIC_RELAXED);
	int64_t dropped = (int64_t)__atomic_load_n(&counters->dropped, __ATOMIC_RELAXED);
	/* Negative if packets that drain had written off were delivered late. */
	int64_t gone = packets < (int64_t)lost ? packets : (int64_t)lost;

	if (gone < -dropped)
		gone = -dropped;
	/* The sizes of lost packets are unknown: take the mean of the held, or all bytes if none remains. */
	if (gone < packets)
		bytes = bytes / packets * gone;
	__atomic_fetch_sub(&counters->held_packets, gone, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&counters->held_bytes, bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counters->dropped, (uint64_t)gone, __ATOMIC_RELAXED);
}

static void fq_line_renew(struct line *line)
{
	struct fq_line *fq = (struct fq_line *)line;

	if (fq->counters)
		fq_line_count_lost(fq->counters, fq_lost(fq));
}

/* Waits until the line is empty, at most drain_ns. */
static void fq_line_drain(struct line *line)
{
	struct fq_line *fq = (struct fq_line *)line;
	uint64_t end_ns = clock_monotonic_ns() + fq->drain_ns;
	int64_t left;

	if (!fq->counters)
		return;
	for (unsigned int step = 0;; step++) {
		if (step % DRAIN_STEPS_A_LOOK == 0)
			fq_line_renew(line);
		left = __atomic_load_n(&fq->counters->held_packets, __ATOMIC_RELAXED);
		if (left <= 0 || clock_monotonic_ns() >= end_ns)
			break;
		nanosleep(&(struct timespec){.tv_nsec = DRAIN_STEP_NS}, NULL);
	}
	/* Packets that leave later than that count as lost. */
	if (left > 0)
		fq_line_count_lost(fq->counters, (uint64_t)left);
}

const struct line_ops fq_line_ops = {
	.engine = "fq",
	.hooks = 2,
	.open = fq_line_open,
	.start = fq_line_start,
	.renew = fq_line_renew,
	.drain = fq_line_drain,
	.free = fq_line_free,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's BPF programs, links and disk maps, read once to find those of each fault. Without the table, each fault
 * would need a walk over all of the kernel's objects.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "eval_abi.h"
#include "eval_disk.h"
#include "kernel/program.h"
#include "util/error.h"

/* A link, from struct bpf_link_info. */
struct live_link {
	__u32 id, program_id, type;
	__u32 ifindex, attach_type; /* ifindex: tcx and XDP only; attach_type: tcx only */
};

struct live_disk {
	__u32 map_id;
	struct eval_disk disk;
};

struct live_table {
	struct program *programs;
	struct live_link *links;
	struct live_disk *disks;
	size_t program_count, link_count, disk_count;
	size_t program_room, link_room, disk_room;
};

enum { LINK_TYPE_TRACING = 2, LINK_TYPE_XDP = 6, LINK_TYPE_PERF_EVENT = 7, LINK_TYPE_TCX = 11 };

/* -ENOENT if fd is not a link's. */
int live_link_read(struct live_link *attached, int fd);
/* Objects that are created or freed meanwhile may be missing. On failure (-ENOMEM) *table is empty. */
int live_table_read(struct live_table *table, struct error *err);
void live_table_clear(struct live_table *table);

/* The disk map of the fault whose control block is map ctl_map; NULL if it is not a disk fault. */
const struct live_disk *live_table_disk(const struct live_table *table, __u32 ctl_map);
/* Iterate over a fault's programs and a program's links: previous is NULL for the first; NULL ends. */
const struct program *live_table_next_program(const struct live_table *table, __u32 ctl_map,
					      const struct program *previous);
const struct live_link *live_table_next_link(const struct live_table *table, const struct program *program,
					     const struct live_link *previous);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's BPF programs, links and disk maps, read once: which program of which fault hangs on what. A look-up per
 * fault would ask the kernel about all of them for each.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "eval_abi.h"
#include "eval_disk.h"
#include "kernel/program.h"
#include "util/error.h"

/* Of struct bpf_link_info. */
struct live_link {
	__u32 id, program_id, type;
	__u32 ifindex, attach_type; /* of tcx and XDP links alone, attach_type of tcx alone */
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

/* What comes or goes meanwhile may be missing. On failure *table is empty. */
int live_table_read(struct live_table *table, struct error *err);
void live_table_clear(struct live_table *table);

/* Of the fault whose control block is map ctl_map: its disk map; NULL: it is no fault of a disk. */
const struct live_disk *live_table_disk(const struct live_table *table, __u32 ctl_map);
/* The fault's programs, one after another: previous NULL begins, NULL ends. */
const struct program *live_table_next_program(const struct live_table *table, __u32 ctl_map,
					      const struct program *previous);
const struct live_link *live_table_next_link(const struct live_table *table, const struct program *program,
					     const struct live_link *previous);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads eval's live faults from the kernel alone. */
#pragma once

#include <jansson.h>

#include "util/error.h"

/*
 * Every fault of this version, an array of
 * {"type", "campaign", "trial", "target", "engine", "device", "ifindex", "netns_ino", "netns" (name or null),
 *  "holder_pid", "holder_alive", "live", "seconds_left", "lease_seconds_left", "map_id", "hooks": [...] (as
 *  live_fault_hooks()), "protect": [...] (if its programs protect ports)}, and what the chaos type adds:
 * - network: "egress": {...}, "ingress": {...} (as fault_evidence());
 * - disk: "disk": {"data_dirs", "left_bytes", "reserved_bytes"}, with the hook engine also "seen", "refused":
 *   {"write", "append", "fallocate"} and "statfs_shrunk";
 * - any: "notes": [{"about": s, "text": s}], lines to print, and "over": what happens once its time is over.
 * New reference, NULL with err on failure.
 */
json_t *inventory_read(struct error *err);
/* Faults of other versions (EVAL_ABI_VERSION): an array of {"abi_version", "map_id", "stopped"}. New reference. */
json_t *inventory_other_versions(void);

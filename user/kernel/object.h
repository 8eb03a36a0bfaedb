/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* BPF objects: libbpf's messages, loading with an error text, and maps. */
#pragma once

#include <stddef.h>

#include "util/error.h"

struct bpf_object;

/* Prints libbpf's messages only if EVAL_DEBUG is set; object_load() puts the last warning into its error text. */
void object_log_init(void);

/*
 * object_load() explains in err why the kernel refused obj. object_size_map() sets a map's size before load, at least
 * one entry. object_map_fd() returns a descriptor that obj owns, or -ENOENT.
 */
int object_load(struct bpf_object *obj, struct error *err);
int object_size_map(struct bpf_object *obj, const char *name, size_t entries, struct error *err);
int object_map_fd(struct bpf_object *obj, const char *name);
/* The id of the object's control block, by which bpf-status finds a fault's other maps. */
int object_ctl_id(struct bpf_object *obj, unsigned int *id, struct error *err);
/* Maps the only entry of an mmapable array map, shared with forked children; NULL with err set. */
void *object_map_state(struct bpf_object *obj, const char *name, size_t size, struct error *err);

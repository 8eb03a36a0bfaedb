/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* BPF objects: libbpf's log, loading with a text, their maps. */
#pragma once

#include <stddef.h>

#include "util/error.h"

struct bpf_object;

/* Routes libbpf's messages through the log, one level quieter; the last warning ends up in error texts. */
void object_log_init(void);

/*
 * Loads obj and turns the kernel's refusal into a text that says what is missing. size_map sets a hash map's
 * size before load; a map needs at least one entry.
 */
int object_load(struct bpf_object *obj, struct error *err);
int object_size_map(struct bpf_object *obj, const char *name, size_t entries, struct error *err);
int object_map_fd(struct bpf_object *obj, const char *name);

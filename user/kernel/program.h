/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel tells about a loaded program: how its faults are found. */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>

#define PROGRAM_MAPS_MAX 32

struct program {
	__u32 id;
	__u32 type; /* enum bpf_prog_type */
	char name[BPF_OBJ_NAME_LEN];
	__u32 maps[PROGRAM_MAPS_MAX];
	__u32 map_count;
};

/* -ENOENT: no such program any more, or it is closed to us. */
int program_read(struct program *program, __u32 id);
int program_read_fd(struct program *program, int fd);
bool program_has_map(const struct program *program, __u32 map_id);
/* The map of this name among those that the program uses, as a descriptor. */
int program_map_open(const struct program *program, const char *name);
/* By its name: a delay line's, not one of a device's hooks. */
bool program_is_of_line(const char *name);
/* By its name, one of ours that drops packets, or learns whose they are: delays go behind it. */
bool program_drops(__u32 id);

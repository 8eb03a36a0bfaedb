/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel reports about a loaded BPF program, to find the programs of a fault. */
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

/* Both return -ENOENT if the program is gone or cannot be read. */
int program_read(struct program *program, __u32 id);
int program_read_fd(struct program *program, int fd);
bool program_has_map(const struct program *program, __u32 map_id);
/* Opens the program's map of this name. Returns a descriptor or -ENOENT. */
int program_map_open(const struct program *program, const char *name);
/* True if the program is of a fault, of this eval or another. */
bool program_is_ours(const struct program *program);
/* True if the program belongs to a delay line, not to a device's hooks. */
bool program_is_of_line(const char *name);
/* True if the program's name is one of ours that drop packets or learn flows: delay programs attach after it. */
bool program_drops(__u32 id);

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the engines with hooks on file calls share: programs attached, directories learned, hooks tested, detached. */
#pragma once

#include <bpf/libbpf.h>

#include "chaos/disk/disk.h"
#include "chaos/fault.h"
#include "eval_disk.h"

#define DISK_LINKS_MAX 8

struct disk_file_system {
	int fd;           /* of its first directory, not owned */
	const char *path; /* of the same directory */
	char type[16];
	char btrfs_uuid[DISK_BTRFS_UUID_SIZE];    /* "": not btrfs, or unknown */
	uint64_t available_bytes, reserved_bytes; /* at the start; disk_pressure only */
};

struct disk_attach {
	const struct fault_spec *spec;
	struct bpf_object *obj;
	struct eval_disk *shared; /* with the kernel */
	int refusal;              /* the negative errno that the self-test's calls get */
	bool tests_fallocate;     /* the self-test's fallocate has to be seen as one */
	const char *instead;      /* the engine that errors advise to use; NULL: none */
	struct bpf_link *links[DISK_LINKS_MAX];
	size_t link_count;
	struct disk_file_system file_systems[EVAL_DISK_DIRS]; /* in the order of shared->spaces */
	size_t file_system_count;
	double attach_ms, detach_ms;
};

/*
 * Explains err, the kernel's refusal to load the programs of this engine. Returns -EPERM (lockdown), -EOPNOTSUPP or
 * -ENOMEM: a kernel that lacks something returns EINVAL, ENOENT, ESRCH or E2BIG, which must not look like an error in
 * the request.
 */
int disk_explain_refusal(const char *engine, const char *instead, int code, struct error *err);
/* Attaches the programs that are loaded and that wants (NULL: all) takes, in their order in the object. */
int disk_attach_programs(struct disk_attach *attach, bool (*wants)(const struct bpf_program *), struct error *err);
/* Then: learns the directories, and tests that the hooks fire. */
int disk_attach_learn(struct disk_attach *attach, struct error *err);
void disk_attach_detach(struct disk_attach *attach);

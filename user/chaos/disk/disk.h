/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the engines of disk_pressure share. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "chaos/fault.h"
#include "eval_abi.h"
#include "eval_disk.h"
#include "target/target.h"

struct bpf_object;

/* How much of what is available shall seem gone. */
struct disk_request {
	double fill_percent;  /* NAN: leave_bytes counts */
	uint64_t leave_bytes; /* shall stay */
};

/* -EINVAL: less than leave_bytes is available. path is for the message. */
int disk_reserve(uint64_t *reserved_bytes, const struct disk_request *request, uint64_t available_bytes,
		 const char *path, struct error *err);
/* What df calls available. */
int disk_available(int fd, uint64_t *bytes);

/* The name of a btrfs below /sys/fs/btrfs, and what it has promised to data that statfs still counts as available. */
#define DISK_BTRFS_UUID_SIZE 37
int disk_btrfs_name(int fd, char uuid[DISK_BTRFS_UUID_SIZE]);
uint64_t disk_btrfs_pending(const char *uuid);

struct disk_request disk_request_of(const struct fault_spec *spec);

/* The object's map that bpf-status finds, mapped: shared with the kernel. */
int disk_share(struct eval_disk **out, struct bpf_object *obj, const struct target *target, struct error *err);

/* disk_guard.c: -EPERM or -EINVAL with a text that says how to insist. */
/* keep_margin: the host itself or a campaign's database is there, too, and that is allowed. */
int disk_guard_fill(const struct target *target, const struct target_directory *directory, bool *keep_margin,
		    struct error *err);
int disk_guard_hook(const struct target *target, const struct target_directory *directory, struct error *err);

struct disk_engine {
	const char *name;
	/* As struct chaos_ops; open also fills *shown, the engine in words. */
	int (*open)(void **state, const struct fault_spec *spec, const char **shown, struct error *err);
	int (*activate)(void *state, uint64_t duration_ns, struct error *err);
	int (*renew)(void *state, uint64_t lease_ns, struct error *err);
	void (*stop)(void *state);
	int (*revert)(void *state, struct error *err);
	json_t *(*evidence)(void *state);
	void (*free)(void *state);
};

extern const struct disk_engine disk_hook_engine, disk_fill_engine;

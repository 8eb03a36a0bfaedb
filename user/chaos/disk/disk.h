/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the engines of disk_pressure. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "chaos/fault.h"
#include "eval_disk.h"
#include "target/target.h"

struct bpf_object;
struct live_fault;

/* How much of the available space appears to be used. */
struct disk_request {
	double fill_percent;  /* NAN: leave_bytes applies */
	uint64_t leave_bytes; /* that stay available */
};

/* Returns -EINVAL if less than leave_bytes is available. path is for the message. */
int disk_reserve(uint64_t *reserved_bytes, const struct disk_request *request, uint64_t available_bytes,
		 const char *path, struct error *err);
/* The bytes that df reports as available. Returns 0 or a negative errno. */
int disk_available(int fd, uint64_t *bytes);

/*
 * A btrfs's UUID, its name below /sys/fs/btrfs, and the bytes that it has reserved for data but statfs still counts as
 * available.
 */
#define DISK_BTRFS_UUID_SIZE 37
int disk_btrfs_name(int fd, char uuid[DISK_BTRFS_UUID_SIZE]);
uint64_t disk_btrfs_pending(const char *uuid);

/* As disk_available(), less what a btrfs has reserved (btrfs_uuid "": it is none). */
int disk_available_now(int fd, const char *btrfs_uuid, uint64_t *bytes);

struct disk_request disk_request_of(const struct fault_spec *spec);

/* Maps the object's eval_disk, shared with the kernel and bpf-status, and sets its data_dirs and ctl_map. */
int disk_share(struct eval_disk **out, struct bpf_object *obj, const struct target *target, struct error *err);

/*
 * guard.c: 0, or a negative errno with a text that says what would allow it, if the directory's file system must not
 * fill up. *keep_margin: the host or a campaign's database may use it too.
 */
int disk_guard_fill(const struct target *target, const struct target_directory *directory, bool *keep_margin,
		    struct error *err);
/* The same if it is the host's root folder; what completes "everything on this host's root file system …". */
int disk_guard_root(const struct target *target, const struct target_directory *directory, const char *what,
		    struct error *err);

struct disk_engine {
	const char *name;
	/* Like struct chaos_ops; open also sets *shown, the engine's name for records. */
	int (*open)(void **state, const struct fault_spec *spec, const char **shown, struct error *err);
	int (*activate)(void *state, uint64_t duration_ns, struct error *err);
	int (*renew)(void *state, uint64_t lease_ns, struct error *err);
	void (*stop)(void *state);
	int (*revert)(void *state, struct error *err);
	json_t *(*evidence)(void *state);
	void (*free)(void *state);
};

/* engine.c: the engine that a type chose, the first member of its state; these call it, for struct chaos_ops. */
struct disk_chosen {
	const struct disk_engine *engine;
	void *state;
};
int disk_chosen_activate(void *state, uint64_t duration_ns, struct error *err);
int disk_chosen_renew(void *state, uint64_t lease_ns, struct error *err);
void disk_chosen_stop(void *state);
int disk_chosen_revert(void *state, struct error *err);
json_t *disk_chosen_evidence(void *state);
/* Frees the state, too. */
void disk_chosen_free(void *state);

/* live.c. {"write", "append", "fallocate"}: how many calls were refused. */
json_t *disk_refused(const struct eval_disk *disk);
uint64_t disk_left_bytes(uint64_t limit_bytes, uint64_t charged_bytes);
/* For struct chaos_ops. */
void disk_describe(char *out, size_t size, const json_t *evidence);
void disk_live(const struct live_fault *live, json_t *out);

extern const struct disk_engine disk_hook_engine, disk_precontent_engine, disk_fill_engine;

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits of a cgroup on disks (cgroup v2's io.max), which outlive who sets them: what was there is written down first,
 * in shared memory and in a file, and a process that outlives the holder restores it. For throttle/ and its type only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "eval_throttle.h"
#include "target/target.h"
#include "util/error.h"

/* disk.c: finds the whole disks below the target's data_dirs. */
int throttle_find_disks(struct eval_throttle *shared, const struct target *target, struct error *err);

/* limit.c: one cgroup's io.max and io.stat. */
extern const char *const throttle_limit_names[EVAL_THROTTLE_LIMITS]; /* the parameters */
/* Opens the cgroup at path, which must have this id if it is not 0, and io.max. */
int throttle_cgroup_open(int *cgroup_fd, const char *path, uint64_t id, struct error *err);
/* True for an error of it that means that the cgroup, with its limits, is there no more. */
bool throttle_cgroup_is_gone(int code);
/* Return 0 or a negative errno. A disk without a line has no limits, and has done nothing. */
int throttle_limits_read(int cgroup_fd, const struct eval_throttle_disk *disk, __u64 out[EVAL_THROTTLE_LIMITS]);
int throttle_limits_write(int cgroup_fd, const struct eval_throttle_disk *disk,
			  const __u64 limits[EVAL_THROTTLE_LIMITS]);
int throttle_stat_read(int cgroup_fd, const struct eval_throttle_disk *disk, __u64 out[EVAL_THROTTLE_LIMITS]);
/* "rbps=max wbps=1048576 riops=max wiops=max" */
#define THROTTLE_TEXT_SIZE 128
const char *throttle_limits_text(char out[THROTTLE_TEXT_SIZE], const __u64 limits[EVAL_THROTTLE_LIMITS]);
bool throttle_limits_equal(const __u64 a[EVAL_THROTTLE_LIMITS], const __u64 b[EVAL_THROTTLE_LIMITS]);
/* The µs for which some task of the cgroup waited for a disk (io.pressure); 0 if the kernel does not count them. */
uint64_t throttle_waited_us(int cgroup_fd);
/* Writes what was there if what is there is ours. 0, also if the cgroup or the disk is gone, or a negative errno. */
int throttle_restore_disk(int cgroup_fd, struct eval_throttle_disk *disk);

/*
 * record.c: the same as a file below HOST_LOCK_DIRECTORY, which holder and process hold locked. If both are killed at
 * once, chaos_restore_dead() (chaos/restore.h) restores from it.
 */
struct throttle_record {
	int fd; /* -1: none */
	char path[128];
};
int throttle_record_open(struct throttle_record *record, unsigned int ctl_map, struct error *err);
int throttle_record_write(const struct throttle_record *record, const struct eval_throttle *shared, struct error *err);
void throttle_record_remove(struct throttle_record *record);

/* serve.c: the process. */
struct throttle_server {
	const volatile struct eval_ctl *ctl; /* deadline and lease, shared */
	struct eval_throttle *shared;
	const struct target *target;
	const struct throttle_record *record;
	__u64 asked[EVAL_THROTTLE_LIMITS]; /* EVAL_THROTTLE_NO_LIMIT: not asked for */
	bool replaces;
	int cgroup_fd, socket;
};
/* A byte on the socket makes it set the limits; its answer is a struct error. */
_Noreturn void throttle_serve(const struct throttle_server *with);
/* For the holder, when the process is dead: restores what it left. */
int throttle_restore(struct eval_throttle *shared, int cgroup_fd, const char *path, struct error *err);

/* fault.c: for struct chaos_ops. */
struct fault;
int throttle_prepare(struct fault *fault, void **state, struct error *err);
int throttle_activate(void *state, uint64_t duration_ns, struct error *err);
int throttle_renew(void *state, uint64_t lease_ns, struct error *err);
void throttle_stop(void *state);
int throttle_revert(void *state, struct error *err);
json_t *throttle_evidence(void *state);
void throttle_free(void *state);

/* live.c */
struct live_fault;
json_t *throttle_to_json(const struct eval_throttle *shared);
void throttle_describe(char *out, size_t size, const json_t *evidence);
void throttle_live(const struct live_fault *live, json_t *out);

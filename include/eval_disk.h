/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ABI between disk_pressure's BPF programs and eval, in addition to eval_abi.h. */
#pragma once

#include "eval_abi.h"

#define EVAL_DISK_DIRS 4

enum eval_disk_call { EVAL_DISK_WRITE, EVAL_DISK_APPEND, EVAL_DISK_FALLOCATE, EVAL_DISK_CALLS };

/* How a file system reports the bytes allocated to a file, and whether overwriting allocates. */
enum eval_disk_layout {
	EVAL_LAYOUT_UNKNOWN, /* i_blocks may lag behind */
	EVAL_LAYOUT_BLOCKS,  /* i_blocks is exact */
	EVAL_LAYOUT_EXT4,
	EVAL_LAYOUT_XFS,
	EVAL_LAYOUT_BTRFS,
	EVAL_LAYOUT_COW, /* every write allocates */
};

/*
 * One per file system. The space left is limit_bytes - charged_bytes; the holder's samples set limit_bytes. The fill
 * engine puts sums over all file systems into the first: limit_bytes is available, reserved_bytes held by its files.
 */
struct eval_disk_space {
	__u64 super_block; /* the kernel's address; 0: unused */
	__u64 charged_bytes;
	__u64 limit_bytes;
	__u64 reserved_bytes;
	__u64 ahead_bytes; /* XFS: preallocated speculatively behind the ends of files; samples count them as left */
	__u32 layout;      /* enum eval_disk_layout */
	__u32 zero;
};

/* The only entry of an mmapable array map. The fill engine uses spaces[0], ctl_map and data_dirs only. */
struct eval_disk {
	__u64 directories[EVAL_DISK_DIRS]; /* the kernel's addresses of their inodes; 0: unused */
	struct eval_disk_space spaces[EVAL_DISK_DIRS];
	__u64 samples; /* of the real file systems */
	__u64 refused[EVAL_DISK_CALLS];
	__u64 statfs_shrunk;
	__u32 learning;     /* record the inode of the next directory that this thread of the holder lists; 0: none */
	__u32 probe_thread; /* self-test: refuse the writes of this thread of the holder, whatever is left; 0: none */
	__u64 learned_directory, learned_super_block;
	__u64 program; /* the kernel's address of the inode of eval's own binary */
	/* Ids in the initial PID namespace, as BPF programs see them. */
	__u32 exempt[2]; /* processes that are never refused: the holder and its coordinator; 0: none */
	__u32 thread, process, parent, zero; /* of the task that last ran disk_who_asks */
	__u32 probed;         /* a bit per enum eval_disk_call: the self-test's calls that the hook saw */
	__u32 ctl_map;        /* id of the fault's eval_ctl, for bpf-status: some programs use only one of the maps */
	char file_system[16]; /* type of the last one learned: "ext4" */
	char data_dirs[256];  /* for bpf-status */
};
_Static_assert(sizeof(struct eval_disk) == 600, "eval_disk is ABI");

/* Set before load. */
struct eval_disk_config {
	__s32 refusal; /* negative errno */
	__u32 cgroup_level;
	__u8 has_cgroup;
	__u8 zero[3];
};

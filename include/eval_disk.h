/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs on a disk and the program share, beside eval_abi.h. */
#pragma once

#include "eval_abi.h"

#define EVAL_DISK_DIRS 4

enum eval_disk_call { EVAL_DISK_WRITE, EVAL_DISK_APPEND, EVAL_DISK_FALLOCATE, EVAL_DISK_CALLS };

/* How a file system tells what a file has, and whether a write in place allocates. */
enum eval_disk_layout {
	EVAL_LAYOUT_UNKNOWN, /* i_blocks may lag behind */
	EVAL_LAYOUT_BLOCKS,  /* i_blocks is exact */
	EVAL_LAYOUT_EXT4,
	EVAL_LAYOUT_XFS,
	EVAL_LAYOUT_BTRFS,
	EVAL_LAYOUT_COW, /* every write allocates */
};

/*
 * One per file system. What is left is limit_bytes - charged_bytes; the holder's samples move limit_bytes. The fill
 * engine sums all of them up in the first: reserved_bytes is what its files hold.
 */
struct eval_disk_space {
	__u64 super_block; /* the kernel's address; 0: unused */
	__u64 charged_bytes;
	__u64 limit_bytes;
	__u64 reserved_bytes;
	__u64 ahead_bytes; /* allocated behind the ends of files, unasked: the next sample counts them as left */
	__u32 layout;      /* enum eval_disk_layout */
	__u32 zero;
};

/* In a mmapable array map of one entry. All but the last two are for the hook engine. */
struct eval_disk {
	__u64 directories[EVAL_DISK_DIRS]; /* the kernel's addresses of their inodes; 0: unused */
	struct eval_disk_space spaces[EVAL_DISK_DIRS];
	__u64 samples; /* of the real file systems */
	__u64 refused[EVAL_DISK_CALLS];
	__u64 statfs_shrunk;
	__u32 learning;     /* a thread of the holder: takes the inode of the next directory that it lists; 0: none */
	__u32 probe_thread; /* the holder's self-test: refuse this thread's writes, whatever is left; 0: none */
	__u64 learned_directory, learned_super_block;
	__u64 program; /* the kernel's address of the inode of eval's own binary */
	/* As the kernel's programs see them, which is not as a PID namespace does. */
	__u32 exempt[2]; /* processes that are never refused: the holder and its coordinator; 0: none */
	__u32 thread, process, parent, zero; /* disk_who_asks: of whoever ran it last */
	__u32 probed;                        /* bits by enum eval_disk_call: what the self-test came by */
	__u32 ctl_map;        /* id of the fault's eval_ctl, for bpf-status: not every program uses both maps */
	char file_system[16]; /* of the last one learned: "ext4" */
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

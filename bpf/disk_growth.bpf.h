/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a call needs of the disk, beyond what its file already has. */
#pragma once

#include "disk.bpf.h"

#define OPEN_APPEND 02000
/* Neither punch, collapse, insert nor reflink: those that add blocks keep or extend the size. */
#define FALLOCATE_ADDS (0x01 | 0x10)
#define BTRFS_IN_PLACE ((1 << 1) | (1 << 4)) /* BTRFS_INODE_NODATACOW, BTRFS_INODE_PREALLOC */
#define XFS_PREALLOCATED (1 << 1)            /* XFS_DIFLAG_PREALLOC */
#define CHARGE_TRIES 8

/* One call on its way from its entry to the permission hook, on the same task. */
struct disk_call {
	__u64 file; /* 0: none */
	__u64 offset;
	__u64 length;
	__u32 call; /* enum eval_disk_call */
	__u32 zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct disk_call);
} calls SEC(".maps");

/*
 * Of a file that grew: how far it is charged since the last sample, so that a call that is tried again is charged once.
 */
struct disk_mark {
	__u64 sample;
	__u64 inode_number;
	__u64 size; /* of the file, then: smaller now means that it was truncated */
	__u64 end;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64); /* address of the inode */
	__type(value, struct disk_mark);
} marks SEC(".maps");

/* The part that these file systems keep in structures of their own (in modules, so no header has them). */
struct ext4_inode_info___part {
	unsigned int i_reserved_data_blocks;
	struct inode vfs_inode;
} __attribute__((preserve_access_index));

struct xfs_inode___part {
	__u64 i_nblocks;
	__u64 i_delayed_blks;
	__u16 i_diflags;
	struct inode i_vnode;
} __attribute__((preserve_access_index));

struct btrfs_inode___part {
	__u32 flags;
	struct inode vfs_inode;
} __attribute__((preserve_access_index));

#define read_at(address, type, field) \
	({ \
		__typeof__(((type *)0)->field) value_ = 0; \
		bpf_probe_read_kernel(&value_, sizeof(value_), \
				      (void *)((address) + bpf_core_field_offset(type, field))); \
		(__u64) value_; \
	})

static __always_inline __u64 ext4_delayed_bytes(const struct inode *inode)
{
	__u64 outer = (__u64)inode - bpf_core_field_offset(struct ext4_inode_info___part, vfs_inode);

	return read_at(outer, struct ext4_inode_info___part, i_reserved_data_blocks) << inode->i_blkbits;
}

static __always_inline __u64 xfs_bytes(__u64 inode)
{
	__u64 outer = inode - bpf_core_field_offset(struct xfs_inode___part, i_vnode);

	return (read_at(outer, struct xfs_inode___part, i_nblocks) +
		read_at(outer, struct xfs_inode___part, i_delayed_blks))
	       << read_at(inode, struct inode, i_blkbits);
}

/*
 * XFS allocates behind the end of a file that grows, as much again while its disk has space. What nobody asked for is
 * not the file's yet: growing into it is charged, and samples count it as left.
 */
static __always_inline __u64 xfs_ahead(__u64 inode, __u64 bytes)
{
	__u64 outer = inode - bpf_core_field_offset(struct xfs_inode___part, i_vnode);
	__u64 block = 1ULL << read_at(inode, struct inode, i_blkbits);
	__u64 end = (read_at(inode, struct inode, i_size) + block - 1) & ~(block - 1);

	if (!bpf_core_field_exists(struct xfs_inode___part, i_diflags) ||
	    read_at(outer, struct xfs_inode___part, i_diflags) & XFS_PREALLOCATED)
		return 0;
	return bytes > end ? bytes - end : 0;
}

static __always_inline bool btrfs_is_in_place(const struct inode *inode)
{
	__u64 outer;

	if (!bpf_core_field_exists(struct btrfs_inode___part, flags))
		return false;
	outer = (__u64)inode - bpf_core_field_offset(struct btrfs_inode___part, vfs_inode);
	return read_at(outer, struct btrfs_inode___part, flags) & BTRFS_IN_PLACE;
}

/* Bytes that the file has on disk, promised ones included. *exact: none is missing. */
static __always_inline __u64 allocated_bytes(const struct inode *inode, __u32 layout, bool *exact)
{
	__u64 bytes = (__u64)inode->i_blocks << 9;

	*exact = layout == EVAL_LAYOUT_BLOCKS;
	if (layout == EVAL_LAYOUT_EXT4 &&
	    bpf_core_field_exists(struct ext4_inode_info___part, i_reserved_data_blocks)) {
		*exact = true;
		return bytes + ext4_delayed_bytes(inode);
	}
	if (layout == EVAL_LAYOUT_XFS && bpf_core_field_exists(struct xfs_inode___part, i_nblocks) &&
	    bpf_core_field_exists(struct xfs_inode___part, i_delayed_blks)) {
		*exact = true;
		bytes = xfs_bytes((__u64)inode);
		return bytes - xfs_ahead((__u64)inode, bytes);
	}
	return bytes;
}

/* After the last charge of this sample, if the file still is what it was then. */
static __always_inline __u64 mark_end(const struct disk_mark *mark, const struct inode *inode, __u64 samples)
{
	if (!mark || mark->sample != samples || mark->inode_number != inode->i_ino || (__u64)inode->i_size < mark->size)
		return 0;
	return mark->end;
}

static __always_inline void mark_set(const struct inode *inode, __u64 end, __u64 samples)
{
	struct disk_mark mark = {.sample = samples, .inode_number = inode->i_ino, .size = inode->i_size, .end = end};
	__u64 address = (__u64)inode;

	bpf_map_update_elem(&marks, &address, &mark, BPF_ANY);
}

/* Makes the file known where it is not. */
static __always_inline void mark_find(const struct inode *inode, __u64 samples)
{
	__u64 address = (__u64)inode;
	const struct disk_mark *mark = bpf_map_lookup_elem(&marks, &address);

	if (!mark || mark->inode_number != inode->i_ino)
		mark_set(inode, 0, samples);
}

/*
 * Charges and returns true, or returns false: not enough. Concurrent charges must never add up to a refusal that
 * none of them deserves, hence no add that is taken back.
 */
static __always_inline bool space_charge(struct eval_disk_space *space, __u64 bytes)
{
	for (int i = 0; i < CHARGE_TRIES; i++) {
		__u64 charged = space->charged_bytes;

		if (charged + bytes > space->limit_bytes)
			return false;
		if (__sync_val_compare_and_swap(&space->charged_bytes, charged, charged + bytes) == charged)
			return true;
	}
	__sync_fetch_and_add(&space->charged_bytes, bytes);
	return true;
}

static __always_inline __u64 beyond(__u64 end, __u64 start)
{
	return end > start ? end - start : 0;
}

static __always_inline __u64 larger(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/*
 * True if the call may go on. What is unsure is not charged, for the next sample corrects it, while a refusal that
 * a real disk would not give kills a database.
 */
static __always_inline bool disk_take(struct eval_disk *disk, struct eval_disk_space *space, const struct inode *inode,
				      const struct disk_call *call)
{
	__u64 size = inode->i_size, samples = disk->samples, allocated, growth, offset, end, address = (__u64)inode;
	bool exact;

	if (space->layout == EVAL_LAYOUT_COW || (space->layout == EVAL_LAYOUT_BTRFS && !btrfs_is_in_place(inode)))
		return space_charge(space, call->length);
	allocated = allocated_bytes(inode, space->layout, &exact);
	/* The position of an append is not set yet. */
	offset = call->call == EVAL_DISK_APPEND ? size : call->offset;
	end = offset + call->length;
	growth = beyond(end, larger(offset, larger(size, allocated)));
	if (call->call == EVAL_DISK_FALLOCATE)
		growth = larger(growth, beyond(call->length, allocated));
	if (!growth) {
		/* Inside the file, but a file with holes: taken to have its blocks at its start. */
		return !exact || end <= allocated || disk_left(space);
	}
	/* Concurrent appends all see one end of the file, so each is charged. */
	if (call->call == EVAL_DISK_WRITE) {
		__u64 charged = mark_end(bpf_map_lookup_elem(&marks, &address), inode, samples);

		if (charged >= end)
			return true;
		growth = beyond(end, larger(end - growth, charged));
	}
	if (!space_charge(space, growth))
		return false;
	if (call->call == EVAL_DISK_WRITE)
		mark_set(inode, end, samples);
	else if (space->layout == EVAL_LAYOUT_XFS)
		mark_find(inode, samples);
	return true;
}

static long add_ahead(struct bpf_map *map, const __u64 *address, const struct disk_mark *mark, void *context)
{
	__u64 inode = *address, super_block = read_at(inode, struct inode, i_sb);
	struct eval_disk *disk = disk_state();

	/* No XFS is loaded. */
	if (!bpf_core_field_exists(struct xfs_inode___part, i_nblocks))
		return 1;
	/* The inode may be gone; what is in its place then is read safely, and most likely has another number. */
	if (!disk || read_at(inode, struct inode, i_ino) != mark->inode_number)
		return 0;
	for (__u32 i = 0; i < EVAL_DISK_DIRS; i++)
		if (disk->spaces[i].super_block == super_block && disk->spaces[i].layout == EVAL_LAYOUT_XFS)
			disk->spaces[i].ahead_bytes += xfs_ahead(inode, xfs_bytes(inode));
	return 0;
}

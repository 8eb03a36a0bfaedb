/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many blocks a file has, read from its file system's own structures. */
#pragma once

#include "disk/disk.bpf.h"

#define BTRFS_IN_PLACE ((1 << 1) | (1 << 4)) /* BTRFS_INODE_NODATACOW, BTRFS_INODE_PREALLOC */
#define XFS_PREALLOCATED (1 << 1)            /* XFS_DIFLAG_PREALLOC */
#define EXT4_EXTENTS 0xf30a                  /* EXT4_EXT_MAGIC */
#define EXT4_ENTRY_BYTES 12                  /* of an extent, and of an index to extents */
#define XFS_ENTRY_BYTES 16

/* The members used of these file systems' own structures, which are in modules and therefore not in vmlinux.h. */
struct ext4_inode_info___part {
	__u32 i_data[15];
	__u64 i_file_acl;
	unsigned int i_reserved_data_blocks;
	struct inode vfs_inode;
} __attribute__((preserve_access_index));

struct xfs_btree_block___part {
	__u16 bb_level, bb_numrecs; /* big-endian */
} __attribute__((preserve_access_index));

struct xfs_ifork___part {
	struct xfs_btree_block___part *if_broot;
} __attribute__((preserve_access_index));

struct xfs_inode___part {
	struct xfs_ifork___part i_df;
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

static __always_inline __u64 beyond(__u64 end, __u64 start)
{
	return end > start ? end - start : 0;
}

static __always_inline __u64 larger(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* Rounds a position up to the end of its block. */
static __always_inline __u64 block_end(__u64 inode, __u64 end)
{
	__u64 mask = (1ULL << read_at(inode, struct inode, i_blkbits)) - 1;

	return (end + mask) & ~mask;
}

/*
 * The number of blocks in the tree that maps a file's blocks; the file system counts them as the file's. The root is in
 * the inode and has root_entries blocks below it. With more levels, each of these is assumed to have fan_out below it.
 */
static __always_inline __u64 tree_blocks(__u32 levels, __u32 root_entries, __u64 fan_out)
{
	if (!levels)
		return 0;
	return levels == 1 ? root_entries : root_entries * (1 + fan_out);
}

/* Bytes of a file's blocks that do not hold its data; without extents, all blocks behind the file's end. */
static __always_inline __u64 ext4_overhead(const struct inode *inode, __u64 bytes)
{
	__u64 outer = (__u64)inode - bpf_core_field_offset(struct ext4_inode_info___part, vfs_inode);
	__u64 blocks = read_at(outer, struct ext4_inode_info___part, i_file_acl) ? 1 : 0;
	struct {
		__u16 magic, entries, max, depth; /* little-endian: struct ext4_extent_header */
	} root = {};

	bpf_probe_read_kernel(&root, sizeof(root),
			      (void *)(outer + bpf_core_field_offset(struct ext4_inode_info___part, i_data)));
	if (root.magic != EXT4_EXTENTS)
		return beyond(bytes, block_end((__u64)inode, inode->i_size));
	blocks += tree_blocks(root.depth, root.entries, (1ULL << inode->i_blkbits) / EXT4_ENTRY_BYTES);
	return blocks << inode->i_blkbits;
}

static __always_inline __u64 ext4_delayed_bytes(const struct inode *inode)
{
	__u64 outer = (__u64)inode - bpf_core_field_offset(struct ext4_inode_info___part, vfs_inode);

	return read_at(outer, struct ext4_inode_info___part, i_reserved_data_blocks) << inode->i_blkbits;
}

/* Allocated bytes, with delayed allocation but without the blocks of the extent tree. */
static __always_inline __u64 xfs_bytes(__u64 inode)
{
	__u64 outer = inode - bpf_core_field_offset(struct xfs_inode___part, i_vnode);
	__u64 blocks = read_at(outer, struct xfs_inode___part, i_nblocks) +
		       read_at(outer, struct xfs_inode___part, i_delayed_blks);
	__u64 root = read_at(outer, struct xfs_inode___part, i_df.if_broot),
	      bits = read_at(inode, struct inode, i_blkbits);

	if (root)
		blocks = beyond(blocks, tree_blocks(bpf_ntohs(read_at(root, struct xfs_btree_block___part, bb_level)),
						    bpf_ntohs(read_at(root, struct xfs_btree_block___part, bb_numrecs)),
						    (1ULL << bits) / XFS_ENTRY_BYTES));
	return blocks << bits;
}

/*
 * While there is space, XFS preallocates as much again behind the end of a growing file. Unless requested, this does
 * not count as the file's: growing into it is charged, and samples count it as left.
 */
static __always_inline __u64 xfs_ahead(__u64 inode, __u64 bytes)
{
	__u64 outer = inode - bpf_core_field_offset(struct xfs_inode___part, i_vnode);

	if (!bpf_core_field_exists(struct xfs_inode___part, i_diflags) ||
	    read_at(outer, struct xfs_inode___part, i_diflags) & XFS_PREALLOCATED)
		return 0;
	return beyond(bytes, block_end(inode, read_at(inode, struct inode, i_size)));
}

static __always_inline bool btrfs_is_in_place(const struct inode *inode)
{
	__u64 outer;

	if (!bpf_core_field_exists(struct btrfs_inode___part, flags))
		return false;
	outer = (__u64)inode - bpf_core_field_offset(struct btrfs_inode___part, vfs_inode);
	return read_at(outer, struct btrfs_inode___part, flags) & BTRFS_IN_PLACE;
}

/* Bytes allocated to a file's data. *exact is true if delayed allocation is certainly included. */
static __always_inline __u64 allocated_bytes(const struct inode *inode, __u32 layout, bool *exact)
{
	__u64 bytes = (__u64)inode->i_blocks << 9;

	*exact = layout == EVAL_LAYOUT_BLOCKS;
	if (layout == EVAL_LAYOUT_EXT4 &&
	    bpf_core_field_exists(struct ext4_inode_info___part, i_reserved_data_blocks)) {
		*exact = true;
		return beyond(bytes, ext4_overhead(inode, bytes)) + ext4_delayed_bytes(inode);
	}
	if (layout == EVAL_LAYOUT_XFS && bpf_core_field_exists(struct xfs_inode___part, i_nblocks) &&
	    bpf_core_field_exists(struct xfs_inode___part, i_delayed_blks)) {
		*exact = true;
		bytes = xfs_bytes((__u64)inode);
		return bytes - xfs_ahead((__u64)inode, bytes);
	}
	return bytes;
}

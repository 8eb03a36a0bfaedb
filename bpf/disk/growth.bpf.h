/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much space a call needs beyond what its file already has. */
#pragma once

#include "disk/blocks.bpf.h"

#define OPEN_APPEND 02000
/* fallocate's modes that may add blocks: KEEP_SIZE, ZERO_RANGE, UNSHARE_RANGE, WRITE_ZEROES. */
#define FALLOCATE_ADDS (0x01 | 0x10 | 0x40 | 0x80)
#define CHARGE_TRIES 8
/* No call writes more: the kernel's MAX_RW_COUNT. */
#define CALL_BYTES_MAX 0x7ffff000ULL
/* The size of a pipe's buffers and the numbers of system calls, for x86-64. */
#define PAGE_BYTES 4096
#define SYSCALL_SENDFILE 40
#define SYSCALL_SPLICE 275

/* The call that a task is in, kept from its entry to the permission hook. */
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
 * How far a file that grew is charged since the last sample, so that a call that is tried again is charged once.
 */
struct disk_mark {
	__u64 sample;
	__u64 inode_number;
	__u64 size;       /* of the file at that time; a smaller size now means that it was truncated */
	__u64 start, end; /* the charged range; start is 0 if the file is charged for its growth */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64); /* address of the inode */
	__type(value, struct disk_mark);
} marks SEC(".maps");

static __always_inline const struct file *file_of(struct task_struct *task, __u32 descriptor)
{
	struct file **descriptors = BPF_CORE_READ(task, files, fdt, fd), *file = NULL;

	bpf_probe_read_kernel(&file, sizeof(file), descriptors + descriptor);
	return file;
}

static __always_inline __u64 pipe_bytes(const struct file *file)
{
	const struct pipe_inode_info *pipe = BPF_CORE_READ(file, private_data);

	return (__u64)(BPF_CORE_READ(pipe, head) - BPF_CORE_READ(pipe, tail)) * PAGE_BYTES;
}

/* Bytes left in sendfile's source. offset: address of the caller's position, 0: the file's own. */
static __always_inline __u64 source_bytes(const struct file *source, __u64 offset)
{
	loff_t position = 0;
	__u64 size;

	if ((BPF_CORE_READ(source, f_inode, i_mode) & MODE_TYPE) != MODE_REGULAR)
		return CALL_BYTES_MAX;
	if (offset)
		bpf_probe_read_user(&position, sizeof(position), (void *)offset);
	else
		position = BPF_CORE_READ(source, f_pos);
	size = BPF_CORE_READ(source, f_inode, i_size);
	return size > (__u64)position ? size - position : 0;
}

/* The most that the current call can write: sendfile and splice may request more than their source has. */
static __always_inline __u64 call_bytes_max(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct pt_regs *registers = (void *)bpf_task_pt_regs(task);

	if (registers->orig_ax == SYSCALL_SENDFILE)
		return source_bytes(file_of(task, registers->si), registers->dx);
	return registers->orig_ax == SYSCALL_SPLICE ? pipe_bytes(file_of(task, registers->di)) : CALL_BYTES_MAX;
}

/* The end of what is charged since the last sample; 0 if nothing is, or the file was replaced or truncated. */
static __always_inline __u64 mark_end(const struct disk_mark *mark, const struct inode *inode, __u64 samples)
{
	if (!mark || mark->sample != samples || mark->inode_number != inode->i_ino || (__u64)inode->i_size < mark->size)
		return 0;
	return mark->end;
}

static __always_inline void mark_set(const struct inode *inode, __u64 start, __u64 end, __u64 samples)
{
	struct disk_mark mark = {
		.sample = samples, .inode_number = inode->i_ino, .size = inode->i_size, .start = start, .end = end};
	__u64 address = (__u64)inode;

	bpf_map_update_elem(&marks, &address, &mark, BPF_ANY);
}

/* Adds a mark if the file has none, for add_ahead(). */
static __always_inline void mark_find(const struct inode *inode, __u64 samples)
{
	__u64 address = (__u64)inode;
	const struct disk_mark *mark = bpf_map_lookup_elem(&marks, &address);

	if (!mark || mark->inode_number != inode->i_ino)
		mark_set(inode, 0, 0, samples);
}

/*
 * Charges and returns true, or returns false if not enough is left. It never adds and then subtracts again: the sum of
 * concurrent charges could then refuse a call although its bytes fit.
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

/* Bytes that a copy-on-write takes: its own, or those of the blocks that it begins behind the file's end if more. */
static __always_inline __u64 bytes_to_copy(const struct inode *inode, __u64 offset, __u64 length)
{
	__u64 mask = (1ULL << inode->i_blkbits) - 1, address = (__u64)inode;
	__u64 start = larger(offset & ~mask, block_end(address, inode->i_size));

	return larger(length, beyond(block_end(address, offset + length), start));
}

/*
 * The hook may see a write several times: 6.1's splice and copy_file_range as a whole and in pieces, io_uring's with
 * each retry. A charged range is not charged again, except by appends: concurrent ones look the same.
 */
static __always_inline bool copy_take(struct eval_disk_space *space, const struct inode *inode,
				      const struct disk_call *call, __u64 offset, __u64 samples)
{
	__u64 address = (__u64)inode, end = offset + call->length;
	const struct disk_mark *mark = bpf_map_lookup_elem(&marks, &address);

	if (call->call != EVAL_DISK_WRITE)
		return space_charge(space, bytes_to_copy(inode, offset, call->length));
	if (mark && end <= mark_end(mark, inode, samples) && offset >= mark->start)
		return true;
	if (!space_charge(space, bytes_to_copy(inode, offset, call->length)))
		return false;
	mark_set(inode, offset, end, samples);
	return true;
}

/*
 * True if the call may proceed. In doubt nothing is charged: the next sample corrects that, while a refusal that a real
 * disk would not give kills a database. Growth is charged in whole blocks.
 */
static __always_inline bool disk_take(struct eval_disk *disk, struct eval_disk_space *space, const struct inode *inode,
				      const struct disk_call *call)
{
	__u64 size = inode->i_size, samples = disk->samples, mask = (1ULL << inode->i_blkbits) - 1;
	__u64 allocated, growth, offset, end, last, address = (__u64)inode;
	bool exact;

	/* The position of an append is not set yet. */
	offset = call->call == EVAL_DISK_APPEND ? size : call->offset;
	end = offset + call->length;
	if (space->layout == EVAL_LAYOUT_COW || (space->layout == EVAL_LAYOUT_BTRFS && !btrfs_is_in_place(inode)))
		return copy_take(space, inode, call, offset, samples);
	allocated = allocated_bytes(inode, space->layout, &exact);
	last = (end + mask) & ~mask;
	offset &= ~mask;
	growth = beyond(last, larger(offset, larger((size + mask) & ~mask, allocated)));
	if (call->call == EVAL_DISK_FALLOCATE)
		growth = larger(growth, beyond(last - offset, allocated));
	if (!growth) {
		/* The write is inside the file. A file with holes is assumed to have its blocks at its start. */
		return !exact || end <= allocated || disk_left(space);
	}
	/* Charge a range once, but each append: concurrent appends see the same end of file. */
	if (call->call == EVAL_DISK_WRITE) {
		__u64 charged = mark_end(bpf_map_lookup_elem(&marks, &address), inode, samples);

		if (charged >= last)
			return true;
		growth = beyond(last, larger(last - growth, charged));
	}
	if (!space_charge(space, growth))
		return false;
	/* A concurrent write may have set a later end. */
	if (call->call == EVAL_DISK_WRITE)
		mark_set(inode, 0, larger(last, mark_end(bpf_map_lookup_elem(&marks, &address), inode, samples)),
			 samples);
	else if (space->layout == EVAL_LAYOUT_XFS)
		mark_find(inode, samples);
	return true;
}

static long add_ahead(struct bpf_map *map, const __u64 *address, const struct disk_mark *mark, void *context)
{
	__u64 inode = *address, super_block = read_at(inode, struct inode, i_sb);
	struct eval_disk *disk = disk_state();

	/* The XFS module is not loaded. */
	if (!bpf_core_field_exists(struct xfs_inode___part, i_nblocks))
		return 1;
	/* If the inode was freed, its memory is still read safely, and most likely has another number now. */
	if (!disk || read_at(inode, struct inode, i_ino) != mark->inode_number)
		return 0;
	for (__u32 i = 0; i < EVAL_DISK_DIRS; i++)
		if (disk->spaces[i].super_block == super_block && disk->spaces[i].layout == EVAL_LAYOUT_XFS)
			disk->spaces[i].ahead_bytes += xfs_ahead(inode, xfs_bytes(inode));
	return 0;
}

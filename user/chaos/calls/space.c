/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The space that is left for the target's files: what the file system says is available, less what is reserved, less
 * what was granted so lately that the file system may not count it yet. The same accounting as that of the hook engine
 * (bpf/disk/growth.bpf.h), by what stat tells of a file.
 */
#include "chaos/calls/space.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "chaos/disk/disk.h"
#include "util/clock.h"

/* How often the real space is read; a granted call has taken its blocks after SETTLE_NS. */
#define SAMPLE_NS (20 * NSEC_PER_MSEC)
#define SETTLE_NS (10 * NSEC_PER_MSEC)
/* Charges of one STEP_NS are kept as one. */
#define STEP_NS NSEC_PER_MSEC
#define CHARGES_MAX 256
#define BLOCK_MASK 4095ULL
#define GROWN_MAX 32
/* No call writes more: the kernel's MAX_RW_COUNT. */
#define CALL_BYTES_MAX 0x7ffff000ULL
/* FALLOC_FL_WRITE_ZEROES, since Linux 6.17; Debian 12's header has no name for it. */
#define WRITE_ZEROES 0x80
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342 /* Debian 12's header has no name for it */
#endif

struct charge {
	uint64_t at_ns, bytes;
};

struct sample {
	uint64_t at_ns, available_bytes;
};

/* A file on XFS that grew: XFS preallocates behind its end, and takes that back when the file is closed. */
struct grown {
	ino_t inode; /* 0: unused */
	char path[PATH_MAX];
};

struct space {
	int fd; /* of a data_dir on it, not owned */
	fsid_t id;
	bool is_btrfs, is_xfs;
	struct grown *grown; /* GROWN_MAX of them, the newest at grown_newest; only on XFS */
	size_t grown_newest;
	char btrfs_uuid[DISK_BTRFS_UUID_SIZE];
	uint64_t reserved_bytes;
	/* Two, because ext4 counts blocks twice for a moment while it writes them back: the one with more counts. */
	struct sample samples[2];
	struct charge charges[CHARGES_MAX]; /* a ring, the newest at `newest` */
	size_t newest;
};

struct spaces {
	struct eval_calls *shared;
	struct space list[EVAL_CALLS_SPACES];
	size_t count;
};

static uint64_t rounded(uint64_t bytes)
{
	return (bytes + BLOCK_MASK) & ~BLOCK_MASK;
}

/* What XFS preallocated counts as left, as it gives it to the files' own growth. */
static uint64_t ahead_bytes(const struct space *space)
{
	uint64_t bytes = 0;

	for (size_t i = 0; space->grown && i < GROWN_MAX; i++) {
		const struct grown *one = &space->grown[i];
		struct stat st;

		if (one->inode && !lstat(one->path, &st) && st.st_ino == one->inode &&
		    (uint64_t)st.st_blocks * 512 > rounded((uint64_t)st.st_size))
			bytes += (uint64_t)st.st_blocks * 512 - rounded((uint64_t)st.st_size);
	}
	return bytes;
}

/* is_ahead: what is behind its end is XFS's, not the file's for good. */
static void remember_grown(struct space *space, int file_fd, const struct stat *st, bool is_ahead)
{
	struct grown *one = NULL;
	char name[32];
	ssize_t length;

	for (size_t i = 0; i < GROWN_MAX && !one; i++)
		if (space->grown[i].inode == st->st_ino)
			one = &space->grown[i];
	if (one && !is_ahead)
		one->inode = 0;
	if (!is_ahead)
		return;
	if (!one) {
		space->grown_newest = (space->grown_newest + 1) % GROWN_MAX;
		one = &space->grown[space->grown_newest];
	}
	/* Also of a known inode: its number may be that of another file by now. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file_fd);
	length = readlink(name, one->path, sizeof(one->path) - 1);
	one->path[length < 0 ? 0 : length] = '\0';
	one->inode = st->st_ino;
}

static bool is_preallocated(int file_fd)
{
	struct fsxattr attributes;

	return !ioctl(file_fd, FS_IOC_FSGETXATTR, &attributes) && (attributes.fsx_xflags & FS_XFLAG_PREALLOC);
}

static void take_sample(struct space *space, uint64_t now_ns)
{
	struct sample sample = {.at_ns = now_ns};

	if (disk_available_now(space->fd, space->btrfs_uuid, &sample.available_bytes))
		return;
	sample.available_bytes += ahead_bytes(space);
	space->samples[1] = space->samples[0];
	space->samples[0] = sample;
}

static uint64_t charged_since(const struct space *space, uint64_t since_ns)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < CHARGES_MAX; i++)
		if (space->charges[i].at_ns >= since_ns)
			bytes += space->charges[i].bytes;
	return bytes;
}

static uint64_t left_by(const struct space *space, const struct sample *sample, uint64_t settle_ns)
{
	uint64_t used = space->reserved_bytes + charged_since(space, sample->at_ns - settle_ns);

	return sample->available_bytes > used ? sample->available_bytes - used : 0;
}

/* settle_ns: charges of so long before a reading are taken not to be in it. */
static uint64_t left_bytes(const struct space *space, uint64_t settle_ns)
{
	uint64_t now = left_by(space, &space->samples[0], settle_ns);
	uint64_t before = left_by(space, &space->samples[1], settle_ns);

	return now > before ? now : before;
}

static void charge(struct space *space, uint64_t bytes, uint64_t now_ns)
{
	struct charge *newest = &space->charges[space->newest];

	if (now_ns - newest->at_ns > STEP_NS) {
		space->newest = (space->newest + 1) % CHARGES_MAX;
		newest = &space->charges[space->newest];
		*newest = (struct charge){.at_ns = now_ns};
	}
	newest->bytes += bytes;
}

static int open_space(struct spaces *spaces, const struct calls_request *request, int fd, struct error *err)
{
	struct space *space = &spaces->list[spaces->count];
	uint64_t now_ns = clock_monotonic_ns();
	struct statfs fs;
	int ret;

	if (fstatfs(fd, &fs))
		return error_set_errno(err, -errno, "cannot ask a data_dir for its space");
	for (size_t i = 0; i < spaces->count; i++)
		if (!memcmp(&spaces->list[i].id, &fs.f_fsid, sizeof(fs.f_fsid)))
			return 0;
	if (spaces->count == EVAL_CALLS_SPACES)
		return error_set(err, -E2BIG, "more than %d file systems", EVAL_CALLS_SPACES);
	*space = (struct space){.fd = fd, .id = fs.f_fsid, .is_btrfs = fs.f_type == BTRFS_SUPER_MAGIC};
	space->is_xfs = fs.f_type == XFS_SUPER_MAGIC;
	space->grown = space->is_xfs ? calloc(GROWN_MAX, sizeof(*space->grown)) : NULL;
	if (space->is_xfs && !space->grown)
		return error_set(err, -ENOMEM, "out of memory");
	if (space->is_btrfs && disk_btrfs_name(fd, space->btrfs_uuid))
		space->btrfs_uuid[0] = '\0';
	take_sample(space, now_ns);
	take_sample(space, now_ns);
	ret = disk_reserve(&space->reserved_bytes, &request->space, space->samples[0].available_bytes, "the data_dir",
			   err);
	if (ret)
		return ret;
	spaces->shared->spaces[spaces->count++] = (struct eval_calls_space){
		.available_bytes = space->samples[0].available_bytes,
		.reserved_bytes = space->reserved_bytes,
		.left_bytes = left_bytes(space, 0),
	};
	return 0;
}

int spaces_new(struct spaces **out, const struct calls_request *request, const int *root_fds, size_t root_count,
	       struct eval_calls *shared, struct error *err)
{
	struct spaces *spaces = calloc(1, sizeof(*spaces));
	int ret = spaces ? 0 : error_set(err, -ENOMEM, "out of memory");

	if (ret)
		return ret;
	spaces->shared = shared;
	for (size_t i = 0; !ret && i < root_count; i++)
		ret = open_space(spaces, request, root_fds[i], err);
	if (ret) {
		for (size_t i = 0; i < EVAL_CALLS_SPACES; i++)
			free(spaces->list[i].grown);
		free(spaces);
		return ret;
	}
	*out = spaces;
	return 0;
}

void spaces_step(struct spaces *spaces, uint64_t now_ns)
{
	for (size_t i = 0; i < spaces->count; i++) {
		struct space *space = &spaces->list[i];

		if (now_ns - space->samples[0].at_ns >= SAMPLE_NS)
			take_sample(space, now_ns);
		spaces->shared->spaces[i].left_bytes = left_bytes(space, 0);
	}
}

static struct space *space_of(struct spaces *spaces, int file_fd)
{
	struct statfs fs;

	/* A btrfs's subvolumes have ids of their own. */
	if (spaces->count == 1)
		return &spaces->list[0];
	if (fstatfs(file_fd, &fs))
		return NULL;
	for (size_t i = 0; i < spaces->count; i++)
		if (!memcmp(&spaces->list[i].id, &fs.f_fsid, sizeof(fs.f_fsid)))
			return &spaces->list[i];
	return NULL;
}

static uint64_t beyond(uint64_t end, uint64_t start)
{
	return end > start ? end - start : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Whether every write takes new blocks: btrfs, unless the file is set to be overwritten in place (chattr +C). */
static bool is_copied(const struct space *space, int file_fd)
{
	int flags = 0;

	return space->is_btrfs && (ioctl(file_fd, FS_IOC_GETFLAGS, &flags) || !(flags & FS_NOCOW_FL));
}

/* The bytes that the file has for data up to its end, and beyond if it was preallocated for good. */
static uint64_t allocated_bytes(const struct space *space, int file_fd, const struct stat *st)
{
	uint64_t allocated = (uint64_t)st->st_blocks * 512, size = rounded((uint64_t)st->st_size);

	if (!space->is_xfs || allocated <= size || is_preallocated(file_fd))
		return allocated;
	return size;
}

/* At least: the event has whole pages, which an append does not fill from their start. */
static uint64_t call_length(const struct caller *caller, bool appends)
{
	uint64_t length = caller->length < CALL_BYTES_MAX ? caller->length : CALL_BYTES_MAX;

	if (caller->call == EVAL_CALL_FALLOCATE)
		return caller->length;
	return appends && !caller->exact ? (length > BLOCK_MASK ? length - BLOCK_MASK : 1) : length;
}

/* The space that the call needs. *in_hole: it is within the file, where there may be no block. */
static uint64_t needed_bytes(const struct space *space, int file_fd, const struct stat *st, const struct caller *caller,
			     bool appends, bool *in_hole)
{
	uint64_t length = call_length(caller, appends), offset = appends ? (uint64_t)st->st_size : caller->offset;
	uint64_t end = offset + length;
	uint64_t last = rounded(end), size = rounded((uint64_t)st->st_size), growth;
	uint64_t allocated = allocated_bytes(space, file_fd, st);

	*in_hole = false;
	/* A fallocate over what is there takes nothing, on btrfs neither. */
	if (caller->call == EVAL_CALL_WRITE && is_copied(space, file_fd))
		return (last - (offset & ~BLOCK_MASK));
	growth = beyond(last, larger(offset & ~BLOCK_MASK, larger(size, allocated)));
	if (caller->call == EVAL_CALL_FALLOCATE)
		growth = larger(growth, beyond(last - (offset & ~BLOCK_MASK), allocated));
	/* A file with holes is taken to have its blocks at its start. */
	*in_hole = !growth && (end < (uint64_t)st->st_size ? end : (uint64_t)st->st_size) > allocated;
	return growth;
}

/* A write by such a descriptor begins at the file's end, whatever position the call gives. */
static bool is_append(pid_t thread, const struct caller *caller)
{
	uint64_t position, flags;

	return caller->call == EVAL_CALL_WRITE && caller->descriptor >= 0 &&
	       caller_descriptor(caller->submitter ?: thread, caller->descriptor, &position, &flags) &&
	       (flags & O_APPEND);
}

/* fallocate also frees space, and moves it. */
static bool may_grow(const struct caller *caller)
{
	const int adds = FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_UNSHARE_RANGE | WRITE_ZEROES;

	if (caller->call == EVAL_CALL_FALLOCATE)
		return !(caller->mode & ~adds);
	return caller->call == EVAL_CALL_WRITE && caller->length;
}

enum space_answer spaces_ask(struct spaces *spaces, int file_fd, pid_t thread, const struct caller *caller,
			     bool is_last)
{
	struct space *space = space_of(spaces, file_fd);
	uint64_t needed, now_ns = clock_monotonic_ns();
	bool in_hole;
	struct stat st;

	if (!space || !may_grow(caller) || fstat(file_fd, &st))
		return SPACE_GRANT;
	spaces_step(spaces, now_ns);
	needed = needed_bytes(space, file_fd, &st, caller, is_append(thread, caller), &in_hole);
	if (!needed)
		return in_hole && !left_bytes(space, 0) ? SPACE_REFUSE : SPACE_GRANT;
	if (needed > left_bytes(space, 0))
		return SPACE_REFUSE;
	if (needed > left_bytes(space, SETTLE_NS) && !is_last)
		return SPACE_LATER;
	charge(space, needed, now_ns);
	if (space->is_xfs)
		remember_grown(space, file_fd, &st, caller->call == EVAL_CALL_WRITE && !is_preallocated(file_fd));
	return SPACE_GRANT;
}

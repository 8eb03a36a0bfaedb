/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that root takes commands from, or writes. A file can be trusted if it and every folder above it belong to
 * root or to the caller of sudo, and nobody else can write them or put another file in their place: not the others,
 * not a group (root's and private ones are fine), nobody that a POSIX ACL names. A sticky folder may be written by
 * all. For a process that is not root, its own user stands for the caller: the answer is what root would get.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#define TRUSTED_WHY_SIZE 384

/* What others must not be able to do; the bits of a mode. */
enum trusted_others {
	TRUSTED_NO_WRITE = S_IWOTH,
	TRUSTED_NO_ACCESS = S_IROTH | S_IWOTH,
};

enum trusted_missing {
	TRUSTED_LEAVE_MISSING,
	TRUSTED_MAKE_FOLDERS, /* each missing folder of the path, mode 0700; root makes none that it cannot trust */
};

/* A file as its path led to it. why stays empty as long as it can be trusted; the first reason against it stays. */
struct trusted {
	char path[PATH_MAX]; /* absolute, without links */
	int folder_fd;       /* O_PATH: the folder it is in */
	int fd;              /* O_PATH: the file itself, -1: there is none of this name */
	struct stat st;      /* of fd */
	bool shared;         /* others can create files in the folder */
	char why[TRUSTED_WHY_SIZE];
};

/*
 * Follows path from the root folder, link by link, each folder looked at through a descriptor: what is looked at is
 * what is used. Returns 0 or a negative errno; a file that does not exist is no error if its folder does. On failure
 * out->path names the folder or link that it got to. The caller clears out in either case.
 */
int trusted_find(struct trusted *out, const char *path, enum trusted_missing missing);
void trusted_clear(struct trusted *file);
#define TRUSTED_NONE ((struct trusted){.folder_fd = -1, .fd = -1})

/*
 * Opens what trusted_find found, or creates it, mode 0600, if there was none and flags have O_CREAT; the new
 * descriptor or a negative errno. Completes why by what others can do to the file.
 */
int trusted_open(struct trusted *file, int flags, enum trusted_others others);
/* Completes why by the file of the same name with suffix ("-wal", "": the file itself) in the folder, if there is one.
 */
void trusted_look(struct trusted *file, const char *suffix, enum trusted_others others);
/* May root use this open file, whatever its folder? */
bool trusted_descriptor(int fd, enum trusted_others others);

static inline void cleanup_trustedp(struct trusted *file)
{
	trusted_clear(file);
}
#define _cleanup_trusted_ __attribute__((cleanup(cleanup_trustedp)))

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trust in files that root takes commands from, or writes. A file is trusted if it and every folder above it belong to
 * root or to the caller of sudo, and no other user can write or replace them by the mode, by a group (except root's and
 * private ones) or by a POSIX ACL. A sticky folder may be writable by all. If the process is not root, its own user
 * stands for the caller of sudo: the answer is what root would get.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#define TRUSTED_WHY_SIZE 384

/* Permissions that other users must not have, as bits of a mode. */
enum trusted_others {
	TRUSTED_NO_WRITE = S_IWOTH,
	TRUSTED_NO_ACCESS = S_IROTH | S_IWOTH,
};

enum trusted_missing {
	TRUSTED_LEAVE_MISSING,
	TRUSTED_MAKE_FOLDERS, /* create missing folders, mode 0700; as root only if the path so far is trusted */
};

/* The file that a path leads to. why is empty if the file is trusted; otherwise the first reason against it. */
struct trusted {
	char path[PATH_MAX]; /* absolute, without links */
	int folder_fd;       /* O_PATH: the folder it is in */
	int fd;              /* O_PATH: the file itself; -1: it does not exist */
	struct stat st;      /* of fd */
	bool shared;         /* others can create files in the folder */
	char why[TRUSTED_WHY_SIZE];
};

/*
 * Follows path from the root folder, link by link, and checks each folder through the descriptor that it then uses.
 * Returns 0 or a negative errno; a missing file is not an error if its folder exists. On failure out->path names the
 * folder or link that it reached. The caller clears out in either case.
 */
int trusted_find(struct trusted *out, const char *path, enum trusted_missing missing);
void trusted_clear(struct trusted *file);
#define TRUSTED_NONE ((struct trusted){.folder_fd = -1, .fd = -1})

/*
 * Opens the file of trusted_find(), or creates it, mode 0600, if it was missing and flags have O_CREAT. Returns the
 * descriptor or a negative errno. Sets why, if empty, to what others can do to the file.
 */
int trusted_open(struct trusted *file, int flags, enum trusted_others others);
/* Sets why, if empty, from the file with suffix ("-wal"; "": the file itself) in the folder, if it exists. */
void trusted_look(struct trusted *file, const char *suffix, enum trusted_others others);
/* True if root may use this open file; its folder is not checked. */
bool trusted_descriptor(int fd, enum trusted_others others);

static inline void cleanup_trustedp(struct trusted *file)
{
	trusted_clear(file);
}
#define _cleanup_trusted_ __attribute__((cleanup(cleanup_trustedp)))

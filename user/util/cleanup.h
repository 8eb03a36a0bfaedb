/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one cleanup idiom for locals: attributes, TAKE_PTR and TAKE_FD. Descriptors start at -1. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

/* Closes a descriptor, keeps errno; -1 is fine. Always returns -1, so that `fd = fd_close(fd)` resets it. */
static inline int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -1;
}

static inline void cleanup_fdp(int *fd)
{
	fd_close(*fd);
}

static inline void cleanup_filep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_dirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static inline void cleanup_jsonp(json_t **j)
{
	json_decref(*j);
}

#define _cleanup_free_ _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(cleanup_fdp)
#define _cleanup_fclose_ _cleanup_(cleanup_filep)
#define _cleanup_closedir_ _cleanup_(cleanup_dirp)
#define _cleanup_json_ _cleanup_(cleanup_jsonp)

#define TAKE_PTR(p) \
	({ \
		__typeof__(p) taken_ = (p); \
		(p) = NULL; \
		taken_; \
	})
#define TAKE_FD(fd) \
	({ \
		int taken_ = (fd); \
		(fd) = -1; \
		taken_; \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

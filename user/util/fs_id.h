/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The identity of the file system that a file takes space from. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* device is st_dev; for btrfs, which has an st_dev per subvolume, it is 0 and uuid is set instead. */
struct fs_id {
	uint64_t device;
	uint8_t uuid[16];
};

/* fd is open for reading. Returns 0 or a negative errno. */
int fs_id_read(int fd, struct fs_id *out);
bool fs_id_is_same(const struct fs_id *a, const struct fs_id *b);

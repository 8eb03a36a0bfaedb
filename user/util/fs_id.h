/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which file system something is on: whose space it takes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* st_dev, but a btrfs has one of those per subvolume: there it is 0, and the UUID tells. */
struct fs_id {
	uint64_t device;
	uint8_t uuid[16];
};

/* fd is open for reading. Returns 0 or a negative errno. */
int fs_id_read(int fd, struct fs_id *out);
bool fs_id_is_same(const struct fs_id *a, const struct fs_id *b);

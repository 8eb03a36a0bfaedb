/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads btrfs's own accounting in sysfs, because its statfs does not count data that is not yet written out: after a
 * write of 100 MiB it reports the same space as before for up to 30 s.
 */
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "chaos/disk/disk.h"
#include "util/cleanup.h"

static uint64_t read_number(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	unsigned long long number = 0;

	return f && fscanf(f, "%llu", &number) == 1 ? number : 0;
}

int disk_btrfs_name(int fd, char uuid[DISK_BTRFS_UUID_SIZE])
{
	struct btrfs_ioctl_fs_info_args info = {};
	const __u8 *id = info.fsid;

	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info))
		return -errno;
	snprintf(uuid, DISK_BTRFS_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13],
		 id[14], id[15]);
	return 0;
}

uint64_t disk_btrfs_pending(const char *uuid)
{
	/* Small file systems keep data and metadata together. */
	static const char *const kinds[] = {"data", "mixed"};
	static const char *const counters[] = {"bytes_may_use", "bytes_reserved"};
	uint64_t pending = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(counters); j++) {
			char path[128];

			snprintf(path, sizeof(path), "/sys/fs/btrfs/%s/allocation/%s/%s", uuid, kinds[i], counters[j]);
			pending += read_number(path);
		}
	}
	return pending;
}

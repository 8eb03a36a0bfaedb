/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/fs_id.h"

#include <errno.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int fs_id_read(int fd, struct fs_id *out)
{
	struct btrfs_ioctl_fs_info_args info = {};
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return -errno;
	*out = (struct fs_id){.device = st.st_dev};
	if (fs.f_type != BTRFS_SUPER_MAGIC)
		return 0;
	/* f_fsid differs between subvolumes; the UUID of the file system does not. */
	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info))
		return -errno;
	out->device = 0;
	memcpy(out->uuid, info.fsid, sizeof(out->uuid));
	return 0;
}

bool fs_id_is_same(const struct fs_id *a, const struct fs_id *b)
{
	return a->device == b->device && !memcmp(a->uuid, b->uuid, sizeof(a->uuid));
}

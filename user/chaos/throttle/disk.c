/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a data_dir to the disks that io.max can limit: whole ones, by their numbers. */
#include <dirent.h>
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "chaos/disk/disk.h"
#include "chaos/throttle/throttle.h"
#include "util/cleanup.h"

static int read_device(const char *path, unsigned int *major_number, unsigned int *minor_number)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	return fscanf(f, "%u:%u", major_number, minor_number) == 2 ? 0 : -EINVAL;
}

static void read_name(char *out, size_t size, const char *link)
{
	_cleanup_free_ char *path = realpath(link, NULL);
	const char *slash = path ? strrchr(path, '/') : NULL;

	snprintf(out, size, "%s", slash ? slash + 1 : "?");
}

/* Adds the disk, or the one that the partition is of, unless it is there already. */
static int add_disk(struct eval_throttle *shared, unsigned int major_number, unsigned int minor_number,
		    struct error *err)
{
	struct eval_throttle_disk disk = {};
	char link[64], file[80];

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major_number, minor_number);
	snprintf(file, sizeof(file), "%s/partition", link);
	if (!access(file, F_OK)) {
		snprintf(file, sizeof(file), "%s/../dev", link);
		if (read_device(file, &major_number, &minor_number))
			return error_set_errno(err, -errno, "cannot find the disk of partition %s", link);
	}
	for (size_t i = 0; i < shared->disk_count; i++)
		if (shared->disks[i].major == major_number && shared->disks[i].minor == minor_number)
			return 0;
	if (shared->disk_count == EVAL_THROTTLE_DISKS)
		return error_set(err, -E2BIG, "at most %d disks for one fault", EVAL_THROTTLE_DISKS);
	disk.major = major_number;
	disk.minor = minor_number;
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major_number, minor_number);
	if (access(link, F_OK))
		return error_set_errno(err, -errno, "no block device %u:%u is in /sys", major_number, minor_number);
	read_name(disk.name, sizeof(disk.name), link);
	shared->disks[shared->disk_count++] = disk;
	return 0;
}

/* btrfs has a device number of its own, and may have several disks. */
static int add_btrfs(struct eval_throttle *shared, const struct target_directory *directory, struct error *err)
{
	char uuid[DISK_BTRFS_UUID_SIZE], path[128 + NAME_MAX];
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int ret = disk_btrfs_name(directory->fd, uuid);

	if (!ret) {
		snprintf(path, sizeof(path), "/sys/fs/btrfs/%s/devices", uuid);
		dir = opendir(path);
	}
	if (!dir)
		return error_set_errno(err, ret ?: -errno, "cannot find the disks of data_dir '%s' (btrfs)",
				       directory->path);
	while (!ret && (entry = readdir(dir))) {
		unsigned int major_number = 0, minor_number = 0;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/fs/btrfs/%s/devices/%s/dev", uuid, entry->d_name);
		ret = read_device(path, &major_number, &minor_number);
		ret = ret ? error_set_errno(err, ret, "cannot read %s", path)
			  : add_disk(shared, major_number, minor_number, err);
	}
	return ret;
}

int throttle_find_disks(struct eval_throttle *shared, const struct target *target, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < target->directory_count; i++) {
		const struct target_directory *directory = &target->directories[i];
		struct statfs fs = {};

		if (fstatfs(directory->fd, &fs))
			return error_set_errno(err, -errno, "cannot tell the file system of data_dir '%s'",
					       directory->path);
		if (fs.f_type == BTRFS_SUPER_MAGIC)
			ret = add_btrfs(shared, directory, err);
		else if (major(directory->device))
			ret = add_disk(shared, major(directory->device), minor(directory->device), err);
		else
			ret = error_set(err, -EOPNOTSUPP,
					"data_dir '%s' is on a file system without a disk of its own (tmpfs, overlay "
					"and the like), which io.max cannot limit: name a folder on a disk",
					directory->path);
	}
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads and writes a cgroup's limits and counters of a disk, through the cgroup's descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/throttle/throttle.h"
#include "process/cgroup.h"
#include "util/cleanup.h"
#include "util/text.h"

/* A cgroup's file has a line for each disk of the host. */
#define FILE_SIZE 16384

const char *const throttle_limit_names[EVAL_THROTTLE_LIMITS] = {"read_bps", "write_bps", "read_iops", "write_iops"};
static const char *const limit_keys[EVAL_THROTTLE_LIMITS] = {"rbps", "wbps", "riops", "wiops"};
static const char *const stat_keys[EVAL_THROTTLE_LIMITS] = {"rbytes", "wbytes", "rios", "wios"};

static int read_whole(int cgroup_fd, const char *name, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(cgroup_fd, name, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while ((got = read(fd, out + length, size - 1 - length)) > 0)
		length += (size_t)got;
	out[length] = '\0';
	/* Cut off, it would say that a disk has no limits. */
	if (!got && length == size - 1)
		return -E2BIG;
	return got < 0 ? -errno : 0;
}

/* The value of "key=" in the words from text to the end of its line; false if it is not there. */
static bool find_value(const char *text, const char *key, __u64 *value)
{
	size_t length = strlen(key);

	while (*text == ' ') {
		text++;
		if (!strncmp(text, key, length) && text[length] == '=') {
			text += length + 1;
			*value = strncmp(text, "max", 3) ? strtoull(text, NULL, 10) : EVAL_THROTTLE_NO_LIMIT;
			return true;
		}
		text += strcspn(text, " \n");
	}
	return false;
}

/* Sets what the disk's line has of the keys. */
static int read_values(int cgroup_fd, const char *name, const struct eval_throttle_disk *disk,
		       const char *const keys[EVAL_THROTTLE_LIMITS], __u64 out[EVAL_THROTTLE_LIMITS])
{
	char text[FILE_SIZE], start[32];
	int ret = read_whole(cgroup_fd, name, text, sizeof(text)), length;

	if (ret)
		return ret;
	length = snprintf(start, sizeof(start), "%u:%u", disk->major, disk->minor);
	/* Some kernels put the number of a disk without counters before another's on the same line. */
	for (const char *at = text; *at; at += strcspn(at, " \n"), at += *at != '\0') {
		if (strncmp(at, start, (size_t)length) || at[length] != ' ')
			continue;
		for (size_t i = 0; i < EVAL_THROTTLE_LIMITS; i++)
			find_value(at + length, keys[i], &out[i]);
		break;
	}
	return 0;
}

int throttle_limits_read(int cgroup_fd, const struct eval_throttle_disk *disk, __u64 out[EVAL_THROTTLE_LIMITS])
{
	for (size_t i = 0; i < EVAL_THROTTLE_LIMITS; i++)
		out[i] = EVAL_THROTTLE_NO_LIMIT;
	return read_values(cgroup_fd, "io.max", disk, limit_keys, out);
}

int throttle_stat_read(int cgroup_fd, const struct eval_throttle_disk *disk, __u64 out[EVAL_THROTTLE_LIMITS])
{
	memset(out, 0, EVAL_THROTTLE_LIMITS * sizeof(*out));
	return read_values(cgroup_fd, "io.stat", disk, stat_keys, out);
}

const char *throttle_limits_text(char out[THROTTLE_TEXT_SIZE], const __u64 limits[EVAL_THROTTLE_LIMITS])
{
	out[0] = '\0';
	for (size_t i = 0; i < EVAL_THROTTLE_LIMITS; i++) {
		text_append(out, THROTTLE_TEXT_SIZE, "%s%s=", i ? " " : "", limit_keys[i]);
		if (limits[i] == EVAL_THROTTLE_NO_LIMIT)
			text_append(out, THROTTLE_TEXT_SIZE, "max");
		else
			text_append(out, THROTTLE_TEXT_SIZE, "%llu", (unsigned long long)limits[i]);
	}
	return out;
}

bool throttle_limits_equal(const __u64 a[EVAL_THROTTLE_LIMITS], const __u64 b[EVAL_THROTTLE_LIMITS])
{
	return !memcmp(a, b, EVAL_THROTTLE_LIMITS * sizeof(*a));
}

int throttle_limits_write(int cgroup_fd, const struct eval_throttle_disk *disk,
			  const __u64 limits[EVAL_THROTTLE_LIMITS])
{
	_cleanup_close_ int fd = openat(cgroup_fd, "io.max", O_WRONLY | O_CLOEXEC);
	char text[THROTTLE_TEXT_SIZE], line[THROTTLE_TEXT_SIZE + 32];
	int length;

	if (fd < 0)
		return -errno;
	length = snprintf(line, sizeof(line), "%u:%u %s", disk->major, disk->minor, throttle_limits_text(text, limits));
	return write(fd, line, (size_t)length) == length ? 0 : -errno;
}

uint64_t throttle_waited_us(int cgroup_fd)
{
	char text[512];
	const char *total;

	if (read_whole(cgroup_fd, "io.pressure", text, sizeof(text)))
		return 0;
	total = strstr(text, "total=");
	return total ? strtoull(total + strlen("total="), NULL, 10) : 0;
}

/* The cgroup was removed, or with it the disk. */
static bool is_gone(int code)
{
	return code == -ENOENT || code == -ENODEV || code == -ENXIO;
}

int throttle_restore_disk(int cgroup_fd, struct eval_throttle_disk *disk)
{
	__u64 now[EVAL_THROTTLE_LIMITS];
	int ret;

	if (disk->state != EVAL_THROTTLE_LIMITED)
		return 0;
	ret = throttle_limits_read(cgroup_fd, disk, now);
	if (!ret && !throttle_limits_equal(now, disk->ours)) {
		/* It was not written yet, or somebody else has written theirs. */
		disk->state = throttle_limits_equal(now, disk->before) ? EVAL_THROTTLE_RESTORED : EVAL_THROTTLE_CHANGED;
		return 0;
	}
	if (!ret)
		ret = throttle_limits_write(cgroup_fd, disk, disk->before);
	if (ret && !is_gone(ret))
		return ret;
	disk->state = EVAL_THROTTLE_RESTORED;
	return 0;
}

/* Why the cgroup has no io.max, and what would give it one. */
static int no_controller(const char *path, struct error *err)
{
	_cleanup_close_ int root_fd = cgroup_root_open();
	char controllers[512] = "";

	read_whole(root_fd, "cgroup.controllers", controllers, sizeof(controllers));
	if (cgroup_id(root_fd, "") == cgroup_id(AT_FDCWD, path))
		return error_set(err, -EOPNOTSUPP,
				 "the root cgroup cannot be limited: the node's 'cgroup' must be one of its own");
	if (!strstr(controllers, "io"))
		return error_set(err, -EOPNOTSUPP,
				 "cgroup '%s' has no io.max: this host's cgroup v2 has no io controller, as cgroup v1 "
				 "has it (blkio): boot with systemd.unified_cgroup_hierarchy=1",
				 path);
	return error_set(err, -EOPNOTSUPP,
			 "cgroup '%s' has no io.max: enable the io controller for it: systemctl set-property UNIT "
			 "IOAccounting=yes, or write +io to cgroup.subtree_control of each cgroup above it",
			 path);
}

bool throttle_cgroup_is_gone(int code)
{
	return code == -ENOENT || code == -ESTALE || code == -ENODEV || code == -EOPNOTSUPP;
}

int throttle_cgroup_open(int *cgroup_fd, const char *path, uint64_t id, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, -errno, "cannot open cgroup '%s'", path);
	if (id && cgroup_id(fd, "") != id)
		return error_set(err, -ESTALE, "cgroup '%s' is another one now", path);
	if (faccessat(fd, "io.max", F_OK, 0))
		return no_controller(path, err);
	*cgroup_fd = TAKE_FD(fd);
	return 0;
}

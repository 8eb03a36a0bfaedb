/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/fs_stack.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "util/cleanup.h"
#include "util/mount.h"

#define ECRYPTFS_MAGIC 0xf15f
#define FUSE_MAGIC 0x65735546
#define UBIFS_MAGIC 0x24051905
#define BCACHEFS_MAGIC 0xca451a4e
#define COMMAND_LINE_MAX (64 * 1024)

struct below {
	struct fs_stack *out;
	const struct mount *upper; /* the stacked mount */
	struct statfs seen;        /* its statfs, which is that of the file system below */
	const char *path;
	unsigned int depth;
	size_t found;
	struct error why; /* the first error among the stacks found */
};

static int add(struct fs_stack *out, int fd, const char *pid, unsigned int depth, struct error *err);

/* Opens path as that process sees it; absolute links stay within its root. */
static int open_as(const char *pid, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT};
	_cleanup_close_ int root_fd = -1;
	char root[64];
	long fd;

	snprintf(root, sizeof(root), "/proc/%.20s/root", pid);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* In another namespace the path may lead elsewhere: require the total space and inodes of the upper mount. */
static bool has_same_space(const struct below *below, int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) &&
	       (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize ==
		       (uint64_t)below->seen.f_blocks * (uint64_t)below->seen.f_bsize &&
	       fs.f_files == below->seen.f_files;
}

static int try_namespace(const char *pid, void *data)
{
	struct below *below = data;
	_cleanup_close_ int fd = open_as(pid, below->path);
	struct error *why = below->why.code ? NULL : &below->why;

	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return fd;
	if (fd < 0 || !has_same_space(below, fd))
		return 0;
	below->found++;
	/* Add every match: one too many only refuses the fault, one too few fills up a disk. */
	return add(below->out, fd, pid, below->depth + 1, why) == -E2BIG ? -E2BIG : 0;
}

static void drop_backslashes(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		from += *from == '\\' && from[1];
		*to = *from++;
	}
	*to = '\0';
}

static int add_path(struct below *below, const char *path, struct error *err)
{
	int ret = 0;

	if (*path != '/')
		return error_set(err, -EOPNOTSUPP, "what is below %s is named by a relative path, '%s'",
				 below->upper->type, path);
	below->path = path;
	ret = mount_each_namespace(below->upper->pid, try_namespace, below);
	if (ret)
		return error_set_errno(err, ret, "cannot look for what is below %s", below->upper->type);
	if (below->why.code)
		return error_set(err, below->why.code, "%s", below->why.text);
	return 0;
}

static int not_found(const struct below *below, const char *path, struct error *err)
{
	return error_set(err, -EOPNOTSUPP, "%s is stacked on '%s', which is in no mount namespace that can be read",
			 below->upper->type, path);
}

/* Overlay takes commas and colons escaped by a backslash, which old kernels keep in the option: try both forms. */
static int add_overlay(struct below *below, struct error *err)
{
	_cleanup_free_ char *upper = mount_option(below->upper, "upperdir");
	int ret;

	/* Without an upper layer nothing can be written. */
	if (!upper)
		return 0;
	ret = add_path(below, upper, err);
	if (ret || below->found)
		return ret;
	drop_backslashes(upper);
	ret = add_path(below, upper, err);
	return ret ? ret : below->found ? 0 : not_found(below, upper, err);
}

static int add_ecryptfs(struct below *below, struct error *err)
{
	int ret = add_path(below, below->upper->source, err);

	return ret ? ret : below->found ? 0 : not_found(below, below->upper->source, err);
}

struct command_line {
	char text[COMMAND_LINE_MAX];
	size_t length;
};

static int read_command_line(struct command_line *line, const char *pid)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t got = 0;

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	line->length = 0;
	while (fd >= 0 && line->length < sizeof(line->text) - 1 &&
	       (got = read(fd, line->text + line->length, sizeof(line->text) - 1 - line->length)) > 0)
		line->length += (size_t)got;
	line->text[line->length] = '\0';
	return fd < 0 ? -errno : 0;
}

/* True if an argument is the mount's point: the process serves the mount. */
static bool serves(const struct command_line *line, const char *point)
{
	for (size_t at = 0; at < line->length; at += strlen(line->text + at) + 1)
		if (!strcmp(line->text + at, point))
			return true;
	return false;
}

/* The PATH of upperdir=PATH in an argument, without the backslashes in front of commas; for the caller to free. */
static char *upper_of(const struct command_line *line)
{
	for (size_t at = 0; at < line->length; at += strlen(line->text + at) + 1) {
		char *upper = strstr(line->text + at, "upperdir="), *end;

		if (!upper)
			continue;
		upper += strlen("upperdir=");
		for (end = upper; *end && *end != ','; end++)
			end += *end == '\\' && end[1];
		upper = strndup(upper, (size_t)(end - upper));
		if (upper)
			drop_backslashes(upper);
		return upper;
	}
	return NULL;
}

/* True if the process runs the program as root or as the mount's user; others may use its name. */
static bool is_server(const struct mount *mount, const char *pid, const char *program)
{
	_cleanup_free_ char *user = mount_option(mount, "user_id");
	char path[64], file[4096];
	const char *name;
	ssize_t length;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	length = readlink(path, file, sizeof(file) - 1);
	if (length <= 0)
		return false;
	file[length] = '\0';
	name = strrchr(file, '/');
	*strrchr(path, '/') = '\0';
	return name && !strcmp(name + 1, program) && !stat(path, &st) &&
	       (!st.st_uid || (user && st.st_uid == (uid_t)strtoul(user, NULL, 10)));
}

/* Reads upperdir from the arguments of the mount's server. */
static int add_fuse_overlayfs(struct below *below, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	_cleanup_free_ struct command_line *line = malloc(sizeof(*line));
	const struct dirent *entry;

	if (!dir || !line)
		return error_set_errno(err, -errno, "cannot look for the server of %s", below->upper->type);
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *upper = NULL;
		struct mount as_server = *below->upper;
		struct below found;
		int ret;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !is_server(below->upper, entry->d_name, "fuse-overlayfs") ||
		    read_command_line(line, entry->d_name) || !serves(line, below->upper->point))
			continue;
		upper = upper_of(line);
		if (!upper)
			continue;
		snprintf(as_server.pid, sizeof(as_server.pid), "%.20s", entry->d_name);
		found = *below;
		found.upper = &as_server;
		ret = add_path(&found, upper, err);
		return ret || found.found ? ret : not_found(&found, upper, err);
	}
	return error_set(err, -EOPNOTSUPP, "the server of %s, which knows what is below, cannot be found",
			 below->upper->type);
}

static int add_below(struct fs_stack *out, int fd, const struct mount *mount, unsigned int depth, struct error *err)
{
	struct below below = {.out = out, .upper = mount, .depth = depth};

	if (mount_is_network(mount))
		return 0;
	if (fstatfs(fd, &below.seen))
		return error_set_errno(err, -errno, "cannot ask %s for its space", mount->type);
	if (!strcmp(mount->type, "overlay"))
		return add_overlay(&below, err);
	if (!strcmp(mount->type, "ecryptfs"))
		return add_ecryptfs(&below, err);
	if (!strcmp(mount->type, "fuse.fuse-overlayfs"))
		return add_fuse_overlayfs(&below, err);
	if (!strcmp(mount->options, "ro") || !strncmp(mount->options, "ro,", 3))
		return 0;
	return error_set(err, -EOPNOTSUPP, "%s is not on a disk, and what it is stacked on cannot be determined",
			 mount->type);
}

/* All datasets ("POOL/DATASET") share the space of their pool. */
static void pool_to_id(const struct mount *mount, struct fs_id *id)
{
	size_t length = strcspn(mount->source, "/");

	*id = (struct fs_id){0};
	for (size_t i = 0; i < length; i++)
		id->uuid[i % sizeof(id->uuid)] = (uint8_t)(id->uuid[i % sizeof(id->uuid)] * 31 + mount->source[i]);
}

/* True if not stacked: it has a device, or is of a known type without one. */
static bool is_last(const struct statfs *fs, const struct fs_id *id)
{
	if (fs->f_type == OVERLAYFS_SUPER_MAGIC || fs->f_type == ECRYPTFS_MAGIC)
		return false;
	return fs->f_type == BTRFS_SUPER_MAGIC || fs->f_type == TMPFS_MAGIC || fs->f_type == RAMFS_MAGIC ||
	       fs->f_type == UBIFS_MAGIC || fs->f_type == BCACHEFS_MAGIC || major(id->device);
}

static int add(struct fs_stack *out, int fd, const char *pid, unsigned int depth, struct error *err)
{
	struct mount mount = {0};
	struct fs_id id;
	struct statfs fs;
	int ret = fs_id_read(fd, &id);

	if (!ret && fstatfs(fd, &fs))
		ret = -errno;
	if (ret)
		return error_set_errno(err, ret, "cannot identify the file system");
	if (out->count == FS_STACK_MAX || depth == FS_STACK_MAX)
		return error_set(err, -E2BIG, "it is stacked on more than %d others", FS_STACK_MAX - 1);
	out->ids[out->count++] = id;
	if (is_last(&fs, &id))
		return 0;
	ret = mount_find(&mount, fd, pid);
	if (ret)
		return error_set_errno(err, ret, "cannot find its mount");
	if (!strcmp(mount.type, "zfs"))
		pool_to_id(&mount, &out->ids[out->count - 1]);
	else
		ret = add_below(out, fd, &mount, depth, err);
	mount_free(&mount);
	return ret;
}

int fs_stack_read(struct fs_stack *out, int fd, const char *pid, struct error *err)
{
	*out = (struct fs_stack){0};
	return add(out, fd, pid, 0, err);
}

bool fs_stack_meets(const struct fs_stack *a, const struct fs_stack *b)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++)
			if (fs_id_is_same(&a->ids[i], &b->ids[j]))
				return true;
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "util/cleanup.h"

#define LINKS_MAX 40  /* as the kernel's MAXSYMLINKS */
#define ACL_MAX 65536 /* as the kernel's XATTR_SIZE_MAX */
#define NAME_SIZE 64
#define PROC_FD_SIZE 32

/*
 * sudo overwrites SUDO_UID and SUDO_USER. If one is missing, or they name different users, they are not sudo's; a user
 * who can set both in root's environment can set PATH as well. A set-user-ID eval ignores both (secure_getenv). The
 * parent is not checked: under tmux, nohup and `sudo -b` it is not sudo.
 */
static uid_t sudo_caller(void)
{
	const char *uid = secure_getenv("SUDO_UID"), *name = secure_getenv("SUDO_USER");
	const struct passwd *user;
	unsigned long number;
	char *end;

	if (!uid || !name || *uid < '0' || *uid > '9')
		return 0;
	errno = 0;
	number = strtoul(uid, &end, 10);
	if (errno || *end || number >= (uid_t)-1)
		return 0;
	user = getpwuid((uid_t)number);
	return user && !strcmp(user->pw_name, name) ? (uid_t)number : 0;
}

static bool is_trusted_user(uid_t uid)
{
	return !uid || uid == (geteuid() ? geteuid() : sudo_caller());
}

/* True for root's group and a trusted user's private group: same name, primary group, no other member. */
static bool is_trusted_group(gid_t gid)
{
	const struct group *group = gid ? getgrgid(gid) : NULL;
	const struct passwd *user = group ? getpwnam(group->gr_name) : NULL;

	if (!gid)
		return true;
	if (!user || user->pw_gid != gid || !is_trusted_user(user->pw_uid))
		return false;
	for (char *const *member = group->gr_mem; *member; member++)
		if (strcmp(*member, group->gr_name) && strcmp(*member, "root"))
			return false;
	return true;
}

static void describe_user(char out[NAME_SIZE], uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(out, NAME_SIZE, "user %.32s", user->pw_name);
	else
		snprintf(out, NAME_SIZE, "user %u", uid);
}

static void describe_group(char out[NAME_SIZE], gid_t gid)
{
	const struct group *group = getgrgid(gid);

	if (group)
		snprintf(out, NAME_SIZE, "group %.32s", group->gr_name);
	else
		snprintf(out, NAME_SIZE, "group %u", gid);
}

__attribute__((format(printf, 2, 3))) static void distrust(struct trusted *file, const char *fmt, ...)
{
	va_list ap;

	if (file->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(file->why, sizeof(file->why), fmt, ap);
	va_end(ap);
}

/* Reads an ACL in the kernel's format through a descriptor that may be O_PATH. Returns its size, 0 if there is none. */
static ssize_t read_acl(int fd, void *acl, size_t size)
{
	char path[PROC_FD_SIZE];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	got = getxattr(path, "system.posix_acl_access", acl, size);
	if (got < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0;
	return got < 0 ? -errno : got;
}

/*
 * Sets *group to those of `others` that the file's group has, and who to the last untrusted user or group that the ACL
 * grants any. The group bits of a mode with an ACL are the mask of all its names.
 */
static int look_at_acl(int fd, const struct stat *st, unsigned int others, unsigned int *group, char who[NAME_SIZE])
{
	_cleanup_free_ struct posix_acl_xattr_header *acl = malloc(ACL_MAX);
	const struct posix_acl_xattr_entry *entry;
	unsigned int mask = (st->st_mode >> 3) & others;
	ssize_t size = acl ? read_acl(fd, acl, ACL_MAX) : -ENOMEM;

	*group = mask;
	if (size <= 0 || !mask)
		return (int)(size < 0 ? size : 0);
	entry = (const void *)(acl + 1);
	for (size_t count = ((size_t)size - sizeof(*acl)) / sizeof(*entry); count; count--, entry++) {
		uint32_t id = le32toh(entry->e_id);
		unsigned int can = le16toh(entry->e_perm) & mask;

		switch (le16toh(entry->e_tag)) {
		case ACL_GROUP_OBJ:
			*group = can;
			break;
		case ACL_USER:
			if (can && !is_trusted_user(id))
				describe_user(who, id);
			break;
		case ACL_GROUP:
			if (can && !is_trusted_group(id))
				describe_group(who, id);
			break;
		}
	}
	return 0;
}

static const char *verb(unsigned int can)
{
	return can & S_IWOTH ? "write" : "read";
}

/* Distrusts the file if another user has any of the `others` permissions on fd; why names the remedy. */
static void check_others(struct trusted *file, int fd, const struct stat *st, const char *path, unsigned int others)
{
	unsigned int group, can = st->st_mode & others;
	/* The advice for a database covers the files beside it. */
	const char *all = others == TRUSTED_NO_WRITE ? "" : "*", *bits = others == TRUSTED_NO_WRITE ? "w" : "rw";
	const char *what = others == TRUSTED_NO_WRITE ? path : file->path;
	char who[NAME_SIZE] = "", name[NAME_SIZE];
	int ret = look_at_acl(fd, st, others, &group, who);

	if (ret)
		distrust(file, "the ACL of %s cannot be read: %s", path, strerror(-ret));
	if (can)
		distrust(file, "anyone can %s %s (mode %04o): chmod o-%s %s%s", verb(can), path, st->st_mode & 07777,
			 bits, what, all);
	if (group && !is_trusted_group(st->st_gid)) {
		describe_group(name, st->st_gid);
		distrust(file, "%s can %s %s (mode %04o): chmod g-%s %s%s", name, verb(group), path,
			 st->st_mode & 07777, bits, what, all);
	}
	if (*who)
		distrust(file, "an ACL lets %s %s %s: setfacl -b %s%s", who, verb(others), path, what, all);
}

/* An owner can do anything. The advice never suggests chown on a folder with a home in it. */
static void check_owner(struct trusted *file, const struct stat *st, const char *path)
{
	const struct passwd *user = is_trusted_user(st->st_uid) ? NULL : getpwuid(st->st_uid);
	size_t length = strlen(path);
	bool holds_home =
		user && !strncmp(user->pw_dir, path, length) && (!path[1] || strchr("/", user->pw_dir[length]));

	if (is_trusted_user(st->st_uid))
		return;
	if (!user)
		distrust(file, "%s belongs to user %u, neither root nor the caller of sudo: chown %sroot %s", path,
			 st->st_uid, S_ISDIR(st->st_mode) ? "-R " : "", path);
	else if (holds_home)
		distrust(file,
			 "%s belongs to user %.32s, neither root nor the caller of sudo: let %.32s call sudo, or copy "
			 "the "
			 "files to a folder of root's",
			 path, user->pw_name, user->pw_name);
	else
		distrust(file,
			 "%s belongs to user %.32s, neither root nor the caller of sudo: let %.32s call sudo, or chown "
			 "%sroot %s",
			 path, user->pw_name, user->pw_name, S_ISDIR(st->st_mode) ? "-R " : "", path);
}

static void check(struct trusted *file, int fd, const struct stat *st, const char *path, enum trusted_others others)
{
	check_owner(file, st, path);
	check_others(file, fd, st, path, others);
}

/* In a sticky folder users cannot remove the files of others, but can add files. */
static void check_folder(struct trusted *file, int fd, const struct stat *st, const char *path)
{
	struct trusted apart = TRUSTED_NONE;

	check_owner(file, st, path);
	check_others(&apart, fd, st, path, TRUSTED_NO_WRITE);
	file->shared = apart.why[0];
	if (file->shared && !(st->st_mode & S_ISVTX))
		distrust(file, "%s", apart.why);
}

/* State of the walk: out->path is the part already walked, next the part still ahead. */
struct way {
	struct trusted *out;
	char *rest; /* the path still ahead; next points into it */
	const char *next;
	int links;
};

/* Takes *folder_fd as the walk's folder and checks it. */
static int enter(struct way *way, int *folder_fd)
{
	struct trusted *out = way->out;
	struct stat st;

	if (fstat(*folder_fd, &st))
		return -errno;
	fd_close(out->folder_fd);
	out->folder_fd = TAKE_FD(*folder_fd);
	check_folder(out, out->folder_fd, &st, *out->path ? out->path : "/");
	return 0;
}

static int enter_root(struct way *way)
{
	_cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	way->out->path[0] = '\0';
	return fd < 0 ? -errno : enter(way, &fd);
}

static int enter_parent(struct way *way)
{
	_cleanup_close_ int fd = openat(way->out->folder_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *slash = strrchr(way->out->path, '/');

	if (slash)
		*slash = '\0';
	return fd < 0 ? -errno : enter(way, &fd);
}

/* True for a link of procfs to a file without a name (removed, or never named): the link's text leads nowhere. */
static bool is_nameless(const struct way *way, int link_fd, const char *target)
{
	struct statfs fs;

	return !*way->next && !fstatfs(link_fd, &fs) && fs.f_type == PROC_SUPER_MAGIC &&
	       faccessat(way->out->folder_fd, target, F_OK, 0);
}

static int take_nameless(struct trusted *out, const char *name)
{
	out->fd = openat(out->folder_fd, name, O_PATH | O_CLOEXEC);
	if (out->fd < 0 || fstat(out->fd, &out->st))
		return -errno;
	distrust(out, "%s is a file without a name", out->path);
	return 0;
}

static void leave_name(struct trusted *out)
{
	*strrchr(out->path, '/') = '\0';
}

static int follow_link(struct way *way, int link_fd, const struct stat *st, const char *name)
{
	struct trusted *out = way->out;
	_cleanup_free_ char *before = way->rest;
	char target[PATH_MAX];
	ssize_t length = readlinkat(link_fd, "", target, sizeof(target));

	way->rest = NULL;
	if (length < 0)
		return -errno;
	if ((size_t)length == sizeof(target))
		return -ENAMETOOLONG;
	target[length] = '\0';
	if (is_nameless(way, link_fd, target))
		return take_nameless(out, name);
	if (++way->links > LINKS_MAX)
		return -ELOOP;
	check_owner(out, st, out->path);
	if (out->shared)
		distrust(out, "%s is a link in a folder that others can write: name the file itself", out->path);
	leave_name(out);
	if (asprintf(&way->rest, "%s%s", target, way->next) < 0) {
		way->rest = NULL;
		return -ENOMEM;
	}
	way->next = way->rest;
	return *target == '/' ? enter_root(way) : 0;
}

static int make_folder(struct trusted *out, const char *name)
{
	if (!geteuid() && out->why[0])
		return -EPERM;
	if (mkdirat(out->folder_fd, name, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

/* Returns 1 at the end of the path, 0 to go on, or a negative errno. */
static int step(struct way *way, const char *name, enum trusted_missing missing)
{
	struct trusted *out = way->out;
	_cleanup_close_ int fd = -1;
	size_t used = strlen(out->path);
	struct stat st;
	int ret;

	if (!strcmp(name, "."))
		return 0;
	if (!strcmp(name, ".."))
		return enter_parent(way);
	if ((size_t)snprintf(out->path + used, sizeof(out->path) - used, "/%s", name) >= sizeof(out->path) - used)
		return -ENAMETOOLONG;
	fd = openat(out->folder_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && *way->next && missing == TRUSTED_MAKE_FOLDERS) {
		ret = make_folder(out, name);
		if (ret)
			return ret;
		fd = openat(out->folder_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return errno == ENOENT && !*way->next ? 1 : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		ret = follow_link(way, fd, &st, name);
		return ret ? ret : out->fd >= 0;
	}
	if (*way->next)
		return S_ISDIR(st.st_mode) ? enter(way, &fd) : -ENOTDIR;
	out->fd = TAKE_FD(fd);
	out->st = st;
	return 1;
}

/* For a path that ends in a folder: "/", "..", "name/". */
static int take_folder(struct trusted *out)
{
	out->fd = openat(out->folder_fd, ".", O_PATH | O_CLOEXEC);
	return out->fd < 0 || fstat(out->fd, &out->st) ? -errno : 0;
}

static int walk(struct way *way, enum trusted_missing missing)
{
	int ret = enter_root(way);

	while (!ret) {
		char name[NAME_MAX + 1];
		size_t length;

		way->next += strspn(way->next, "/");
		length = strcspn(way->next, "/");
		if (!length)
			return take_folder(way->out);
		if (length > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, way->next, length);
		name[length] = '\0';
		way->next += length;
		ret = step(way, name, missing);
	}
	return ret < 0 ? ret : 0;
}

int trusted_find(struct trusted *out, const char *path, enum trusted_missing missing)
{
	_cleanup_free_ char *here = *path == '/' ? NULL : getcwd(NULL, 0);
	struct way way = {.out = out};
	int ret;

	*out = TRUSTED_NONE;
	if (*path != '/' && !here)
		return -errno;
	if (!*path)
		return -ENOENT;
	if (asprintf(&way.rest, "%s/%s", here ?: "", path) < 0)
		return -ENOMEM;
	way.next = way.rest;
	ret = walk(&way, missing);
	free(way.rest);
	return ret;
}

void trusted_clear(struct trusted *file)
{
	file->folder_fd = fd_close(file->folder_fd);
	file->fd = fd_close(file->fd);
}

int trusted_open(struct trusted *file, int flags, enum trusted_others others)
{
	char path[PROC_FD_SIZE];
	struct stat st;
	int fd;

	flags |= O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	if (file->fd >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
		fd = open(path, flags & ~O_CREAT);
	} else {
		fd = openat(file->folder_fd, strrchr(file->path, '/') + 1, flags | O_EXCL | O_NOFOLLOW, 0600);
	}
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		fd_close(fd);
		return -errno;
	}
	check(file, fd, &st, file->path, others);
	return fd;
}

void trusted_look(struct trusted *file, const char *suffix, enum trusted_others others)
{
	char path[PATH_MAX + NAME_SIZE];
	_cleanup_close_ int fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", file->path, suffix);
	fd = openat(file->folder_fd, strrchr(path, '/') + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || fstat(fd, &st))
		distrust(file, "%s cannot be looked at: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		distrust(file, "%s is not a regular file: remove it", path);
	else if (file->shared && st.st_nlink > 1)
		distrust(file, "%s has another name elsewhere, and others can write its folder: remove it", path);
	else
		check(file, fd, &st, path, others);
}

bool trusted_descriptor(int fd, enum trusted_others others)
{
	struct trusted file = TRUSTED_NONE;
	struct stat st;

	if (fstat(fd, &st))
		return false;
	check(&file, fd, &st, "the file", others);
	return !file.why[0];
}

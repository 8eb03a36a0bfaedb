/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/mount.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/array.h"
#include "util/cleanup.h"

void mount_free(struct mount *mount)
{
	free(mount->type);
	free(mount->source);
	free(mount->point);
	free(mount->options);
	*mount = (struct mount){0};
}

/* Decodes the kernel's octal escapes in place: \040 is a space, \054 a comma inside an option. */
static char *unescape(char *text)
{
	char *to = text;

	for (const char *from = text; from && *from; to++) {
		unsigned int code;

		if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1 && isdigit((unsigned char)from[1])) {
			*to = (char)code;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	if (to)
		*to = '\0';
	return text;
}

/* "36 35 98:0 /root /point rw,noatime master:1 - type source options" */
static int parse(struct mount *out, char *line, const char *pid)
{
	char *rest = strstr(line, " - "), *save = NULL, *point, *type, *source, *options;
	unsigned int device_major, device_minor;
	int at = 0;

	if (!rest || sscanf(line, "%*d %*d %u:%u %*s %n", &device_major, &device_minor, &at) != 2 || !at)
		return -EINVAL;
	*rest = '\0';
	point = strtok_r(line + at, " ", &save);
	type = strtok_r(rest + 3, " ", &save);
	/* The source may be empty. */
	source = strtok_r(NULL, " \n", &save);
	options = strtok_r(NULL, " \n", &save);
	if (!point || !type)
		return -EINVAL;
	*out = (struct mount){
		.device = makedev(device_major, device_minor),
		.type = strdup(type),
		.source = unescape(strdup(options ? source : "")),
		.point = unescape(strdup(point)),
		.options = strdup(options ?: source ?: ""),
	};
	snprintf(out->pid, sizeof(out->pid), "%s", pid);
	if (out->type && out->source && out->point && out->options)
		return 0;
	mount_free(out);
	return -ENOMEM;
}

struct search {
	struct mount *out;
	int id;
};

/* 1 if found; 0 if not, or if mountinfo cannot be read; or a negative errno. */
static int search_in(const char *pid, void *data)
{
	const struct search *search = data;
	_cleanup_fclose_ FILE *mounts = NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	char path[64];
	int id, ret;

	snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", pid);
	mounts = fopen(path, "re");
	if (!mounts)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
	/* The line of an overlay with many layers is longer than any fixed buffer. */
	while (getline(&line, &size, mounts) > 0) {
		if (sscanf(line, "%d ", &id) != 1 || id != search->id)
			continue;
		ret = parse(search->out, line, pid);
		return ret ? ret : 1;
	}
	return 0;
}

static int mount_id(int fd)
{
	_cleanup_fclose_ FILE *info = NULL;
	char path[64], line[256];
	int id = -ENOENT;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		return -errno;
	while (id < 0 && fgets(line, sizeof(line), info))
		sscanf(line, "mnt_id: %d", &id);
	return id;
}

int mount_find(struct mount *out, int fd, const char *pid)
{
	struct search search = {.out = out, .id = mount_id(fd)};
	int ret = search.id < 0 ? search.id : mount_each_namespace(pid, search_in, &search);

	return ret > 0 ? 0 : ret ? ret : -ENOENT;
}

char *mount_option(const struct mount *mount, const char *name)
{
	size_t length = strlen(name);

	for (const char *option = mount->options; option; option = strchr(option, ',')) {
		option += *option == ',';
		if (!strncmp(option, name, length) && option[length] == '=')
			return unescape(strndup(option + length + 1, strcspn(option + length + 1, ",")));
	}
	return NULL;
}

bool mount_is_network(const struct mount *mount)
{
	static const char *const types[] = {"nfs",      "nfs4",    "cifs",      "smb3",     "smbfs", "9p",
					    "virtiofs", "ceph",    "afs",       "coda",     "ncpfs", "ocfs2",
					    "gfs2",     "lustre",  "beegfs",    "orangefs", "sshfs", "s3fs",
					    "rclone",   "gcsfuse", "glusterfs", "curlftpfs"};
	const char *type = mount->type;

	if (!strncmp(type, "fuse.", 5))
		type += 5;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i], type))
			return true;
	return false;
}

struct namespaces {
	uint64_t *seen;
	size_t count, room;
	mount_namespace_visit visit;
	void *data;
};

static int visit_new(struct namespaces *namespaces, const char *pid)
{
	char path[64];
	struct stat st;
	uint64_t *seen;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", pid);
	if (stat(path, &st))
		return 0;
	for (size_t i = 0; i < namespaces->count; i++)
		if (namespaces->seen[i] == st.st_ino)
			return 0;
	seen = array_reserve(namespaces->seen, namespaces->count, &namespaces->room, 16, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	namespaces->seen = seen;
	seen[namespaces->count++] = st.st_ino;
	return namespaces->visit(pid, namespaces->data);
}

int mount_each_namespace(const char *pid, mount_namespace_visit visit, void *data)
{
	struct namespaces namespaces = {.visit = visit, .data = data};
	const char *const first[] = {pid ?: "self", "self", "1"};
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int ret = 0;

	for (size_t i = 0; !ret && i < ARRAY_SIZE(first); i++)
		ret = visit_new(&namespaces, first[i]);
	dir = ret ? NULL : opendir("/proc");
	if (!ret && !dir)
		ret = -errno;
	while (!ret && dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			ret = visit_new(&namespaces, entry->d_name);
	free(namespaces.seen);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One fault at a time per target on a host, however the target is described. A target is a node, identified by its
 * addresses (with their ports) in a network namespace, or all of that namespace, or devices of it if nothing else is
 * named, and by its data_dirs. Each live fault lists these in a file of its own in /run/eval, which its process holds
 * locked; two faults collide if they have an item in common. Files are compared and written under one lock, so that of
 * two faults at once one gets everything and the other nothing.
 */
#include "target/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "net/endpoint.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"

#define CLAIM_PREFIX "target-"
/* Other evals hold the lock while they read some files. */
#define CLAIM_LOCK_WAIT_NS (10 * NSEC_PER_SEC)
/* After SIGKILL a claim stays held until the kernel has torn down the holder and a guard has swept. */
#define CLAIM_DEAD_WAIT_NS (5 * NSEC_PER_SEC)
#define CLAIM_STEP_MS 5
#define ANCESTORS_MAX 48
#define LINE_SIZE 160

enum item_kind {
	ITEM_NETWORK = 'n', /* first line of a network fault's claim */
	ITEM_DISK = 'k',
	ITEM_NAMESPACE = 'w', /* all of it */
	ITEM_ADDRESS = 'a',
	ITEM_DEVICE = 'd', /* all of it */
	ITEM_PATH = 'r',   /* a device of a node with addresses or a namespace */
	ITEM_DIRECTORY = 'f',
	ITEM_ABOVE = 'p', /* a parent folder of the directory */
};

struct item {
	char kind;
	uint64_t place; /* the network namespace, or the device number of the file system */
	uint64_t value; /* ifindex, ports, inode; ports: the first, and the last of a range shifted by 16 */
	char text[ENDPOINT_TEXT_SIZE]; /* address without port (compared), device's name or path (for messages) */
};

static void write_item(FILE *out, char kind, uint64_t place, uint64_t value, const char *text)
{
	fprintf(out, "%c %" PRIu64 " %" PRIu64 " %.*s\n", kind, place, value, (int)strcspn(text, "\n"), text);
}

static bool read_item(struct item *item, const char *line)
{
	*item = (struct item){};
	return sscanf(line, "%c %" SCNu64 " %" SCNu64 " %63[^\n]", &item->kind, &item->place, &item->value,
		      item->text) >= 3;
}

static bool is_network(const struct item *item)
{
	return item->kind == ITEM_NAMESPACE || item->kind == ITEM_ADDRESS || item->kind == ITEM_DEVICE ||
	       item->kind == ITEM_PATH;
}

static bool is_directory(const struct item *item)
{
	return item->kind == ITEM_DIRECTORY || item->kind == ITEM_ABOVE;
}

/* No port is every port. */
static bool ports_overlap(uint64_t a, uint64_t b)
{
	uint64_t a_first = a & UINT16_MAX, b_first = b & UINT16_MAX;
	uint64_t a_last = a >> 16 ?: a_first, b_last = b >> 16 ?: b_first;

	return !a_first || !b_first || (a_first <= b_last && b_first <= a_last);
}

/* both_disks: a shared namespace is not a collision, because two disk faults are compared by their directories. */
static bool items_collide(const struct item *a, const struct item *b, bool both_disks)
{
	if (a->place != b->place)
		return false;
	if (is_directory(a) && is_directory(b))
		return a->value == b->value && (a->kind == ITEM_DIRECTORY || b->kind == ITEM_DIRECTORY);
	if (!is_network(a) || !is_network(b))
		return false;
	if (a->kind == ITEM_NAMESPACE || b->kind == ITEM_NAMESPACE)
		return !both_disks;
	if (a->kind == ITEM_ADDRESS && b->kind == ITEM_ADDRESS)
		return !strcmp(a->text, b->text) && ports_overlap(a->value, b->value);
	if (a->kind == ITEM_DEVICE || b->kind == ITEM_DEVICE)
		return a->kind != ITEM_ADDRESS && b->kind != ITEM_ADDRESS && a->value == b->value;
	return false;
}

static void write_directory(FILE *out, int fd, const char *path)
{
	_cleanup_close_ int at = dup(fd);
	struct stat st, above;

	if (at < 0 || fstat(at, &st))
		return;
	write_item(out, ITEM_DIRECTORY, st.st_dev, st.st_ino, path);
	/* Parents on the same file system. */
	for (int i = 0; i < ANCESTORS_MAX; i++) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		fd_close(at);
		at = up;
		if (at < 0 || fstat(at, &above) || above.st_dev != st.st_dev || above.st_ino == st.st_ino)
			return;
		st = above;
		write_item(out, ITEM_ABOVE, st.st_dev, st.st_ino, path);
	}
}

static void write_directories(FILE *out, const struct target *target, const char *const *paths)
{
	for (size_t i = 0; i < target->directory_count; i++)
		write_directory(out, target->directories[i].fd, target->directories[i].path);
	/* The node's data_dirs if the fault is not on them; those that do not exist cannot collide. */
	for (size_t i = 0; paths && paths[i]; i++) {
		_cleanup_close_ int fd = open(paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			write_directory(out, fd, paths[i]);
	}
}

static void write_address(FILE *out, uint64_t netns, const struct endpoint *endpoint)
{
	struct endpoint address = *endpoint;
	char text[ENDPOINT_TEXT_SIZE];

	address.port = address.last_port = 0;
	write_item(out, ITEM_ADDRESS, netns, endpoint->port | (uint64_t)endpoint->last_port << 16,
		   endpoint_format(&address, text));
}

static void write_network(FILE *out, const struct target *target, const struct target_spec *spec)
{
	uint64_t netns = target->netns_ino;
	size_t addresses = target->local_count;

	for (size_t i = 0; i < target->local_count; i++)
		write_address(out, netns, &target->locals[i]);
	/* A disk fault has not read them. Names and networks are not looked up for it. */
	for (size_t i = 0; !target->local_count && spec->addresses && spec->addresses[i]; i++) {
		struct endpoint address;

		if (endpoint_parse(&address, spec->addresses[i], NULL) || endpoint_is_network(&address))
			continue;
		write_address(out, netns, &address);
		addresses++;
	}
	if (!addresses && target->own_netns)
		write_item(out, ITEM_NAMESPACE, netns, 0, spec->netns);
	for (size_t i = 0; i < target->device_count; i++)
		write_item(out, addresses || target->own_netns ? ITEM_PATH : ITEM_DEVICE, netns,
			   target->devices[i].ifindex, target->devices[i].name);
}

static char *claim_text(const struct target *target, const struct target_spec *spec)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	write_item(out, target->directory_count ? ITEM_DISK : ITEM_NETWORK, 0, 0, "");
	write_network(out, target, spec);
	write_directories(out, target, target->directory_count ? NULL : spec->data_dirs);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* True if an item of ours, a claim's text, collides with theirs; shared gets our item. */
static bool find_common(const char *ours, const struct item *theirs, bool their_disk, struct item *shared)
{
	bool our_disk = *ours == ITEM_DISK;

	for (const char *line = ours; line && *line; line = strchr(line, '\n'), line += line != NULL)
		if (read_item(shared, line) && items_collide(shared, theirs, our_disk && their_disk))
			return true;
	return false;
}

/* -EBUSY, with the holder's "PID NODE" in other, if the file's claim collides with ours. */
static int compare_file(int dir_fd, const char *name, const char *ours, char other[HOST_LOCK_HOLDER_SIZE],
			struct item *shared)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	char line[LINE_SIZE + 4096];
	struct item item;
	bool disk = false;

	if (!f) {
		int ret = errno == ENOENT ? 0 : -errno;

		fd_close(fd);
		return ret;
	}
	/* A claim that no process holds is stale. */
	if (!flock(fd, LOCK_SH | LOCK_NB))
		return 0;
	if (!fgets(other, HOST_LOCK_HOLDER_SIZE, f))
		return 0;
	other[strcspn(other, "\n")] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (!read_item(&item, line))
			continue;
		disk |= item.kind == ITEM_DISK;
		if (find_common(ours, &item, disk, shared))
			return -EBUSY;
	}
	return 0;
}

static int compare_all(const char *ours, char other[HOST_LOCK_HOLDER_SIZE], struct item *shared)
{
	_cleanup_closedir_ DIR *dir = opendir(HOST_LOCK_DIRECTORY);
	const struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, CLAIM_PREFIX, strlen(CLAIM_PREFIX)))
			ret = compare_file(dirfd(dir), entry->d_name, ours, other, shared);
	return ret;
}

static int lock_claims(struct host_lock *lock, const char *node, struct error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + CLAIM_LOCK_WAIT_NS;
	char other[HOST_LOCK_HOLDER_SIZE];
	int ret;

	while ((ret = host_lock_take(lock, "claims", node, other, err)) == -EBUSY && clock_monotonic_ns() < end_ns)
		poll(NULL, 0, CLAIM_STEP_MS);
	return ret == -EBUSY ? error_set(err, ret,
					 "another eval (pid %d) has not finished its search for live faults: is "
					 "it stopped?",
					 atoi(other))
			     : ret;
}

static int write_claim(struct target *target, const char *text, struct error *err)
{
	static unsigned int number;
	char name[64], other[HOST_LOCK_HOLDER_SIZE];
	int ret;

	/* Evals in several PID namespaces may have the same pid and share /run. */
	snprintf(name, sizeof(name), CLAIM_PREFIX "%" PRIu64 "-%d-%u", procfs_pid_namespace(), (int)getpid(), number++);
	ret = host_lock_take(&target->claim, name, target->node, other, err);
	if (ret == -EBUSY)
		return error_set(err, ret, "%s is held by pid %d", target->claim.path, atoi(other));
	if (!ret && dprintf(target->claim.fd, "%s", text) < 0) {
		ret = error_set_errno(err, -errno, "cannot write %s", target->claim.path);
		host_lock_release(&target->claim);
	}
	return ret;
}

/* Names the shared item in the words of the second fault. */
static const char *describe(const struct item *item, char out[160])
{
	switch (item->kind) {
	case ITEM_ADDRESS:
		snprintf(out, 160, "address %s", item->text);
		break;
	case ITEM_DEVICE:
	case ITEM_PATH:
		snprintf(out, 160, "device %s", item->text);
		break;
	case ITEM_NAMESPACE:
		snprintf(out, 160, "network namespace %s", item->text);
		break;
	default:
		snprintf(out, 160, "data_dir %s", item->text);
	}
	return out;
}

static int refuse(const struct target *target, const char *other, const struct item *shared, struct error *err)
{
	const char *node = strchr(other, ' ') ? strchr(other, ' ') + 1 : "";
	char what[160];

	describe(shared, what);
	if (atoi(other) == getpid())
		return error_set(err, -EBUSY,
				 "node '%s' shares its %s with node '%s', which this trial targets, too: target one of "
				 "them",
				 target->node, what, node);
	return error_set(err, -EBUSY,
			 "the target already has a fault (pid %d, on '%s', has the same %s): wait, end it, or "
			 "allow: [stacked]",
			 atoi(other), node, what);
}

int target_claim(struct target *target, const struct target_spec *spec, struct error *err)
{
	_cleanup_free_ char *text = claim_text(target, spec);
	uint64_t end_ns = clock_monotonic_ns() + CLAIM_DEAD_WAIT_NS;
	int ret;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	for (;;) {
		struct host_lock lock = HOST_LOCK_NONE;
		char other[HOST_LOCK_HOLDER_SIZE] = "";
		struct item shared;

		ret = lock_claims(&lock, target->node, err);
		if (ret)
			return ret;
		ret = compare_all(text, other, &shared);
		if (!ret)
			ret = write_claim(target, text, err);
		else if (ret != -EBUSY)
			error_set_errno(err, ret, "cannot tell which faults are live: " HOST_LOCK_DIRECTORY);
		host_lock_release(&lock);
		if (ret != -EBUSY || !*other)
			return ret;
		if (host_lock_holder_lives(other) || clock_monotonic_ns() >= end_ns)
			return refuse(target, other, &shared, err);
		poll(NULL, 0, CLAIM_STEP_MS);
	}
}

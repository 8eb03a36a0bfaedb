/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file that says what to restore, for when holder and process were killed at once. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/restore.h"
#include "chaos/throttle/throttle.h"
#include "util/cleanup.h"
#include "util/host_lock.h"
#include "util/text.h"

#define RECORD_PREFIX "throttle-"
#define RECORD_SUFFIX ".restore"
#define RECORD_SIZE 4096
#define CREATE_TRIES 5

/* A sweep that comes between both steps takes the new file for a dead one. */
static int create_locked(const char *path)
{
	for (int try = 0; try < CREATE_TRIES; try++) {
		_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat file;

		if (fd < 0)
			return -errno;
		if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &file) && file.st_nlink)
			return TAKE_FD(fd);
		unlink(path);
	}
	return -EBUSY;
}

int throttle_record_open(struct throttle_record *record, unsigned int ctl_map, struct error *err)
{
	if (mkdir(HOST_LOCK_DIRECTORY, 0700) && errno != EEXIST)
		return error_set_errno(err, -errno, "cannot create " HOST_LOCK_DIRECTORY);
	/* A map's id is used once since the host's boot, and the folder does not outlive it. */
	snprintf(record->path, sizeof(record->path), HOST_LOCK_DIRECTORY "/" RECORD_PREFIX "%u" RECORD_SUFFIX, ctl_map);
	record->fd = create_locked(record->path);
	if (record->fd < 0)
		return error_set_errno(err, record->fd, "cannot create %s, which says what is to be restored",
				       record->path);
	return 0;
}

int throttle_record_write(const struct throttle_record *record, const struct eval_throttle *shared, struct error *err)
{
	char text[RECORD_SIZE] = "";
	size_t length;

	text_append(text, sizeof(text), "%" PRIu64 " %s\n", (uint64_t)shared->cgroup_id, shared->cgroup);
	for (size_t i = 0; i < shared->disk_count; i++) {
		const struct eval_throttle_disk *disk = &shared->disks[i];

		if (disk->state != EVAL_THROTTLE_LIMITED)
			continue;
		text_append(text, sizeof(text), "%u %u", disk->major, disk->minor);
		for (size_t limit = 0; limit < EVAL_THROTTLE_LIMITS; limit++)
			text_append(text, sizeof(text), " %" PRIu64 " %" PRIu64, (uint64_t)disk->before[limit],
				    (uint64_t)disk->ours[limit]);
		text_append(text, sizeof(text), "\n");
	}
	length = strlen(text);
	if (ftruncate(record->fd, 0) || pwrite(record->fd, text, length, 0) != (ssize_t)length)
		return error_set_errno(err, -errno, "cannot write %s, which says what is to be restored", record->path);
	return 0;
}

void throttle_record_remove(struct throttle_record *record)
{
	if (record->fd < 0)
		return;
	unlink(record->path);
	record->fd = fd_close(record->fd);
}

static bool read_disk(const char *line, struct eval_throttle_disk *disk)
{
	*disk = (struct eval_throttle_disk){.state = EVAL_THROTTLE_LIMITED};
	return sscanf(line, "%u %u %llu %llu %llu %llu %llu %llu %llu %llu", &disk->major, &disk->minor,
		      &disk->before[0], &disk->ours[0], &disk->before[1], &disk->ours[1], &disk->before[2],
		      &disk->ours[2], &disk->before[3], &disk->ours[3]) == 2 + 2 * EVAL_THROTTLE_LIMITS;
}

/* Returns how many disks were restored, or a negative errno. */
static int restore_from(FILE *file, FILE *report)
{
	char line[RECORD_SIZE], cgroup[256], text[THROTTLE_TEXT_SIZE];
	_cleanup_close_ int cgroup_fd = -1;
	struct eval_throttle_disk disk;
	struct error err = {};
	int restored = 0, ret;
	uint64_t id;

	/* Empty: nothing was limited yet. */
	if (!fgets(line, sizeof(line), file) || sscanf(line, "%" SCNu64 " %255[^\n]", &id, cgroup) != 2)
		return 0;
	ret = throttle_cgroup_open(&cgroup_fd, cgroup, id, &err);
	/* A cgroup that is gone took its limits with it. */
	if (ret && throttle_cgroup_is_gone(ret))
		return 0;
	if (ret) {
		log_error("cannot restore the limits of a dead disk_throttle: %s", err.text);
		return ret;
	}
	while (fgets(line, sizeof(line), file) && read_disk(line, &disk)) {
		ret = throttle_restore_disk(cgroup_fd, &disk);
		if (ret) {
			log_error("cannot restore the limits of %s on disk %u:%u: %s", cgroup, disk.major, disk.minor,
				  strerror(-ret));
			return ret;
		}
		if (disk.state != EVAL_THROTTLE_RESTORED)
			continue;
		restored++;
		if (report)
			fprintf(report, "restored the limits of %s on disk %u:%u: %s\n", cgroup, disk.major, disk.minor,
				throttle_limits_text(text, disk.before));
	}
	return restored;
}

int chaos_restore_dead(FILE *report)
{
	_cleanup_closedir_ DIR *dir = opendir(HOST_LOCK_DIRECTORY);
	const struct dirent *entry;
	int restored = 0;

	while (dir && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);
		_cleanup_fclose_ FILE *file = NULL;
		int fd, ret;

		if (strncmp(entry->d_name, RECORD_PREFIX, strlen(RECORD_PREFIX)) || length < strlen(RECORD_SUFFIX) ||
		    strcmp(entry->d_name + length - strlen(RECORD_SUFFIX), RECORD_SUFFIX) != 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		file = fd < 0 ? NULL : fdopen(fd, "re");
		/* Its name is used once, so it is this file that is removed. */
		if (!file || flock(fd, LOCK_EX | LOCK_NB))
			continue;
		ret = restore_from(file, report);
		if (ret < 0)
			continue;
		restored += ret;
		unlinkat(dirfd(dir), entry->d_name, 0);
	}
	return restored;
}

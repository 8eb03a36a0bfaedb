/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens the files below the data_dirs that are to be stalled: never eval's own, and none that may be executed. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/calls/stall.h"
#include "util/array.h"
#include "util/cleanup.h"

int stall_files_init(struct stall_files *files, const struct calls_server *with, struct error *err)
{
	*files = (struct stall_files){.with = with};
	files->root_name = files->root;
	return calls_program_find(&files->program, err);
}

bool stall_is_eval(const struct stall_files *files, int proc_fd)
{
	return calls_program_is(&files->program, proc_fd, "exe");
}

static bool has_file(const struct stall_file *list, size_t count, const struct stat *st)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].inode == st->st_ino && list[i].device == st->st_dev)
			return true;
	return false;
}

/* A campaign's database may be below the data_dir: its coordinator must not wait, nor may a lock's holder. */
static void add_files_of(struct stall_files *files, int proc_fd)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		fd_close(fd);
	while (dir && (entry = readdir(dir))) {
		struct stall_file *grown;
		struct stat st;

		if (fstatat(fd, entry->d_name, &st, 0) || !S_ISREG(st.st_mode) ||
		    has_file(files->own, files->own_count, &st))
			continue;
		grown = array_reserve(files->own, files->own_count, &files->own_room, 64, sizeof(*grown));
		if (!grown)
			return;
		files->own = grown;
		grown[files->own_count++] = (struct stall_file){-1, st.st_dev, st.st_ino};
	}
}

/* This process, and those of other faults, have the target's files open only to hold them. */
static bool only_holds(int proc_fd)
{
	_cleanup_close_ int fd = openat(proc_fd, "comm", O_RDONLY | O_CLOEXEC);
	char name[32];
	ssize_t got = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);

	name[got < 0 ? 0 : got] = '\0';
	return !strcmp(name, CALLS_PROCESS "\n") || !strcmp(name, CALLS_STALL_PROCESS "\n");
}

static void find_own(struct stall_files *files)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;

	files->own_count = 0;
	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int proc_fd = -1;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		proc_fd = openat(dirfd(dir), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc_fd >= 0 && stall_is_eval(files, proc_fd) && !only_holds(proc_fd))
			add_files_of(files, proc_fd);
	}
}

static bool is_wanted(const struct stall_files *files, const char *path)
{
	char whole[PATH_MAX];

	if (!files->with->request->files)
		return true;
	return snprintf(whole, sizeof(whole), "%s/%s", strcmp(files->root, "/") != 0 ? files->root : "", path) <
		       PATH_MAX &&
	       calls_file_matches(files->with->request->files, &files->root_name, 1, whole);
}

/*
 * By a descriptor that does nothing (O_PATH), so that what is opened for writing is what was looked at: opening a
 * device may do something. A file that may be executed is left out: Linux runs none that is open for writing.
 */
static void open_file(struct stall_files *files, int parent, const char *name)
{
	_cleanup_close_ int path_fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[32];
	struct stat st;
	int fd;

	if (path_fd < 0 || fstat(path_fd, &st) || !S_ISREG(st.st_mode) || st.st_mode & 0111 ||
	    calls_mount_of(path_fd) != calls_mount_of(parent) || has_file(files->own, files->own_count, &st) ||
	    has_file(files->list, files->count, &st))
		return;
	if (files->count == CALLS_STALL_FILES) {
		files->beyond++;
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		files->list[files->count++] = (struct stall_file){fd, st.st_dev, st.st_ino};
	else if (errno != ENOENT)
		files->lost++;
}

static int enter_folder(void *arg, int fd, const char *path)
{
	struct stall_files *files = arg;

	files->folders++;
	calls_beat(files->with, clock_monotonic_ns());
	return 0;
}

static void look_at_file(void *arg, int parent, const char *name, const char *path)
{
	struct stall_files *files = arg;

	if (is_wanted(files, path))
		open_file(files, parent, name);
}

static void lose_file(void *arg, int code)
{
	struct stall_files *files = arg;

	files->lost++;
}

void stall_files_open(struct stall_files *files)
{
	const struct calls_walk walk = {enter_folder, look_at_file, lose_file, files};

	stall_files_close(files);
	files->beyond = files->lost = 0;
	files->folders = 0;
	find_own(files);
	for (size_t i = 0; i < files->with->root_count; i++) {
		calls_path_of(files->with->root_fds[i], files->root, sizeof(files->root));
		calls_walk(&walk, files->with->root_fds[i]);
	}
	files->looked_ns = clock_monotonic_ns();
}

void stall_files_close(struct stall_files *files)
{
	while (files->count)
		fd_close(files->list[--files->count].fd);
	files->looked_ns = 0;
}

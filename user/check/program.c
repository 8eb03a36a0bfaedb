/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The program of a shell command: which one it is, and whether it may be executed. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/internal.h"
#include "util/cleanup.h"

#define SPACE " \t\n"
/* End a simple command. */
#define ENDS ";&|()<>"
/* Are replaced by the shell. */
#define REPLACED "$`'\"\\*?[]{}~#!="

static bool is_builtin(const char *word)
{
	static const char *const builtins[] = {
		".",     ":",      "[",    "alias",  "bg",       "break",  "case",  "cd",    "command", "continue",
		"echo",  "eval",   "exit", "export", "false",    "fg",     "for",   "if",    "jobs",    "kill",
		"local", "printf", "pwd",  "read",   "readonly", "return", "set",   "shift", "test",    "times",
		"trap",  "true",   "type", "ulimit", "umask",    "unset",  "until", "wait",  "while",
	};

	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (!strcmp(word, builtins[i]))
			return true;
	return false;
}

static bool is_assignment(const char *word, size_t length)
{
	const char *equals = memchr(word, '=', length);

	if (!equals || equals == word || isdigit((unsigned char)word[0]))
		return false;
	for (const char *c = word; c < equals; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	return strcspn(equals + 1, REPLACED) >= length - (size_t)(equals + 1 - word);
}

bool program_of(char out[PROGRAM_SIZE], const char *exec)
{
	for (const char *at = exec;;) {
		size_t length;

		at += strspn(at, SPACE);
		length = strcspn(at, SPACE ENDS);
		if (is_assignment(at, length) && strchr(SPACE, at[length])) {
			at += length;
			continue;
		}
		if (!length || length >= PROGRAM_SIZE || strcspn(at, REPLACED) < length)
			return false;
		snprintf(out, PROGRAM_SIZE, "%.*s", (int)length, at);
		if (strcmp(out, "exec") != 0)
			return !is_builtin(out);
		at += length;
	}
}

/* 0 or a negative errno: -EACCES also for what is no regular file. */
static int can_execute(int directory_fd, const char *path)
{
	struct stat st;

	if (fstatat(directory_fd, path, &st, 0) ||
	    (S_ISREG(st.st_mode) && faccessat(directory_fd, path, X_OK, AT_EACCESS)))
		return -errno;
	return S_ISREG(st.st_mode) ? 0 : -EACCES;
}

static bool is_in_path(const char *program)
{
	_cleanup_free_ char *copy = strdup(getenv("PATH") ?: "/usr/bin:/bin");
	char *rest = copy, *folder;

	while (rest && (folder = strsep(&rest, ":"))) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", *folder ? folder : ".", program);
		if (!can_execute(AT_FDCWD, path))
			return true;
	}
	return false;
}

bool program_is_missing(const char *program, const char *directory, char *why, size_t size)
{
	_cleanup_close_ int fd = -1;
	int ret;

	if (!strchr(program, '/')) {
		if (is_in_path(program))
			return false;
		snprintf(why, size, "'%s' is not in PATH", program);
		return true;
	}
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ret = fd < 0 ? -errno : can_execute(fd, program);
	if (!ret)
		return false;
	if (ret == -ENOENT || ret == -ENOTDIR)
		snprintf(why, size, "there is no '%s' in %s", program, directory);
	else if (ret == -EACCES)
		snprintf(why, size, "'%s' in %s may not be executed", program, directory);
	else
		snprintf(why, size, "'%s' in %s: %s", program, directory, strerror(-ret));
	return true;
}

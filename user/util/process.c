/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

uint64_t process_start_ticks(pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[32], line[1024];
	const char *after_name;
	uint64_t ticks = 0;
	char state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return 0;
	/* The name may hold spaces and parentheses: fields count from the last ')'. */
	after_name = strrchr(line, ')');
	if (!after_name)
		return 0;
	if (sscanf(after_name + 1,
		   " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, &state,
		   &ticks) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : ticks;
}

int process_name(const char *pid, char *name, size_t size)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	name[0] = '\0';
	f = fopen(path, "re");
	if (!f || (!fgets(name, (int)size, f) && ferror(f)))
		return -errno;
	name[strcspn(name, "\n")] = '\0';
	return 0;
}

int process_without_gone(int code)
{
	return code == -ENOENT || code == -ESRCH ? 0 : code;
}

uint64_t process_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/program.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "eval_abi.h"
#include "util/cleanup.h"

/* Prefixes of program names; tests/unit/kernel/test_program.c lists all first words. */
#define LINE_PROGRAM_PREFIX "line_"
#define DROP_PROGRAM_PREFIX "drop_"
#define LEARN_PROGRAM_PREFIX "learn"

int program_read_fd(struct program *program, int fd)
{
	struct bpf_prog_info info = {.nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = (__u64)(unsigned long)program->maps};
	__u32 size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return -ENOENT;
	program->id = info.id;
	program->type = info.type;
	memcpy(program->name, info.name, sizeof(program->name));
	program->map_count = info.nr_map_ids < PROGRAM_MAPS_MAX ? info.nr_map_ids : PROGRAM_MAPS_MAX;
	return 0;
}

int program_read(struct program *program, __u32 id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);

	return program_read_fd(program, fd);
}

bool program_has_map(const struct program *program, __u32 map_id)
{
	for (__u32 i = 0; i < program->map_count; i++)
		if (program->maps[i] == map_id)
			return true;
	return false;
}

int program_map_open(const struct program *program, const char *name)
{
	for (__u32 i = 0; i < program->map_count; i++) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(program->maps[i]);
		struct bpf_map_info info = {};
		__u32 size = sizeof(info);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, name))
			return TAKE_FD(fd);
	}
	return -ENOENT;
}

bool program_is_of_line(const char *name)
{
	return !strncmp(name, LINE_PROGRAM_PREFIX, strlen(LINE_PROGRAM_PREFIX));
}

bool program_drops(__u32 id)
{
	struct program program = {};

	if (program_read(&program, id))
		return false;
	return !strncmp(program.name, DROP_PROGRAM_PREFIX, strlen(DROP_PROGRAM_PREFIX)) ||
	       !strncmp(program.name, LEARN_PROGRAM_PREFIX, strlen(LEARN_PROGRAM_PREFIX));
}

bool program_is_ours(const struct program *program)
{
	_cleanup_close_ int map_fd = program_map_open(program, EVAL_CTL_MAP);

	return map_fd >= 0;
}

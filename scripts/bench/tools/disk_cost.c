/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * disk_cost FILE CALLS append|overwrite: time per call of each tracing program, by the kernel's own statistics, while
 * 4 KiB are written CALLS times, appended or at the file's start. Prints a line "PROGRAM NS CALLS" per program.
 * probe_empty is this tool's own program: it does nothing, on the same function in the same calls.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/object.h"
#include "probe.skel.h"
#include "util/cleanup.h"

#define BLOCK 4096
#define PROGRAMS_MAX 32

struct program {
	char name[BPF_OBJ_NAME_LEN];
	uint32_t id;
	uint64_t run_ns, calls;
};

static void die(const char *what, int code)
{
	fprintf(stderr, "disk_cost: %s: %s\n", what, strerror(abs(code)));
	exit(1);
}

/* Reads the statistics of every tracing program on this host. */
static size_t programs_read(struct program *programs)
{
	size_t count = 0;

	for (uint32_t id = 0; !bpf_prog_get_next_id(id, &id);) {
		_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) || info.type != BPF_PROG_TYPE_TRACING)
			continue;
		if (count == PROGRAMS_MAX)
			die("more tracing programs than this tool can tell", ENOSPC);
		programs[count] = (struct program){.id = id, .run_ns = info.run_time_ns, .calls = info.run_cnt};
		memcpy(programs[count].name, info.name, sizeof(info.name));
		count++;
	}
	return count;
}

static void write_calls(int fd, const char *buffer, unsigned long calls, bool append)
{
	for (unsigned long i = 0; i < calls; i++)
		if (pwrite(fd, buffer, BLOCK, append ? (off_t)(i * BLOCK) : 0) < 0 && errno != ENOSPC)
			die("pwrite", errno);
}

static void attach_empty(void)
{
	struct probe_bpf *probe = probe_bpf__open();
	struct bpf_program *program;

	if (!probe)
		die("open", errno);
	bpf_object__for_each_program(program, probe->obj)
		bpf_program__set_autoload(program, program == probe->progs.probe_empty);
	if (probe_bpf__load(probe) || !bpf_program__attach(probe->progs.probe_empty))
		die("probe_empty", errno);
}

static void measure(int fd, const char *buffer, unsigned long calls, bool append)
{
	struct program before[PROGRAMS_MAX], after[PROGRAMS_MAX];
	size_t before_count = programs_read(before), after_count;

	write_calls(fd, buffer, calls, append);
	after_count = programs_read(after);
	for (size_t i = 0; i < after_count; i++)
		for (size_t j = 0; j < before_count; j++) {
			uint64_t ran = after[i].calls - before[j].calls;

			if (after[i].id == before[j].id && ran)
				printf("%s %.2f %" PRIu64 "\n", after[i].name,
				       (double)(after[i].run_ns - before[j].run_ns) / (double)ran, ran);
		}
}

int main(int argc, char **argv)
{
	unsigned long calls = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	_cleanup_close_ int statistics_fd = -1;
	_cleanup_close_ int fd = -1;
	static char buffer[BLOCK];

	if (!calls || (strcmp(argv[3], "append") && strcmp(argv[3], "overwrite"))) {
		fprintf(stderr, "usage: disk_cost FILE CALLS append|overwrite\n");
		return 2;
	}
	object_log_init();
	fd = open(argv[1], O_CREAT | O_RDWR, 0600);
	if (fd < 0)
		die(argv[1], errno);
	statistics_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (statistics_fd < 0)
		die("BPF_ENABLE_STATS", statistics_fd);
	attach_empty();
	measure(fd, buffer, calls, !strcmp(argv[3], "append"));
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * own_bpf: prints the BPF objects of faults whose holder is, or was, in this PID namespace: "map NAME" for each control
 * map, "program NAME" for each program that uses such a map. Reads the kernel's lists itself, so that a test for
 * leftovers does not depend on eval. own_bpf holders: prints "PID NETNS TYPE MILLISECONDS" for each control map
 * instead: the fault's holder, the inode of its network namespace, its type, and how long it stays live without a
 * renewal (0: it is not live).
 */
#include <bpf/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos_kinds.h"
#include "eval_abi.h"
#include "util/clock.h"

#define MAPS_MAX 4096

static __u32 control_maps[MAPS_MAX];
static size_t control_count;

static __u64 pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

static bool is_own_control(int fd, struct eval_ctl *ctl)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), zero = 0;

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, EVAL_CTL_MAP) &&
	       info.value_size == sizeof(*ctl) && !bpf_map_lookup_elem(fd, &zero, ctl) && ctl->magic == EVAL_MAGIC &&
	       ctl->holder_pidns_ino == pid_namespace();
}

static void print_holder(const struct eval_ctl *ctl)
{
	static const char *const types[] = {
#define X(id, name) [EVAL_KIND_##id] = #name,
		EVAL_CHAOS_KINDS(X)
#undef X
	};
	__u64 until_ns = ctl->deadline_ns < ctl->lease_ns ? ctl->deadline_ns : ctl->lease_ns;
	__u64 now_ns = clock_monotonic_ns();

	printf("%u %llu %s %llu\n", ctl->holder_pid, (unsigned long long)ctl->netns_ino,
	       ctl->kind < EVAL_KIND_COUNT && types[ctl->kind] ? types[ctl->kind] : "?",
	       until_ns > now_ns && !ctl->draining ? (unsigned long long)((until_ns - now_ns) / NSEC_PER_MSEC) : 0ULL);
}

static void find_maps(bool holders)
{
	__u32 id = 0;
	struct eval_ctl ctl;

	while (control_count < MAPS_MAX && !bpf_map_get_next_id(id, &id)) {
		int fd = bpf_map_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (is_own_control(fd, &ctl)) {
			control_maps[control_count++] = id;
			if (holders)
				print_holder(&ctl);
			else
				printf("map %s\n", EVAL_CTL_MAP);
		}
		close(fd);
	}
}

static bool uses_own_control(const __u32 *maps, __u32 count)
{
	__u32 i;
	size_t j;

	for (i = 0; i < count; i++)
		for (j = 0; j < control_count; j++)
			if (maps[i] == control_maps[j])
				return true;
	return false;
}

static void find_programs(void)
{
	__u32 id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		int fd = bpf_prog_get_fd_by_id(id);
		__u32 maps[64] = {};
		struct bpf_prog_info info = {.map_ids = (__u64)(unsigned long)maps, .nr_map_ids = 64};
		__u32 size = sizeof(info);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && uses_own_control(maps, info.nr_map_ids))
			printf("program %s\n", info.name);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	bool holders = argc > 1 && !strcmp(argv[1], "holders");

	find_maps(holders);
	if (!holders)
		find_programs();
	return 0;
}

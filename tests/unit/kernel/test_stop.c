/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tests the emergency stop against a fake kernel: this file replaces the functions of libbpf that the stop calls. All
 * faults are inert before the first hook is detached, and each program, link and map is opened a bounded number of
 * times, however many faults there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/live.h"
#include "kernel/table.h"
#include "util/clock.h"

#define FAULTS 50
/* The last fault is of another version. */
#define OURS (FAULTS - 1)
/* Fault i has map i + 1, program and link 2 * i + 1 on the device, and program and link 2 * i + 2 of a line. */
#define PROGRAMS (2 * FAULTS)

static int map_fds[FAULTS];
static unsigned int looks, detached;

static int next_id(__u32 start, __u32 *next, __u32 count)
{
	if (start >= count)
		return -ENOENT;
	*next = start + 1;
	return 0;
}

int bpf_map_get_next_id(__u32 start, __u32 *next)
{
	return next_id(start, next, FAULTS);
}
int bpf_prog_get_next_id(__u32 start, __u32 *next)
{
	return next_id(start, next, PROGRAMS);
}
int bpf_link_get_next_id(__u32 start, __u32 *next)
{
	return next_id(start, next, PROGRAMS);
}

/* The descriptor of a program or link is that of a memory file, whose size is the id. */
static int id_fd(const char *kind, __u32 id)
{
	int fd = memfd_create(kind, MFD_CLOEXEC);

	looks++;
	assert_int_equal(ftruncate(fd, (off_t)id), 0);
	return fd;
}

int bpf_map_get_fd_by_id(__u32 id)
{
	looks++;
	return dup(map_fds[id - 1]);
}

int bpf_prog_get_fd_by_id(__u32 id)
{
	return id_fd("program", id);
}
int bpf_link_get_fd_by_id(__u32 id)
{
	return id_fd("link", id);
}

static bool is_kind(int fd, const char *kind)
{
	char path[64], target[128] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, kind);
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	__u32 id = (__u32)lseek(fd, 0, SEEK_END);

	if (is_kind(fd, "program")) {
		struct bpf_prog_info *program = info;

		program->id = id;
		snprintf(program->name, sizeof(program->name), "%s", id % 2 ? "drop_egress" : "line_turn");
		program->nr_map_ids = 1;
		((__u32 *)(uintptr_t)program->map_ids)[0] = (id + 1) / 2;
	} else if (is_kind(fd, "link")) {
		((struct bpf_link_info *)info)->id = id;
		((struct bpf_link_info *)info)->prog_id = id;
		((struct bpf_link_info *)info)->type = LINK_TYPE_TCX;
	} else {
		struct bpf_map_info *map = info;

		snprintf(map->name, sizeof(map->name), "%s", EVAL_CTL_MAP);
		map->type = BPF_MAP_TYPE_ARRAY;
		map->value_size = sizeof(struct eval_ctl);
	}
	return 0;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	return pread(fd, value, sizeof(struct eval_ctl), 0) == sizeof(struct eval_ctl) ? 0 : -ENOENT;
}

/* Success without programs: the fake kernel has tcx, so there are no filters to look for. */
int bpf_prog_query(int target_fd, enum bpf_attach_type type, __u32 query_flags, __u32 *attach_flags, __u32 *prog_ids,
		   __u32 *prog_cnt)
{
	return 0;
}

static struct eval_ctl block(size_t fault)
{
	struct eval_ctl ctl;

	assert_int_equal(pread(map_fds[fault], &ctl, sizeof(ctl), 0), sizeof(ctl));
	return ctl;
}

int bpf_link_detach(int link_fd)
{
	/* Only the device's hooks are detached: packets in a delay line are still delivered. */
	assert_int_equal(lseek(link_fd, 0, SEEK_END) % 2, 1);
	for (size_t i = 0; i < FAULTS; i++)
		assert_int_equal(block(i).deadline_ns, 0);
	detached++;
	return 0;
}

static void make_faults(void)
{
	for (size_t i = 0; i < FAULTS; i++) {
		struct eval_ctl ctl = {
			.magic = EVAL_MAGIC,
			.abi_version = i < OURS ? EVAL_ABI_VERSION : EVAL_ABI_VERSION + 1,
			.kind = 1,
			.deadline_ns = clock_monotonic_ns() + NSEC_PER_SEC,
			.lease_ns = i,
			.holder_pid = (__u32)getpid(),
		};

		map_fds[i] = memfd_create("map", MFD_CLOEXEC);
		assert_int_equal(ftruncate(map_fds[i], sysconf(_SC_PAGESIZE)), 0);
		assert_int_equal(pwrite(map_fds[i], &ctl, sizeof(ctl), 0), sizeof(ctl));
	}
	looks = detached = 0;
}

static void all_are_inert_before_the_first_is_detached(void **state)
{
	struct error err = {};

	make_faults();
	assert_int_equal(live_stop_all(NULL, &err), FAULTS);
	/* The holder of a fault of another version detaches its hooks. */
	assert_int_equal(detached, OURS);
	for (size_t i = 0; i < FAULTS; i++) {
		/* The stop leaves the lease alone, because the holder renews it meanwhile. */
		assert_int_equal(block(i).draining, i < OURS);
		assert_int_equal(block(i).lease_ns, i);
	}
}

static void each_is_looked_at_once(void **state)
{
	make_faults();
	assert_int_equal(live_stop_all(NULL, NULL), FAULTS);
	/* Each map is opened twice (control blocks, disks); each detached link once more. */
	assert_int_equal(looks, 2 * FAULTS + 2 * PROGRAMS + OURS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_inert_before_the_first_is_detached),
		cmocka_unit_test(each_is_looked_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

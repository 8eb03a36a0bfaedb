/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests which differences from the expected space count. The file system is a tmpfs, and the test charges as BPF
 * programs do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "chaos/disk/hook.h"
#include "util/clock.h"

#define MIB (1U << 20)
/* A moment that begins so long after a sample lies around the next one. */
#define BEGIN_MS 193
#define MOMENT_MS 14
/* A moment that took longer may rightly count. */
#define MOMENT_MS_MAX 20
#define MOMENTS 3
#define TRIES 20

struct disk {
	int directory, file;
	json_t *params;
	struct eval_disk shared;
	struct fault_spec spec;
	struct disk_hook hook;
	struct error err;
};

static void sleep_ms(uint64_t ms)
{
	struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * NSEC_PER_MSEC)};

	while (nanosleep(&time, &time))
		continue;
}

/* Mounts a tmpfs of 64 MiB that goes away with its descriptors. */
static int start(void **state)
{
	static struct disk disk;
	char path[] = "/tmp/eval-test-XXXXXX";

	memset(&disk, 0, sizeof(disk));
	if (!mkdtemp(path) || mount("none", path, "tmpfs", 0, "size=64m"))
		return -1;
	disk.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	umount2(path, MNT_DETACH);
	rmdir(path);
	disk.file = openat(disk.directory, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (disk.file < 0 || ftruncate(disk.file, 0))
		return -1;
	disk.params = json_pack("{s:f}", "fill_percent", 0.0);
	disk.spec.params = disk.params;
	disk.hook.attach.spec = &disk.spec;
	disk.hook.attach.shared = &disk.shared;
	disk.hook.attach.file_systems[0].fd = disk.directory;
	disk.hook.attach.file_systems[0].path = "/disk";
	disk.hook.attach.file_system_count = 1;
	*state = &disk;
	return disk_hook_start_sampling(&disk.hook, &disk.err);
}

static int end(void **state)
{
	struct disk *disk = *state;

	disk_hook_end_sampling(&disk->hook);
	json_decref(disk->params);
	close(disk->file);
	close(disk->directory);
	return 0;
}

static uint64_t limit_of(const struct disk *disk)
{
	return __atomic_load_n(&disk->shared.spaces[0].limit_bytes, __ATOMIC_ACQUIRE);
}

static uint64_t samples_of(const struct disk *disk)
{
	return __atomic_load_n(&disk->shared.samples, __ATOMIC_ACQUIRE);
}

static void wait_for_more_than(const struct disk *disk, uint64_t samples)
{
	for (int i = 0; i < 5000 && samples_of(disk) <= samples; i++)
		sleep_ms(1);
}

static void wait_for_sample(const struct disk *disk)
{
	wait_for_more_than(disk, samples_of(disk));
}

/* Runs begin, and end a moment later, while a sample is taken. Returns false if it took too long. */
static bool moment(struct disk *disk, void (*begin)(struct disk *disk), void (*finish)(struct disk *disk))
{
	uint64_t since_ns, samples;

	wait_for_sample(disk);
	samples = samples_of(disk);
	sleep_ms(BEGIN_MS);
	since_ns = clock_monotonic_ns();
	begin(disk);
	sleep_ms(MOMENT_MS);
	finish(disk);
	since_ns = clock_monotonic_ns() - since_ns;
	wait_for_more_than(disk, samples);
	return since_ns < MOMENT_MS_MAX * NSEC_PER_MSEC;
}

static void charge(struct disk *disk)
{
	__atomic_add_fetch(&disk->shared.spaces[0].charged_bytes, 4 * MIB, __ATOMIC_ACQ_REL);
}

static void allocate(struct disk *disk)
{
	assert_int_equal(fallocate(disk->file, 0, lseek(disk->file, 0, SEEK_END), 4 * MIB), 0);
	assert_true(lseek(disk->file, 0, SEEK_END) >= 4 * MIB);
}

static void release(struct disk *disk)
{
	assert_int_equal(ftruncate(disk->file, 0), 0);
}

static void blocks_that_a_call_is_about_to_take_are_not_left(void **state)
{
	struct disk *disk = *state;
	uint64_t limit = limit_of(disk);
	int in_time = 0;

	assert_true(limit > 60 * MIB);
	for (int i = 0; i < TRIES && in_time < MOMENTS; i++) {
		if (moment(disk, charge, allocate)) {
			assert_int_equal(limit_of(disk), limit);
			in_time++;
		}
		/* As many bytes as before: what is freed was charged. */
		release(disk);
		disk->shared.spaces[0].charged_bytes -= 4 * MIB;
		wait_for_sample(disk);
		wait_for_sample(disk);
	}
	assert_true(in_time > 0);
}

static void space_that_is_gone_for_a_moment_is_left(void **state)
{
	struct disk *disk = *state;
	uint64_t limit = limit_of(disk);
	int in_time = 0;

	for (int i = 0; i < TRIES && in_time < MOMENTS; i++) {
		if (moment(disk, allocate, release)) {
			assert_int_equal(limit_of(disk), limit);
			in_time++;
		}
		wait_for_sample(disk);
	}
	assert_true(in_time > 0);
}

static void what_lasts_counts(void **state)
{
	struct disk *disk = *state;
	uint64_t limit = limit_of(disk);

	allocate(disk);
	wait_for_sample(disk);
	wait_for_sample(disk);
	assert_int_equal(limit_of(disk), limit - 4 * MIB);
	release(disk);
	wait_for_sample(disk);
	wait_for_sample(disk);
	assert_int_equal(limit_of(disk), limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocks_that_a_call_is_about_to_take_are_not_left, start, end),
		cmocka_unit_test_setup_teardown(space_that_is_gone_for_a_moment_is_left, start, end),
		cmocka_unit_test_setup_teardown(what_lasts_counts, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples the real space, which corrects what the BPF programs charge for growth. So space that others free counts
 * within 200 ms, what they use soon after, and no error of the charges lasts longer.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <sys/param.h>
#include <time.h>

#include "chaos/disk/hook.h"
#include "eval_disk.h"
#include "util/clock.h"
#include "util/thread.h"

#define SAMPLE_NS (200 * NSEC_PER_MSEC)
#define SAMPLE_TRIES 8
#define PAUSE_NS NSEC_PER_MSEC
#define PAUSE_NS_MAX (16 * NSEC_PER_MSEC)

/* Bytes that XFS preallocated, read after the space: those allocated in between count twice until the next sample. */
static uint64_t ahead_now(const struct disk_hook *hook, const struct eval_disk_space *space)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (!hook->by_growth || space->layout != EVAL_LAYOUT_XFS)
		return 0;
	return bpf_prog_test_run_opts(bpf_program__fd(hook->skel->progs.disk_sum_ahead), &opts) ? 0
												: space->ahead_bytes;
}

/* Call with the lock held. Returns true after time_ns, false if sampling must end. */
static bool wait_for_end(struct disk_hook *hook, uint64_t time_ns)
{
	struct timespec at = clock_monotonic_timespec(clock_monotonic_ns() + time_ns);

	while (!hook->end_sampling && pthread_cond_timedwait(&hook->wake, &hook->lock, &at) != ETIMEDOUT)
		continue;
	return !hook->end_sampling;
}

/*
 * What limit_bytes should be: the bytes charged and those left. Charges made while the space is read are lost rather
 * than counted twice: a refusal too early does more harm than one too late. A read during which something was charged
 * is repeated, up to SAMPLE_TRIES reads.
 */
static int limit_read(const struct disk_hook *hook, size_t index, uint64_t *limit)
{
	const struct disk_file_system *fs = &hook->attach.file_systems[index];
	const struct eval_disk_space *space = &hook->attach.shared->spaces[index];
	uint64_t available, before, charged = __atomic_load_n(&space->charged_bytes, __ATOMIC_ACQUIRE);
	int tries = 0, ret;

	do {
		before = charged;
		ret = disk_available_now(fs->fd, fs->btrfs_uuid, &available);
		if (ret)
			return ret;
		available += ahead_now(hook, space);
		charged = __atomic_load_n(&space->charged_bytes, __ATOMIC_ACQUIRE);
	} while (charged != before && ++tries < SAMPLE_TRIES);
	*limit = charged + (available > space->reserved_bytes ? available - space->reserved_bytes : 0);
	return 0;
}

/* Reads once more. *nearest is the reading that differs least from the limit so far; the limit if some lie on both
 * sides. */
static void look(const struct disk_hook *hook, size_t index, bool first, uint64_t *nearest)
{
	uint64_t limit = hook->attach.shared->spaces[index].limit_bytes, read = limit;

	if (limit_read(hook, index, &read) && !first)
		return;
	if (first)
		*nearest = read;
	else if (*nearest > limit)
		*nearest = MIN(*nearest, MAX(read, limit));
	else
		*nearest = MAX(*nearest, MIN(read, limit));
}

/*
 * A difference from what was expected counts only if it lasts:
 * - less space: for a moment ext4 counts blocks that it writes back twice (ext4_mb_mark_diskspace_used takes them, and
 *   ext4_da_update_reserve_space later releases the reservation);
 * - more space: a call that is charged takes its blocks a moment later, and would not count at all.
 */
static void sample(struct disk_hook *hook)
{
	uint64_t nearest[EVAL_DISK_DIRS], pause_ns = 0;
	bool differs;

	do {
		if (pause_ns && !wait_for_end(hook, pause_ns))
			return;
		differs = false;
		for (size_t i = 0; i < hook->attach.file_system_count; i++) {
			look(hook, i, !pause_ns, &nearest[i]);
			differs |= nearest[i] != hook->attach.shared->spaces[i].limit_bytes;
		}
		pause_ns = pause_ns ? 4 * pause_ns : PAUSE_NS;
	} while (differs && pause_ns <= PAUSE_NS_MAX);
	for (size_t i = 0; i < hook->attach.file_system_count; i++)
		__atomic_store_n(&hook->attach.shared->spaces[i].limit_bytes, nearest[i], __ATOMIC_RELEASE);
	__atomic_add_fetch(&hook->attach.shared->samples, 1, __ATOMIC_RELEASE);
}

static void *sample_thread(void *data)
{
	struct disk_hook *hook = data;

	pthread_mutex_lock(&hook->lock);
	while (wait_for_end(hook, SAMPLE_NS))
		sample(hook);
	pthread_mutex_unlock(&hook->lock);
	return NULL;
}

static int reserve(struct disk_hook *hook, struct error *err)
{
	struct disk_request request = disk_request_of(hook->attach.spec);

	for (size_t i = 0; i < hook->attach.file_system_count; i++) {
		struct disk_file_system *fs = &hook->attach.file_systems[i];
		int ret = disk_available_now(fs->fd, fs->btrfs_uuid, &fs->available_bytes);

		if (ret)
			return error_set_errno(err, ret, "cannot ask '%s' for its space", fs->path);
		ret = disk_reserve(&fs->reserved_bytes, &request, fs->available_bytes, fs->path, err);
		if (ret)
			return ret;
		hook->attach.shared->spaces[i].reserved_bytes = fs->reserved_bytes;
		hook->attach.shared->spaces[i].limit_bytes = fs->available_bytes - fs->reserved_bytes;
	}
	return 0;
}

int disk_hook_start_sampling(struct disk_hook *hook, struct error *err)
{
	pthread_condattr_t monotonic;
	int ret = reserve(hook, err);

	if (ret)
		return ret;
	pthread_mutex_init(&hook->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&hook->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_lock(&hook->lock);
	sample(hook);
	pthread_mutex_unlock(&hook->lock);
	ret = thread_start(&hook->sampler, sample_thread, hook);
	if (ret)
		return error_set_errno(err, ret, "cannot start the thread that samples the disk's space");
	hook->sampling = true;
	return 0;
}

void disk_hook_end_sampling(struct disk_hook *hook)
{
	if (!hook->sampling)
		return;
	pthread_mutex_lock(&hook->lock);
	hook->end_sampling = true;
	pthread_cond_signal(&hook->wake);
	pthread_mutex_unlock(&hook->lock);
	pthread_join(hook->sampler, NULL);
	pthread_cond_destroy(&hook->wake);
	pthread_mutex_destroy(&hook->lock);
	hook->sampling = false;
}

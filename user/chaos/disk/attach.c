/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Attaches programs to file calls, tells them the directories that they are for, and tests that they fire. */
#include "chaos/disk/attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/features.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define SEEN_WITHIN_NS NSEC_PER_SEC
/* Each object has the program, see disk/who.bpf.h. */
#define WHO_PROGRAM "disk_who_asks"

int disk_explain_refusal(const char *engine, const char *instead, int code, struct error *err)
{
	struct error why = err ? *err : (struct error){0};

	if (code == -ENOMEM)
		return code;
	/* EINVAL: lockdown refuses a helper, not the program. */
	if ((code == -EPERM || code == -EINVAL) && features_locked_down())
		return error_set(err, -EPERM,
				 "engine: %s needs fmod_ret programs, which kernel lockdown refuses (%s): %s%s%sboot "
				 "without lockdown",
				 engine, code == -EPERM ? "EPERM" : "EINVAL", instead ? "use engine: " : "",
				 instead ?: "", instead ? ", or " : "");
	return error_set(err, -EOPNOTSUPP, "%s", why.text);
}

/* What comes before the engine that errors advise to use. */
static const char *advice(const struct disk_attach *attach)
{
	return attach->instead ? ": use engine: " : "";
}

int disk_attach_programs(struct disk_attach *attach, bool (*wants)(const struct bpf_program *), struct error *err)
{
	uint64_t from_ns = clock_monotonic_ns();
	struct bpf_program *program;

	bpf_object__for_each_program(program, attach->obj)
	{
		struct bpf_link *link;

		/* Programs of these types are run, not attached. */
		if (!bpf_program__autoload(program) || bpf_program__type(program) == BPF_PROG_TYPE_SYSCALL ||
		    bpf_program__type(program) == BPF_PROG_TYPE_RAW_TRACEPOINT || (wants && !wants(program)))
			continue;
		if (attach->link_count == DISK_LINKS_MAX)
			return error_set(err, -ENOSPC, "internal: too many links");
		link = bpf_program__attach(program);
		if (!link)
			return error_set_errno(err, -errno, "cannot attach the kernel program %s",
					       bpf_program__name(program));
		attach->links[attach->link_count++] = link;
		fault_spec_renew_others(attach->spec);
	}
	attach->attach_ms += (double)(clock_monotonic_ns() - from_ns) / NSEC_PER_MSEC;
	return 0;
}

static enum eval_disk_layout layout_of(const char *type)
{
	static const struct {
		const char *type;
		enum eval_disk_layout layout;
	} layouts[] = {
		{"ext4", EVAL_LAYOUT_EXT4},    {"ext3", EVAL_LAYOUT_EXT4},    {"xfs", EVAL_LAYOUT_XFS},
		{"tmpfs", EVAL_LAYOUT_BLOCKS}, {"btrfs", EVAL_LAYOUT_BTRFS},  {"zfs", EVAL_LAYOUT_COW},
		{"nilfs2", EVAL_LAYOUT_COW},   {"bcachefs", EVAL_LAYOUT_COW},
	};

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (!strcmp(layouts[i].type, type))
			return layouts[i].layout;
	return EVAL_LAYOUT_UNKNOWN;
}

static void add_file_system(struct disk_attach *attach, const struct target_directory *directory)
{
	struct eval_disk *shared = attach->shared;
	struct disk_file_system *added = &attach->file_systems[attach->file_system_count];

	for (size_t i = 0; i < attach->file_system_count; i++)
		if (shared->spaces[i].super_block == shared->learned_super_block)
			return;
	if (attach->file_system_count == EVAL_DISK_DIRS)
		return;
	added->fd = directory->fd;
	added->path = directory->path;
	memcpy(added->type, shared->file_system, sizeof(added->type));
	added->type[sizeof(added->type) - 1] = '\0';
	if (!strcmp(added->type, "btrfs") && disk_btrfs_name(directory->fd, added->btrfs_uuid))
		added->btrfs_uuid[0] = '\0';
	shared->spaces[attach->file_system_count].layout = layout_of(added->type);
	shared->spaces[attach->file_system_count].super_block = shared->learned_super_block;
	attach->file_system_count++;
}

/* The ids of this thread, its process and its parent as the hooks see them, in the initial PID namespace. */
static int who_am_i(struct disk_attach *attach, struct error *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int ret = bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(attach->obj, WHO_PROGRAM)),
					 &opts);

	if (ret)
		return error_set_errno(err, ret, "cannot ask the kernel which process this is");
	attach->shared->exempt[0] = attach->shared->process;
	attach->shared->exempt[1] = *attach->spec->campaign ? attach->shared->parent : 0;
	return 0;
}

/* Lists the directory, whose inode the hook records. */
static int learn(struct disk_attach *attach, size_t index, struct error *err)
{
	const struct target_directory *directory = &attach->spec->target->directories[index];
	struct eval_disk *shared = attach->shared;
	char entries[4096];

	shared->learned_directory = 0;
	__atomic_store_n(&shared->learning, shared->thread, __ATOMIC_RELEASE);
	lseek(directory->fd, 0, SEEK_SET);
	if (syscall(SYS_getdents64, directory->fd, entries, sizeof(entries)) < 0)
		return error_set_errno(err, -errno, "cannot list data_dir '%s'", directory->path);
	__atomic_store_n(&shared->learning, 0, __ATOMIC_RELEASE);
	if (!shared->learned_directory)
		return error_set(err, -EOPNOTSUPP,
				 "the hook is attached, but this kernel does not run it (data_dir '%s' was not "
				 "seen)%s%s",
				 directory->path, advice(attach), attach->instead ?: "");
	shared->directories[index] = shared->learned_directory;
	add_file_system(attach, directory);
	return 0;
}

/* Opens a file for the self-test, without a name if the file system supports that. */
static int scratch_open(int directory_fd)
{
	char name[64];
	int fd = openat(directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
		return fd;
	snprintf(name, sizeof(name), ".eval-self-test-%d", (int)getpid());
	fd = openat(directory_fd, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlinkat(directory_fd, name, 0);
	return fd;
}

static bool is_refused(const struct disk_attach *attach, long result)
{
	return result < 0 && errno == -attach->refusal;
}

/*
 * Attached hooks may still never fire, because a compiler may have inlined the hooked function. So the hooks must
 * refuse calls of this thread on a file of ours.
 */
static int self_test(struct disk_attach *attach, const struct target_directory *directory, struct error *err)
{
	_cleanup_close_ int fd = scratch_open(directory->fd);
	struct eval_disk *shared = attach->shared;
	bool write_seen, fallocate_seen;

	if (fd < 0)
		return error_set_errno(err, -errno, "cannot make a file for the self-test in data_dir '%s'",
				       directory->path);
	shared->probed = 0;
	__atomic_store_n(&shared->probe_thread, shared->thread, __ATOMIC_RELEASE);
	write_seen = is_refused(attach, write(fd, "", 1)) && shared->probed & 1U << EVAL_DISK_WRITE;
	fallocate_seen = !attach->tests_fallocate ||
			 (is_refused(attach, fallocate(fd, 0, 0, 4096)) && shared->probed & 1U << EVAL_DISK_FALLOCATE);
	__atomic_store_n(&shared->probe_thread, 0, __ATOMIC_RELEASE);
	if (write_seen && fallocate_seen)
		return 0;
	return error_set(err, -EOPNOTSUPP,
			 "the hooks are attached, but a %s to a file of ours in data_dir '%s' did not come by them%s%s",
			 write_seen ? "fallocate" : "write", directory->path, advice(attach), attach->instead ?: "");
}

/*
 * While the kernel removes the hooks of a holder that was just killed, calls may miss new hooks on the same functions
 * for a moment (seen on 7.2). Nothing is refused yet, so trying again is safe.
 */
static int until_seen(struct disk_attach *attach, size_t index, struct error *err)
{
	uint64_t deadline_ns = clock_monotonic_ns() + SEEN_WITHIN_NS;
	struct error last;
	int ret;

	do {
		last = (struct error){0};
		ret = learn(attach, index, &last);
		if (!ret)
			ret = self_test(attach, &attach->spec->target->directories[index], &last);
		if (!ret)
			return 0;
		usleep(20000);
		fault_spec_renew_others(attach->spec);
	} while (ret == -EOPNOTSUPP && clock_monotonic_ns() < deadline_ns);
	*err = last;
	return ret;
}

int disk_attach_learn(struct disk_attach *attach, struct error *err)
{
	int ret = who_am_i(attach, err);

	for (size_t i = 0; !ret && i < attach->spec->target->directory_count; i++)
		ret = until_seen(attach, i, err);
	return ret;
}

void disk_attach_detach(struct disk_attach *attach)
{
	uint64_t from_ns = clock_monotonic_ns();

	if (!attach->link_count)
		return;
	while (attach->link_count)
		bpf_link__destroy(attach->links[--attach->link_count]);
	attach->detach_ms = (double)(clock_monotonic_ns() - from_ns) / NSEC_PER_MSEC;
}

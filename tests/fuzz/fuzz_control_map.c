/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes what the kernel reports of a live fault: the control block, then the content of maps, programs and links. This
 * file is the kernel: its functions replace those of libbpf.
 */
#include "fuzz.h"

#include "eval_abi.h"
#include "eval_disk.h"
#include "eval_net.h"
#include "util/procfs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

/* Included for its static functions, which print the faults. */
#include "cli/bpf_status.c" // NOLINT(bugprone-suspicious-include)

/* Map ids; a program uses all of the maps. */
enum { MAP_CTL = 1, MAP_STATS, MAP_LINE, MAP_DISK, MAP_COUNT };
#define FD_BASE 30
#define PROGRAMS 2
#define LINKS 3

static const char *const map_names[MAP_COUNT] = {
	[MAP_CTL] = EVAL_CTL_MAP,
	[MAP_STATS] = EVAL_STATS_MAP,
	[MAP_LINE] = EVAL_LINE_MAP,
	[MAP_DISK] = EVAL_DISK_MAP,
};

/* Mapped from a file, so that the emergency stop can map it too. */
static struct eval_ctl *ctl;
static int ctl_fd;
static const uint8_t *input;
static size_t input_left;

/* Copies the next bytes of the input, zeros after its end. */
static void take(void *out, size_t size)
{
	size_t taken = size < input_left ? size : input_left;

	memset(out, 0, size);
	memcpy(out, input, taken);
	input += taken;
	input_left -= taken;
}

/* Returns a new descriptor that can be closed and whose number encodes the id. */
static int fd_of(__u32 id)
{
	int fd = fcntl(id == MAP_CTL ? ctl_fd : STDERR_FILENO, F_DUPFD_CLOEXEC, FD_BASE * (int)id);

	promise(fd >= 0);
	return fd;
}

static int next_id(__u32 start, __u32 *next, __u32 count)
{
	*next = start + 1;
	return start < count ? 0 : -ENOENT;
}

int bpf_map_get_next_id(__u32 start, __u32 *next)
{
	/* A disk fault has one more map. */
	return next_id(start, next, ctl->kind == EVAL_KIND_DISK_PRESSURE ? MAP_DISK : MAP_LINE);
}

int bpf_prog_get_next_id(__u32 start, __u32 *next)
{
	return next_id(start, next, PROGRAMS);
}

int bpf_link_get_next_id(__u32 start, __u32 *next)
{
	return next_id(start, next, LINKS);
}

int bpf_map_get_fd_by_id(__u32 id)
{
	return id && id < MAP_COUNT ? fd_of(id) : -ENOENT;
}

int bpf_prog_get_fd_by_id(__u32 id)
{
	return fd_of(10 + id);
}

int bpf_link_get_fd_by_id(__u32 id)
{
	return fd_of(20 + (id & 3));
}

int bpf_link_detach(int fd)
{
	return 0;
}

static void map_info(struct bpf_map_info *info, __u32 id)
{
	info->type = BPF_MAP_TYPE_ARRAY;
	info->value_size = id == MAP_CTL ? sizeof(struct eval_ctl) : id == MAP_DISK ? sizeof(struct eval_disk) : 8;
	strcpy(info->name, map_names[id]);
}

static void prog_info(struct bpf_prog_info *info)
{
	__u32 *maps = (__u32 *)(uintptr_t)info->map_ids;
	__u32 room = info->nr_map_ids;

	take(info, sizeof(*info));
	info->name[sizeof(info->name) - 1] = '\0';
	/* Fills the caller's array; the count in info stays fuzzed, as the kernel's can exceed the room. */
	for (__u32 i = 0; i < room; i++)
		maps[i] = i % MAP_COUNT;
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	int id = fd / FD_BASE;

	if (id < MAP_COUNT)
		map_info(info, (__u32)id);
	else if (id < 20)
		prog_info(info);
	else
		take(info, *size);
	return 0;
}

static void take_disk(struct eval_disk *disk)
{
	take(disk, sizeof(*disk));
	disk->ctl_map = MAP_CTL;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	int id = fd / FD_BASE;

	if (id == MAP_CTL)
		memcpy(value, ctl, sizeof(*ctl));
	else if (id == MAP_STATS)
		take(value, sizeof(struct eval_stats) * (size_t)libbpf_num_possible_cpus());
	else if (id == MAP_LINE)
		take(value, sizeof(struct eval_line));
	else
		take_disk(value);
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	memcpy(ctl, value, sizeof(*ctl));
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	ctl_fd = memfd_create("eval_ctl", MFD_CLOEXEC);
	if (ctl_fd < 0 || ftruncate(ctl_fd, sizeof(*ctl)))
		return 1;
	ctl = mmap(NULL, sizeof(*ctl), PROT_READ | PROT_WRITE, MAP_SHARED, ctl_fd, 0);
	return ctl != MAP_FAILED && freopen("/dev/null", "w", stdout) ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *faults = NULL, *leftovers = NULL;
	_cleanup_free_ char *text = NULL;

	input = data;
	input_left = size;
	take(ctl, sizeof(*ctl));
	ctl->magic = EVAL_MAGIC;
	ctl->abi_version = EVAL_ABI_VERSION;
	faults = inventory_read(NULL);
	/* The inventory always lists the fault. */
	promise(json_array_size(faults) == 1);
	text = json_dumps(faults, JSON_COMPACT);
	promise(text);
	print_faults(faults);
	leftovers = find_leftovers(faults);
	print_leftovers(leftovers);
	promise(json_array_size(leftovers) >= !live_holder_is_alive(ctl));
	/* Inside a container, the stop leaves alone a fault that is held elsewhere. */
	if (live_stop_all(stdout, NULL) == 1)
		promise(!ctl->deadline_ns && ctl->draining);
	else
		promise(procfs_pid_namespace() != PID_NAMESPACE_INITIAL);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf_inventory.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bpf_filter.h"
#include "bpf_program.h"
#include "bpf_session.h"
#include "chaos.h"
#include "netns.h"
#include "target.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* The part of struct bpf_link_info for tcx and XDP links; Debian 12's header predates tcx (Linux 6.6). */
struct link_device {
	__u32 ifindex;
	__u32 attach_type; /* tcx only */
};

enum { LINK_TYPE_TRACING = 2, LINK_TYPE_XDP = 6, LINK_TYPE_PERF_EVENT = 7, LINK_TYPE_TCX = 11 };

/* The names of a delay line's programs begin so; those of a device's hooks do not. */
#define LINE_PROGRAM_PREFIX "line_"
/* A holder's: the host's, the target's of each of its faults, the lines'. */
#define LINE_NAMESPACES_MAX 16

static int link_read(__u32 id, struct bpf_link_info *info)
{
	_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, info, &size))
		return -ENOENT;
	return 0;
}

static struct link_device link_device(const struct bpf_link_info *info)
{
	struct link_device device = {};

	if (info->type == LINK_TYPE_XDP || info->type == LINK_TYPE_TCX)
		memcpy(&device, &info->xdp, sizeof(device));
	return device;
}

static const char *hook_name(const struct bpf_link_info *info)
{
	if (info->type == LINK_TYPE_XDP)
		return "xdp";
	if (info->type == LINK_TYPE_TRACING)
		return "tracing";
	if (info->type == LINK_TYPE_PERF_EVENT)
		return "tracepoint";
	if (info->type != LINK_TYPE_TCX)
		return "other";
	return link_device(info).attach_type == EVAL_BPF_TCX_EGRESS ? "tcx/egress" : "tcx/ingress";
}

/* Before 5.15 (commit b89fbfbb854c) a tracepoint's program hangs on a perf event, which is no link. */
static bool is_on_tracepoint(const struct program *program, __u32 holder_pid)
{
	const struct dirent *entry;
	_cleanup_closedir_ DIR *dir = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/fd", holder_pid);
	dir = program->type == BPF_PROG_TYPE_TRACEPOINT ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir))) {
		char name[64];
		__u32 size = sizeof(name), program_id = 0, type = 0;
		__u64 offset, address;

		if (!bpf_task_fd_query((int)holder_pid, atoi(entry->d_name), 0, name, &size, &program_id, &type,
				       &offset, &address) &&
		    type == BPF_FD_TYPE_TRACEPOINT && program_id == program->id)
			return true;
	}
	return false;
}

static void hooks_add(json_t *hooks, const struct program *program, __u32 holder_pid)
{
	size_t before = json_array_size(hooks);
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info;

		if (link_read(id, &info) || info.prog_id != program->id)
			continue;
		json_array_append_new(hooks, json_pack("{s:s, s:i, s:s, s:i}", "hook", hook_name(&info), "ifindex",
						       (int)link_device(&info).ifindex, "program", program->name,
						       "link_id", (int)id));
	}
	if (json_array_size(hooks) == before && is_on_tracepoint(program, holder_pid))
		json_array_append_new(hooks, json_pack("{s:s, s:i, s:s}", "hook", "tracepoint", "ifindex", 0, "program",
						       program->name));
}

static void filters_add_in(json_t *hooks, int netns_fd, const struct eval_ctl *ctl, unsigned int map_id)
{
	struct tc_filter filters[FAULT_FILTERS_MAX];
	int count = bpf_filters_find(filters, FAULT_FILTERS_MAX, netns_fd, ctl, map_id);

	for (int i = 0; i < count; i++) {
		struct program program = {};

		if (program_read(&program, filters[i].program_id))
			continue;
		json_array_append_new(hooks,
				      json_pack("{s:s, s:i, s:s, s:i, s:I}", "hook",
						filters[i].parent == TC_PARENT_EGRESS ? "tc/egress" : "tc/ingress",
						"ifindex", (int)filters[i].ifindex, "program", program.name, "priority",
						(int)filters[i].priority, "handle", (json_int_t)filters[i].handle));
	}
}

/*
 * A delay line's namespace has no name and no process in it, and the target's may have lost both: only their holder's
 * descriptors lead there. listed: the inode of one that is done, or 0.
 */
static void holder_filters_add(json_t *hooks, const struct eval_ctl *ctl, unsigned int map_id, uint64_t listed)
{
	uint64_t seen[LINE_NAMESPACES_MAX + 1] = {listed};
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	size_t count = 1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/fd", ctl->holder_pid);
	dir = opendir(path);
	while (dir && count <= LINE_NAMESPACES_MAX && (entry = readdir(dir))) {
		_cleanup_close_ int netns_fd = netns_open_link(dirfd(dir), entry->d_name);
		uint64_t inode = netns_fd < 0 ? 0 : netns_inode(netns_fd);
		size_t i = 0;

		while (i < count && seen[i] != inode)
			i++;
		if (netns_fd < 0 || i < count)
			continue;
		seen[count++] = inode;
		filters_add_in(hooks, netns_fd, ctl, map_id);
	}
}

/* On kernels without tcx. */
static void filters_add(json_t *hooks, const struct eval_ctl *ctl, unsigned int map_id)
{
	_cleanup_close_ int netns_fd = netns_open_inode(ctl->netns_ino);

	if (netns_fd >= 0)
		filters_add_in(hooks, netns_fd, ctl, map_id);
	holder_filters_add(hooks, ctl, map_id, netns_fd >= 0 ? ctl->netns_ino : 0);
}

static void stats_add(json_t *fault, int stats_fd, int line_fd)
{
	static const char *const names[] = {[EVAL_EGRESS] = "egress", [EVAL_INGRESS] = "ingress"};

	for (__u32 i = 0; stats_fd >= 0 && i < EVAL_DIRECTIONS; i++) {
		struct eval_line line;
		struct eval_stats stats;
		json_t *json;

		if (bpf_stats_read(stats_fd, i, &stats))
			continue;
		json = bpf_stats_to_json(&stats, line_fd >= 0);
		if (line_fd >= 0 && !bpf_map_lookup_elem(line_fd, &i, &line))
			json_object_set_new(json, "line",
					    json_pack("{s:I, s:I, s:I, s:I}", "held_packets",
						      (json_int_t)line.held_packets, "held_bytes",
						      (json_int_t)line.held_bytes, "delivered",
						      (json_int_t)line.delivered, "line_dropped",
						      (json_int_t)line.dropped));
		json_object_set_new(fault, names[i], json);
	}
}

/* What the fault never touches, as its programs know it; none for a disk. */
static void protect_add(json_t *fault, const struct program *program)
{
	_cleanup_close_ int fd = program_map_open(program, EVAL_PROTECT_MAP);
	struct eval_protect_key key, *last = NULL;
	json_t *list;

	if (fd < 0 || json_object_get(fault, "protect"))
		return;
	list = json_array();
	for (; !bpf_map_get_next_key(fd, last, &key); last = &key) {
		struct protect_port port = {.protocol = key.protocol, .port = key.port, .local_only = key.local_only};
		char text[ENDPOINT_TEXT_SIZE];

		memcpy(port.address, key.address, sizeof(port.address));
		json_array_append_new(list, json_string(protect_format(&port, text)));
	}
	json_object_set_new(fault, "protect", list);
}

/* The kernel lets a device's name have any bytes, JSON does not: none of our faults may be hidden for that. */
static json_t *text_of(const char *bytes)
{
	return json_text(bytes, strlen(bytes));
}

/* The id of the map that belongs to this control block; 0: it is no fault of a disk. */
static __u32 disk_find(struct eval_disk *disk, __u32 ctl_map)
{
	__u32 id = 0, zero = 0;

	while (!bpf_map_get_next_id(id, &id)) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
		struct bpf_map_info info = {};
		__u32 size = sizeof(info);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, EVAL_DISK_MAP) &&
		    info.value_size == sizeof(*disk) && !bpf_map_lookup_elem(fd, &zero, disk) &&
		    disk->ctl_map == ctl_map)
			return id;
	}
	return 0;
}

/* Instead of the directions of a network fault. */
static void disk_add(json_t *fault, struct eval_disk *disk, int stats_fd)
{
	__u64 left = 0, reserved = 0;
	struct eval_stats stats = {};
	json_t *json;

	for (size_t i = 0; i < EVAL_DISK_DIRS; i++) {
		const struct eval_disk_space *space = &disk->spaces[i];

		left += space->limit_bytes > space->charged_bytes ? space->limit_bytes - space->charged_bytes : 0;
		reserved += space->reserved_bytes;
	}
	disk->data_dirs[sizeof(disk->data_dirs) - 1] = '\0';
	json = json_pack("{s:o, s:I, s:I}", "data_dirs", text_of(disk->data_dirs), "left_bytes", (json_int_t)left,
			 "reserved_bytes", (json_int_t)reserved);
	json_object_set_new(fault, "disk", json);
	/* The fill engine has no programs that could count. */
	if (stats_fd < 0 || bpf_stats_read(stats_fd, 0, &stats))
		return;
	json_object_set_new(json, "seen", json_integer((json_int_t)stats.seen));
	json_object_set_new(json, "refused",
			    json_pack("{s:I, s:I, s:I}", "write", (json_int_t)disk->refused[EVAL_DISK_WRITE], "append",
				      (json_int_t)disk->refused[EVAL_DISK_APPEND], "fallocate",
				      (json_int_t)disk->refused[EVAL_DISK_FALLOCATE]));
	json_object_set_new(json, "statfs_shrunk", json_integer((json_int_t)disk->statfs_shrunk));
}

static json_t *netns_name(uint64_t ino)
{
	_cleanup_closedir_ DIR *dir = opendir("/run/netns");
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (!fstatat(dirfd(dir), entry->d_name, &st, 0) && st.st_ino == ino)
			return text_of(entry->d_name);
	return json_null();
}

static const char *kind_name(__u32 kind)
{
	for (const struct chaos_ops *ops = chaos_next(NULL); ops; ops = chaos_next(ops))
		if (ops->kind == kind)
			return ops->name;
	return "unknown";
}

static double seconds_until(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns > now_ns ? (double)(at_ns - now_ns) / (double)NSEC_PER_SEC : 0;
}

static json_t *fault_to_json(const struct eval_ctl *ctl, unsigned int map_id)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool live = now_ns < ctl->deadline_ns && now_ns < ctl->lease_ns;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:I, s:o, s:i, s:b, s:b, s:f, s:f, s:i, s:[]}", "type",
			 kind_name(ctl->kind), "campaign", text_of(ctl->campaign), "trial", text_of(ctl->trial),
			 "target", text_of(ctl->target), "engine", text_of(ctl->engine), "device", text_of(ctl->device),
			 "ifindex", (int)ctl->ifindex, "netns_ino", (json_int_t)ctl->netns_ino, "netns",
			 netns_name(ctl->netns_ino), "holder_pid", (int)ctl->holder_pid, "holder_alive",
			 eval_ctl_holder_lives(ctl), "live", live, "seconds_left",
			 seconds_until(ctl->deadline_ns, now_ns), "lease_seconds_left",
			 seconds_until(ctl->lease_ns, now_ns), "map_id", (int)map_id, "hooks");
}

static int inventory_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	_cleanup_close_ int stats_fd = -1;
	_cleanup_close_ int line_fd = -1;
	json_t *fault = fault_to_json(ctl, map_id);
	struct eval_disk disk;
	__u32 disk_map = disk_find(&disk, map_id), id = 0;

	while (fault && !bpf_prog_get_next_id(id, &id)) {
		struct program program = {};

		if (program_read(&program, id) ||
		    !(program_has_map(&program, map_id) || (disk_map && program_has_map(&program, disk_map))))
			continue;
		hooks_add(json_object_get(fault, "hooks"), &program, ctl->holder_pid);
		protect_add(fault, &program);
		/* Not every program uses both. */
		if (stats_fd < 0)
			stats_fd = program_map_open(&program, EVAL_STATS_MAP);
		if (line_fd < 0)
			line_fd = program_map_open(&program, EVAL_LINE_MAP);
	}
	if (fault && bpf_filters_needed())
		filters_add(json_object_get(fault, "hooks"), ctl, map_id);
	if (disk_map)
		disk_add(fault, &disk, stats_fd);
	else
		stats_add(fault, stats_fd, line_fd);
	json_array_append_new(data, fault);
	return 0;
}

json_t *bpf_inventory(struct error *err)
{
	_cleanup_json_ json_t *faults = json_array();

	if (bpf_walk_faults(inventory_visit, faults, err))
		return NULL;
	return TAKE_PTR(faults);
}

static int other_version_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	json_array_append_new(data, json_pack("{s:i, s:i, s:b}", "abi_version", (int)ctl->abi_version, "map_id",
					      (int)map_id, "stopped", !ctl->deadline_ns));
	return 0;
}

json_t *bpf_inventory_other_versions(void)
{
	json_t *others = json_array();

	bpf_walk_other_versions(other_version_visit, others, NULL);
	return others;
}

struct stop {
	FILE *report;
	int count, failed;
};

bool bpf_hook_is_of_line(const json_t *hook)
{
	const char *program = json_string_value(json_object_get(hook, "program"));

	return program && !strncmp(program, LINE_PROGRAM_PREFIX, strlen(LINE_PROGRAM_PREFIX));
}

/* The line's hooks stay with their holder: without them what is under way would be lost. */
static void device_hooks_detach(const json_t *fault)
{
	const json_t *hook;
	size_t i;

	json_array_foreach (json_object_get(fault, "hooks"), i, hook) {
		_cleanup_close_ int fd = -1;

		if (!json_object_get(hook, "link_id") || bpf_hook_is_of_line(hook))
			continue;
		fd = bpf_link_get_fd_by_id((__u32)json_integer_value(json_object_get(hook, "link_id")));
		if (fd >= 0)
			bpf_link_detach(fd);
	}
}

/* Inert at once, and so that a line still delivers what it holds. */
static int make_inert(int map_fd, const struct eval_ctl *ctl)
{
	struct eval_ctl stopped = *ctl;
	__u32 zero = 0;

	stopped.deadline_ns = 0;
	stopped.draining = 1;
	return bpf_map_update_elem(map_fd, &zero, &stopped, BPF_ANY);
}

static int stop_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	_cleanup_json_ json_t *faults = json_array();
	struct stop *stop = data;

	if (make_inert(map_fd, ctl)) {
		stop->failed++;
		return 0;
	}
	inventory_visit(map_fd, map_id, ctl, faults);
	device_hooks_detach(json_array_get(faults, 0));
	if (bpf_filters_needed())
		bpf_filters_remove(ctl, map_id);
	stop->count++;
	if (stop->report)
		fprintf(stop->report, "stopped: %s (%s) on %s, device %s, held by pid %u%s\n", kind_name(ctl->kind),
			ctl->engine, *ctl->target ? ctl->target : "-", ctl->device, ctl->holder_pid,
			strcmp(ctl->engine, "fill") ? "" : ", which gives the space back as soon as it runs, or ends");
	return 0;
}

/* The one store that all versions have in common; the holder sees it and detaches. */
static int stop_other_version(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	struct stop *stop = data;
	struct eval_ctl *mapped;

	/* Shown, but stopped before. */
	if (!ctl->deadline_ns)
		return 0;
	mapped = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (mapped == MAP_FAILED) {
		stop->failed++;
		return 0;
	}
	__atomic_store_n(&mapped->deadline_ns, 0, __ATOMIC_RELEASE);
	munmap(mapped, sizeof(*mapped));
	stop->count++;
	if (stop->report)
		fprintf(stop->report,
			"stopped: a fault of another version of eval (ABI %u, map %u); its holder, if it lives, "
			"detaches it\n",
			ctl->abi_version, map_id);
	return 0;
}

int eval_stop_all(FILE *report, struct error *err)
{
	struct stop stop = {.report = report};
	int ret = bpf_walk_faults(stop_visit, &stop, err) ?: bpf_walk_other_versions(stop_other_version, &stop, err);

	if (!ret && stop.failed)
		return error_set(err, -EIO, "%d fault%s could not be stopped: see bpf-status, and end their holders",
				 stop.failed, stop.failed == 1 ? "" : "s");
	return ret ? ret : stop.count;
}

static int sweep_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	int *swept = data;

	if (eval_ctl_holder_lives(ctl) || make_inert(map_fd, ctl))
		return 0;
	*swept += bpf_filters_remove(ctl, map_id) > 0;
	return 0;
}

int eval_sweep_dead(struct error *err)
{
	int swept = 0, ret = bpf_filters_needed() ? bpf_walk_faults(sweep_visit, &swept, err) : 0;

	return ret ? ret : swept;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/inventory.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "chaos/type.h"
#include "kernel/filter.h"
#include "kernel/hook.h"
#include "kernel/live.h"
#include "kernel/program.h"
#include "kernel/stats.h"
#include "kernel/table.h"
#include "net/endpoint.h"
#include "net/netns.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* A holder's: the host's, the target's of each of its faults, the lines'. */
#define LINE_NAMESPACES_MAX 16

static const char *hook_name(const struct live_link *link)
{
	if (link->type == LINK_TYPE_XDP)
		return "xdp";
	if (link->type == LINK_TYPE_TRACING)
		return "tracing";
	if (link->type == LINK_TYPE_PERF_EVENT)
		return "tracepoint";
	if (link->type != LINK_TYPE_TCX)
		return "other";
	return link->attach_type == EVAL_BPF_TCX_EGRESS ? "tcx/egress" : "tcx/ingress";
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

static void hooks_add(json_t *hooks, const struct live_table *table, const struct program *program, __u32 holder_pid)
{
	const struct live_link *link = NULL;
	size_t before = json_array_size(hooks);

	while ((link = live_table_next_link(table, program, link)))
		json_array_append_new(hooks, json_pack("{s:s, s:i, s:s, s:i}", "hook", hook_name(link), "ifindex",
						       (int)link->ifindex, "program", program->name, "link_id",
						       (int)link->id));
	if (json_array_size(hooks) == before && is_on_tracepoint(program, holder_pid))
		json_array_append_new(hooks, json_pack("{s:s, s:i, s:s}", "hook", "tracepoint", "ifindex", 0, "program",
						       program->name));
}

static void filters_add_in(json_t *hooks, int netns_fd, const struct eval_ctl *ctl, unsigned int map_id)
{
	struct tc_filter filters[FAULT_FILTERS_MAX];
	int count = filters_find(filters, FAULT_FILTERS_MAX, netns_fd, ctl, map_id);

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

		if (stats_read(stats_fd, i, &stats))
			continue;
		json = stats_to_json(&stats, line_fd >= 0);
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

/* Instead of the directions of a network fault. */
static void disk_add(json_t *fault, const struct eval_disk *disk, int stats_fd)
{
	__u64 left = 0, reserved = 0;
	struct eval_stats stats = {};
	json_t *json;

	for (size_t i = 0; i < EVAL_DISK_DIRS; i++) {
		const struct eval_disk_space *space = &disk->spaces[i];

		left += space->limit_bytes > space->charged_bytes ? space->limit_bytes - space->charged_bytes : 0;
		reserved += space->reserved_bytes;
	}
	json = json_pack("{s:o, s:I, s:I}", "data_dirs",
			 json_text(disk->data_dirs, strnlen(disk->data_dirs, sizeof(disk->data_dirs))), "left_bytes",
			 (json_int_t)left, "reserved_bytes", (json_int_t)reserved);
	json_object_set_new(fault, "disk", json);
	/* The fill engine has no programs that could count. */
	if (stats_fd < 0 || stats_read(stats_fd, 0, &stats))
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

static double seconds_until(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns > now_ns ? (double)(at_ns - now_ns) / (double)NSEC_PER_SEC : 0;
}

static json_t *fault_to_json(const struct eval_ctl *ctl, unsigned int map_id)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool live = now_ns < ctl->deadline_ns && now_ns < ctl->lease_ns;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:I, s:o, s:i, s:b, s:b, s:f, s:f, s:i, s:[]}", "type",
			 live_kind_name(ctl->kind), "campaign", text_of(ctl->campaign), "trial", text_of(ctl->trial),
			 "target", text_of(ctl->target), "engine", text_of(ctl->engine), "device", text_of(ctl->device),
			 "ifindex", (int)ctl->ifindex, "netns_ino", (json_int_t)ctl->netns_ino, "netns",
			 netns_name(ctl->netns_ino), "holder_pid", (int)ctl->holder_pid, "holder_alive",
			 live_holder_is_alive(ctl), "live", live, "seconds_left",
			 seconds_until(ctl->deadline_ns, now_ns), "lease_seconds_left",
			 seconds_until(ctl->lease_ns, now_ns), "map_id", (int)map_id, "hooks");
}

struct inventory {
	struct live_table table;
	json_t *faults;
};

static int inventory_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	const struct inventory *inventory = data;
	const struct live_disk *disk = live_table_disk(&inventory->table, map_id);
	const struct program *program = NULL;
	_cleanup_close_ int stats_fd = -1;
	_cleanup_close_ int line_fd = -1;
	json_t *fault = fault_to_json(ctl, map_id);

	while (fault && (program = live_table_next_program(&inventory->table, map_id, program))) {
		hooks_add(json_object_get(fault, "hooks"), &inventory->table, program, ctl->holder_pid);
		protect_add(fault, program);
		/* Not every program uses both. */
		if (stats_fd < 0)
			stats_fd = program_map_open(program, EVAL_STATS_MAP);
		if (line_fd < 0)
			line_fd = program_map_open(program, EVAL_LINE_MAP);
	}
	if (fault && hook_needs_filters())
		filters_add(json_object_get(fault, "hooks"), ctl, map_id);
	if (disk)
		disk_add(fault, &disk->disk, stats_fd);
	else
		stats_add(fault, stats_fd, line_fd);
	json_array_append_new(inventory->faults, fault);
	return 0;
}

json_t *inventory_read(struct error *err)
{
	struct inventory inventory = {.faults = json_array()};
	int ret = live_table_read(&inventory.table, err) ?: live_walk(inventory_visit, &inventory, err);

	live_table_clear(&inventory.table);
	if (!ret)
		return inventory.faults;
	json_decref(inventory.faults);
	return NULL;
}

static int other_version_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	json_array_append_new(data, json_pack("{s:i, s:i, s:b}", "abi_version", (int)ctl->abi_version, "map_id",
					      (int)map_id, "stopped", !ctl->deadline_ns));
	return 0;
}

json_t *inventory_other_versions(void)
{
	json_t *others = json_array();

	live_walk_all_versions(NULL, other_version_visit, others, NULL);
	return others;
}

bool hook_is_of_line(const json_t *hook)
{
	const char *program = json_string_value(json_object_get(hook, "program"));

	return program && program_is_of_line(program);
}

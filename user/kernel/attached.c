/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hooks of a live fault as JSON, and the maps that its programs use. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "eval_abi.h"
#include "kernel/filter.h"
#include "kernel/hook.h"
#include "kernel/live.h"
#include "kernel/program.h"
#include "kernel/table.h"
#include "net/netns.h"
#include "util/cleanup.h"
#include "util/json.h"

/* Per holder: the host's network namespace, those of its faults' targets and of its lines. */
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

/* Before 5.15 (commit b89fbfbb854c) a tracepoint's program is attached to a perf event, not by a link. */
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
		json_array_append_new(hooks, json_pack("{s:s, s:i, s:o, s:i}", "hook", hook_name(link), "ifindex",
						       (int)link->ifindex, "program", json_outside(program->name),
						       "link_id", (int)link->id));
	if (json_array_size(hooks) == before && is_on_tracepoint(program, holder_pid))
		json_array_append_new(hooks, json_pack("{s:s, s:i, s:o}", "hook", "tracepoint", "ifindex", 0, "program",
						       json_outside(program->name)));
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
				      json_pack("{s:s, s:i, s:o, s:i, s:I}", "hook",
						filters[i].parent == TC_PARENT_EGRESS ? "tc/egress" : "tc/ingress",
						"ifindex", (int)filters[i].ifindex, "program",
						json_outside(program.name), "priority", (int)filters[i].priority,
						"handle", (json_int_t)filters[i].handle));
	}
}

/*
 * Searches the namespaces that the holder has open: a delay line's has no name and no process in it, and the target's
 * may have lost both. listed is the inode of a namespace that was searched before, or 0.
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

/* For kernels without tcx. */
static void filters_add(json_t *hooks, const struct eval_ctl *ctl, unsigned int map_id)
{
	_cleanup_close_ int netns_fd = netns_open_inode(ctl->netns_ino);

	if (netns_fd >= 0)
		filters_add_in(hooks, netns_fd, ctl, map_id);
	holder_filters_add(hooks, ctl, map_id, netns_fd >= 0 ? ctl->netns_ino : 0);
}

struct fault_walk {
	struct live_table table;
	live_fault_visit visit;
	void *data;
};

static int attached_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	const struct fault_walk *walk = data;
	const struct live_fault fault = {.ctl = ctl, .map_id = map_id, .table = &walk->table};

	return walk->visit(&fault, walk->data);
}

int live_each_fault(live_fault_visit visit, void *data, struct error *err)
{
	struct fault_walk walk = {.visit = visit, .data = data};
	int ret = live_table_read(&walk.table, err) ?: live_walk(attached_visit, &walk, err);

	live_table_clear(&walk.table);
	return ret;
}

json_t *live_fault_hooks(const struct live_fault *fault)
{
	const struct program *program = NULL;
	json_t *hooks = json_array();

	while ((program = live_table_next_program(fault->table, fault->map_id, program)))
		hooks_add(hooks, fault->table, program, fault->ctl->holder_pid);
	if (hook_needs_filters())
		filters_add(hooks, fault->ctl, fault->map_id);
	return hooks;
}

int live_fault_map_open(const struct live_fault *fault, const char *name)
{
	const struct program *program = NULL;
	int fd = -ENOENT;

	/* Not every program of the fault uses the map. */
	while (fd < 0 && (program = live_table_next_program(fault->table, fault->map_id, program)))
		fd = program_map_open(program, name);
	return fd;
}

const struct eval_disk *live_fault_disk(const struct live_fault *fault)
{
	const struct live_disk *disk = live_table_disk(fault->table, fault->map_id);

	return disk ? &disk->disk : NULL;
}

int live_fault_copy(const struct live_fault *fault, const char *map_name, void *out, size_t size)
{
	__u32 id = 0, zero = 0;

	while (!bpf_map_get_next_id(id, &id)) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
		struct bpf_map_info info = {};
		__u32 info_size = sizeof(info);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &info_size) && !strcmp(info.name, map_name) &&
		    info.value_size == size && !bpf_map_lookup_elem(fd, &zero, out) && *(__u32 *)out == fault->map_id)
			return 0;
	}
	return -ENOENT;
}

bool live_hook_is_of_line(const json_t *hook)
{
	const char *program = json_string_value(json_object_get(hook, "program"));

	return program && program_is_of_line(program);
}

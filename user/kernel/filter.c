/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/filter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <string.h>

#include "kernel/clsact.h"
#include "kernel/live.h"
#include "kernel/program.h"
#include "net/device.h"
#include "net/netns.h"
#include "util/cleanup.h"
#include "util/text.h"

/* Identifies our filters in `tc filter show`. The low bits are the program's id, which no other filter has. */
#define FILTER_HANDLE 0xeba00000U
#define FILTER_HANDLE_MASK 0x000fffffU
#define ATTACH_TRIES 5

struct priority_choice {
	enum hook_place place;
	uint16_t priority;
};

/*
 * Filters come sorted by priority. A priority of other BPF filters is shared, because its newest filter runs first; one
 * with filters of another kind or protocol cannot be.
 */
static int priority_visit(const struct tc_filter *filter, void *data)
{
	struct priority_choice *choice = data;
	bool shareable = filter->is_bpf && filter->protocol == ETH_P_ALL;

	if (filter->chain)
		return 0;
	if (choice->priority == filter->priority && !shareable)
		choice->priority++;
	if (choice->place == HOOK_BEHIND_DROPS && filter->program_id && choice->priority <= filter->priority &&
	    program_drops(filter->program_id))
		choice->priority = (uint16_t)(filter->priority + 1);
	return 0;
}

static struct bpf_tc_hook hook_of(const struct tc_filter *at)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)at->ifindex,
		.attach_point = at->parent == TC_PARENT_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS,
	};
}

static struct bpf_tc_opts opts_of(const struct tc_filter *at)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts),
		.handle = at->handle,
		.priority = at->priority,
	};
}

static int filter_add(struct tc_filter *at, int program_fd, enum hook_place place)
{
	struct priority_choice choice = {.place = place, .priority = 1};
	struct bpf_tc_hook hook = hook_of(at);
	struct bpf_tc_opts opts;
	int ret = tc_each_filter(at->ifindex, at->parent, priority_visit, &choice);

	if (ret)
		return ret;
	at->priority = choice.priority;
	opts = opts_of(at);
	opts.prog_fd = program_fd;
	return bpf_tc_attach(&hook, &opts);
}

static int owner_visit(int map_fd, unsigned int map_id, const struct eval_ctl *other, void *data)
{
	const struct eval_ctl *ctl = data;

	return other->netns_ino == ctl->netns_ino && other->ifindex == ctl->ifindex && other->clsact;
}

static bool is_device_of(const struct eval_ctl *ctl, int netns_fd, unsigned int ifindex)
{
	return ctl->ifindex == ifindex && ctl->netns_ino == netns_inode(netns_fd);
}

static int attach_locked(struct filter *filter, int program_fd, enum hook_place place, struct eval_ctl *ctl)
{
	bool is_its_device = is_device_of(ctl, filter->netns_fd, filter->at.ifindex);
	int made, ret = -EINVAL;

	/* Other programs may take the priority or remove the clsact between our query and our change. */
	for (int i = 0; i < ATTACH_TRIES && (ret == -EINVAL || ret == -EEXIST || ret == -ENOENT); i++) {
		made = clsact_make(filter->at.ifindex, filter->at.parent, is_its_device);
		if (made < 0)
			return made;
		filter->clsact_is_ours |= made;
		/* Stored before the filter is added, which keeps this control block alive. */
		if (made && is_its_device)
			ctl->clsact = 1;
		ret = filter_add(&filter->at, program_fd, place);
	}
	if (!is_its_device)
		return ret;
	if (!filter->clsact_is_ours)
		filter->clsact_is_ours = live_walk(owner_visit, ctl, NULL) == 1;
	if (ret && filter->clsact_is_ours)
		clsact_remove(filter->at.ifindex);
	ctl->clsact = filter->clsact_is_ours;
	return ret;
}

int filter_attach(struct filter *filter, int program_fd, enum hook hook, unsigned int ifindex, enum hook_place place,
		  struct eval_ctl *ctl, const char *device, struct error *err)
{
	_cleanup_close_ int netns_fd = netns_current();
	_cleanup_close_ int lock_fd = clsact_lock();
	struct program program = {};
	struct filter added = {.netns_fd = netns_fd};
	int ret;

	if (netns_fd < 0)
		return error_set_errno(err, netns_fd, "cannot open the network namespace");
	ret = program_read_fd(&program, program_fd);
	if (ret)
		return error_set_errno(err, ret, "cannot read the program's id");
	added.at = (struct tc_filter){
		.ifindex = ifindex,
		.parent = hook == HOOK_TC_EGRESS ? TC_PARENT_EGRESS : TC_PARENT_INGRESS,
		.handle = FILTER_HANDLE | (program.id & FILTER_HANDLE_MASK),
		.program_id = program.id,
	};
	ret = attach_locked(&added, program_fd, place, ctl);
	if (ret == -EEXIST)
		return error_set(
			err, ret,
			"%s has an ingress qdisc, which has no hook on the way out and is left alone: choose a "
			"direction that needs only the way in, or replace it by clsact",
			device);
	if (ret)
		return error_set_errno(
			err, ret,
			"cannot attach a clsact filter to %s (are the modules cls_bpf and sch_ingress there?)", device);
	*filter = added;
	TAKE_FD(netns_fd);
	return 0;
}

/* Call in the filter's namespace. */
static bool is_still_ours(const struct tc_filter *at)
{
	struct bpf_tc_hook hook = hook_of(at);
	struct bpf_tc_opts opts = opts_of(at);

	return !bpf_tc_query(&hook, &opts) && opts.prog_id == at->program_id;
}

bool filter_is_attached(const struct filter *filter)
{
	int saved = -1;
	bool attached;

	if (netns_enter(filter->netns_fd, &saved))
		return false;
	attached = is_still_ours(&filter->at);
	netns_leave(&saved);
	return attached;
}

/* Call in the filter's namespace. */
static bool filter_remove(const struct tc_filter *at)
{
	struct bpf_tc_hook hook = hook_of(at);
	struct bpf_tc_opts opts = opts_of(at);

	return is_still_ours(at) && !bpf_tc_detach(&hook, &opts);
}

void filter_detach(struct filter *filter)
{
	_cleanup_close_ int lock_fd = clsact_lock();
	int saved = -1;

	if (!netns_enter(filter->netns_fd, &saved)) {
		filter_remove(&filter->at);
		if (filter->clsact_is_ours)
			clsact_remove(filter->at.ifindex);
		netns_leave(&saved);
	}
	filter->netns_fd = fd_close(filter->netns_fd);
}

struct before_search {
	const struct tc_filter *ours;
	char *names;
	size_t size;
};

static int before_visit(const struct tc_filter *other, void *data)
{
	struct before_search *search = data;
	struct program program = {};

	if (other->priority == search->ours->priority && other->handle == search->ours->handle)
		return 1;
	if (other->chain || !other->handle)
		return 0;
	if (!other->program_id || program_read(&program, other->program_id))
		text_append(search->names, search->size, "%sa filter of priority %u", *search->names ? ", " : "",
			    other->priority);
	else if (!program_is_ours(&program))
		text_append(search->names, search->size, "%s%s", *search->names ? ", " : "", program.name);
	return 0;
}

void filter_list_before(const struct filter *filter, char *names, size_t size)
{
	struct before_search search = {.ours = &filter->at, .names = names, .size = size};

	if (filter->netns_fd >= 0)
		tc_each_filter(filter->at.ifindex, filter->at.parent, before_visit, &search);
}

struct found {
	struct tc_filter *out;
	size_t max, count;
	unsigned int map_id;
};

static int found_visit(const struct tc_filter *filter, void *data)
{
	struct found *found = data;
	struct program program = {};

	if (filter->program_id && found->count < found->max && !program_read(&program, filter->program_id) &&
	    program_has_map(&program, found->map_id))
		found->out[found->count++] = *filter;
	return 0;
}

static void find_on_device(struct found *found, unsigned int ifindex)
{
	/* Errors are ignored: a device that was removed has no filters. */
	tc_each_filter(ifindex, TC_PARENT_INGRESS, found_visit, found);
	tc_each_filter(ifindex, TC_PARENT_EGRESS, found_visit, found);
}

int filters_find(struct tc_filter *out, size_t max, int netns_fd, const struct eval_ctl *ctl, unsigned int map_id)
{
	struct found found = {.out = out, .max = max, .map_id = map_id};
	struct if_nameindex *devices;
	int saved = -1, ret = netns_enter(netns_fd, &saved);

	if (ret)
		return ret;
	devices = if_nameindex();
	for (struct if_nameindex *i = devices; i && i->if_index; i++)
		if (i->if_index == ctl->ifindex || !strncmp(i->if_name, LINE_DEVICE_PREFIX, strlen(LINE_DEVICE_PREFIX)))
			find_on_device(&found, i->if_index);
	if_freenameindex(devices);
	netns_leave(&saved);
	return (int)found.count;
}

int filters_remove(const struct eval_ctl *ctl, unsigned int map_id)
{
	_cleanup_close_ int netns_fd = netns_open_inode(ctl->netns_ino);
	_cleanup_close_ int lock_fd = netns_fd < 0 ? -1 : clsact_lock();
	struct tc_filter filters[FAULT_FILTERS_MAX] = {};
	int saved = -1, removed = 0, count;

	if (netns_fd < 0)
		return 0;
	count = filters_find(filters, FAULT_FILTERS_MAX, netns_fd, ctl, map_id);
	if (count < 0 || netns_enter(netns_fd, &saved))
		return 0;
	for (int i = 0; i < count; i++)
		if (filters[i].ifindex == ctl->ifindex)
			removed += filter_remove(&filters[i]);
	/* Even if the device has no filter of ours: the holder may have died before it removed the clsact. */
	if (ctl->clsact)
		clsact_remove(ctl->ifindex);
	netns_leave(&saved);
	return removed;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds live faults among the kernel's maps: those named eval_ctl that carry our magic. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "chaos_kinds.h"
#include "eval_abi.h"
#include "kernel/live.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"

/* A holder in another PID namespace counts as dead this long after its lease ended. */
#define LEASE_GRACE_NS (10 * NSEC_PER_SEC)

/* Another version's control block may be larger than ours. */
#define CTL_SIZE_MAX 4096

/* Reads a map's control block. Returns its size, or 0 if the map has none. */
static size_t ctl_read(int fd, char block[CTL_SIZE_MAX])
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), zero = 0;
	__u64 magic = 0;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || strcmp(info.name, EVAL_CTL_MAP) ||
	    info.type != BPF_MAP_TYPE_ARRAY || info.value_size > CTL_SIZE_MAX ||
	    info.value_size < offsetof(struct eval_ctl, deadline_ns) + sizeof(__u64) ||
	    bpf_map_lookup_elem(fd, &zero, block))
		return 0;
	memcpy(&magic, block, sizeof(magic));
	return magic == EVAL_MAGIC ? info.value_size : 0;
}

static void ctl_terminate_strings(struct eval_ctl *ctl)
{
	ctl->campaign[sizeof(ctl->campaign) - 1] = '\0';
	ctl->trial[sizeof(ctl->trial) - 1] = '\0';
	ctl->target[sizeof(ctl->target) - 1] = '\0';
	ctl->device[sizeof(ctl->device) - 1] = '\0';
	ctl->engine[sizeof(ctl->engine) - 1] = '\0';
}

struct walk {
	live_visit visit, visit_other;
	void *data;
};

static int walk_visit(const struct walk *walk, int fd, __u32 id)
{
	char block[CTL_SIZE_MAX] = {};
	size_t size = ctl_read(fd, block);
	live_visit visit;
	struct eval_ctl ctl;

	memcpy(&ctl, block, sizeof(ctl));
	visit = size == sizeof(ctl) && ctl.abi_version == EVAL_ABI_VERSION ? walk->visit : walk->visit_other;
	if (!size || !visit)
		return 0;
	ctl_terminate_strings(&ctl);
	return visit(fd, id, &ctl, walk->data);
}

static int walk_maps(const struct walk *walk, struct error *err)
{
	__u32 id = 0;
	int ret;

	while (!(ret = bpf_map_get_next_id(id, &id))) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);

		/* Skips maps that were freed between the two calls or that cannot be opened. */
		ret = fd < 0 ? 0 : walk_visit(walk, fd, id);
		if (ret)
			return ret;
	}
	if (ret == -ENOENT)
		return 0;
	if (ret == -EPERM)
		return error_set(err, ret, "reading the kernel's BPF objects needs root");
	return error_set_errno(err, ret, "cannot walk the kernel's BPF maps");
}

int live_walk(live_visit visit, void *data, struct error *err)
{
	return live_walk_all_versions(visit, NULL, data, err);
}

int live_walk_all_versions(live_visit visit, live_visit visit_other, void *data, struct error *err)
{
	return walk_maps(&(struct walk){.visit = visit, .visit_other = visit_other, .data = data}, err);
}

const char *live_kind_name(unsigned int kind)
{
	static const char *const names[] = {
#define X(id, name) [EVAL_KIND_##id] = #name,
		EVAL_CHAOS_KINDS(X)
#undef X
	};

	return kind && kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

static bool lease_is_young(const struct eval_ctl *ctl)
{
	uint64_t now_ns = clock_monotonic_ns();

	/* 0: the fault is not live yet, so it need not be cleaned up. */
	return !ctl->lease_ns || ctl->lease_ns > now_ns || now_ns - ctl->lease_ns < LEASE_GRACE_NS;
}

bool live_holder_is_alive(const struct eval_ctl *ctl)
{
	if (ctl->holder_pidns_ino != procfs_pid_namespace())
		return lease_is_young(ctl);
	return procfs_is_alive(&(struct procfs_identity){
		.pid = (pid_t)ctl->holder_pid,
		.start_ticks = ctl->holder_start_ticks,
		.time_namespace = ctl->holder_timens_ino,
	});
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eval_abi.h"
#include "kernel/filter.h"
#include "kernel/object.h"
#include "kernel/stats.h"
#include "net/device.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/procfs.h"

/* Two on the device, and three on each of two fq lines. */
#define SESSION_HOOKS_MAX 8

/* A link, or a filter if link_fd is -1. */
struct session_hook {
	int link_fd;
	struct filter filter;
};

struct session {
	struct eval_ctl *ctl; /* shared with the kernel */
	int stats_fd;         /* of the object, not owned */
	bool has_delays;
	volatile sig_atomic_t stopped; /* by session_stop() */
	struct session_hook hooks[SESSION_HOOKS_MAX];
	size_t hook_count;
};

static void ctl_fill(struct eval_ctl *ctl, const struct session_identity *identity, const struct net_device *device,
		     const char *engine)
{
	ctl->abi_version = EVAL_ABI_VERSION;
	ctl->kind = identity->kind;
	ctl->holder_pid = (__u32)getpid();
	ctl->holder_start_ticks = procfs_start_ticks(getpid());
	ctl->holder_pidns_ino = procfs_pid_namespace();
	ctl->holder_timens_ino = procfs_time_namespace();
	ctl->netns_ino = identity->netns_ino;
	ctl->deadline_ns = EVAL_DEADLINE_NOT_YET;
	snprintf(ctl->campaign, sizeof(ctl->campaign), "%s", identity->campaign);
	snprintf(ctl->trial, sizeof(ctl->trial), "%s", identity->trial);
	snprintf(ctl->target, sizeof(ctl->target), "%s", identity->target);
	snprintf(ctl->engine, sizeof(ctl->engine), "%s", engine);
	if (device) {
		ctl->ifindex = device->ifindex;
		snprintf(ctl->device, sizeof(ctl->device), "%s", device->name);
	}
	/* Stored last: a reader that sees the magic sees the rest. */
	__atomic_store_n(&ctl->magic, EVAL_MAGIC, __ATOMIC_RELEASE);
}

int session_new(struct session **out, struct bpf_object *obj, const struct session_identity *identity,
		const struct net_device *device, const char *engine, struct error *err)
{
	struct session *session;
	void *ctl;

	ctl = mmap(NULL, sizeof(struct eval_ctl), PROT_READ | PROT_WRITE, MAP_SHARED, object_map_fd(obj, EVAL_CTL_MAP),
		   0);
	if (ctl == MAP_FAILED)
		return error_set_errno(err, -errno, "cannot map the fault's control block");
	session = calloc(1, sizeof(*session));
	if (!session) {
		munmap(ctl, sizeof(struct eval_ctl));
		return error_set(err, -ENOMEM, "out of memory");
	}
	session->ctl = ctl;
	session->stats_fd = object_map_fd(obj, EVAL_STATS_MAP);
	session->has_delays = object_map_fd(obj, EVAL_LINE_MAP) >= 0;
	ctl_fill(session->ctl, identity, device, engine);
	*out = session;
	return 0;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	session_stop(session);
	session_detach(session, 0);
	munmap(session->ctl, sizeof(struct eval_ctl));
	free(session);
}

int session_attach(struct session *session, const char *device, struct bpf_program *program, enum hook hook,
		   unsigned int ifindex, enum hook_place place, struct error *err)
{
	struct session_hook *added = &session->hooks[session->hook_count];
	int program_fd = bpf_program__fd(program), ret = 0;

	if (session->hook_count == SESSION_HOOKS_MAX)
		return error_set(err, -ENOSPC, "internal: too many hooks");
	added->link_fd = -1;
	if (hook != HOOK_XDP && hook_needs_filters()) {
		ret = filter_attach(&added->filter, program_fd, hook, ifindex, place, session->ctl, device, err);
	} else {
		added->link_fd = hook_link(program_fd, hook, ifindex, place);
		if (added->link_fd < 0)
			ret = hook_error(added->link_fd, hook, device, err);
	}
	session->hook_count += !ret;
	return ret;
}

static bool hook_is_attached(const struct session_hook *hook)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (hook->link_fd < 0)
		return filter_is_attached(&hook->filter);
	/* tcx and XDP links both report the device's index first; it is 0 once the device is removed. */
	return bpf_obj_get_info_by_fd(hook->link_fd, &info, &size) || info.xdp.ifindex;
}

bool session_is_attached(const struct session *session)
{
	for (size_t i = 0; i < session->hook_count; i++)
		if (!hook_is_attached(&session->hooks[i]))
			return false;
	return true;
}

void session_list_before(const struct session *session, char *names, size_t size)
{
	for (size_t i = 0; i < session->hook_count; i++)
		if (session->hooks[i].link_fd >= 0)
			hook_list_before(session->hooks[i].link_fd, names, size);
		else
			filter_list_before(&session->hooks[i].filter, names, size);
}

void session_detach(struct session *session, size_t keep)
{
	while (session->hook_count > keep) {
		struct session_hook *hook = &session->hooks[--session->hook_count];

		if (hook->link_fd < 0)
			filter_detach(&hook->filter);
		else
			hook->link_fd = fd_close(hook->link_fd);
	}
}

int session_activate(struct session *session, uint64_t duration_ns, struct error *err)
{
	__u64 not_yet = EVAL_DEADLINE_NOT_YET, now_ns = clock_monotonic_ns();

	session_renew(session, now_ns + LEASE_NS);
	/* A signal or another process may have stopped the fault while the hooks were attached. */
	if (__atomic_compare_exchange_n(&session->ctl->deadline_ns, &not_yet, now_ns + duration_ns, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return 0;
	return error_set(err, -ENODEV, "the fault was stopped before it was live: by 'eval cleanup --now'?");
}

void session_renew(struct session *session, uint64_t lease_ns)
{
	__atomic_store_n(&session->ctl->lease_ns, lease_ns, __ATOMIC_RELEASE);
}

void session_set_cgroup(struct session *session, uint64_t cgroup_id)
{
	__atomic_store_n(&session->ctl->cgroup_id, cgroup_id, __ATOMIC_RELEASE);
}

void session_stop(struct session *session)
{
	session->stopped = true;
	__atomic_store_n(&session->ctl->deadline_ns, 0, __ATOMIC_RELEASE);
}

bool session_is_stopped(const struct session *session)
{
	return !__atomic_load_n(&session->ctl->deadline_ns, __ATOMIC_ACQUIRE);
}

int session_check(const struct session *session, struct error *err)
{
	/* In this order, because a signal handler may stop the fault between the two. */
	if (!session_is_stopped(session) || session->stopped)
		return 0;
	return error_set(err, -ENODEV, "the fault was stopped from outside: by 'eval cleanup --now'?");
}

void session_drain(struct session *session)
{
	__atomic_store_n(&session->ctl->draining, 1, __ATOMIC_RELEASE);
}

json_t *session_evidence(const struct session *session)
{
	json_t *json = json_pack("{s:o, s:i}", "device", json_outside(session->ctl->device), "ifindex",
				 (int)session->ctl->ifindex);
	struct eval_stats total = {};

	stats_set_directions(json, session->stats_fd, session->has_delays, &total);
	json_object_set_new(json, "seen", json_integer((json_int_t)total.seen));
	json_object_set_new(json, "hit", json_integer((json_int_t)total.hit));
	json_object_set_new(json, "bytes", json_integer((json_int_t)total.bytes));
	json_object_set_new(json, "first_hit_ns",
			    total.first_hit_ns ? json_integer((json_int_t)total.first_hit_ns) : json_null());
	return json;
}

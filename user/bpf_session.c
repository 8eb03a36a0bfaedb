/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf_session.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/process.h"

#define SESSION_LINKS_MAX 4
/* The kernel allows as many programs on a tcx hook. */
#define HOOK_PROGRAMS_MAX 64
/* UAPI of Linux 6.6, which Debian 12's header lacks. */
#define TCX_BEFORE (1U << 3)
#define TCX_AFTER (1U << 4)
#define TCX_RELATIVE_IS_ID (1U << 5)

/* What union bpf_attr has for BPF_LINK_CREATE of a tcx hook. */
struct tcx_link_create {
	__u32 program_fd, ifindex, attach_type, flags, relative_id, zero;
	__u64 expected_revision;
};

struct bpf_session {
	struct eval_ctl *ctl; /* shared with the kernel */
	int stats_fd;         /* of the object, not owned */
	bool has_delays;
	int links[SESSION_LINKS_MAX];
	size_t link_count;
};

static char last_warning[256];

static int log_from_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(last_warning, sizeof(last_warning), fmt, ap);
		last_warning[strcspn(last_warning, "\n")] = '\0';
	}
	if (getenv("EVAL_DEBUG"))
		return vfprintf(stderr, fmt, ap);
	return 0;
}

void bpf_log_init(void)
{
	libbpf_set_print(log_from_libbpf);
}

int bpf_object_load_checked(struct bpf_object *obj, struct error *err)
{
	int ret;

	last_warning[0] = '\0';
	ret = bpf_object__load(obj);
	if (!ret)
		return 0;
	if (ret == -EPERM)
		return error_set(err, ret, "the kernel refuses the BPF program (EPERM): not root, or lockdown");
	return error_set_errno(err, ret, "cannot load the BPF program%s%s", *last_warning ? ": " : "", last_warning);
}

int bpf_object_size_map(struct bpf_object *obj, const char *name, size_t entries, struct error *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);
	int ret;

	if (!map)
		return error_set(err, -ENOENT, "internal: no BPF map '%s'", name);
	ret = bpf_map__set_max_entries(map, entries ? (__u32)entries : 1);
	return ret ? error_set_errno(err, ret, "cannot size BPF map '%s'", name) : 0;
}

int bpf_object_map_fd(struct bpf_object *obj, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

static void ctl_fill(struct eval_ctl *ctl, const struct fault_spec *spec, const struct target_device *device,
		     const char *engine)
{
	ctl->abi_version = EVAL_ABI_VERSION;
	ctl->kind = spec->ops->kind;
	ctl->holder_pid = (__u32)getpid();
	ctl->holder_start_ticks = process_start_ticks(getpid());
	ctl->netns_ino = spec->target->netns_ino;
	snprintf(ctl->campaign, sizeof(ctl->campaign), "%s", spec->campaign);
	snprintf(ctl->trial, sizeof(ctl->trial), "%s", spec->trial);
	snprintf(ctl->target, sizeof(ctl->target), "%s", spec->target->node ? spec->target->node : "");
	snprintf(ctl->engine, sizeof(ctl->engine), "%s", engine);
	if (device) {
		ctl->ifindex = device->ifindex;
		snprintf(ctl->device, sizeof(ctl->device), "%s", device->name);
	}
	/* Last: a reader that sees the magic sees the rest. */
	__atomic_store_n(&ctl->magic, EVAL_MAGIC, __ATOMIC_RELEASE);
}

int bpf_session_new(struct bpf_session **out, struct bpf_object *obj, const struct fault_spec *spec,
		    const struct target_device *device, const char *engine, struct error *err)
{
	struct bpf_session *session;
	void *ctl;

	ctl = mmap(NULL, sizeof(struct eval_ctl), PROT_READ | PROT_WRITE, MAP_SHARED,
		   bpf_object_map_fd(obj, EVAL_CTL_MAP), 0);
	if (ctl == MAP_FAILED)
		return error_set_errno(err, -errno, "cannot map the fault's control block");
	session = calloc(1, sizeof(*session));
	if (!session) {
		munmap(ctl, sizeof(struct eval_ctl));
		return error_set(err, -ENOMEM, "out of memory");
	}
	session->ctl = ctl;
	session->stats_fd = bpf_object_map_fd(obj, EVAL_STATS_MAP);
	session->has_delays = bpf_object_map_fd(obj, EVAL_LINE_MAP) >= 0;
	ctl_fill(session->ctl, spec, device, engine);
	*out = session;
	return 0;
}

void bpf_session_free(struct bpf_session *session)
{
	if (!session)
		return;
	bpf_session_stop(session);
	bpf_session_detach(session, 0);
	munmap(session->ctl, sizeof(struct eval_ctl));
	free(session);
}

static int attach_error(int code, enum bpf_hook hook, const char *device, struct error *err)
{
	if (hook == HOOK_XDP && (code == -EBUSY || code == -EEXIST))
		return error_set(err, code, "%s already runs an XDP program, which is left alone: use engine: tc",
				 device);
	if (hook == HOOK_XDP)
		return error_set_errno(err, code, "cannot attach XDP to %s", device);
	if (code == -EINVAL || code == -EOPNOTSUPP)
		return error_set(
			err, -EOPNOTSUPP,
			"this kernel has no tcx hooks (Linux 6.6 brought them); older kernels are not yet supported");
	return error_set_errno(err, code, "cannot attach to %s", device);
}

static bool program_drops(__u32 id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && !strncmp(info.name, "partition_", 10);
}

/* The last program of ours on the hook that drops; 0: none. */
static __u32 last_drop(unsigned int ifindex, enum bpf_attach_type hook)
{
	__u32 ids[HOOK_PROGRAMS_MAX] = {}, count = HOOK_PROGRAMS_MAX;

	if (bpf_prog_query((int)ifindex, hook, 0, NULL, ids, &count))
		return 0;
	while (count && !program_drops(ids[count - 1]))
		count--;
	return count ? ids[count - 1] : 0;
}

static int tcx_attach(int program_fd, unsigned int ifindex, enum bpf_attach_type hook, enum bpf_hook_place place)
{
	struct tcx_link_create attr = {
		.program_fd = (__u32)program_fd,
		.ifindex = ifindex,
		.attach_type = hook,
		.flags = TCX_BEFORE, /* alone, it means the first place */
	};
	int fd;

	if (place == HOOK_BEHIND_DROPS)
		attr.relative_id = last_drop(ifindex, hook);
	if (attr.relative_id)
		attr.flags = TCX_AFTER | TCX_RELATIVE_IS_ID;
	/* The kernel sets close-on-exec on every BPF descriptor. */
	fd = (int)syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

int bpf_session_attach(struct bpf_session *session, const char *device, struct bpf_program *program, enum bpf_hook hook,
		       unsigned int ifindex, enum bpf_hook_place place, struct error *err)
{
	static const enum bpf_attach_type types[] = {
		[HOOK_TCX_INGRESS] = (enum bpf_attach_type)EVAL_BPF_TCX_INGRESS,
		[HOOK_TCX_EGRESS] = (enum bpf_attach_type)EVAL_BPF_TCX_EGRESS,
	};
	int program_fd = bpf_program__fd(program);
	int fd;

	if (session->link_count == SESSION_LINKS_MAX)
		return error_set(err, -ENOSPC, "internal: too many links");
	if (hook == HOOK_XDP)
		fd = bpf_link_create(program_fd, (int)ifindex, BPF_XDP, NULL);
	else
		fd = tcx_attach(program_fd, ifindex, types[hook], place);
	if (fd < 0)
		return attach_error(fd, hook, device, err);
	session->links[session->link_count++] = fd;
	return 0;
}

bool bpf_session_is_attached(const struct bpf_session *session)
{
	for (size_t i = 0; i < session->link_count; i++) {
		struct bpf_link_info info = {};
		__u32 size = sizeof(info);

		/* The device's index comes first for tcx as for XDP, and is 0 once it is gone. */
		if (!bpf_obj_get_info_by_fd(session->links[i], &info, &size) && !info.xdp.ifindex)
			return false;
	}
	return true;
}

void bpf_session_detach(struct bpf_session *session, size_t keep)
{
	while (session->link_count > keep)
		fd_close(session->links[--session->link_count]);
}

void bpf_session_activate(struct bpf_session *session, uint64_t deadline_ns)
{
	bpf_session_renew(session, clock_monotonic_ns() + LEASE_NS);
	__atomic_store_n(&session->ctl->deadline_ns, deadline_ns, __ATOMIC_RELEASE);
}

void bpf_session_renew(struct bpf_session *session, uint64_t lease_ns)
{
	__atomic_store_n(&session->ctl->lease_ns, lease_ns, __ATOMIC_RELEASE);
}

void bpf_session_set_cgroup(struct bpf_session *session, uint64_t cgroup_id)
{
	__atomic_store_n(&session->ctl->cgroup_id, cgroup_id, __ATOMIC_RELEASE);
}

void bpf_session_stop(struct bpf_session *session)
{
	__atomic_store_n(&session->ctl->deadline_ns, 0, __ATOMIC_RELEASE);
}

void bpf_session_drain(struct bpf_session *session)
{
	__atomic_store_n(&session->ctl->draining, 1, __ATOMIC_RELEASE);
}

static void histogram_add(struct eval_histogram *sum, const struct eval_histogram *part)
{
	sum->sum_ns += part->sum_ns;
	for (size_t i = 0; i < EVAL_HISTOGRAM_BUCKETS; i++)
		sum->log2_us[i] += part->log2_us[i];
}

int bpf_stats_read(int stats_map_fd, enum eval_direction direction, struct eval_stats *sum)
{
	_cleanup_free_ struct eval_stats *per_cpu = NULL;
	__u32 key = direction;
	int cpus = libbpf_num_possible_cpus();
	int ret;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	ret = bpf_map_lookup_elem(stats_map_fd, &key, per_cpu);
	if (ret)
		return ret;
	memset(sum, 0, sizeof(*sum));
	for (int i = 0; i < cpus; i++) {
		const struct eval_stats *cpu = &per_cpu[i];

		sum->seen += cpu->seen;
		sum->hit += cpu->hit;
		sum->bytes += cpu->bytes;
		sum->failed += cpu->failed;
		if (cpu->first_hit_ns && (!sum->first_hit_ns || cpu->first_hit_ns < sum->first_hit_ns))
			sum->first_hit_ns = cpu->first_hit_ns;
		histogram_add(&sum->drawn, &cpu->drawn);
		histogram_add(&sum->applied, &cpu->applied);
	}
	return 0;
}

static json_t *histogram_to_json(const struct eval_histogram *histogram)
{
	json_t *buckets = json_array();
	size_t used = EVAL_HISTOGRAM_BUCKETS;
	__u64 count = 0;

	while (used && !histogram->log2_us[used - 1])
		used--;
	for (size_t i = 0; i < used; i++) {
		count += histogram->log2_us[i];
		json_array_append_new(buckets, json_integer((json_int_t)histogram->log2_us[i]));
	}
	return json_pack("{s:I, s:o, s:o}", "count", (json_int_t)count, "mean_us",
			 count ? json_real((double)histogram->sum_ns / (double)count / 1000.0) : json_null(), "log2_us",
			 buckets);
}

json_t *bpf_stats_to_json(const struct eval_stats *stats, bool with_delays)
{
	json_t *json = json_pack("{s:I, s:I, s:I}", "seen", (json_int_t)stats->seen, "hit", (json_int_t)stats->hit,
				 "bytes", (json_int_t)stats->bytes);

	if (with_delays) {
		json_object_set_new(json, "failed", json_integer((json_int_t)stats->failed));
		json_object_set_new(json, "drawn", histogram_to_json(&stats->drawn));
		json_object_set_new(json, "applied", histogram_to_json(&stats->applied));
	}
	return json;
}

json_t *bpf_session_evidence(const struct bpf_session *session)
{
	static const char *const names[] = {[EVAL_EGRESS] = "egress", [EVAL_INGRESS] = "ingress"};
	json_t *json = json_pack("{s:s, s:i}", "device", session->ctl->device, "ifindex", (int)session->ctl->ifindex);
	struct eval_stats total = {};

	for (size_t i = 0; i < EVAL_DIRECTIONS; i++) {
		struct eval_stats stats;

		if (bpf_stats_read(session->stats_fd, i, &stats))
			continue;
		json_object_set_new(json, names[i], bpf_stats_to_json(&stats, session->has_delays));
		total.seen += stats.seen;
		total.hit += stats.hit;
		total.bytes += stats.bytes;
		if (stats.first_hit_ns && (!total.first_hit_ns || stats.first_hit_ns < total.first_hit_ns))
			total.first_hit_ns = stats.first_hit_ns;
	}
	json_object_set_new(json, "seen", json_integer((json_int_t)total.seen));
	json_object_set_new(json, "hit", json_integer((json_int_t)total.hit));
	json_object_set_new(json, "bytes", json_integer((json_int_t)total.bytes));
	json_object_set_new(json, "first_hit_ns",
			    total.first_hit_ns ? json_integer((json_int_t)total.first_hit_ns) : json_null());
	return json;
}

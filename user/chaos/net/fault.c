/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/net/fault.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/net/explain.h"
#include "chaos/session.h"
#include "kernel/live.h"
#include "kernel/session.h"
#include "kernel/stats.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"
#include "util/thread.h"

struct net_fault {
	const struct net_engine *kind;
	const struct fault_spec *spec;
	struct net_part *parts;
	size_t part_count;
	char left_out[512]; /* optional devices that the engine cannot act on, and why; "" if none */
	/* The check that runs beside the renewals: see check_thread(). */
	pthread_t checker;
	bool checking;
	struct error found; /* what it found; .code 0: nothing */
	bool reverted;
	char in_front[256]; /* other owners' programs that ran before the fault's at its end; "" if none */
};

static int part_open(struct net_part *part, struct net_fault *net, const struct net_device *device, struct error *err)
{
	int ret;

	part->device = device;
	ret = net->kind->open(part, net->spec, err);
	if (ret)
		return ret;
	return chaos_session_new(&part->session, part->obj, net->spec, device, net->kind->engine, err);
}

static void leave_out(struct net_fault *net, const struct net_device *device, const char *why)
{
	text_append(net->left_out, sizeof(net->left_out), "%s%s (%s)", *net->left_out ? ", " : "", device->name, why);
}

static int add_part(struct net_fault *net, const struct net_device *device, struct error *err)
{
	if (!device->optional || device->ethernet || !net->kind->needs_ethernet)
		return part_open(&net->parts[net->part_count++], net, device, err);
	leave_out(net, device, "no Ethernet header");
	return 0;
}

int net_fault_new(void **out, struct fault *fault, const struct net_engine *kind, struct error *err)
{
	const struct fault_spec *spec = fault_get_spec(fault);
	struct net_fault *net = calloc(1, sizeof(*net));
	int saved = -1, ret = 0;

	if (!net)
		return error_set(err, -ENOMEM, "out of memory");
	net->kind = kind;
	net->spec = spec;
	net->parts = calloc(spec->target->device_count, sizeof(*net->parts));
	if (!net->parts)
		ret = error_set(err, -ENOMEM, "out of memory");
	if (!ret)
		ret = target_enter_netns(spec->target, &saved, err);
	for (size_t i = 0; !ret && i < spec->target->device_count; i++)
		ret = add_part(net, &spec->target->devices[i], err);
	target_leave_netns(&saved);
	if (!ret && !net->part_count)
		ret = error_set(err, -EOPNOTSUPP, "no device that %s can act on: %s", kind->engine, net->left_out);
	if (ret) {
		net_fault_free(net);
		return ret;
	}
	fault_set_engine(fault, kind->engine);
	*out = net;
	return 0;
}

bool net_fault_must_learn(const struct target *target, bool has_egress, bool has_ingress)
{
	return target->cgroup_path && has_ingress && !has_egress;
}

static void set_cgroups(const struct net_fault *net)
{
	uint64_t id = net->spec->target->cgroup_path ? target_cgroup_id(net->spec->target) : 0;

	for (size_t i = 0; i < net->part_count; i++)
		session_set_cgroup(net->parts[i].session, id);
}

static void part_detach(const struct net_fault *net, struct net_part *part)
{
	if (net->kind->detach)
		net->kind->detach(part);
	else
		session_detach(part->session, 0);
}

static void part_free(const struct net_fault *net, struct net_part *part)
{
	session_free(part->session);
	net->kind->free(part);
}

/* For example XDP on a device whose driver or queues do not allow it. */
static bool cannot_act(int code)
{
	return code == -EOPNOTSUPP || code == -ENOSPC || code == -EINVAL || code == -ERANGE;
}

/* Attaches the part's hooks, or drops the part and its device if both can be done without. */
static int part_attach(struct net_fault *net, size_t i, struct error *err)
{
	struct net_part *part = &net->parts[i];
	struct error why = {};
	int ret = net->kind->attach(part, net->spec, &why);

	if (!ret)
		return 0;
	if (!part->device->optional || net->part_count == 1 || !cannot_act(ret))
		return error_set(err, ret, "%s", why.text);
	leave_out(net, part->device, why.text);
	part_detach(net, part);
	part_free(net, part);
	net->part_count--;
	memmove(part, part + 1, (net->part_count - i) * sizeof(*part));
	return 0;
}

int net_fault_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct net_fault *net = state;
	int saved = -1, ret;

	ret = target_enter_netns(net->spec->target, &saved, err);
	/* From the last one, so that a part that is dropped moves only those that are done. */
	for (size_t i = net->part_count; !ret && i-- > 0;)
		ret = part_attach(net, i, err);
	target_leave_netns(&saved);
	set_cgroups(net);
	/* All hooks are attached before the first takes effect. */
	for (size_t i = 0; !ret && i < net->part_count; i++)
		ret = session_activate(net->parts[i].session, duration_ns, err);
	if (ret)
		net_fault_stop(net);
	return ret;
}

/* A part whose hooks were removed, for example with its device. */
static const struct net_part *find_unhooked(const struct net_fault *net)
{
	for (size_t i = 0; i < net->part_count; i++)
		if (net->parts[i].session && !session_is_attached(net->parts[i].session))
			return &net->parts[i];
	return NULL;
}

static int hooks_gone(const struct net_part *part, struct error *err)
{
	return error_set(err, -ENODEV,
			 "the fault's hooks on %s went away: was the device removed, or were they detached by force?",
			 part->device->name);
}

static void parts_renew(const struct net_fault *net)
{
	int saved = -1;

	if (!net->kind->renew || target_enter_netns(net->spec->target, &saved, NULL))
		return;
	for (size_t i = 0; i < net->part_count; i++)
		net->kind->renew(&net->parts[i]);
	target_leave_netns(&saved);
}

/*
 * All that waits for the kernel's lock of all network devices. Somebody else may hold it for seconds, for example while
 * a namespace with hundreds of devices is removed: a renewal that waited for it would miss the lease.
 */
static void *check_thread(void *state)
{
	struct net_fault *net = state;
	const struct net_part *unhooked;

	parts_renew(net);
	unhooked = find_unhooked(net);
	if (unhooked)
		hooks_gone(unhooked, &net->found);
	else
		target_check_routes(net->spec->target, &net->found);
	return NULL;
}

/* Without a thread nothing is checked until the next renewal. */
static void check_begin(struct net_fault *net)
{
	net->checking = !thread_start(&net->checker, check_thread, net);
}

static void check_end(struct net_fault *net)
{
	if (net->checking)
		pthread_join(net->checker, NULL);
	net->checking = false;
}

int net_fault_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct net_fault *net = state;
	int ret = 0;

	for (size_t i = 0; i < net->part_count; i++)
		session_renew(net->parts[i].session, lease_ns);
	set_cgroups(net);
	if (net->checking && !pthread_tryjoin_np(net->checker, NULL))
		net->checking = false;
	/* A stop from outside makes the fault inert before it detaches: it is the reason then, not the hooks. */
	for (size_t i = 0; !ret && i < net->part_count; i++)
		ret = session_check(net->parts[i].session, err);
	if (ret || net->checking)
		return ret;
	if (net->found.code)
		return error_set(err, net->found.code, "%s", net->found.text);
	check_begin(net);
	return 0;
}

void net_fault_stop(void *state)
{
	struct net_fault *net = state;

	for (size_t i = 0; i < net->part_count; i++)
		if (net->parts[i].session)
			session_stop(net->parts[i].session);
}

static void list_in_front(struct net_fault *net, const struct net_part *part)
{
	char names[128] = "";

	session_list_before(part->session, names, sizeof(names));
	if (*names)
		text_append(net->in_front, sizeof(net->in_front), "%s%s on %s", *net->in_front ? "; " : "", names,
			    part->device->name);
}

int net_fault_revert(void *state, struct error *err)
{
	struct net_fault *net = state;
	const struct net_part *unhooked;
	int saved = -1, ret;

	net->reverted = true;
	net_fault_stop(net);
	check_end(net);
	unhooked = find_unhooked(net);
	ret = target_enter_netns(net->spec->target, &saved, err);
	for (size_t i = 0; !ret && i < net->part_count; i++)
		list_in_front(net, &net->parts[i]);
	for (size_t i = 0; i < net->part_count; i++)
		part_detach(net, &net->parts[i]);
	target_leave_netns(&saved);
	if (!ret && unhooked)
		ret = hooks_gone(unhooked, err);
	if (!ret && net->found.code)
		ret = error_set(err, net->found.code, "%s", net->found.text);
	return ret;
}

/* Adds a part's plain counters to the fault's. */
static void evidence_total(json_t *total, const json_t *part)
{
	json_int_t first = json_integer_at(part, "first_hit_ns");
	json_int_t earliest = json_integer_at(total, "first_hit_ns");

	evidence_add(total, part);
	if (first && (!earliest || first < earliest))
		json_object_set_new(total, "first_hit_ns", json_integer(first));
}

/* What explains the counters, for the record. */
static void add_explanations(const struct net_fault *net, json_t *total)
{
	net_explain(total, net->spec, net->parts, net->part_count);
	if (*net->in_front)
		evidence_add_note(
			total, "a program of somebody else ran before the fault's, which did not see what it took: %s",
			net->in_front);
	if (*net->left_out)
		evidence_add_note(total, "left out: %s", net->left_out);
}

json_t *net_fault_evidence(void *state)
{
	const struct net_fault *net = state;
	json_t *devices = json_array();
	json_t *total = json_pack("{s:s, s:i, s:i, s:i, s:n, s:o}", "engine", net->kind->engine, "seen", 0, "hit", 0,
				  "bytes", 0, "first_hit_ns", "devices", devices);

	for (size_t i = 0; i < net->part_count; i++) {
		json_t *part = session_evidence(net->parts[i].session);

		if (net->kind->add_evidence)
			net->kind->add_evidence(&net->parts[i], part);
		evidence_total(total, part);
		json_array_append_new(devices, part);
	}
	/* While it holds, only the hits are asked for, with each renewal. */
	if (net->reverted)
		add_explanations(net, total);
	return total;
}

void net_fault_free(void *state)
{
	struct net_fault *net = state;

	if (!net)
		return;
	check_end(net);
	for (size_t i = 0; i < net->part_count; i++)
		part_free(net, &net->parts[i]);
	free(net->parts);
	free(net);
}

void net_fault_describe(char *out, size_t size, const json_t *evidence)
{
	out[0] = '\0';
	text_append(out, size,
		    "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " packets hit (%" JSON_INTEGER_FORMAT " bytes)",
		    json_integer_at(evidence, "hit"), json_integer_at(evidence, "seen"),
		    json_integer_at(evidence, "bytes"));
}

void net_fault_live_directions(const struct live_fault *live, bool with_delays, json_t *out)
{
	_cleanup_close_ int stats_fd = live_fault_map_open(live, EVAL_STATS_MAP);

	if (stats_fd >= 0)
		stats_set_directions(out, stats_fd, with_delays, NULL);
}

void net_fault_live(const struct live_fault *live, json_t *out)
{
	net_fault_live_directions(live, false, out);
}

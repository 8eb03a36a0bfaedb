/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/net/fault.h"

#include <errno.h>
#include <string.h>

#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/session.h"
#include "kernel/live.h"
#include "kernel/session.h"
#include "kernel/stats.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

struct net_fault {
	const struct net_engine *kind;
	const struct fault_spec *spec;
	struct net_part *parts;
	size_t part_count;
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
	for (size_t i = 0; !ret && i < spec->target->device_count; i++) {
		net->part_count++;
		ret = part_open(&net->parts[i], net, &spec->target->devices[i], err);
	}
	target_leave_netns(&saved);
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

int net_fault_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct net_fault *net = state;
	int saved = -1, ret;

	ret = target_enter_netns(net->spec->target, &saved, err);
	for (size_t i = 0; !ret && i < net->part_count; i++)
		ret = net->kind->attach(&net->parts[i], net->spec, err);
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

int net_fault_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct net_fault *net = state;
	const struct net_part *unhooked;
	int ret = 0;

	/* Leases first: the rest may wait for the lock of all network devices. */
	for (size_t i = 0; i < net->part_count; i++)
		session_renew(net->parts[i].session, lease_ns);
	set_cgroups(net);
	parts_renew(net);
	unhooked = find_unhooked(net);
	/* Checked after the hooks: a stop from outside makes the fault inert before it detaches. */
	for (size_t i = 0; !ret && i < net->part_count; i++)
		ret = session_check(net->parts[i].session, err);
	return ret || !unhooked ? ret : hooks_gone(unhooked, err);
}

void net_fault_stop(void *state)
{
	struct net_fault *net = state;

	for (size_t i = 0; i < net->part_count; i++)
		if (net->parts[i].session)
			session_stop(net->parts[i].session);
}

int net_fault_revert(void *state, struct error *err)
{
	struct net_fault *net = state;
	const struct net_part *unhooked = find_unhooked(net);
	int saved = -1, ret;

	net_fault_stop(net);
	ret = target_enter_netns(net->spec->target, &saved, err);
	for (size_t i = 0; i < net->part_count; i++) {
		struct net_part *part = &net->parts[i];

		if (net->kind->detach)
			net->kind->detach(part);
		else
			session_detach(part->session, 0);
	}
	target_leave_netns(&saved);
	if (!ret && unhooked)
		ret = hooks_gone(unhooked, err);
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
	return total;
}

void net_fault_free(void *state)
{
	struct net_fault *net = state;

	if (!net)
		return;
	for (size_t i = 0; i < net->part_count; i++) {
		session_free(net->parts[i].session);
		net->kind->free(&net->parts[i]);
	}
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

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/net/fault.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/net/match.h"
#include "chaos/session.h"
#include "kernel/live.h"
#include "kernel/session.h"
#include "kernel/stats.h"
#include "net/endpoint.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"
#include "util/thread.h"

#define SILENT_PEERS_NAMED 8
#define UNMATCHED_SHOWN 5

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

static json_int_t hits_in(const json_t *devices, const char *direction)
{
	const json_t *device;
	json_int_t hits = 0;
	size_t i;

	json_array_foreach (devices, i, device)
		hits += json_integer_at(json_object_get(device, direction), "hit");
	return hits;
}

/* A fault in both directions that hit in one only is not what was asked for. */
static void note_silent_direction(json_t *evidence, const json_t *params, const json_t *devices)
{
	json_int_t egress = hits_in(devices, stats_directions[EVAL_EGRESS]);
	json_int_t ingress = hits_in(devices, stats_directions[EVAL_INGRESS]);

	if (strcmp(json_text_or(params, "direction", ""), "both") || !egress == !ingress)
		return;
	evidence_add_note(evidence, "direction is both, but no packet matched on %s (%s: %lld)",
			  egress ? "ingress" : "egress", egress ? "egress" : "ingress",
			  (long long)(egress ? egress : ingress));
}

/* A peer named with several ports counts as one: packets to the node's own ports are counted for the first. */
static bool address_has_hits(const struct target *target, const struct net_peer_hits *hits, size_t count, size_t peer)
{
	for (size_t i = 0; i < count; i++)
		if (!memcmp(target->peers[i].address, target->peers[peer].address, sizeof(target->peers[i].address)) &&
		    (hits[i].in[EVAL_EGRESS] || hits[i].in[EVAL_INGRESS]))
			return true;
	return false;
}

/* Of a fault that hit something: a peer without a hit may not be where the packets go. */
static void note_silent_peers(json_t *evidence, const struct target *target, const struct net_peer_hits *hits,
			      size_t count)
{
	char names[256] = "", text[ENDPOINT_TEXT_SIZE];
	size_t silent = 0;

	for (size_t i = 0; i < count; i++) {
		if (address_has_hits(target, hits, count, i))
			continue;
		if (silent++ < SILENT_PEERS_NAMED)
			text_append(names, sizeof(names), "%s%s", *names ? ", " : "",
				    endpoint_format(&target->peers[i], text));
	}
	if (silent && silent < count)
		evidence_add_note(evidence, "no packet matched of %zu of %zu peers, while others had some: %s%s",
				  silent, count, names, silent > SILENT_PEERS_NAMED ? ", …" : "");
}

static void add_peers(const struct net_fault *net, json_t *evidence)
{
	const struct target *target = net->spec->target;
	size_t count = target->peer_count < EVAL_PEERS_COUNTED ? target->peer_count : EVAL_PEERS_COUNTED;
	struct net_peer_hits hits[EVAL_PEERS_COUNTED] = {};
	char text[ENDPOINT_TEXT_SIZE];
	json_t *peers;

	if (!count)
		return;
	for (size_t i = 0; i < net->part_count; i++)
		if (net_match_add_hits(net->parts[i].obj, hits, count))
			return;
	peers = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(peers,
				      json_pack("{s:s, s:I, s:I}", "peer", endpoint_format(&target->peers[i], text),
						stats_directions[EVAL_EGRESS], (json_int_t)hits[i].in[EVAL_EGRESS],
						stats_directions[EVAL_INGRESS], (json_int_t)hits[i].in[EVAL_INGRESS]));
	json_object_set_new(evidence, "peers", peers);
	note_silent_peers(evidence, target, hits, count);
}

static void add_unmatched(const struct net_fault *net, json_t *evidence)
{
	struct net_unmatched list[UNMATCHED_SHOWN];
	json_t *unmatched = json_array();
	char text[ENDPOINT_TEXT_SIZE];
	size_t count = 0;

	for (size_t i = 0; i < net->part_count; i++)
		net_match_list_unmatched(net->parts[i].obj, list, UNMATCHED_SHOWN, &count);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(unmatched,
				      json_pack("{s:s, s:s, s:I}", "address", endpoint_format(&list[i].endpoint, text),
						"direction", stats_directions[list[i].direction], "packets",
						(json_int_t)list[i].packets));
	json_object_set_new(evidence, "unmatched", unmatched);
}

/* What explains the counters, for the record: the map of unmatched ends alone takes hundreds of system calls. */
static void add_explanations(const struct net_fault *net, json_t *total, const json_t *devices)
{
	add_peers(net, total);
	if (!json_integer_at(total, "hit"))
		add_unmatched(net, total);
	note_silent_direction(total, net->spec->params, devices);
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
		add_explanations(net, total, devices);
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

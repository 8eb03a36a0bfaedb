/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type latency: its fields, and hooks and delay lines on each device. */
#include <bpf/bpf.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/kinds.h"
#include "chaos/net/fault.h"
#include "chaos/net/line.h"
#include "chaos/net/match.h"
#include "eval_net.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "latency.skel.h"
#include "net/device.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define DELAY_MS_MAX 10000

static const char *const directions[] = {"egress", "ingress", "both", NULL};
static const char *const protocols[] = {"any", "tcp", "udp", "icmp", NULL};
static const char *const lines[] = {"auto", "fq", "tap", NULL};

static const struct chaos_field fields[] = {
	{.name = "min_ms",
	 .type = FIELD_NUMBER,
	 .max = DELAY_MS_MAX,
	 .required = true,
	 .arg = "MS",
	 .help = "shortest delay, decimals allowed"},
	{.name = "max_ms",
	 .type = FIELD_NUMBER,
	 .max = DELAY_MS_MAX,
	 .required = true,
	 .arg = "MS",
	 .help = "longest delay, decimals allowed"},
	{.name = "direction",
	 .type = FIELD_CHOICE,
	 .choices = directions,
	 .fallback = "\"egress\"",
	 .arg = "egress|ingress|both",
	 .help = "what the target sends (default), gets, or both, with a draw each way"},
	{.name = "peers",
	 .type = FIELD_PEERS,
	 .all_allowed = true,
	 .arg = "LIST",
	 .help = "delay traffic with these only (default: the subject's members; all: everything)"},
	{.name = "ports",
	 .type = FIELD_PORTS,
	 .arg = "LIST",
	 .help = "delay only from or to these ports; N-M: a range"},
	{.name = "protocol",
	 .type = FIELD_CHOICE,
	 .choices = protocols,
	 .fallback = "\"any\"",
	 .arg = "any|tcp|udp|icmp",
	 .help = "delay only this protocol"},
	{.name = "reorder",
	 .type = FIELD_BOOL,
	 .fallback = "false",
	 .help = "draw per packet, so that packets of a flow overtake each other"},
	{.name = "line",
	 .type = FIELD_CHOICE,
	 .choices = lines,
	 .fallback = "\"auto\"",
	 .arg = "auto|fq|tap",
	 .help = "what holds the packets (default: fq if the kernel has it and max-ms is at most 1000, else tap)"},
	{},
};

static const struct chaos_requirement requires[] = {
	{.feature = FEATURE_TCX},
	{.feature = FEATURE_TAP, .param = "line", .value = "tap"},
	{.feature = FEATURE_SCH_FQ, .param = "line", .value = "fq"},
	{},
};

/* A part's state: the program, and a line per requested direction. */
struct latency {
	struct latency_bpf *skel;
	struct line *lines[EVAL_DIRECTIONS];
	struct eval_line *counters; /* EVAL_DIRECTIONS of them, shared with the kernel */
};

static bool direction_asked(const struct fault_spec *spec, enum eval_direction direction)
{
	const char *asked = fault_text_param(spec, "direction");

	return !strcmp(asked, "both") || !strcmp(asked, directions[direction]);
}

static __u64 param_ms_to_ns(const struct fault_spec *spec, const char *name)
{
	double ms = json_number_value(json_object_get(spec->params, name));

	return (__u64)llround(ms * (double)NSEC_PER_MSEC);
}

static int lines_open(struct latency *latency, const struct line_ops *ops, const struct fault_spec *spec,
		      struct error *err)
{
	struct eval_latency_config *config = (struct eval_latency_config *)&latency->skel->rodata->latency_config;

	for (size_t i = 0; i < EVAL_DIRECTIONS; i++) {
		int ret;

		if (!direction_asked(spec, i))
			continue;
		ret = ops->open(&latency->lines[i], config, err);
		if (ret)
			return ret;
		config->line_ifindex[i] = latency->lines[i]->ifindex;
		/* A device's index is unique in its namespace, so the mark is unique among the faults on a device. */
		config->mark = EVAL_MARK | (latency->lines[i]->ifindex & ~EVAL_MARK_MASK);
	}
	return 0;
}

static int counters_map(struct latency *latency, struct error *err)
{
	void *counters = mmap(NULL, sizeof(struct eval_line) * EVAL_DIRECTIONS, PROT_READ | PROT_WRITE, MAP_SHARED,
			      bpf_map__fd(latency->skel->maps.eval_line), 0);

	if (counters == MAP_FAILED)
		return error_set_errno(err, -errno, "cannot map the delay line's counters");
	latency->counters = counters;
	return 0;
}

static int latency_open(struct net_part *part, const struct line_ops *ops, const struct fault_spec *spec,
			struct error *err)
{
	struct latency *latency;
	struct eval_latency_config *config;
	int ret;

	if (ops == &fq_line_ops && !part->device->ethernet)
		return error_set(err, -ENOPKG, "%s has no Ethernet header, which line: fq needs: use line: tap or auto",
				 part->device->name);
	latency = calloc(1, sizeof(*latency));
	if (!latency)
		return error_set(err, -ENOMEM, "out of memory");
	part->own = latency;
	latency->skel = latency_bpf__open();
	if (!latency->skel)
		return error_set_errno(err, -errno, "cannot open the latency program");
	part->obj = latency->skel->obj;
	config = (struct eval_latency_config *)&latency->skel->rodata->latency_config;
	config->min_ns = param_ms_to_ns(spec, "min_ms");
	config->max_ns = param_ms_to_ns(spec, "max_ms");
	config->seed = spec->seed;
	config->reorder = json_is_true(json_object_get(spec->params, "reorder"));
	ret = net_match_prepare(part->obj, (struct eval_match_config *)&latency->skel->rodata->match_config, spec,
				part->device, err);
	if (!ret)
		ret = lines_open(latency, ops, spec, err);
	if (!ret)
		ret = object_load(part->obj, err);
	if (!ret)
		ret = net_match_fill(part->obj, spec, part->device, err);
	return ret ? ret : counters_map(latency, err);
}

static int latency_open_fq(struct net_part *part, const struct fault_spec *spec, struct error *err)
{
	return latency_open(part, &fq_line_ops, spec, err);
}

static int latency_open_tap(struct net_part *part, const struct fault_spec *spec, struct error *err)
{
	return latency_open(part, &tap_line_ops, spec, err);
}

static int line_attach(struct net_part *part, enum eval_direction direction, struct error *err)
{
	struct latency *latency = part->own;
	struct line *line = latency->lines[direction];
	int ret = line->ops->start(line, part->obj, part->session, &latency->counters[direction], err);

	if (ret)
		return ret;
	return session_attach(part->session, line->device,
			      direction == EVAL_EGRESS ? latency->skel->progs.line_egress
						       : latency->skel->progs.line_ingress,
			      HOOK_TC_INGRESS, line->ifindex, HOOK_FIRST, err);
}

static int device_attach(struct net_part *part, enum eval_direction direction, struct error *err)
{
	const struct latency *latency = part->own;
	bool egress = direction == EVAL_EGRESS;

	return session_attach(part->session, part->device->name,
			      egress ? latency->skel->progs.delay_egress : latency->skel->progs.delay_ingress,
			      egress ? HOOK_TC_EGRESS : HOOK_TC_INGRESS, part->device->ifindex, HOOK_BEHIND_DROPS, err);
}

/* Attaches the lines' hooks first, so that packets can return from the start; latency_detach() relies on the order. */
static int latency_attach(struct net_part *part, const struct fault_spec *spec, struct error *err)
{
	const struct latency *latency = part->own;
	int ret = 0;

	for (size_t i = 0; !ret && i < EVAL_DIRECTIONS; i++)
		if (latency->lines[i])
			ret = line_attach(part, i, err);
	for (size_t i = 0; !ret && i < EVAL_DIRECTIONS; i++)
		if (latency->lines[i])
			ret = device_attach(part, i, err);
	if (!ret && net_fault_must_learn(spec->target, latency->lines[EVAL_EGRESS], latency->lines[EVAL_INGRESS]))
		ret = session_attach(part->session, part->device->name, latency->skel->progs.learn, HOOK_TC_EGRESS,
				     part->device->ifindex, HOOK_FIRST, err);
	return ret;
}

static void latency_renew(struct net_part *part)
{
	const struct latency *latency = part->own;

	for (size_t i = 0; i < EVAL_DIRECTIONS; i++)
		if (latency->lines[i])
			latency->lines[i]->ops->renew(latency->lines[i]);
}

static size_t lines_drain(const struct latency *latency)
{
	size_t count = 0;

	for (size_t i = 0; i < EVAL_DIRECTIONS; i++) {
		if (!latency->lines[i])
			continue;
		latency->lines[i]->ops->drain(latency->lines[i]);
		count += 1 + latency->lines[i]->ops->hooks;
	}
	return count;
}

/* For an inert fault: detaches the device's hooks first and the lines' last, so that held packets are delivered. */
static void latency_detach(struct net_part *part)
{
	const struct latency *latency = part->own;
	size_t line_links = lines_drain(latency);

	session_drain(part->session);
	session_detach(part->session, line_links);
	lines_drain(latency);
	session_detach(part->session, 0);
}

static void latency_add_evidence(struct net_part *part, json_t *evidence)
{
	const struct latency *latency = part->own;

	for (size_t i = 0; i < EVAL_DIRECTIONS; i++) {
		const struct eval_line *line = &latency->counters[i];
		/* Negative if packets that were counted as lost were delivered after all. */
		json_int_t held = line->held_packets, undone = held < 0 ? held : 0;

		if (!latency->lines[i])
			continue;
		json_object_set_new(
			json_object_get(evidence, directions[i]), "line",
			json_pack("{s:s, s:I, s:I, s:I, s:f, s:f}", "engine", latency->lines[i]->ops->engine,
				  "delivered", (json_int_t)line->delivered, "line_dropped",
				  (json_int_t)line->dropped + undone, "held_packets", held - undone, "late_mean_us",
				  line->delivered ? (double)line->late_sum_ns / (double)line->delivered / 1000.0 : 0.0,
				  "late_max_us", (double)line->late_max_ns / 1000.0));
	}
}

static json_t *latency_evidence(void *state)
{
	json_t *evidence = net_fault_evidence(state);
	struct line_losses losses = {};

	evidence_count_line_losses(&losses, evidence);
	evidence_add_line_losses(evidence, &losses);
	return evidence;
}

static void latency_live(const struct live_fault *live, json_t *out)
{
	_cleanup_close_ int line_fd = live_fault_map_open(live, EVAL_LINE_MAP);

	net_fault_live_directions(live, true, out);
	for (__u32 i = 0; line_fd >= 0 && i < EVAL_DIRECTIONS; i++) {
		struct eval_line line;

		if (bpf_map_lookup_elem(line_fd, &i, &line))
			continue;
		json_object_set_new(json_object_get(out, directions[i]), "line",
				    json_pack("{s:I, s:I, s:I, s:I}", "held_packets", (json_int_t)line.held_packets,
					      "held_bytes", (json_int_t)line.held_bytes, "delivered",
					      (json_int_t)line.delivered, "line_dropped", (json_int_t)line.dropped));
	}
}

static void latency_free(struct net_part *part)
{
	struct latency *latency = part->own;

	if (!latency)
		return;
	for (size_t i = 0; i < EVAL_DIRECTIONS; i++)
		if (latency->lines[i])
			latency->lines[i]->ops->free(latency->lines[i]);
	if (latency->counters)
		munmap(latency->counters, sizeof(struct eval_line) * EVAL_DIRECTIONS);
	latency_bpf__destroy(latency->skel);
	free(latency);
}

static const struct net_engine kind_fq = {
	.engine = "fq",
	.needs_ethernet = true,
	.open = latency_open_fq,
	.attach = latency_attach,
	.renew = latency_renew,
	.detach = latency_detach,
	.add_evidence = latency_add_evidence,
	.free = latency_free,
};

static const struct net_engine kind_tap = {
	.engine = "tap",
	.open = latency_open_tap,
	.attach = latency_attach,
	.renew = latency_renew,
	.detach = latency_detach,
	.add_evidence = latency_add_evidence,
	.free = latency_free,
};

/* auto takes fq up to this max_ms: unlike a TAP, fq cannot release packets early, and revert waits at most 2 s. */
#define FQ_MS_MAX 1000.0

static bool is_all_ethernet(const struct target *target)
{
	for (size_t i = 0; i < target->device_count; i++)
		if (!target->devices[i].ethernet)
			return false;
	return true;
}

static int latency_prepare(struct fault *fault, void **state, struct error *err)
{
	const struct fault_spec *spec = fault_get_spec(fault);
	const char *line = fault_text_param(spec, "line");
	bool takes_fq = json_number_value(json_object_get(spec->params, "max_ms")) <= FQ_MS_MAX &&
			is_all_ethernet(spec->target);
	struct error first = {};
	int ret;

	if (strcmp(line, "auto"))
		return net_fault_new(state, fault, strcmp(line, "fq") ? &kind_tap : &kind_fq, err);
	ret = net_fault_new(state, fault, takes_fq ? &kind_fq : &kind_tap, &first);
	if (ret == -ENOPKG)
		return net_fault_new(state, fault, takes_fq ? &kind_tap : &kind_fq, err);
	if (ret)
		*err = first;
	return ret;
}

const struct chaos_ops chaos_latency = {
	.name = "latency",
	.kind = EVAL_KIND_LATENCY,
	.summary = "delay the target's packets by a random time",
	.target = TARGET_NETWORK,
	.fields = fields,
	.requires = requires,
	.verb = "act on",
	.nothing = "packet matched",
	.check = chaos_check_delays,
	.prepare = latency_prepare,
	.activate = net_fault_activate,
	.renew = net_fault_renew,
	.stop = net_fault_stop,
	.revert = net_fault_revert,
	.evidence = latency_evidence,
	.free = net_fault_free,
	.describe = net_fault_describe,
	.live = latency_live,
};

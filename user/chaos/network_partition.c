/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type network_partition: its fields, and hooks on each device. */
#include <errno.h>
#include <string.h>

#include "chaos/fault.h"
#include "chaos/kinds.h"
#include "chaos/net/fault.h"
#include "chaos/net/match.h"
#include "eval_net.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "network_partition.skel.h"
#include "target/target.h"
#include "util/cleanup.h"

static const char *const directions[] = {"in", "out", "both", NULL};
static const char *const engines[] = {"tc", "xdp", NULL};

static const struct chaos_field fields[] = {
	{.name = "peers",
	 .type = FIELD_PEERS,
	 .arg = "LIST",
	 .help = "cut the target from these only (default: all other nodes and peers)"},
	{.name = "direction",
	 .type = FIELD_CHOICE,
	 .choices = directions,
	 .fallback = "\"both\"",
	 .arg = "in|out|both",
	 .help = "cut one way only (default: both)"},
	{.name = "engine",
	 .type = FIELD_CHOICE,
	 .choices = engines,
	 .fallback = "\"tc\"",
	 .arg = "tc|xdp",
	 .help = "what drops on the way in (default: tc)"},
	{},
};

static const struct chaos_requirement requires[] = {
	{.feature = FEATURE_TCX},
	{.feature = FEATURE_XDP_LINK, .param = "engine", .value = "xdp"},
	{},
};

static int partition_open(struct net_part *part, const struct fault_spec *spec, struct error *err)
{
	bool xdp = !strcmp(fault_text_param(spec, "engine"), "xdp");
	struct network_partition_bpf *skel;
	int ret;

	if (xdp && !part->device->ethernet)
		return error_set(err, -EINVAL, "%s has no Ethernet header, which engine: xdp needs; use tc",
				 part->device->name);
	skel = network_partition_bpf__open();
	if (!skel)
		return error_set_errno(err, -errno, "cannot open the partition program");
	part->own = skel;
	part->obj = skel->obj;
	ret = net_match_prepare(skel->obj, (struct eval_match_config *)&skel->rodata->match_config, spec, part->device,
				err);
	if (!ret)
		ret = object_load(skel->obj, err);
	return ret ? ret : net_match_fill(skel->obj, spec, part->device, err);
}

static int partition_attach(struct net_part *part, const struct fault_spec *spec, struct error *err)
{
	const struct network_partition_bpf *skel = part->own;
	const struct net_device *device = part->device;
	const char *direction = fault_text_param(spec, "direction");
	bool xdp = !strcmp(fault_text_param(spec, "engine"), "xdp");
	int ret = 0;

	if (net_fault_must_learn(spec->target, strcmp(direction, "in"), strcmp(direction, "out")))
		ret = session_attach(part->session, device->name, skel->progs.learn, HOOK_TC_EGRESS, device->ifindex,
				     HOOK_FIRST, err);
	if (!ret && strcmp(direction, "in"))
		ret = session_attach(part->session, device->name, skel->progs.drop_egress, HOOK_TC_EGRESS,
				     device->ifindex, HOOK_FIRST, err);
	if (ret || !strcmp(direction, "out"))
		return ret;
	return session_attach(part->session, device->name, xdp ? skel->progs.drop_xdp : skel->progs.drop_ingress,
			      xdp ? HOOK_XDP : HOOK_TC_INGRESS, device->ifindex, HOOK_FIRST, err);
}

static void partition_free(struct net_part *part)
{
	network_partition_bpf__destroy(part->own);
}

static const struct net_engine kind_tc = {
	.engine = "tc",
	.open = partition_open,
	.attach = partition_attach,
	.free = partition_free,
};

static const struct net_engine kind_xdp = {
	.engine = "xdp",
	.needs_ethernet = true,
	.open = partition_open,
	.attach = partition_attach,
	.free = partition_free,
};

static int partition_prepare(struct fault *fault, void **state, struct error *err)
{
	bool xdp = !strcmp(fault_text_param(fault_get_spec(fault), "engine"), "xdp");

	return net_fault_new(state, fault, xdp ? &kind_xdp : &kind_tc, err);
}

static int partition_check(const json_t *params, const char **field, struct error *err)
{
	const char *engine = json_string_value(json_object_get(params, "engine"));
	const char *direction = json_string_value(json_object_get(params, "direction"));

	if (engine && direction && !strcmp(engine, "xdp") && !strcmp(direction, "out")) {
		*field = "engine";
		return error_set(err, -EINVAL, "engine: xdp drops on the way in only, but direction is out; use tc");
	}
	return 0;
}

const struct chaos_ops chaos_network_partition = {
	.name = "network_partition",
	.kind = EVAL_KIND_NETWORK_PARTITION,
	.summary = "cut the target from its peers",
	.target = TARGET_NETWORK,
	.needs_own_traffic = true,
	.fields = fields,
	.requires = requires,
	.verb = "cut",
	.nothing = "packet matched",
	.check = partition_check,
	.prepare = partition_prepare,
	.activate = net_fault_activate,
	.renew = net_fault_renew,
	.stop = net_fault_stop,
	.revert = net_fault_revert,
	.evidence = net_fault_evidence,
	.free = net_fault_free,
	.describe = net_fault_describe,
	.live = net_fault_live,
};

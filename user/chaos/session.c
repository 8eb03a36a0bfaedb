/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/session.h"

#include "chaos/fault.h"
#include "chaos/type.h"
#include "kernel/session.h"
#include "target/target.h"

int chaos_session_new(struct session **out, struct bpf_object *obj, const struct fault_spec *spec,
		      const struct net_device *device, const char *engine, struct error *err)
{
	const struct session_identity identity = {
		.kind = spec->ops->kind,
		.campaign = spec->campaign,
		.trial = spec->trial,
		.target = spec->target->node ? spec->target->node : "",
		.netns_ino = spec->target->netns_ino,
	};

	return session_new(out, obj, &identity, device, engine, err);
}

void chaos_session_follow_cgroup(struct session *session, const struct target *target)
{
	if (target->cgroup_path)
		session_set_cgroup(session, target_cgroup_id(target));
}

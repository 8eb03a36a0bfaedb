/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Creates a fault's session in the kernel, with the names in its spec. */
#pragma once

#include "util/error.h"

struct bpf_object;
struct fault_spec;
struct net_device;
struct session;
struct target;

/* Like session_new(). */
int chaos_session_new(struct session **out, struct bpf_object *obj, const struct fault_spec *spec,
		      const struct net_device *device, const char *engine, struct error *err);
/* For an activation and each renewal: tells the session which cgroup is the target's now, if it has one. */
void chaos_session_follow_cgroup(struct session *session, const struct target *target);

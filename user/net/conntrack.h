/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Address translation (NAT), as the connection tracking of the calling thread's network namespace knows it. */
#pragma once

#include "net/endpoint.h"

/* A connection's addresses, without ports: as it was opened, and as its answers come. */
struct conntrack_flow {
	struct endpoint source, destination;
	struct endpoint reply_source, reply_destination;
};

/*
 * Calls visit with each connection whose addresses are translated; an interrupted dump may give one twice. Returns 0 or
 * a negative errno: -EPROTONOSUPPORT or -EINVAL if the kernel has no connection tracking.
 */
int conntrack_visit_translated(void (*visit)(const struct conntrack_flow *flow, void *data), void *data);

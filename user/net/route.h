/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Routes and addresses of the calling thread's network namespace. */
#pragma once

#include <stdbool.h>

#include "net/endpoint.h"

/*
 * Calls visit with each device through which the routing table sends packets to `to` (several with multipath).
 * -ENETUNREACH if there is no route, -ENODEV if its device has just been removed. A local address leads to loopback,
 * DEVICE_LOOPBACK_IFINDEX.
 */
int route_visit_devices(const struct endpoint *to, int (*visit)(unsigned int ifindex, void *data), void *data,
			struct error *err);
bool route_owns_address(const struct endpoint *address);

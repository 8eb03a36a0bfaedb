/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fills the config and the maps of bpf/net/match.bpf.h: which packets a fault affects. */
#pragma once

#include <bpf/libbpf.h>

#include "chaos/fault.h"
#include "eval_net.h"

struct net_device;

/*
 * Before load: fills the config (the skeleton's .rodata) and sizes the maps, from the target and the params
 * `ports` and `protocol` if the chaos type has them.
 */
int net_match_prepare(struct bpf_object *obj, struct eval_match_config *config, const struct fault_spec *spec,
		      const struct net_device *device, struct error *err);
/* After load: fills the maps. */
int net_match_fill(struct bpf_object *obj, const struct fault_spec *spec, struct error *err);

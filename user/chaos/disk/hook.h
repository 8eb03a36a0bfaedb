/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hook engine's state, for hook*.c only. */
#pragma once

#include <bpf/libbpf.h>
#include <pthread.h>

#include "chaos/disk/attach.h"
#include "chaos/fault.h"
#include "disk_pressure.skel.h"
#include "eval_disk.h"

struct session;

struct disk_hook {
	struct disk_attach attach;
	struct disk_pressure_bpf *skel;
	struct session *session;
	bool by_growth, with_statfs;
	char why_no_statfs[128];
	struct error why_not_growth; /* meaningless if by_growth */
	bool sampling;
	pthread_t sampler;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* under lock, for end_sampling */
	bool end_sampling;
};

/* hook_load.c: opens and loads the programs that this kernel accepts. */
int disk_hook_load(struct disk_hook *hook, struct error *err);
int disk_hook_refusal(const struct fault_spec *spec);
/* The param statfs: "auto", "on" or "off". */
const char *disk_hook_statfs(const struct fault_spec *spec);

/* hook_attach.c: attaches the hooks, learns the directories and tests that the hooks fire. */
int disk_hook_attach(struct disk_hook *hook, struct error *err);

/* hook_sample.c: reads the real space at once and then about every 200 ms. */
int disk_hook_start_sampling(struct disk_hook *hook, struct error *err);
void disk_hook_end_sampling(struct disk_hook *hook);

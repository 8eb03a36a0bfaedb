/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What this kernel can do, found out by trying, in a network namespace of a child's own that goes with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

enum feature_id {
	FEATURE_BTF,      /* /sys/kernel/btf/vmlinux: needed by everything */
	FEATURE_TCX,      /* since 6.6, commit e420bed02507 */
	FEATURE_CLSACT,   /* what takes the place of tcx: filters and a guard */
	FEATURE_XDP_LINK, /* since 5.9, commit aa8d3a716b59 */
	FEATURE_TAP,
	FEATURE_SCH_FQ,
	FEATURE_FMOD_RET, /* since 5.7, commit ae24082331d9; this and what follows not under lockdown */
	FEATURE_GROWTH,   /* a program may read a call's position: not on 5.10 */
	FEATURE_STATFS,   /* a program may write to its process's memory; the kernel logs each that loads */
	FEATURE_COUNT,
};

struct feature {
	const char *name;     /* "tcx" */
	const char *used_for; /* "latency and partition" */
	bool usable;
	char reason[128]; /* why not; "" where usable */
};

/* What nothing works without: root and BTF. -EPERM or -ENOTSUP with a text that says what to do. */
int features_check_host(struct error *err);

/* True where lockdown is in force, or where it cannot be told: root is then refused by nothing else. */
bool features_locked_down(void);

/* Fills features[FEATURE_COUNT]. Needs root. Returns 0 or a negative errno (nothing could be tried). */
int features_probe(struct feature features[FEATURE_COUNT]);

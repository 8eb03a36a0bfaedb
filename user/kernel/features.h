/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which features this kernel has, found by trying them in a child process with its own network namespace. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/* UAPI since 6.14; Debian 12's header has no name for it. */
#define EVAL_FAN_PRE_ACCESS 0x00100000

enum feature_id {
	FEATURE_BTF,      /* /sys/kernel/btf/vmlinux: needed by everything */
	FEATURE_TCX,      /* since 6.6, commit e420bed02507 */
	FEATURE_CLSACT,   /* the replacement for tcx: filters and a guard */
	FEATURE_XDP_LINK, /* since 5.9, commit aa8d3a716b59 */
	FEATURE_TAP,
	FEATURE_SCH_FQ,
	FEATURE_FMOD_RET,   /* since 5.7, commit ae24082331d9; lockdown may refuse this and the next two */
	FEATURE_GROWTH,     /* a program may read a call's position: not on 5.10 */
	FEATURE_STATFS,     /* a program may write to its process's memory; the kernel logs each load */
	FEATURE_PRECONTENT, /* since 6.14, commit 4f8afa33817a: fanotify asks before a file is read or written */
	FEATURE_COUNT,
};

struct feature {
	const char *name; /* "tcx" */
	bool usable;
	char reason[128]; /* why not usable; "" if usable */
};

/*
 * What every fault needs: root, BTF, the clocks' offset in this time namespace, a /proc of this PID namespace. Returns
 * 0, or a negative errno with a text that says what to do.
 */
int features_check_host(struct error *err);

/*
 * 0 if this kernel asks fanotify before a file is read or written (FEATURE_PRECONTENT), otherwise a negative errno. It
 * then decides when a file is opened whether calls on it can be held. Some file systems have no such events.
 */
int features_try_precontent(void);

/* For programs that root was refused: true if lockdown is in force, or its state cannot be read. */
bool features_locked_down(void);

const char *feature_name(enum feature_id id);
/* The feature that faults use where this one is missing: clsact for tcx. FEATURE_COUNT: none. */
enum feature_id feature_substitute(enum feature_id id);
/* True if the feature or its substitute is usable. */
bool features_suffice(const struct feature features[FEATURE_COUNT], enum feature_id id);

/* Fills features[FEATURE_COUNT]. Needs root. Returns 0, or a negative errno if nothing could be tried. */
int features_probe(struct feature features[FEATURE_COUNT]);

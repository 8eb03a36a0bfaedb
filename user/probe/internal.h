/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kinds of probes have in common; private to probe/. */
#pragma once

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define SAMPLE_ERROR_SIZE 224

struct sample_spec {
	const struct probe *probe;
	void *state;              /* of prepare() */
	char *const *environment; /* of a command */
	int cgroup_fd;            /* of a command; -1: the caller's */
	int netns_fd;             /* 0: the caller's namespace */
};

struct sample_result {
	uint64_t started_ns, ended_ns; /* CLOCK_MONOTONIC */
	bool good;
	/* Why it is bad, in words that are the same each time, because equal ones are counted together. */
	char error[SAMPLE_ERROR_SIZE];
};

/* A kind of probe: one sample from its start to its end. `sample` is the kind's own. */
struct probe_ops {
	/*
	 * Gets ready for the first sample. *state, NULL at first, is what the samples of this probe share; it outlives
	 * them. NULL: nothing to do.
	 */
	int (*prepare)(void **state, const struct probe *probe, struct error *err);
	void (*forget)(void *state); /* frees state, also NULL. NULL: free() does */
	int (*start)(void **sample, const struct sample_spec *spec, struct error *err);
	size_t at_once; /* samples of one probe that may run at a time: more could starve the host that it shares */
	/* Does what is due; true when it has ended. ready: what poll() said of the count descriptors of poll_fds. */
	bool (*handle)(void *sample, const struct pollfd *ready, size_t count);
	/* True if nothing of an ended sample is left. NULL: always. */
	bool (*is_gone)(void *sample);
	void (*result)(const void *sample, struct sample_result *out);
	/* What it printed, or what the answer was; a new reference. */
	json_t *(*output)(const void *sample);
	/* Appends what a good sample brought, as probes_take_values() returns it. NULL: nothing. */
	void (*values)(const void *sample, json_t *out);
	size_t poll_max;
	size_t (*poll_fds)(const void *sample, struct pollfd *out);
	uint64_t (*wake_ns)(const void *sample);
	/* Starts its end; NULL: `free` ends it at once. */
	void (*kill)(void *sample);
	void (*free)(void *sample);
};

/* tcp_probe_ops: of an IP address; name_probe_ops: of a host name. */
extern const struct probe_ops exec_probe_ops, tcp_probe_ops, name_probe_ops, http_probe_ops, metrics_probe_ops;

/* probe/tcp.c: true if "HOST:PORT" has an IP address for a host. */
bool is_tcp_address(const char *text);

/* probe/kinds.c */
const struct probe_ops *probe_ops_of(const struct probe *probe);

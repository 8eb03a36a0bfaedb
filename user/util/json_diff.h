/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The differences between two JSON values. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/*
 * Calls visit for each difference with its path ("subjects[etcd].nodes[n1].address": elements that have a name are
 * matched by it) and both values, NULL if missing. Returns the number of differences.
 */
size_t json_diff(const json_t *before, const json_t *after,
		 void (*visit)(const char *path, const json_t *before, const json_t *after, void *data), void *data);

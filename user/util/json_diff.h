/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Differences between two JSON values, for people. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/*
 * Where two JSON values differ: calls with the key path ("subjects[etcd].nodes[n1].address": elements with a name go
 * by it) and both values, NULL where one has none. Returns how many differences there are.
 */
size_t json_diff(const json_t *before, const json_t *after,
		 void (*visit)(const char *path, const json_t *before, const json_t *after, void *data), void *data);

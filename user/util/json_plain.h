/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads plain JSON, as eval writes nearly all of it, several times as fast as jansson. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/*
 * Returns what json_loadb() with JSON_DECODE_ANY would, a new reference, or NULL for what is not plain: anything but
 * ASCII, escapes, long names and numbers, deep nesting, and errors; out of memory, too. Members named in `skipped`
 * (NULL-terminated; NULL: none) are left out unread. text[size] is 0.
 */
json_t *json_plain(const char *text, size_t size, const char *const *skipped);

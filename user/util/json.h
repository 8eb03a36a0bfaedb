/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JSON beyond jansson: text from outside, look-ups with a fallback. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/*
 * A JSON string of any bytes: each that is no part of valid UTF-8, and each NUL, becomes U+FFFD. For text that
 * comes from outside (output of commands, paths, database files); json_string() returns NULL for such text.
 */
json_t *json_text(const char *bytes, size_t size);
/* The string of an object's member, fallback where it is none. */
const char *json_text_or(const json_t *object, const char *key, const char *fallback);
/* The integer of an object's member, 0 where it is none. */
json_int_t json_integer_at(const json_t *object, const char *key);
/* New references; null for NULL, and for NaN. */
json_t *json_text_or_null(const char *text);
json_t *json_number_or_null(double number);
/* As json_dumpf, and DEL and C1, which drive a terminal, are escaped too. */
void json_print(const json_t *value, size_t flags, FILE *out);

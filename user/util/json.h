/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JSON values from untrusted text, members with a default, and printing that is safe for terminals. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Makes a JSON string from any bytes: U+FFFD replaces each NUL and each byte that is not part of valid UTF-8. For text
 * from outside (output of commands, paths, database files), for which json_string() may return NULL.
 */
json_t *json_text(const char *bytes, size_t size);
/* The same for a string; JSON null for NULL. */
json_t *json_outside(const char *text);
/* The member's string, or fallback if the member is missing or not a string. */
const char *json_text_or(const json_t *object, const char *key, const char *fallback);
/* The member's integer, or 0 if the member is missing or not an integer. */
json_int_t json_integer_at(const json_t *object, const char *key);
/* The member's number, or NAN if the member is missing or not a number. */
double json_number_at(const json_t *object, const char *key);
/* What a JSON pointer (RFC 6901, "/a/0/b"; "" is the document) leads to, borrowed; NULL if there is nothing. */
const json_t *json_at_pointer(const json_t *document, const char *pointer);
/* Return new references: JSON null for NULL and for NaN. */
json_t *json_text_or_null(const char *text);
json_t *json_number_or_null(double number);
/*
 * Prints an object for programs that read it: {"format": 1, …}; integers that may need 64 bits (keys "seed" and "…_ns")
 * as strings of digits, because readers keep 53 bits; campaign_id and trial_id are called campaign and trial.
 */
#define JSON_DOCUMENT_FORMAT 1
void json_print_document(const json_t *object, size_t flags, FILE *out);
/* Prints like json_dumpf(), and also escapes DEL and C1, which control a terminal. */
void json_print(const json_t *value, size_t flags, FILE *out);

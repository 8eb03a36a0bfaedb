/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/json_plain.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define DEPTH_MAX 32
#define NAME_SIZE 64
#define DIGITS_MAX 18 /* fit json_int_t */

struct reader {
	const char *at, *end;
	const char *const *skipped;
	unsigned int depth;
};

static json_t *read_value(struct reader *reader);

static void skip_blanks(struct reader *reader)
{
	while (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r')
		reader->at++;
}

/* Takes the character if it comes next, behind blanks. */
static bool take(struct reader *reader, char wanted)
{
	skip_blanks(reader);
	if (*reader->at != wanted)
		return false;
	reader->at++;
	return true;
}

/* Takes a string and returns its first character; NULL if it is not plain. */
static const char *take_string(struct reader *reader, size_t *size)
{
	const char *start;

	if (!take(reader, '"'))
		return NULL;
	start = reader->at;
	while ((signed char)*reader->at >= ' ' && *reader->at != '"' && *reader->at != '\\')
		reader->at++;
	*size = (size_t)(reader->at - start);
	if (*reader->at != '"')
		return NULL;
	reader->at++;
	return start;
}

/* Goes behind a string that may have escapes. */
static bool skip_string(struct reader *reader)
{
	while (*++reader->at != '"') {
		reader->at += *reader->at == '\\';
		if (reader->at >= reader->end)
			return false;
	}
	reader->at++;
	return true;
}

/* Goes to the comma or bracket behind a value, which need not be valid. */
static bool skip_value(struct reader *reader)
{
	size_t depth = 0;

	while (reader->at < reader->end) {
		char c = *reader->at;

		if (!depth && (c == ',' || c == '}' || c == ']'))
			return true;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		if (c != '"')
			reader->at++;
		else if (!skip_string(reader))
			return false;
	}
	return false;
}

static size_t take_digits(struct reader *reader)
{
	const char *start = reader->at;

	while (*reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return (size_t)(reader->at - start);
}

static json_t *read_number(struct reader *reader)
{
	const char *start = reader->at;
	bool is_real = false, starts_with_zero;
	size_t digits;
	double real;

	reader->at += *reader->at == '-';
	starts_with_zero = *reader->at == '0';
	digits = take_digits(reader);
	if (!digits || digits > DIGITS_MAX || (starts_with_zero && digits > 1))
		return NULL;
	if (*reader->at == '.') {
		is_real = true;
		reader->at++;
		if (!take_digits(reader))
			return NULL;
	}
	if (*reader->at == 'e' || *reader->at == 'E') {
		is_real = true;
		reader->at++;
		reader->at += *reader->at == '+' || *reader->at == '-';
		if (!take_digits(reader))
			return NULL;
	}
	if (!is_real)
		return json_integer(strtoll(start, NULL, 10));
	real = strtod(start, NULL);
	return isfinite(real) ? json_real(real) : NULL;
}

static json_t *read_word(struct reader *reader, const char *word, json_t *value)
{
	size_t length = strlen(word);

	if (strncmp(reader->at, word, length) != 0)
		return NULL;
	reader->at += length;
	return value;
}

static json_t *read_array(struct reader *reader)
{
	_cleanup_json_ json_t *array = json_array();

	reader->at++;
	if (take(reader, ']'))
		return TAKE_PTR(array);
	do
		if (json_array_append_new(array, read_value(reader)))
			return NULL;
	while (take(reader, ','));
	return take(reader, ']') ? TAKE_PTR(array) : NULL;
}

static bool is_skipped(const struct reader *reader, const char *name)
{
	for (const char *const *skipped = reader->skipped; skipped && *skipped; skipped++)
		if (**skipped == *name && !strcmp(*skipped, name))
			return true;
	return false;
}

static bool read_member(struct reader *reader, json_t *object)
{
	size_t size;
	const char *start = take_string(reader, &size);
	char name[NAME_SIZE];

	if (!start || size >= sizeof(name) || !take(reader, ':'))
		return false;
	memcpy(name, start, size);
	name[size] = '\0';
	if (is_skipped(reader, name))
		return skip_value(reader);
	return !json_object_set_new_nocheck(object, name, read_value(reader));
}

static json_t *read_object(struct reader *reader)
{
	_cleanup_json_ json_t *object = json_object();

	reader->at++;
	if (take(reader, '}'))
		return TAKE_PTR(object);
	do
		if (!read_member(reader, object))
			return NULL;
	while (take(reader, ','));
	return take(reader, '}') ? TAKE_PTR(object) : NULL;
}

static json_t *read_string(struct reader *reader)
{
	size_t size;
	const char *start = take_string(reader, &size);

	return start ? json_stringn_nocheck(start, size) : NULL;
}

static json_t *read_value(struct reader *reader)
{
	json_t *value = NULL;

	skip_blanks(reader);
	if (++reader->depth > DEPTH_MAX)
		return NULL;
	if (*reader->at == '{')
		value = read_object(reader);
	else if (*reader->at == '[')
		value = read_array(reader);
	else if (*reader->at == '"')
		value = read_string(reader);
	else if (*reader->at == 't')
		value = read_word(reader, "true", json_true());
	else if (*reader->at == 'f')
		value = read_word(reader, "false", json_false());
	else if (*reader->at == 'n')
		value = read_word(reader, "null", json_null());
	else
		value = read_number(reader);
	reader->depth--;
	return value;
}

json_t *json_plain(const char *text, size_t size, const char *const *skipped)
{
	struct reader reader = {.at = text, .end = text + size, .skipped = skipped};
	_cleanup_json_ json_t *value = read_value(&reader);

	if (!value)
		return NULL;
	skip_blanks(&reader);
	return reader.at == reader.end ? TAKE_PTR(value) : NULL;
}

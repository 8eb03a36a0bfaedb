/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

#define REPLACEMENT "\xef\xbf\xbd"

json_t *json_text(const char *bytes, size_t size)
{
	_cleanup_free_ char *text = malloc(size * strlen(REPLACEMENT) + 1);
	size_t used = 0;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size;) {
		size_t length = text_utf8_length(bytes + i, size - i);

		memcpy(text + used, length ? bytes + i : REPLACEMENT, length ? length : strlen(REPLACEMENT));
		used += length ? length : strlen(REPLACEMENT);
		i += length ? length : 1;
	}
	return json_stringn(text, used);
}

json_t *json_outside(const char *text)
{
	return text ? json_text(text, strlen(text)) : json_null();
}

const char *json_text_or(const json_t *object, const char *key, const char *fallback)
{
	return json_string_value(json_object_get(object, key)) ?: fallback;
}

json_int_t json_integer_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

double json_number_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The member, or the item, that the pointer's next part names: length bytes, in which ~1 is '/' and ~0 is '~'. */
static const json_t *step_into(const json_t *value, const char *part, size_t length)
{
	_cleanup_free_ char *name = malloc(length + 1);
	size_t used = 0;

	if (!name)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		bool escaped = part[i] == '~' && i + 1 < length && (part[i + 1] == '0' || part[i + 1] == '1');

		name[used++] = escaped ? (part[++i] == '1' ? '/' : '~') : part[i];
	}
	name[used] = '\0';
	if (!json_is_array(value))
		return json_object_get(value, name);
	if (!used || strspn(name, "0123456789") != used || (*name == '0' && used > 1))
		return NULL;
	return json_array_get(value, strtoul(name, NULL, 10));
}

const json_t *json_at_pointer(const json_t *document, const char *pointer)
{
	while (document && *pointer == '/') {
		size_t length = strcspn(pointer + 1, "/");

		document = step_into(document, pointer + 1, length);
		pointer += 1 + length;
	}
	return *pointer ? NULL : document;
}

json_t *json_text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *json_number_or_null(double number)
{
	return !isfinite(number) ? json_null() : json_real(number);
}

static bool is_wide(const char *key)
{
	size_t length = strlen(key);

	return !strcmp(key, "seed") || (length > 3 && !strcmp(&key[length - 3], "_ns"));
}

static const char *name_in_documents(const char *key)
{
	return !strcmp(key, "campaign_id") ? "campaign" : !strcmp(key, "trial_id") ? "trial" : key;
}

/* Copies value, the member `key` of an object or of one of its arrays. */
static json_t *copy_for_document(const char *key, const json_t *value)
{
	const json_t *item;
	const char *name;
	json_t *copy;
	size_t i;

	if (json_is_integer(value) && is_wide(key))
		return json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_array(value)) {
		copy = json_array();
		json_array_foreach (value, i, item)
			json_array_append_new(copy, copy_for_document(key, item));
		return copy;
	}
	if (!json_is_object(value))
		return json_incref((json_t *)value);
	copy = json_object();
	json_object_foreach ((json_t *)value, name, item)
		json_object_set_new(copy, name_in_documents(name), copy_for_document(name, item));
	return copy;
}

/* Escapes DEL and C1, which jansson does not; they occur only inside strings. */
void json_print(const json_t *value, size_t flags, FILE *out)
{
	_cleanup_free_ char *text = json_dumps(value, flags);

	for (const char *c = text ?: ""; *c; c++) {
		unsigned char first = (unsigned char)c[0], second = (unsigned char)c[1];

		if (first == 0x7f)
			fputs("\\u007F", out);
		else if (first == 0xc2 && second < 0xa0)
			fprintf(out, "\\u%04X", *++c & 0xff);
		else
			fputc(first, out);
	}
}

void json_print_document(const json_t *object, size_t flags, FILE *out)
{
	_cleanup_json_ json_t *members = copy_for_document("", object);
	_cleanup_json_ json_t *document = json_pack("{s:i}", "format", JSON_DOCUMENT_FORMAT);

	json_object_update(document, members);
	json_print(document, flags, out);
}

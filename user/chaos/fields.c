/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A chaos type's field table: look-up, defaults, and values given as text on the command line. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "chaos/type.h"
#include "util/cleanup.h"
#include "util/text.h"

const struct chaos_field *chaos_field_find(const struct chaos_ops *ops, const char *name)
{
	for (const struct chaos_field *field = ops->fields; field->name; field++)
		if (!strcmp(field->name, name))
			return field;
	return NULL;
}

json_t *chaos_defaults(const struct chaos_ops *ops)
{
	json_t *params = json_object();

	for (const struct chaos_field *field = ops->fields; field->name; field++)
		if (field->fallback)
			json_object_set_new(params, field->name, json_loads(field->fallback, JSON_DECODE_ANY, NULL));
	return params;
}

static int parse_number(const struct chaos_field *field, const char *text, json_t **out, struct error *err)
{
	char *end;
	double value = strtod(text, &end);

	/* strtod also accepts hexadecimal, which the campaign file does not. */
	if (end == text || *end || !isfinite(value) || strpbrk(text, "xX"))
		return error_set(err, -EINVAL, "'%s' is not a plain number", text);
	if (value < field->min || value > field->max)
		return error_set(err, -EINVAL, "%s is outside %g to %g", text, field->min, field->max);
	if (field->type == FIELD_INTEGER && value != floor(value))
		return error_set(err, -EINVAL, "'%s' is not a whole number", text);
	*out = field->type == FIELD_INTEGER ? json_integer((json_int_t)value) : json_real(value);
	return 0;
}

const char *chaos_choice(const struct chaos_field *field, const char *text)
{
	/* Other tools, and the types among themselves, have two vocabularies for directions. */
	static const char *const synonyms[][2] = {{"in", "ingress"}, {"out", "egress"}};
	const char *other = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
		for (size_t word = 0; word < 2; word++)
			if (!strcmp(text, synonyms[i][word]))
				other = synonyms[i][!word];
	for (const char *const *choice = field->choices; *choice; choice++)
		if (!strcmp(*choice, text))
			return *choice;
	for (const char *const *choice = field->choices; other && *choice; choice++)
		if (!strcmp(*choice, other))
			return *choice;
	return NULL;
}

static int parse_choice(const struct chaos_field *field, const char *text, json_t **out, struct error *err)
{
	const char *choice = chaos_choice(field, text);

	if (!choice)
		return error_set(err, -EINVAL, "'%s' is none of %s", text, field->arg);
	*out = json_string(choice);
	return 0;
}

bool chaos_glob_is_good(const char *text, size_t length)
{
	_cleanup_free_ char *glob = strndup(text, length);

	/* An absolute path, or one with "..", matches nothing below a data_dir. */
	return glob && *glob && *glob != '/' && strcmp(glob, "..") != 0 && strncmp(glob, "../", 3) != 0 &&
	       !strstr(glob, "/../") && !text_has_control(glob);
}

/* 0 if there is none at text. */
static unsigned long read_port(const char *text, char **end)
{
	unsigned long port = isdigit((unsigned char)*text) ? strtoul(text, end, 10) : 0;

	return port <= UINT16_MAX ? port : 0;
}

json_t *chaos_port(const char *text, char **end)
{
	unsigned long first = read_port(text, end), last;

	if (!first || **end != '-')
		return first ? json_integer((json_int_t)first) : NULL;
	last = read_port(*end + 1, end);
	return first < last ? json_sprintf("%lu-%lu", first, last) : NULL;
}

static int parse_ports(const char *text, json_t **out, struct error *err)
{
	_cleanup_json_ json_t *ports = json_array();

	while (*text) {
		char *end;
		json_t *port = chaos_port(text, &end);

		if (port)
			json_array_append_new(ports, port);
		if (!port || (*end && (*end != ',' || !end[1])))
			return error_set(
				err, -EINVAL,
				"'%s' is not a list of ports (1 to 65535, or ranges like 20160-20170, with commas)",
				text);
		text = *end ? end + 1 : end;
	}
	if (!json_array_size(ports))
		return error_set(err, -EINVAL, "no port given");
	*out = TAKE_PTR(ports);
	return 0;
}

/* A glob may have any character but the comma, which separates them here. */
static int parse_globs(const char *text, json_t **out, struct error *err)
{
	_cleanup_json_ json_t *globs = json_array();

	while (*text) {
		size_t length = strcspn(text, ",");

		if (!chaos_glob_is_good(text, length) || json_array_append_new(globs, json_stringn(text, length)))
			return error_set(err, -EINVAL, "'%s' is not a list of globs like *.log or wal/* (with commas)",
					 text);
		text += length + (text[length] == ',');
	}
	if (!json_array_size(globs))
		return error_set(err, -EINVAL, "no glob given");
	*out = TAKE_PTR(globs);
	return 0;
}

static int parse_bool(const char *text, json_t **out, struct error *err)
{
	if (strcmp(text, "true") && strcmp(text, "false"))
		return error_set(err, -EINVAL, "'%s' is neither true nor false", text);
	*out = json_boolean(!strcmp(text, "true"));
	return 0;
}

int chaos_field_parse(const struct chaos_field *field, const char *text, json_t **out, struct error *err)
{
	switch (field->type) {
	case FIELD_NUMBER:
	case FIELD_INTEGER:
		return parse_number(field, text, out, err);
	case FIELD_CHOICE:
		return parse_choice(field, text, out, err);
	case FIELD_PORTS:
		return parse_ports(text, out, err);
	case FIELD_GLOBS:
		return parse_globs(text, out, err);
	case FIELD_BOOL:
		return parse_bool(text, out, err);
	case FIELD_PEERS:
		return error_set(err, -EINVAL, "peers are given by --peer");
	case FIELD_DATA_DIRS:
		break;
	}
	return error_set(err, -EINVAL, "directories are given by --data-dir");
}

int chaos_check_delays(const json_t *params, const char **field, struct error *err)
{
	const json_t *min = json_object_get(params, "min_ms"), *max = json_object_get(params, "max_ms");

	if (!min || !max || json_number_value(min) <= json_number_value(max))
		return 0;
	*field = "min_ms";
	return error_set(err, -EINVAL, "min_ms (%g) is greater than max_ms (%g)", json_number_value(min),
			 json_number_value(max));
}

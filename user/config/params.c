/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes the parameters of chaos types by the types' own field tables. */
#include <math.h>
#include <string.h>

#include "config/reader.h"
#include "util/cleanup.h"

#define NAMES_MAX 32
#define DATA_DIRS_MAX 64
#define INTEGER_EXACT_MAX 9007199254740992.0 /* 2^53 */

/* Makes 50 and 50.0 the same number, so that they hash alike. */
static json_t *json_from_number(double value)
{
	if (value == floor(value) && fabs(value) < INTEGER_EXACT_MAX)
		return json_integer((json_int_t)value);
	return json_real(value);
}

static bool decode_peer(struct reader *reader, const struct ynode *item, const struct chaos_field *field, json_t *list)
{
	const char *text;

	if (!scalar_text(reader, item, field->name, SCALAR_TEXT_MAX, &text))
		return false;
	if (!strcmp(text, "all")) {
		problem_error(reader, &item->place,
			      field->all_allowed ? "'all' stands alone: write %s: all"
						 : "'%s' takes names and addresses here, not 'all'",
			      field->name);
		return false;
	}
	json_array_append_new(list, json_string(text));
	return true;
}

static bool decode_port(struct reader *reader, const struct ynode *item, const struct chaos_field *field, json_t *list)
{
	bool is_range = item->kind == YNODE_SCALAR && strchr(item->text, '-');
	char *end;
	_cleanup_json_ json_t *range = is_range ? chaos_port(item->text, &end) : NULL;
	double port;

	if (range && !*end)
		return !json_array_append(list, range);
	if (!scalar_number(reader, item, field->name, NUMBER_WHOLE, 1, 65535, &port))
		return false;
	json_array_append_new(list, json_integer((json_int_t)port));
	return true;
}

static bool decode_data_dir(struct reader *reader, const struct ynode *item, const struct chaos_field *field,
			    json_t *list)
{
	const char *text;
	double number;

	if (item->kind == YNODE_SCALAR && item->text[0] == '/') {
		if (!scalar_text(reader, item, field->name, SCALAR_TEXT_MAX, &text))
			return false;
		json_array_append_new(list, json_string(text));
		return true;
	}
	if (!scalar_number(reader, item, field->name, NUMBER_WHOLE, 1, DATA_DIRS_MAX, &number))
		return false;
	json_array_append_new(list, json_integer((json_int_t)number));
	return true;
}

static bool decode_glob(struct reader *reader, const struct ynode *item, const struct chaos_field *field, json_t *list)
{
	const char *text;

	if (!scalar_text(reader, item, field->name, SCALAR_TEXT_MAX, &text))
		return false;
	if (!chaos_glob_is_good(text, strlen(text))) {
		problem_error(reader, &item->place,
			      "'%s' takes globs below the data_dir, like \"*.log\" or \"wal/*\", not '%s'", field->name,
			      text);
		return false;
	}
	json_array_append_new(list, json_string(text));
	return true;
}

static bool decode_item(struct reader *reader, const struct ynode *item, const struct chaos_field *field, json_t *list)
{
	if (field->type == FIELD_PEERS)
		return decode_peer(reader, item, field, list);
	if (field->type == FIELD_GLOBS)
		return decode_glob(reader, item, field, list);
	return field->type == FIELD_PORTS ? decode_port(reader, item, field, list)
					  : decode_data_dir(reader, item, field, list);
}

static json_t *decode_list(struct reader *reader, const struct ynode *value, const struct chaos_field *field)
{
	_cleanup_json_ json_t *list = json_array();
	bool good = true;

	if (value->kind == YNODE_SEQUENCE && !value->count) {
		problem_error(reader, &value->place, "'%s' must not be empty; leave it out for the default",
			      field->name);
		return NULL;
	}
	for (const struct ynode *item = list_first(value); item; item = list_next(value, item))
		good &= decode_item(reader, item, field, list);
	return good ? TAKE_PTR(list) : NULL;
}

static json_t *decode_peers(struct reader *reader, const struct ynode *value, const struct chaos_field *field)
{
	if (value->kind == YNODE_SCALAR && field->all_allowed && !strcmp(value->text, "all"))
		return json_string("all");
	return decode_list(reader, value, field);
}

static json_t *decode_field(struct reader *reader, const struct ynode *value, const struct chaos_field *field)
{
	enum number_kind kind = field->type == FIELD_INTEGER ? NUMBER_WHOLE : NUMBER_DECIMAL;
	const char *choice;
	double number;
	bool flag;

	switch (field->type) {
	case FIELD_NUMBER:
	case FIELD_INTEGER:
		return scalar_number(reader, value, field->name, kind, field->min, field->max, &number)
			       ? json_from_number(number)
			       : NULL;
	case FIELD_BOOL:
		return scalar_bool(reader, value, field->name, &flag) ? json_boolean(flag) : NULL;
	case FIELD_CHOICE:
		choice = value->kind == YNODE_SCALAR ? chaos_choice(field, value->text) : NULL;
		if (choice)
			return json_string(choice);
		return scalar_choice(reader, value, field->name, field->choices, &choice) ? json_string(choice) : NULL;
	case FIELD_PEERS:
		return decode_peers(reader, value, field);
	case FIELD_PORTS:
	case FIELD_GLOBS:
	case FIELD_DATA_DIRS:
		return decode_list(reader, value, field);
	}
	return NULL;
}

static void report_unknown_param(struct reader *reader, const struct place *place, const struct chaos_ops *ops,
				 const char *name)
{
	const char *known[NAMES_MAX];
	size_t count = 0;
	char what[64];

	for (const struct chaos_field *field = ops->fields; field->name && count < NAMES_MAX; field++)
		known[count++] = field->name;
	snprintf(what, sizeof(what), "params of %s", ops->name);
	problem_unknown_key(reader, place, what, name, known, count);
}

static struct params *params_add(struct reader *reader, struct level *level, const struct chaos_ops *ops)
{
	struct params *grown = array_grow(reader, level->params, &level->params_count, sizeof(*grown));
	struct params *params;

	if (!grown)
		return NULL;
	level->params = grown;
	params = &grown[level->params_count - 1];
	params->ops = ops;
	params->values = json_object();
	return params;
}

void read_params_of(struct reader *reader, const struct ynode *value, const struct chaos_ops *ops, struct level *level)
{
	struct params *params;

	if (value->kind == YNODE_REFUSED)
		return;
	if (value->kind != YNODE_MAPPING) {
		problem_error(reader, &value->place, "params of %s must be a mapping of keys and values, found %s",
			      ops->name, ynode_describe(value));
		return;
	}
	params = params_add(reader, level, ops);
	if (!params)
		return;
	params->node = value;
	for (const struct ynode *child = value->children; child; child = child->next) {
		const char *name = decode_key(reader, value, child);
		const struct chaos_field *field = name ? chaos_field_find(ops, name) : NULL;
		json_t *decoded;

		if (name && !field)
			report_unknown_param(reader, &child->key->place, ops, name);
		if (!field)
			continue;
		decoded = decode_field(reader, child, field);
		if (decoded)
			json_object_set_new(params->values, name, decoded);
	}
}

void read_params_by_type(struct reader *reader, const struct ynode *value, const struct key *key, void *object)
{
	if (value->kind == YNODE_REFUSED)
		return;
	if (value->kind != YNODE_MAPPING) {
		problem_error(reader, &value->place, "'params' must be a mapping of chaos types here, found %s",
			      ynode_describe(value));
		return;
	}
	for (const struct ynode *child = value->children; child; child = child->next) {
		const char *name = decode_key(reader, value, child);
		const struct chaos_ops *ops = name ? chaos_find(name) : NULL;

		if (ops)
			read_params_of(reader, child, ops, object);
		else if (name)
			problem_unknown_type(reader, child->key, name);
	}
}

const struct params *level_params(const struct level *level, const struct chaos_ops *ops)
{
	for (size_t i = 0; level && i < level->params_count; i++)
		if (level->params[i].ops == ops)
			return &level->params[i];
	return NULL;
}

const struct ynode *params_field_node(const struct params *params, const char *field)
{
	return params ? ynode_find(params->node, field) : NULL;
}

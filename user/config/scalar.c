/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Strict decoding of single values: a value not exactly of the type is an error that states the right form. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "util/cleanup.h"
#include "util/text.h"

static bool is_scalar(struct reader *reader, const struct ynode *node, const char *name, const char *type)
{
	if (node->kind == YNODE_REFUSED)
		return false;
	if (node->kind == YNODE_SCALAR && !ynode_is_null(node))
		return true;
	problem_error(reader, &node->place, "'%s' must be %s, found %s", name, type, ynode_describe(node));
	return false;
}

bool scalar_text(struct reader *reader, const struct ynode *node, const char *name, size_t max, const char **out)
{
	if (node->kind == YNODE_MAPPING) {
		problem_error(reader, &node->place,
			      "'%s' must be text, found a mapping; quote a text that starts with '{'", name);
		return false;
	}
	if (!is_scalar(reader, node, name, "text"))
		return false;
	if (strlen(node->text) > max) {
		problem_error(reader, &node->place, "'%s' is longer than %zu characters", name, max);
		return false;
	}
	*out = node->text;
	return true;
}

bool scalar_name(struct reader *reader, const struct ynode *node, const char *name, size_t max, const char **out)
{
	const char *text;

	if (!scalar_text(reader, node, name, CONFIG_FILE_MAX, &text))
		return false;
	if (strlen(text) > max) {
		problem_error(reader, &node->place, "'%s' is longer than %zu characters: %s", name, max,
			      ynode_describe(node));
		return false;
	}
	if (!text_is_name(text, max)) {
		problem_error(reader, &node->place,
			      "'%s' must be letters, digits, '.', '_' and '-', the first a letter or digit, found %s",
			      name, ynode_describe(node));
		return false;
	}
	*out = text;
	return true;
}

static const struct {
	const char *suffix;
	const char *words; /* describe what the field takes */
	double seconds;    /* 0: not a time */
} field_units[] = {
	{"_ms", "plain milliseconds", 0.001},
	{"_seconds", "plain seconds", 1},
	{"_percent", "a plain number of percent", 0},
	{"_bytes", "a plain number of bytes", 0},
};

static const struct {
	const char *unit;
	double seconds;
} time_units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1},
		  {"sec", 1},   {"m", 60},    {"min", 60},  {"h", 3600}};

static bool ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text), suffix_length = strlen(suffix);

	return length >= suffix_length && !strcmp(text + length - suffix_length, suffix);
}

/* Reports a number with a unit ("50ms"), and the plain number to write if the unit is known. */
static void report_unit(struct reader *reader, const struct ynode *node, const char *name, double number,
			const char *unit)
{
	const char *takes = "a plain number";
	double field_seconds = 0, value = NAN;

	for (size_t i = 0; i < ARRAY_SIZE(field_units); i++) {
		if (!ends_with(name, field_units[i].suffix))
			continue;
		takes = field_units[i].words;
		field_seconds = field_units[i].seconds;
		if (!strcmp(unit, "%") && ends_with(name, "_percent"))
			value = number;
	}
	for (size_t i = 0; field_seconds > 0 && i < ARRAY_SIZE(time_units); i++)
		if (!strcmp(unit, time_units[i].unit))
			value = number * time_units[i].seconds / field_seconds;
	if (!strcmp(unit, "%") && isnan(value) && field_seconds == 0)
		value = number / 100;
	if (isnan(value))
		problem_error(reader, &node->place, "'%s' takes %s, found %s", name, takes, ynode_describe(node));
	else
		problem_error(reader, &node->place, "'%s' takes %s, found %s: write %.15g", name, takes,
			      ynode_describe(node), value);
}

static void report_not_number(struct reader *reader, const struct ynode *node, const char *name, enum number_kind kind)
{
	const char *type = kind == NUMBER_WHOLE ? "a whole number" : "a number";
	char *end;
	double number = strtod(node->text, &end);

	if (!node->plain && *node->text && !*end)
		problem_error(reader, &node->place, "'%s' must be %s, found %s: remove the quotes", name, type,
			      ynode_describe(node));
	else if (node->plain && end != node->text && isfinite(number) && *end && !isdigit((unsigned char)*end) &&
		 !strchr("_.:,+-", *end) && strncasecmp(node->text, "0x", 2) && strncasecmp(node->text, "0o", 2))
		report_unit(reader, node, name, number, end + strspn(end, " "));
	else
		problem_error(reader, &node->place, "'%s' must be %s, found %s", name, type, ynode_describe(node));
}

/* [-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?: no hexadecimal, no octal, no 1_000. */
static bool is_decimal(const char *text)
{
	size_t digits, fraction = 0;

	text += *text == '-' || *text == '+';
	digits = strspn(text, "0123456789");
	if (digits > 1 && text[0] == '0')
		return false;
	text += digits;
	if (*text == '.') {
		fraction = strspn(text + 1, "0123456789");
		text += 1 + fraction;
	}
	if (!digits && !fraction)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		if (!isdigit((unsigned char)*text))
			return false;
		text += strspn(text, "0123456789");
	}
	return !*text;
}

bool scalar_number(struct reader *reader, const struct ynode *node, const char *name, enum number_kind kind, double min,
		   double max, double *out)
{
	static const char *const not_finite[] = {".inf", "inf", "infinity", ".nan", "nan"};
	double value;

	if (!is_scalar(reader, node, name, kind == NUMBER_WHOLE ? "a whole number" : "a number"))
		return false;
	for (size_t i = 0; node->plain && i < ARRAY_SIZE(not_finite); i++)
		if (!strcasecmp(node->text + strspn(node->text, "+-"), not_finite[i])) {
			problem_error(reader, &node->place, "'%s' must be a finite number, found %s", name,
				      ynode_describe(node));
			return false;
		}
	if (!node->plain || !is_decimal(node->text)) {
		report_not_number(reader, node, name, kind);
		return false;
	}
	value = strtod(node->text, NULL);
	if (kind == NUMBER_WHOLE && value != floor(value)) {
		problem_error(reader, &node->place, "'%s' must be a whole number, found %s", name,
			      ynode_describe(node));
		return false;
	}
	if (!(value >= min && value <= max)) {
		problem_error(reader, &node->place, "'%s' must be between %.15g and %.15g, found %s", name, min, max,
			      ynode_describe(node));
		return false;
	}
	*out = value == 0 ? 0 : value; /* turns -0 into 0 */
	return true;
}

bool scalar_bool(struct reader *reader, const struct ynode *node, const char *name, bool *out)
{
	static const char *const yaml_1_1[] = {"yes", "no", "on", "off", "y", "n", "true", "false"};

	if (!is_scalar(reader, node, name, "true or false"))
		return false;
	if (node->plain && (!strcmp(node->text, "true") || !strcmp(node->text, "false"))) {
		*out = node->text[0] == 't';
		return true;
	}
	for (size_t i = 0; node->plain && i < ARRAY_SIZE(yaml_1_1); i++)
		if (!strcasecmp(node->text, yaml_1_1[i])) {
			problem_error(reader, &node->place, "'%s' must be true or false, found %s: write %s", name,
				      ynode_describe(node),
				      strchr("yYtT", node->text[0]) || !strcasecmp(node->text, "on") ? "true"
												     : "false");
			return false;
		}
	problem_error(reader, &node->place, "'%s' must be true or false, found %s%s", name, ynode_describe(node),
		      !node->plain && (!strcmp(node->text, "true") || !strcmp(node->text, "false"))
			      ? ": remove the quotes"
			      : "");
	return false;
}

static size_t list_words(char *out, size_t size, const char *const *choices)
{
	size_t count = 0;

	out[0] = '\0';
	for (; choices[count]; count++)
		text_append(out, size, "%s%s", !count ? "" : choices[count + 1] ? ", " : " or ", choices[count]);
	return count;
}

bool scalar_choice(struct reader *reader, const struct ynode *node, const char *name, const char *const *choices,
		   const char **out)
{
	const char *nearest;
	char words[256];
	size_t count = list_words(words, sizeof(words), choices);

	if (!is_scalar(reader, node, name, words))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(node->text, choices[i])) {
			*out = choices[i];
			return true;
		}
	nearest = text_nearest(node->text, choices, count);
	problem_error(reader, &node->place, "'%s' must be %s, found %s%s%s%s", name, words, ynode_describe(node),
		      nearest ? "; did you mean '" : "", nearest ?: "", nearest ? "'?" : "");
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/inject_options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "target/guards.h"
#include "util/cleanup.h"

#define OPTIONS_MAX 48
#define FIELD_OPTION_BASE 1000

enum option_key {
	OPTION_FOR = OPTION_OWN,
	OPTION_NETNS,
	OPTION_DEV,
	OPTION_PEER,
	OPTION_DATA_DIR,
	OPTION_CGROUP,
	OPTION_ADDRESS,
	OPTION_PROTECT,
	OPTION_ALLOW,
	OPTION_SEED,
	OPTION_CONFIG,
	OPTION_NODE,
	OPTION_INSTANCE,
};

static const struct argp_option common_options[] = {
	{"for", OPTION_FOR, "TIME", 0, "how long: 30s, 500ms, 5m or seconds; required", 1},
	{NULL, 0, NULL, 0, "Where, by hand:", 2},
	{"netns", OPTION_NETNS, "N", 0, "network namespace: name, path or pid (default: this host's)", 2},
	{"dev", OPTION_DEV, "D", 0, "device (default: each that routes to a peer)", 2},
	{"peer", OPTION_PEER, "ADDR[:PORT]", 0,
	 "the other end, or a network like 10.0.0.0/8; repeat for more; 'all' if the type takes it", 2},
	{"address", OPTION_ADDRESS, "ADDR[:PORT]", 0, "the target's own address, if others share the namespace", 2},
	{"data-dir", OPTION_DATA_DIR, "DIR", 0,
	 "directory on the disk that fills up; repeat for more. With --config: the node's, by path or number", 2},
	{"cgroup", OPTION_CGROUP, "C", 0, "only what this cgroup (v2) does", 2},
	{"protect", OPTION_PROTECT, "PROTO/PORT", 0, "never touch this port, beside tcp/22 and what root's sshd serves",
	 2},
	{"allow", OPTION_ALLOW, "GUARD", 0, "switch a guard off: " TARGET_GUARDS_TEXT, 2},
	{NULL, 0, NULL, 0, "Where, from a campaign file:", 3},
	{"config", OPTION_CONFIG, "FILE", 0, "campaign file that describes the node", 3},
	{"node", OPTION_NODE, "N", 0, "the node's name in it (SUBJECT/NODE if it has several subjects)", 3},
	{"instance", OPTION_INSTANCE, "I", 0, "the subject's copy (default: 0)", 3},
	{NULL, 0, NULL, 0, "Else:", 4},
	{"seed", OPTION_SEED, "N", 0, "seed of the random draws (default: drawn)", 4},
	{"json", OPTION_JSON, NULL, 0, "print one JSON event a line", 4},
};

static int parse_duration(const char *text, double *seconds)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 0.001}, {"m", 60}, {"h", 3600}};
	char *end;
	double value = strtod(text, &end);

	if (end == text || !isfinite(value) || value <= 0 || strpbrk(text, "xX"))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(end, units[i].unit)) {
			*seconds = value * units[i].seconds;
			return *seconds <= 86400 ? 0 : -ERANGE;
		}
	}
	return -EINVAL;
}

static int word_add(const char **list, const char *word)
{
	size_t count = 0;

	while (list[count])
		count++;
	if (count + 1 >= INJECT_WORDS_MAX)
		return -E2BIG;
	list[count] = word;
	return 0;
}

/* Writes a field's name as it is typed: "--min-ms". */
static void option_name(char *out, size_t size, const struct chaos_field *field)
{
	snprintf(out, size, "--%s", field->name);
	for (char *c = out; *c; c++)
		if (*c == '_')
			*c = '-';
}

/* The field whose name stands at text, as a word of its own and, if it is an ordinary word, in quotes. */
static const struct chaos_field *field_at(const struct chaos_ops *ops, const char *start, const char *text)
{
	char before = text > start ? text[-1] : ' ';

	for (const struct chaos_field *field = ops->fields; field->name; field++) {
		size_t length = strlen(field->name);
		bool quoted = before == '\'' && text[length] == '\'';

		if (!strncmp(text, field->name, length) && (strchr(field->name, '_') || quoted) &&
		    !isalnum((unsigned char)before) && !isalnum((unsigned char)text[length]) && text[length] != '_')
			return field;
	}
	return NULL;
}

/* Prints a message of the type's, which names fields as in a campaign file, with options as they are typed. */
static void print_as_typed(FILE *out, const struct chaos_ops *ops, const char *text)
{
	for (const char *at = text; *at;) {
		const struct chaos_field *field = field_at(ops, text, at);
		char name[40];

		if (!field) {
			fputc(*at++, out);
			continue;
		}
		option_name(name, sizeof(name), field);
		fputs(name, out);
		at += strlen(field->name);
	}
}

/* Problems are collected, so that all are printed at once. */
static void add_problem(struct inject_options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_problem(struct inject_options *options, const char *format, ...)
{
	va_list args;

	if (!options->problems)
		options->problems = open_memstream(&options->problem_text, &options->problem_size);
	if (!options->problems)
		return;
	va_start(args, format);
	vfprintf(options->problems, format, args);
	va_end(args);
	fputc('\n', options->problems);
}

static void parse_field_option(int key, const char *arg, struct inject_options *options)
{
	const struct chaos_field *field = &options->ops->fields[key - FIELD_OPTION_BASE];
	struct error err = {};
	char name[40];
	json_t *value;

	if (!chaos_field_parse(field, arg ? arg : "true", &value, &err)) {
		json_object_set_new(options->params, field->name, value);
		return;
	}
	option_name(name, sizeof(name), field);
	add_problem(options, "%s: %s", name, err.text);
	/* Not missing, but wrong. */
	json_object_set_new(options->params, field->name, json_null());
}

static bool is_guard(const char *word)
{
	for (size_t i = 0; target_guards[i]; i++)
		if (!strcmp(word, target_guards[i]))
			return true;
	return false;
}

static error_t parse_where(int key, char *arg, struct inject_options *options)
{
	struct inject_where *where = &options->where;
	unsigned long number;
	char *end;
	int ret = 0;

	switch (key) {
	case OPTION_NETNS:
		where->netns = arg;
		return 0;
	case OPTION_DEV:
		where->interface = arg;
		return 0;
	case OPTION_PEER:
		ret = word_add(where->peers, arg);
		break;
	case OPTION_DATA_DIR:
		ret = word_add(where->data_dirs, arg);
		break;
	case OPTION_CGROUP:
		where->cgroup = arg;
		return 0;
	case OPTION_ADDRESS:
		ret = word_add(where->addresses, arg);
		break;
	case OPTION_PROTECT:
		ret = word_add(where->protect, arg);
		break;
	case OPTION_ALLOW:
		if (!is_guard(arg))
			add_problem(options, "--allow: '%s' is none of " TARGET_GUARDS_TEXT, arg);
		ret = word_add(where->allow, arg);
		break;
	case OPTION_CONFIG:
		where->config = arg;
		return 0;
	case OPTION_NODE:
		where->node = arg;
		return 0;
	case OPTION_INSTANCE:
		number = strtoul(arg, &end, 10);
		if (!isdigit((unsigned char)*arg) || *end || number > UINT_MAX)
			add_problem(options, "--instance: '%s' is not a whole number", arg);
		where->instance = (unsigned int)number;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (ret)
		add_problem(options, "more than %d of an option", INJECT_WORDS_MAX - 1);
	return 0;
}

static error_t parse_inject_option(int key, char *arg, struct argp_state *state)
{
	struct inject_options *options = state->input;
	char *end;

	if (key >= FIELD_OPTION_BASE && key < FIELD_OPTION_BASE + OPTIONS_MAX) {
		parse_field_option(key, arg, options);
		return 0;
	}
	switch (key) {
	case OPTION_FOR:
		if (parse_duration(arg, &options->seconds)) {
			add_problem(options, "--for: '%s' is not a time like 30s, 500ms or 5m (at most 24h)", arg);
			options->seconds = NAN;
		}
		return 0;
	case OPTION_SEED:
		errno = 0;
		options->seed = strtoull(arg, &end, 10);
		options->seed_given = true;
		if (!isdigit((unsigned char)*arg) || *end || errno)
			add_problem(options, "--seed: '%s' is not a whole number", arg);
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	default:
		return parse_where(key, arg, options);
	}
}

/* Makes the type's fields options (min_ms becomes --min-ms) and adds the common ones. */
static void build_options(const struct chaos_ops *ops, struct argp_option *out)
{
	static char names[OPTIONS_MAX][40];
	size_t used = 0, field_index = 0;

	out[used++] = (struct argp_option){.doc = "What:", .group = 0};
	for (const struct chaos_field *field = ops->fields; field->name; field++, field_index++) {
		if (field->type == FIELD_PEERS || field->type == FIELD_DATA_DIRS)
			continue;
		option_name(names[field_index], sizeof(names[0]), field);
		out[used++] = (struct argp_option){
			.name = names[field_index] + strlen("--"),
			.key = FIELD_OPTION_BASE + (int)field_index,
			.arg = field->type == FIELD_BOOL ? NULL : field->arg,
			.doc = field->help,
		};
	}
	memcpy(out + used, common_options, sizeof(common_options));
}

static void check_fields(struct inject_options *options)
{
	const char *field = NULL;
	bool complete = true;
	struct error err = {};

	for (const struct chaos_field *f = options->ops->fields; f->name; f++) {
		const json_t *value = json_object_get(options->params, f->name);
		char name[40];

		option_name(name, sizeof(name), f);
		if (f->required && !value)
			add_problem(options, "%s needs %s %s (%s)", options->ops->name, name, f->arg ?: "", f->help);
		complete = complete && (value ? !json_is_null(value) : !f->required);
	}
	/* The type checks only what is complete and valid. */
	if (complete && options->ops->check && options->ops->check(options->params, &field, &err))
		add_problem(options, "%s", err.text);
}

/* Prints all problems. Returns an exit code. */
static int check_complete(struct inject_options *options)
{
	char *line, *rest;

	if (!isnan(options->seconds) && options->seconds <= 0)
		add_problem(options, "how long? --for 30s");
	check_fields(options);
	if (!options->problems)
		return EXIT_OK;
	fclose(options->problems);
	rest = options->problem_text;
	while ((line = strsep(&rest, "\n")) && rest) {
		_cleanup_free_ char *typed = NULL;
		size_t size;
		FILE *out = open_memstream(&typed, &size);

		if (out) {
			print_as_typed(out, options->ops, line);
			fclose(out);
		}
		log_error("%s", typed ?: line);
	}
	free(options->problem_text);
	return EXIT_USAGE;
}

int inject_options_parse(struct inject_options *options, int argc, char **argv)
{
	struct argp_option table[OPTIONS_MAX] = {};
	struct argp argp = {.options = table, .parser = parse_inject_option, .doc = options->ops->summary};
	static char name[96]; /* static, because argv[1] keeps pointing to it */

	options->params = chaos_defaults(options->ops);
	build_options(options->ops, table);
	snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]);
	argv[1] = name;
	if (options_parse(&argp, argc - 1, argv + 1, options))
		return EXIT_USAGE;
	return check_complete(options);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/inject_options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
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
	{"peer", OPTION_PEER, "ADDR[:PORT]", 0, "the other end; repeat for more; 'all' if the type takes it", 2},
	{"address", OPTION_ADDRESS, "ADDR[:PORT]", 0, "the target's own address, if others share the namespace", 2},
	{"data-dir", OPTION_DATA_DIR, "DIR", 0, "directory on the disk that fills up; repeat for more", 2},
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

static void parse_field_option(int key, const char *arg, struct inject_options *options, const struct argp_state *state)
{
	const struct chaos_field *field = &options->ops->fields[key - FIELD_OPTION_BASE];
	struct error err = {};
	json_t *value;

	if (chaos_field_parse(field, arg ? arg : "true", &value, &err))
		argp_error(state, "%s: %s", field->name, err.text);
	else
		json_object_set_new(options->params, field->name, value);
}

static bool is_guard(const char *word)
{
	for (size_t i = 0; target_guards[i]; i++)
		if (!strcmp(word, target_guards[i]))
			return true;
	return false;
}

static error_t parse_where(int key, char *arg, struct inject_options *options, const struct argp_state *state)
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
			argp_error(state, "allow: '%s' is none of " TARGET_GUARDS_TEXT, arg);
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
			argp_error(state, "instance: '%s' is not a whole number", arg);
		where->instance = (unsigned int)number;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (ret)
		argp_error(state, "more than %d of an option", INJECT_WORDS_MAX - 1);
	return 0;
}

static error_t parse_inject_option(int key, char *arg, struct argp_state *state)
{
	struct inject_options *options = state->input;
	char *end;

	if (key >= FIELD_OPTION_BASE && key < FIELD_OPTION_BASE + OPTIONS_MAX) {
		parse_field_option(key, arg, options, state);
		return 0;
	}
	switch (key) {
	case OPTION_FOR:
		if (parse_duration(arg, &options->seconds))
			argp_error(state, "for: '%s' is not a time like 30s, 500ms or 5m (at most 24h)", arg);
		return 0;
	case OPTION_SEED:
		errno = 0;
		options->seed = strtoull(arg, &end, 10);
		options->seed_given = true;
		if (!isdigit((unsigned char)*arg) || *end || errno)
			argp_error(state, "seed: '%s' is not a whole number", arg);
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	default:
		return parse_where(key, arg, options, state);
	}
}

/* Makes the type's fields options (min_ms becomes --min-ms) and adds the common ones. */
static void build_options(const struct chaos_ops *ops, struct argp_option *out)
{
	static char names[OPTIONS_MAX][32];
	size_t used = 0, field_index = 0;

	out[used++] = (struct argp_option){.doc = "What:", .group = 0};
	for (const struct chaos_field *field = ops->fields; field->name; field++, field_index++) {
		if (field->type == FIELD_PEERS)
			continue;
		snprintf(names[field_index], sizeof(names[0]), "%s", field->name);
		for (char *c = names[field_index]; *c; c++)
			if (*c == '_')
				*c = '-';
		out[used++] = (struct argp_option){
			.name = names[field_index],
			.key = FIELD_OPTION_BASE + (int)field_index,
			.arg = field->type == FIELD_BOOL ? NULL : field->arg,
			.doc = field->help,
		};
	}
	memcpy(out + used, common_options, sizeof(common_options));
}

static int check_complete(struct inject_options *options)
{
	const char *field = NULL;
	struct error err = {};

	if (options->seconds <= 0) {
		log_error("how long? --for 30s");
		return EXIT_USAGE;
	}
	for (const struct chaos_field *f = options->ops->fields; f->name; f++) {
		if (f->required && !json_object_get(options->params, f->name)) {
			log_error("%s needs '%s' (%s)", options->ops->name, f->name, f->help);
			return EXIT_USAGE;
		}
	}
	if (options->ops->check && options->ops->check(options->params, &field, &err)) {
		log_error("%s", err.text);
		return EXIT_USAGE;
	}
	return EXIT_OK;
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

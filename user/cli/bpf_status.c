/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval bpf-status: shows live faults, leftovers and the kernel's features. Reads the kernel, not the database. */
#include <argp.h>
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "chaos/inventory.h"
#include "chaos/type.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "kernel/features.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "process/scope.h"
#include "report/report.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/terminal.h"
#include "util/text.h"

#define WATCH_SECONDS 1
#define CLEAR_SCREEN "\033[H\033[2J"

struct status_options {
	bool json, watch, kernel;
};

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "print one JSON object", 0},
	{"watch", 'w', NULL, 0, "print again every second until Ctrl+C; a terminal is redrawn", 0},
	{"kernel", 'k', NULL, 0, "with --watch: each time also what this kernel can do", 0},
	{},
};

static error_t take_status_option(int key, char *arg, struct argp_state *state)
{
	struct status_options *asked = state->input;

	switch (key) {
	case 'j':
		asked->json = true;
		return 0;
	case 'w':
		asked->watch = true;
		return 0;
	case 'k':
		asked->kernel = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument expected, found '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *text(const json_t *object, const char *key)
{
	return json_text_or(object, key, "");
}

static void print_direction(const json_t *fault, const char *direction)
{
	const json_t *stats = json_object_get(fault, direction);
	const json_t *applied = json_object_get(stats, "applied");
	const json_t *line = json_object_get(stats, "line");

	if (!json_integer_at(stats, "seen"))
		return;
	printf("    %-9s seen %" JSON_INTEGER_FORMAT ", hit %" JSON_INTEGER_FORMAT " (%" JSON_INTEGER_FORMAT " bytes)",
	       direction, json_integer_at(stats, "seen"), json_integer_at(stats, "hit"),
	       json_integer_at(stats, "bytes"));
	if (line)
		printf(", %" JSON_INTEGER_FORMAT " held, line_dropped %" JSON_INTEGER_FORMAT,
		       json_integer_at(line, "held_packets"), json_integer_at(line, "line_dropped"));
	putchar('\n');
	if (json_integer_at(applied, "count")) {
		printf("      delay applied, mean %.3f ms:\n",
		       json_real_value(json_object_get(applied, "mean_us")) / 1000.0);
		report_histogram(stdout, applied, "      ");
	}
}

static void print_hooks(const json_t *fault)
{
	const json_t *hooks = json_object_get(fault, "hooks"), *hook;
	size_t i;

	fputs("    hooks    ", stdout);
	json_array_foreach (hooks, i, hook) {
		printf("%s %s", i ? "," : "", text(hook, "hook"));
		/* The ifindex of a hook on a delay line is in the line's own namespace: useless to the user. */
		if (json_integer_at(hook, "ifindex") && !live_hook_is_of_line(hook))
			printf(" on device %" JSON_INTEGER_FORMAT, json_integer_at(hook, "ifindex"));
		else
			printf(" %s", text(hook, "program"));
		if (json_object_get(hook, "priority"))
			printf(" (pref %" JSON_INTEGER_FORMAT " handle 0x%llx)", json_integer_at(hook, "priority"),
			       (unsigned long long)json_integer_at(hook, "handle"));
	}
	puts(json_array_size(hooks) ? "" : " none attached");
}

static void print_notes(const json_t *fault)
{
	const json_t *note;
	size_t i;

	json_array_foreach (json_object_get(fault, "notes"), i, note)
		printf("    %-9s %s\n", text(note, "about"), text(note, "text"));
}

static void print_place(const json_t *fault)
{
	const char *netns = json_string_value(json_object_get(fault, "netns"));

	if (!*text(fault, "device"))
		putchar('\n');
	else if (netns)
		printf(", device %s, netns %s\n", text(fault, "device"), netns);
	else
		printf(", device %s, netns inode %" JSON_INTEGER_FORMAT "\n", text(fault, "device"),
		       json_integer_at(fault, "netns_ino"));
}

static void print_protected(const json_t *fault)
{
	const json_t *list = json_object_get(fault, "protect"), *item;
	size_t i;

	if (!list)
		return;
	fputs("    untouched", stdout);
	json_array_foreach (list, i, item)
		printf("%s %s", i ? "," : "", json_string_value(item));
	puts(json_array_size(list) ? "" : " nothing is protected");
}

static void print_fault(const json_t *fault)
{
	bool alive = json_is_true(json_object_get(fault, "holder_alive"));

	printf("  %s (%s) on %s", text(fault, "type"), text(fault, "engine"),
	       *text(fault, "target") ? text(fault, "target") : "-");
	print_place(fault);
	if (*text(fault, "trial"))
		printf("    trial     %s of %s\n", text(fault, "trial"), text(fault, "campaign"));
	else
		puts("    trial     none: injected by hand");
	printf("    holder    pid %" JSON_INTEGER_FORMAT "%s\n", json_integer_at(fault, "holder_pid"),
	       alive ? "" : " (dead)");
	if (json_is_true(json_object_get(fault, "live")))
		printf("    time left %.1f s (lease %.1f s)\n", json_real_value(json_object_get(fault, "seconds_left")),
		       json_real_value(json_object_get(fault, "lease_seconds_left")));
	else
		printf("    time left none: %s\n", json_text_or(fault, "over", "inert"));
	print_hooks(fault);
	print_protected(fault);
	print_direction(fault, "egress");
	print_direction(fault, "ingress");
	print_notes(fault);
}

static void print_faults(const json_t *faults)
{
	const json_t *fault;
	size_t i;

	printf("faults: %zu%s\n", json_array_size(faults), json_array_size(faults) ? "" : " (none is live)");
	json_array_foreach (faults, i, fault)
		print_fault(fault);
}

static void print_other_versions(const json_t *others)
{
	const json_t *other;
	size_t i;

	json_array_foreach (others, i, other)
		printf("  of another version of eval (ABI %" JSON_INTEGER_FORMAT ", map %" JSON_INTEGER_FORMAT
		       "): %s; run that version's bpf-status for details\n",
		       json_integer_at(other, "abi_version"), json_integer_at(other, "map_id"),
		       json_is_true(json_object_get(other, "stopped")) ? "stopped" : "'eval cleanup --now' stops it");
}

static void print_leftovers(const json_t *leftovers)
{
	const json_t *leftover;
	size_t i;

	printf("left over: %s\n", json_array_size(leftovers) ? "" : "nothing");
	json_array_foreach (leftovers, i, leftover)
		printf("  %s\n", json_string_value(leftover));
	if (json_array_size(leftovers))
		puts("  'eval cleanup' removes them");
}

static void print_kernel(const json_t *status)
{
	const json_t *feature;
	size_t i;

	printf("kernel %s\n", text(status, "kernel"));
	json_array_foreach (json_object_get(status, "features"), i, feature) {
		bool usable = json_is_true(json_object_get(feature, "usable"));

		printf("  %-10s %-4s %s%s%s\n", text(feature, "name"), usable ? "yes" : "no", text(feature, "used_for"),
		       usable ? "" : ": ", text(feature, "reason"));
	}
}

static json_t *features_to_json(void)
{
	struct feature features[FEATURE_COUNT];
	json_t *json = json_array();
	int ret = features_probe(features);

	if (ret)
		log_warning("cannot probe the kernel's features: %s", strerror(-ret));
	for (enum feature_id i = 0; !ret && i < FEATURE_COUNT; i++) {
		char uses[512];

		chaos_feature_uses(uses, sizeof(uses), i);
		json_array_append_new(json,
				      json_pack("{s:s, s:b, s:s, s:s}", "name", features[i].name, "usable",
						features[i].usable, "reason", features[i].reason, "used_for", uses));
	}
	return json;
}

static void add_stale_scope(int root_fd, const char *name, void *data)
{
	json_array_append_new(data, json_sprintf("cgroup %s of a dead run, with what its commands left running", name));
}

/* Faults with a dead holder, and scopes with a dead coordinator. (A line's device never outlives its descriptor.) */
static json_t *find_leftovers(const json_t *faults)
{
	json_t *leftovers = json_array();
	const json_t *fault;
	size_t i;

	json_array_foreach (faults, i, fault) {
		if (json_is_true(json_object_get(fault, "holder_alive")))
			continue;
		json_array_append_new(leftovers,
				      json_sprintf("fault %s on device %s, held by dead pid %" JSON_INTEGER_FORMAT,
						   text(fault, "type"), text(fault, "device"),
						   json_integer_at(fault, "holder_pid")));
	}
	scope_each_stale(add_stale_scope, leftovers);
	return leftovers;
}

/* is_first: of --watch, which prints what the kernel can do once, or not at all on a screen that it draws again. */
static int print_status(const struct status_options *asked, const json_t *features, int swept, bool is_first)
{
	bool redraws = asked->watch && !asked->json && terminal_has_codes(terminal_fd(stdout));
	_cleanup_json_ json_t *faults = NULL, *status = NULL;
	struct error err = {};
	struct utsname kernel;

	faults = inventory_read(&err);
	if (!faults) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	uname(&kernel);
	status = json_pack("{s:O, s:o, s:o, s:i, s:s, s:O}", "faults", faults, "other_versions",
			   inventory_other_versions(), "leftovers", find_leftovers(faults), "swept", swept, "kernel",
			   kernel.release, "features", features);
	if (asked->json) {
		json_print_document(status, asked->watch ? JSON_COMPACT : JSON_INDENT(2), stdout);
		putchar('\n');
	} else {
		if (redraws)
			terminal_code(stdout, CLEAR_SCREEN);
		else if (!is_first)
			putchar('\n');
		print_faults(faults);
		print_other_versions(json_object_get(status, "other_versions"));
		print_leftovers(json_object_get(status, "leftovers"));
		if (swept)
			printf("  removed just now: the filters of %d fault%s whose process and guard were killed\n",
			       swept, text_plural(swept));
		if (asked->kernel || (is_first && !redraws))
			print_kernel(status);
	}
	return fflush(stdout) ? EXIT_HOST : EXIT_OK;
}

int cmd_bpf_status(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = take_status_option,
		.doc = "Show every fault of eval that is live on this host, anything left over, and what this kernel "
		       "can "
		       "and cannot do. Needs root.",
	};
	struct status_options asked = {};
	_cleanup_json_ json_t *features = NULL;
	int swept, ret;

	if (options_parse(&argp, argc, argv, &asked))
		return EXIT_USAGE;
	if (geteuid()) {
		log_error("bpf-status reads the kernel's BPF objects, which needs root: run it with sudo");
		return EXIT_HOST;
	}
	object_log_init();
	swept = live_sweep_dead(NULL);
	if (swept < 0)
		swept = 0;
	features = features_to_json();
	ret = print_status(&asked, features, swept, true);
	while (asked.watch && !ret) {
		sleep(WATCH_SECONDS);
		ret = print_status(&asked, features, 0, false);
	}
	return ret;
}

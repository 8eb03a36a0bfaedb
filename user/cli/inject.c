/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval inject TYPE: one fault by hand, held by this process. */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "chaos/fault.h"
#include "chaos/type.h"
#include "cli/commands.h"
#include "cli/inject_report.h"
#include "cli/inject_target.h"
#include "eval_abi.h"
#include "kernel/features.h"
#include "kernel/hook.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "process/guard.h"
#include "process/scope.h"
#include "target/guards.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/output.h"
#include "util/procfs.h"
#include "util/sched.h"

#define OPTIONS_MAX 48
#define FIELD_OPTION_BASE 1000

/* For the signal handler, which stops the fault itself: its process may be waiting for the kernel. */
static volatile sig_atomic_t stop_requested;
static struct fault *volatile live_fault;

enum option_key {
	OPTION_FOR = 256,
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
	OPTION_JSON,
};

static const struct argp_option common_options[] = {
	{"for", OPTION_FOR, "TIME", 0, "how long: 30s, 500ms, 5m or seconds; required", 1},
	{NULL, 0, NULL, 0, "Where, by hand:", 2},
	{"netns", OPTION_NETNS, "N", 0, "network namespace: name, path or pid (default: this host's)", 2},
	{"dev", OPTION_DEV, "D", 0, "device (default: each that routes to a peer)", 2},
	{"peer", OPTION_PEER, "ADDR[:PORT]", 0, "the other end; repeat for more; 'all' where the type takes it", 2},
	{"address", OPTION_ADDRESS, "ADDR[:PORT]", 0, "the target's own address, where others share the namespace", 2},
	{"data-dir", OPTION_DATA_DIR, "DIR", 0, "directory on the disk that fills up; repeat for more", 2},
	{"cgroup", OPTION_CGROUP, "C", 0, "only what this cgroup (v2) does", 2},
	{"protect", OPTION_PROTECT, "PROTO/PORT", 0, "never touch this port, beside tcp/22 and what root's sshd serves",
	 2},
	{"allow", OPTION_ALLOW, "GUARD", 0, "switch a guard off: " TARGET_GUARDS_TEXT, 2},
	{NULL, 0, NULL, 0, "Where, from a campaign file:", 3},
	{"config", OPTION_CONFIG, "FILE", 0, "campaign file that describes the node", 3},
	{"node", OPTION_NODE, "N", 0, "the node's name in it (SUBJECT/NODE where it has several subjects)", 3},
	{"instance", OPTION_INSTANCE, "I", 0, "the subject's copy (default: 0)", 3},
	{NULL, 0, NULL, 0, "Else:", 4},
	{"seed", OPTION_SEED, "N", 0, "seed of the random draws (default: drawn)", 4},
	{"json", OPTION_JSON, NULL, 0, "print one JSON event a line", 4},
};

struct inject {
	const struct chaos_ops *ops;
	json_t *params;
	struct inject_where where;
	double seconds;
	uint64_t seed;
	bool seed_given, json;
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

static void parse_field_option(int key, const char *arg, struct inject *inject, const struct argp_state *state)
{
	const struct chaos_field *field = &inject->ops->fields[key - FIELD_OPTION_BASE];
	struct error err = {};
	json_t *value;

	if (chaos_field_parse(field, arg ? arg : "true", &value, &err))
		argp_error(state, "%s: %s", field->name, err.text);
	else
		json_object_set_new(inject->params, field->name, value);
}

static bool is_guard(const char *word)
{
	for (size_t i = 0; target_guards[i]; i++)
		if (!strcmp(word, target_guards[i]))
			return true;
	return false;
}

static error_t parse_where(int key, char *arg, struct inject *inject, const struct argp_state *state)
{
	struct inject_where *where = &inject->where;
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

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct inject *inject = state->input;
	char *end;

	if (key >= FIELD_OPTION_BASE && key < FIELD_OPTION_BASE + OPTIONS_MAX) {
		parse_field_option(key, arg, inject, state);
		return 0;
	}
	switch (key) {
	case OPTION_FOR:
		if (parse_duration(arg, &inject->seconds))
			argp_error(state, "for: '%s' is not a time like 30s, 500ms or 5m (at most 24h)", arg);
		return 0;
	case OPTION_SEED:
		errno = 0;
		inject->seed = strtoull(arg, &end, 10);
		inject->seed_given = true;
		if (!isdigit((unsigned char)*arg) || *end || errno)
			argp_error(state, "seed: '%s' is not a whole number", arg);
		return 0;
	case OPTION_JSON:
		inject->json = true;
		return 0;
	default:
		return parse_where(key, arg, inject, state);
	}
}

/* The type's fields as options: min_ms is --min-ms. Names live as long as the program. */
static void build_options(const struct chaos_ops *ops, struct argp_option *options)
{
	static char names[OPTIONS_MAX][32];
	size_t used = 0, field_index = 0;

	options[used++] = (struct argp_option){.doc = "What:", .group = 0};
	for (const struct chaos_field *field = ops->fields; field->name; field++, field_index++) {
		if (field->type == FIELD_PEERS)
			continue;
		snprintf(names[field_index], sizeof(names[0]), "%s", field->name);
		for (char *c = names[field_index]; *c; c++)
			if (*c == '_')
				*c = '-';
		options[used++] = (struct argp_option){
			.name = names[field_index],
			.key = FIELD_OPTION_BASE + (int)field_index,
			.arg = field->type == FIELD_BOOL ? NULL : field->arg,
			.doc = field->help,
		};
	}
	memcpy(options + used, common_options, sizeof(common_options));
}

static void print_types(FILE *out)
{
	fputs("Usage: eval inject TYPE --for TIME [OPTION...]\n"
	      "One fault by hand: no campaign, no database; ends on Ctrl+C or at its time.\n\nTypes:\n",
	      out);
	for (const struct chaos_ops *ops = chaos_next(NULL); ops; ops = chaos_next(ops))
		fprintf(out, "  %-20s%s\n", ops->name, ops->summary);
	fputs("\n'eval inject TYPE --help' lists a type's options.\n", out);
}

static int check_complete(struct inject *inject)
{
	const char *field = NULL;
	struct error err = {};

	if (inject->seconds <= 0) {
		log_error("how long? --for 30s");
		return EXIT_USAGE;
	}
	for (const struct chaos_field *f = inject->ops->fields; f->name; f++) {
		if (f->required && !json_object_get(inject->params, f->name)) {
			log_error("%s needs '%s' (%s)", inject->ops->name, f->name, f->help);
			return EXIT_USAGE;
		}
	}
	if (inject->ops->check && inject->ops->check(inject->params, &field, &err)) {
		log_error("%s", err.text);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

/* Ends when stopped by a signal; err is set where the fault ended by itself. */
static void hold_fault(struct fault *fault, const sigset_t *unblocked, double seconds, struct error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + clock_from_seconds(seconds);

	while (!stop_requested) {
		uint64_t now_ns = clock_monotonic_ns();
		uint64_t wait_ns = now_ns < end_ns ? end_ns - now_ns : 0;
		struct timespec wait;

		if (!wait_ns)
			return;
		if (wait_ns > LEASE_RENEW_NS)
			wait_ns = LEASE_RENEW_NS;
		wait = (struct timespec){.tv_nsec = (long)wait_ns};
		if (ppoll(NULL, 0, &wait, unblocked) < 0)
			continue;
		output_flush_standard();
		if (fault_renew(fault, err)) {
			fault_stop(fault);
			return;
		}
	}
}

/* Signals are heard all through it: it may take long, and what is stopped meanwhile does not go live. */
static int activate(struct fault *fault, const sigset_t *unblocked, double seconds, struct error *err)
{
	sigset_t blocked;
	int ret;

	sigprocmask(SIG_SETMASK, unblocked, &blocked);
	ret = stop_requested ? error_set(err, -ECANCELED, "stopped by a signal")
			     : fault_activate(fault, clock_from_seconds(seconds), err);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	return ret && stop_requested ? error_set(err, -ECANCELED, "stopped by a signal") : ret;
}

static int exit_code_of(int code)
{
	if (code == -ECANCELED)
		return EXIT_INTERRUPTED;
	return code == -EPERM ? EXIT_HOST : EXIT_TRIALS;
}

static void on_stop(int signal_number)
{
	int saved = errno;

	stop_requested = 1;
	if (live_fault)
		fault_stop(live_fault);
	errno = saved;
}

static int inject_and_hold(struct inject *inject, const struct target *target, const sigset_t *unblocked)
{
	struct fault_spec spec = {
		.campaign = "",
		.trial = "",
		.ops = inject->ops,
		.params = inject->params,
		.target = target,
		.seed = inject->seed,
	};
	struct inject_report report = {.spec = &spec, .seconds = inject->seconds, .json = inject->json};
	_cleanup_json_ json_t *evidence = NULL;
	struct fault *fault = NULL;
	struct error err = {};
	int ret, reported;

	ret = fault_new(&fault, &spec, &err);
	live_fault = fault;
	if (!ret)
		ret = activate(fault, unblocked, inject->seconds, &err);
	if (ret) {
		log_error("%s", err.text);
		live_fault = NULL;
		fault_free(fault);
		return exit_code_of(ret);
	}
	sched_go_first();
	inject_report_started(&report, fault_engine(fault));
	hold_fault(fault, unblocked, inject->seconds, &err);
	sched_take_turns();
	report.interrupted = stop_requested;
	ret = fault_revert(fault, err.code ? NULL : &err) ?: err.code;
	evidence = fault_evidence(fault);
	live_fault = NULL;
	fault_free(fault);
	reported = inject_report_reverted(&report, evidence);
	if (!ret)
		return reported;
	log_error("%s", err.text);
	return EXIT_TRIALS;
}

/* Blocks them but where a fault becomes live and is held; *unblocked is the mask for there. */
static void watch_signals(sigset_t *unblocked)
{
	/* Also where a shell ignores it for its background jobs: ending a fault is never wrong. */
	static const int watched[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART}, hangup;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		/* nohup stays in force. */
		if (watched[i] == SIGHUP && !sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler == SIG_IGN)
			continue;
		sigaction(watched[i], &action, NULL);
		sigaddset(&set, watched[i]);
	}
	sigprocmask(SIG_BLOCK, &set, unblocked);
	/* Whoever started us may have blocked them. */
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		sigdelset(unblocked, watched[i]);
}

/* Only where filters outlive their process. */
static int start_guard(struct guard *guard, struct error *err)
{
	char prefix[SCOPE_NAME_SIZE];
	int ret;

	if (!hook_needs_filters())
		return 0;
	scope_prefix(prefix, getpid(), procfs_start_ticks(getpid()));
	ret = guard_start(guard, prefix, live_sweep_dead, NULL, 0, err);
	if (!ret)
		guard_tell_worker(guard, getpid());
	return ret;
}

static int inject_run(struct inject *inject)
{
	sigset_t unblocked;
	struct guard guard = {.fd = -1};
	struct target *target = NULL;
	struct error err = {};
	int ret = check_complete(inject);

	if (ret)
		return ret;
	if (features_check_host(&err)) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	if (!inject->seed_given && getrandom(&inject->seed, sizeof(inject->seed), 0) != sizeof(inject->seed)) {
		log_error("cannot draw a seed: give one by --seed");
		return EXIT_HOST;
	}
	object_log_init();
	if (inject->json && output_standard(STDOUT_FILENO))
		output_set_lost_text(output_standard(STDOUT_FILENO), OUTPUT_LOST_JSON);
	watch_signals(&unblocked);
	ret = inject_target_open(&target, inject->ops, &inject->where, &err);
	if (ret) {
		log_error("%s", err.text);
		return inject_target_exit_code(ret);
	}
	ret = start_guard(&guard, &err);
	if (ret)
		log_error("%s", err.text);
	ret = ret ? EXIT_HOST : inject_and_hold(inject, target, &unblocked);
	target_free(target);
	guard_stop(&guard);
	return ret;
}

int cmd_inject(int argc, char **argv)
{
	struct argp_option options[OPTIONS_MAX] = {};
	struct argp argp = {.options = options, .parser = parse_option};
	struct inject inject = {};
	char name[96];
	int ret;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") || !strcmp(argv[1], "-h")) {
		print_types(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_OK;
	}
	inject.ops = chaos_find(argv[1]);
	if (!inject.ops) {
		log_error("no chaos type '%s'; 'eval inject --help' lists them", argv[1]);
		return EXIT_USAGE;
	}
	inject.params = chaos_defaults(inject.ops);
	build_options(inject.ops, options);
	argp.doc = inject.ops->summary;
	snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]);
	argv[1] = name;
	argp_err_exit_status = EXIT_USAGE;
	ret = argp_parse(&argp, argc - 1, argv + 1, 0, NULL, &inject) ? EXIT_USAGE : inject_run(&inject);
	json_decref(inject.params);
	return ret;
}

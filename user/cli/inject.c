/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* eval inject TYPE: injects one fault, which this process holds. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "chaos/fault.h"
#include "cli/commands.h"
#include "cli/inject_options.h"
#include "cli/inject_report.h"
#include "cli/inject_target.h"
#include "eval_abi.h"
#include "inject/faults.h"
#include "kernel/features.h"
#include "kernel/hook.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "process/guard.h"
#include "process/scope.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/output.h"
#include "util/procfs.h"
#include "util/sched.h"

/* For the signal handler, which stops the fault itself, because the main flow may be waiting for the kernel. */
static volatile sig_atomic_t stop_requested;
static const struct fault_set *volatile live_faults;

static void print_types(FILE *out)
{
	fputs("Usage: eval inject TYPE --for TIME [OPTION...]\n"
	      "One fault by hand: no campaign, no database; ends on Ctrl+C or at its time.\n\nTypes:\n",
	      out);
	for (const struct chaos_ops *ops = chaos_next(NULL); ops; ops = chaos_next(ops))
		fprintf(out, "  %-20s%s\n", ops->name, ops->summary);
	fputs("\n'eval inject TYPE --help' lists a type's options.\n", out);
}

/* Returns after its time, after a signal, or with err set if the fault ended by itself. */
static void hold_faults(struct fault_set *faults, const sigset_t *unblocked, struct inject_report *report,
			struct error *err)
{
	uint64_t end_ns = clock_monotonic_ns() + clock_from_seconds(report->seconds);

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
		if (fault_set_renew(faults, err))
			return;
		now_ns = clock_monotonic_ns();
		if (now_ns < end_ns && inject_report_redraws(report)) {
			fault_set_read_evidence(faults);
			inject_report_holding(report, faults->slots[0].evidence,
					      (double)(end_ns - now_ns) / (double)NSEC_PER_SEC);
		}
	}
}

/* Activates with signals unblocked: it may take long, and a signal keeps the fault from becoming live. */
static int activate(struct fault_set *faults, const sigset_t *unblocked, double seconds, struct error *err)
{
	sigset_t blocked;
	int ret;

	sigprocmask(SIG_SETMASK, unblocked, &blocked);
	ret = stop_requested ? error_set(err, -ECANCELED, "stopped by a signal")
			     : fault_set_activate_next(faults, clock_from_seconds(seconds), err);
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
	const struct fault_set *faults = live_faults;
	int saved = errno;

	stop_requested = 1;
	if (faults)
		fault_set_stop(faults);
	errno = saved;
}

/* Takes the target. */
static int open_fault(struct fault_set *faults, const struct fault_spec *spec, struct target *target, struct error *err)
{
	int ret = fault_set_reserve(faults, 1, err);

	if (!ret)
		return fault_set_open(faults, spec, target, err);
	target_free(target);
	return ret;
}

/* Takes the target. */
static int inject_and_hold(const struct inject_options *options, struct target *target, const sigset_t *unblocked)
{
	struct fault_spec spec = {
		.campaign = "",
		.trial = "",
		.ops = options->ops,
		.params = options->params,
		.seed = options->seed,
	};
	struct inject_report report = {.seconds = options->seconds, .json = options->json};
	_cleanup_json_ json_t *evidence = NULL;
	struct fault_set faults = {};
	struct error err = {};
	int ret, reported;

	output_begin_background(output_standard(STDOUT_FILENO));
	ret = open_fault(&faults, &spec, target, &err);
	live_faults = &faults;
	if (!ret)
		ret = activate(&faults, unblocked, options->seconds, &err);
	if (ret) {
		output_end_background(output_standard(STDOUT_FILENO));
		log_error("%s", err.text);
		live_faults = NULL;
		fault_set_free(&faults);
		return exit_code_of(ret);
	}
	sched_go_first();
	report.spec = &faults.slots[0].spec;
	inject_report_started(&report, fault_engine(faults.slots[0].fault));
	hold_faults(&faults, unblocked, &report, &err);
	sched_take_turns();
	report.interrupted = stop_requested;
	ret = fault_set_revert(&faults, err.code ? NULL : &err) ?: err.code;
	fault_set_read_evidence(&faults);
	evidence = fault_set_evidence(&faults);
	live_faults = NULL;
	fault_set_close(&faults);
	output_end_background(output_standard(STDOUT_FILENO));
	reported = inject_report_reverted(&report, evidence);
	fault_set_free(&faults);
	if (!ret)
		return reported;
	log_error("%s", err.text);
	return EXIT_TRIALS;
}

/* Blocks the watched signals; *unblocked is the mask for the activation and the hold, which accept them. */
static void watch_signals(sigset_t *unblocked)
{
	/* Handled even if a shell ignores SIGINT for its background jobs: it is always safe to end a fault. */
	static const int watched[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART}, hangup;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		/* SIGHUP is ignored under nohup: keep it so. */
		if (watched[i] == SIGHUP && !sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler == SIG_IGN)
			continue;
		sigaction(watched[i], &action, NULL);
		sigaddset(&set, watched[i]);
	}
	sigprocmask(SIG_BLOCK, &set, unblocked);
	/* The parent process may have blocked them. */
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		sigdelset(unblocked, watched[i]);
}

/* Starts a guard only on kernels without tcx, where filters outlive their process. */
static int start_filter_guard(struct guard *guard, struct error *err)
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

static int inject_run(struct inject_options *options)
{
	sigset_t unblocked;
	struct guard guard = {.fd = -1};
	struct target *target = NULL;
	struct error err = {};
	int ret;

	if (features_check_host(&err)) {
		log_error("%s", err.text);
		return EXIT_HOST;
	}
	if (!options->seed_given && getrandom(&options->seed, sizeof(options->seed), 0) != sizeof(options->seed)) {
		log_error("cannot draw a seed: give one by --seed");
		return EXIT_HOST;
	}
	object_log_init();
	if (options->json && output_standard(STDOUT_FILENO))
		output_set_lost_text(output_standard(STDOUT_FILENO), OUTPUT_LOST_JSON);
	watch_signals(&unblocked);
	ret = inject_target_open(&target, options->ops, &options->where, &err);
	if (ret) {
		log_error("%s", err.text);
		return inject_target_exit_code(ret);
	}
	ret = start_filter_guard(&guard, &err);
	if (ret) {
		log_error("%s", err.text);
		target_free(target);
		ret = EXIT_HOST;
	} else {
		ret = inject_and_hold(options, target, &unblocked);
	}
	guard_stop(&guard);
	return ret;
}

int cmd_inject(int argc, char **argv)
{
	struct inject_options options = {};
	int ret;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") || !strcmp(argv[1], "-h")) {
		print_types(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_OK;
	}
	options.ops = chaos_find(argv[1]);
	if (!options.ops) {
		log_error("no chaos type '%s'; 'eval inject --help' lists them", argv[1]);
		return EXIT_USAGE;
	}
	ret = inject_options_parse(&options, argc, argv);
	if (!ret)
		ret = inject_run(&options);
	json_decref(options.params);
	return ret;
}

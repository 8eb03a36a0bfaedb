/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The program's entry: prepares the process and calls the command. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "commit.h"
#include "kernel/live.h"
#include "kernel/object.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fds.h"
#include "util/output.h"
#include "util/terminal.h"
#include "util/text.h"
#include "version.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv); /* NULL: planned, but not implemented yet */
	const char *summary;
} commands[] = {
#define X(name, typed, summary) {typed, cmd_##name, summary},
	EVAL_COMMANDS(X)
#undef X
		{"init", NULL, "write a campaign for the cluster it finds"},
	{"import", NULL, "merge databases of several hosts"},
	{"agent", NULL, "the far end of a campaign on many hosts"},
	{"lever", NULL, "forbid all chaos on this host"},
};

static void print_help(FILE *out)
{
	fputs("Usage: eval COMMAND [OPTION...]\n"
	      "In-kernel chaos for storage clusters: latency, partitions, full disks, and the evidence of what they "
	      "did.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].run)
			fprintf(out, "  %-12s%s\n", commands[i].name, commands[i].summary);
	fputs("\n'eval COMMAND --help' lists its options. Exit: 0 all well; 1 a trial failed, was void or missed an\n"
	      "expectation; 2 bad usage or invalid file; 3 this host cannot do it; 130 interrupted.\n",
	      out);
}

/* On kernels without tcx, a fault's filters stay attached, but inert, if its process and its guard were both killed. */
static void sweep_dead_faults(void)
{
	int swept;

	if (geteuid())
		return;
	object_log_init();
	swept = live_sweep_dead(NULL);
	if (swept > 0)
		log_info("removed the filters of %d fault%s whose process and guard were killed", swept,
			 text_plural(swept));
}

static int run_command(size_t index, int argc, char **argv)
{
	bool stops = commands[index].run == cmd_cleanup;
	char name[64];
	int ret;

	if (!commands[index].run) {
		log_error("'%s' is not yet supported by this version (%s)", commands[index].name, EVAL_VERSION);
		return EXIT_USAGE;
	}
	snprintf(name, sizeof(name), "eval %s", commands[index].name);
	argv[0] = name;
	/* bpf-status sweeps and reports leftovers itself; an emergency stop must not wait for a sweep. */
	if (commands[index].run != cmd_bpf_status && !stops)
		sweep_dead_faults();
	ret = commands[index].run(argc, argv);
	if (stops)
		sweep_dead_faults();
	return ret;
}

/* Names the command that is meant by a word that other tools have, or the nearest. */
static int unknown_command(const char *word)
{
	static const char *const elsewhere[][2] = {
		{"status", "bpf-status"},
		{"ps", "bpf-status"},
		{"stop", "cleanup --now"},
		{"destroy", "cleanup --now"},
		{"recover", "cleanup"},
		{"create", "run campaign"},
		{"attack", "inject"},
		{"resume", "run campaign CONFIG --resume"},
		{"ls", "list"},
		{"describe", "show"},
		{"lint", "validate"},
		{"campaign", "run campaign"},
	};
	const char *known[ARRAY_SIZE(commands)], *meant = NULL;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if (!strcmp(word, elsewhere[i][0]))
			meant = elsewhere[i][1];
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].run)
			known[count++] = commands[i].name;
	meant = meant ?: text_nearest(word, known, count);
	if (meant)
		log_error("no command '%s'; did you mean 'eval %s'?", word, meant);
	else
		log_error("no command '%s'; 'eval --help' lists them", word);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	/* Keeps files opened later from landing on descriptor 0, 1 or 2. */
	fds_fill_standard();
	terminal_filter_standard();
	/* Writing to a closed pipe returns an error instead of killing a process that holds a fault. */
	signal(SIGPIPE, SIG_IGN);
	/* The same for writing beyond RLIMIT_FSIZE. */
	signal(SIGXFSZ, SIG_IGN);
	/* If SIGCHLD were ignored, as inherited from a parent, exited children could not be waited for. */
	signal(SIGCHLD, SIG_DFL);
	/* Failure is reported by the commands that need correct clocks, which call this again. */
	clock_join_namespace();
	atexit(output_end_standard);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("eval %s%s%s%s\n", EVAL_VERSION, *EVAL_COMMIT ? " (" : "", EVAL_COMMIT, *EVAL_COMMIT ? ")" : "");
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return run_command(i, argc - 1, argv + 1);
	return unknown_command(argv[1]);
}

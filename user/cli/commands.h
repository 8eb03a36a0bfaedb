/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The list of commands: each has a row here and its function cmd_<name> in cli/<name>.c. */
#pragma once

/* X(name, word on the command line, summary) */
#define EVAL_COMMANDS(X) \
	X(run, "run", "run campaign CONFIG: run every trial of a campaign file, record each") \
	X(validate, "validate", "check a campaign file; needs no root, touches nothing") \
	X(check, "check", "look whether this host can run a campaign file; injects nothing") \
	X(inject, "inject", "one fault by hand, ends on Ctrl+C or at its time") \
	X(bpf_status, "bpf-status", "show every live fault of ours, leftovers, and what this kernel can do") \
	X(cleanup, "cleanup", "remove what a crashed run left; --now: stop every fault on this host") \
	X(list, "list", "list the campaigns of the database") \
	X(show, "show", "show one campaign or trial") \
	X(compare, "compare", "compare two campaigns, or one with its baseline") \
	X(report, "report", "write a campaign's results as CSV, JUnit, Markdown, JSON, OpenMetrics")

/* argv[0] is the command's name as --help prints it ("eval validate"). Returns an exit code (util/error.h). */
#define X(name, typed, summary) int cmd_##name(int argc, char **argv);
EVAL_COMMANDS(X)
#undef X

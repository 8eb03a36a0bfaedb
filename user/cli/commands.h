/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands: one file cmd_<name>.c and one row in cli/main.c's table each. */
#pragma once

/* argv[0] is the command's name as help shall print it ("eval validate"). Returns an exit code (util/error.h). */
int cmd_run(int argc, char **argv);
int cmd_validate(int argc, char **argv);
int cmd_inject(int argc, char **argv);
int cmd_bpf_status(int argc, char **argv);
int cmd_cleanup(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_show(int argc, char **argv);

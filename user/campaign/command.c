/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Command lines that a user can paste into a shell. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/campaign.h"
#include "util/cleanup.h"

/* Prints a word so that a shell reads it unchanged. */
static void print_quoted(FILE *out, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-=+,:@%";

	if (*word && !word[strspn(word, safe)]) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\'", out);
		fputc(*word, out);
	}
	fputc('\'', out);
}

/* The absolute path, because the command may be pasted elsewhere. A path that leads nowhere stays as it is. */
static void print_path(FILE *out, const char *path)
{
	_cleanup_free_ char *absolute = realpath(path, NULL);

	print_quoted(out, absolute ?: path);
}

static void print_program(FILE *out)
{
	char program[PATH_MAX] = "";

	/* Through sudo, or without the rights that the command needs. */
	if (geteuid() || getenv("SUDO_UID"))
		fputs("sudo ", out);
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		snprintf(program, sizeof(program), "%s", program_invocation_name);
	print_quoted(out, program);
}

/* sudo does not pass $EVAL_DB on, nor does another shell have it. */
static const char *database_of(const struct campaign_command *command)
{
	const char *environment = getenv("EVAL_DB");

	return command->db ?: environment && *environment ? environment : NULL;
}

char *campaign_command_text(const struct campaign_command *command)
{
	const char *db = database_of(command);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	print_program(out);
	fprintf(out, " %s", command->verb);
	if (command->file) {
		fputc(' ', out);
		print_path(out, command->file);
	}
	if (command->id)
		fprintf(out, " %s%s", command->id_option ?: "", command->id);
	if (command->only) {
		fputs(" --only ", out);
		print_quoted(out, command->only);
	}
	if (command->rerun) {
		fputs(" --rerun ", out);
		print_quoted(out, command->rerun);
	}
	if (command->parallel)
		fprintf(out, " --parallel %u", command->parallel);
	if (db) {
		fputs(" --db ", out);
		print_path(out, db);
	}
	fclose(out);
	return text;
}

void campaign_tell_command(const struct campaign_command *command)
{
	_cleanup_free_ char *text = campaign_command_text(command);

	if (text)
		log_info("%s", text);
}

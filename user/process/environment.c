/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "process/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/scope.h"
#include "util/cleanup.h"

enum { VARIABLES = 7 };

static const char *const names[VARIABLES] = {
	"EVAL_INSTANCE", "EVAL_CAMPAIGN", "EVAL_TRIAL", "EVAL_SUBJECT", "EVAL_TARGET", "EVAL_PHASE", SCOPE_VARIABLE,
};

/* An eval that runs inside another must not pass on the outer eval's variables. */
static bool is_ours(const char *variable)
{
	for (size_t i = 0; i < VARIABLES; i++) {
		size_t length = strlen(names[i]);

		if (!strncmp(variable, names[i], length) && variable[length] == '=')
			return true;
	}
	return false;
}

char **environment_build(const struct environment_values *values)
{
	char instance[16];
	const char *const texts[VARIABLES] = {
		instance,       values->campaign, values->trial, values->subject,
		values->target, values->phase,    values->scope,
	};
	size_t count = 0, used = 0, bytes = 0;
	char **out, *at;

	snprintf(instance, sizeof(instance), "%u", values->instance);
	while (environ[count])
		count++;
	for (size_t i = 0; i < VARIABLES; i++)
		bytes += texts[i] ? strlen(names[i]) + strlen(texts[i]) + 2 : 0;
	out = malloc((count + VARIABLES + 1) * sizeof(*out) + bytes);
	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			out[used++] = environ[i];
	at = (char *)(out + count + VARIABLES + 1);
	for (size_t i = 0; i < VARIABLES; i++) {
		if (!texts[i])
			continue;
		out[used++] = at;
		at += sprintf(at, "%s=%s", names[i], texts[i]) + 1;
	}
	out[used] = NULL;
	return out;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Findings, and what is looked at. */
#include <stdarg.h>
#include <stdio.h>

#include "check/internal.h"

/* Logs a finding by log_error or log_warning. */
static void tell(void (*log)(const char *fmt, ...), const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	log("%s", text);
}

void check_error(struct check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(log_error, format, args);
	va_end(args);
	check->errors++;
}

void check_warning(struct check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(log_warning, format, args);
	va_end(args);
	check->warnings++;
}

bool check_has(const struct check *check, size_t trial)
{
	return !check->runs || check->runs[trial];
}

bool check_runs(const struct check *check, const struct subject *subject, const struct chaos *chaos)
{
	for (size_t i = 0; i < check->plan->trial_count; i++) {
		const struct plan_trial *trial = &check->plan->trials[i];

		if (check_has(check, i) && trial->subject == subject && (!chaos || trial->chaos == chaos))
			return true;
	}
	return false;
}

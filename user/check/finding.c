/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Findings, and what is looked at. */
#include <stdarg.h>
#include <stdio.h>

#include "check/internal.h"

void check_error(struct check *check, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("%s", text);
	check->errors++;
}

void check_warning(struct check *check, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_warning("%s", text);
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

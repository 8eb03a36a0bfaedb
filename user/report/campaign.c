/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints a campaign's header. */
#include "report/internal.h"

#include "analysis/outcome.h"
#include "util/json.h"

static void print_fields(FILE *out, const void *campaign)
{
	char progress[160];

	fprintf(out, "%s\n", json_text_or(campaign, "id", "?"));
	field_string(out, "label", campaign, "label");
	field_string(out, "status", campaign, "status");
	field_text(out, "trials", outcome_progress(progress, sizeof(progress), json_object_get(campaign, "trials")));
	field_string(out, "file", campaign, "config_path");
	field_string(out, "config hash", campaign, "hash");
	field_string(out, "command", campaign, "command_line");
	field_string(out, "seed", campaign, "seed");
	field_string(out, "host", campaign, "host");
	field_string(out, "kernel", campaign, "kernel");
	field_string(out, "eval", campaign, "eval_version");
	field_json(out, "parallel", json_object_get(campaign, "parallel"));
	field_string(out, "started", campaign, "started_at");
	field_string(out, "ended", campaign, "ended_at");
}

void report_campaign(FILE *out, int reader_fd, const json_t *campaign)
{
	print_wrapped(out, reader_fd, print_fields, campaign);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/inject_report.h"

#include <string.h>
#include <unistd.h>

#include "chaos/type.h"
#include "net/endpoint.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/output.h"

static void print_event(const char *event, json_t *fields)
{
	_cleanup_json_ json_t *document = NULL;
	char at[RFC3339_SIZE];

	if (!fields)
		log_warning("the event '%s' could not be made", event);
	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	json_object_set_new(fields, "at", json_string(at));
	json_object_set_new(fields, "event", json_string(event));
	document = json_document(fields);
	json_print(document, JSON_COMPACT, output_stdout());
	fputc('\n', output_stdout());
}

static void print_never_touched(const struct target *target)
{
	char text[ENDPOINT_TEXT_SIZE];

	fprintf(output_stdout(), "never touched:%s", target->protect_count ? "" : " nothing is protected");
	for (size_t i = 0; i < target->protect_count; i++)
		fprintf(output_stdout(), "%s %s", i ? "," : "", protect_format(&target->protect[i], text));
	fputc('\n', output_stdout());
}

void inject_report_started(const struct inject_report *report, const char *engine)
{
	const struct target *target = report->spec->target;

	if (report->json) {
		_cleanup_json_ json_t *devices = json_array();
		_cleanup_json_ json_t *data_dirs = json_array();
		_cleanup_json_ json_t *fields = NULL;

		for (size_t i = 0; i < target->device_count; i++)
			json_array_append_new(devices, json_outside(target->devices[i].name));
		for (size_t i = 0; i < target->directory_count; i++)
			json_array_append_new(data_dirs, json_outside(target->directories[i].path));
		fields = json_pack("{s:s, s:s, s:O, s:O, s:o, s:O, s:f, s:o}", "type", report->spec->ops->name,
				   "engine", engine, "devices", devices, "data_dirs", data_dirs, "protect",
				   target_protect_json(target), "params", report->spec->params, "seconds",
				   report->seconds, "seed",
				   json_sprintf("%llu", (unsigned long long)report->spec->seed));
		print_event("injected", fields);
		return;
	}
	fprintf(output_stdout(), "%s (%s) on", report->spec->ops->name, engine);
	for (size_t i = 0; i < target->device_count; i++)
		fprintf(output_stdout(), "%s %s", i ? "," : "", target->devices[i].name);
	for (size_t i = 0; i < target->directory_count; i++)
		fprintf(output_stdout(), "%s %s", i ? "," : "", target->directories[i].path);
	fprintf(output_stdout(), " for %g s, seed %llu; Ctrl+C ends it\n", report->seconds,
		(unsigned long long)report->spec->seed);
	if (target->device_count)
		print_never_touched(target);
}

static void print_reasons(const json_t *evidence)
{
	const json_t *note;
	size_t i;

	json_array_foreach (json_object_get(evidence, "notes"), i, note)
		fprintf(output_stdout(), "%s\n", json_string_value(note));
}

static void warn_of_losses(const json_t *evidence)
{
	const json_t *loss;
	size_t i;

	json_array_foreach (json_object_get(evidence, "losses"), i, loss)
		log_warning("%s", json_text_or(loss, "text", ""));
}

int inject_report_reverted(const struct inject_report *report, json_t *evidence)
{
	json_int_t hit = json_integer_at(evidence, "hit");

	if (report->json) {
		_cleanup_json_ json_t *fields =
			json_pack("{s:O, s:b}", "evidence", evidence, "interrupted", report->interrupted);

		print_event("reverted", fields);
	} else {
		char text[256];

		report->spec->ops->describe(text, sizeof(text), evidence);
		fprintf(output_stdout(), "reverted%s: %s\n", report->interrupted ? " early" : "", text);
		print_reasons(evidence);
	}
	warn_of_losses(evidence);
	if (report->interrupted)
		return EXIT_INTERRUPTED;
	if (hit)
		return EXIT_OK;
	log_warning("the fault touched nothing: no %s while it was live", report->spec->ops->nothing);
	return EXIT_TRIALS;
}

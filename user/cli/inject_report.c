/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/inject_report.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "chaos/evidence.h"
#include "chaos/type.h"
#include "net/endpoint.h"
#include "report/report.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/output.h"
#include "util/terminal.h"

#define ENDPOINTS_SHOWN 8

/* Takes fields. */
static void print_event(const char *event, json_t *fields)
{
	_cleanup_json_ json_t *owned = fields;
	char at[RFC3339_SIZE];

	if (!fields)
		log_warning("the event '%s' could not be made", event);
	clock_format_rfc3339(at, sizeof(at), clock_realtime_ns());
	json_object_set_new(fields, "at", json_string(at));
	json_object_set_new(fields, "event", json_string(event));
	json_print_document(fields, JSON_COMPACT, output_stdout());
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

static void print_endpoints(const char *title, const struct endpoint *endpoints, size_t count)
{
	char text[ENDPOINT_TEXT_SIZE];

	fprintf(output_stdout(), "%s:", title);
	for (size_t i = 0; i < count && i < ENDPOINTS_SHOWN; i++)
		fprintf(output_stdout(), "%s %s", i ? "," : "", endpoint_format(&endpoints[i], text));
	if (count > ENDPOINTS_SHOWN)
		fprintf(output_stdout(), " and %zu more", count - ENDPOINTS_SHOWN);
	fputc('\n', output_stdout());
}

static void print_names(const json_t *names)
{
	const json_t *addresses, *address;
	const char *name;
	size_t i;

	json_object_foreach ((json_t *)names, name, addresses) {
		fprintf(output_stdout(), "%s is", name);
		json_array_foreach (addresses, i, address)
			fprintf(output_stdout(), "%s %s", i ? "," : "", json_string_value(address));
		fputc('\n', output_stdout());
	}
}

/* What the fault acts on, and how. */
static void print_what(const struct fault_spec *spec)
{
	const struct target *target = spec->target;
	const char *key;
	json_t *value;

	fprintf(output_stdout(), "target: %s\n", *target->node ? target->node : "this host");
	print_names(target->names);
	if (target->local_count)
		print_endpoints("its addresses", target->locals, target->local_count);
	if (target->peers_all)
		fputs("peers: all\n", output_stdout());
	else if (target->peer_count)
		print_endpoints("peers", target->peers, target->peer_count);
	fputs("parameters:", output_stdout());
	json_object_foreach ((json_t *)spec->params, key, value) {
		_cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));

		fprintf(output_stdout(), " %s=%s", key, json_is_string(value) ? json_string_value(value) : text ?: "?");
	}
	fputc('\n', output_stdout());
}

void inject_report_started(const struct inject_report *report, const char *engine)
{
	const struct target *target = report->spec->target;

	if (report->json) {
		print_event("injected",
			    json_pack("{s:s, s:s, s:o, s:o, s:o, s:O, s:f, s:o, s:O*}", "type", report->spec->ops->name,
				      "engine", engine, "devices", target_devices_json(target), "data_dirs",
				      target_directories_json(target), "protect", target_protect_json(target), "params",
				      report->spec->params, "seconds", report->seconds, "seed",
				      json_sprintf("%llu", (unsigned long long)report->spec->seed), "names",
				      json_object_size(target->names) ? target->names : NULL));
		return;
	}
	fprintf(output_stdout(), "%s (%s) on", report->spec->ops->name, engine);
	for (size_t i = 0; i < target->device_count; i++)
		fprintf(output_stdout(), "%s %s", i ? "," : "", target->devices[i].name);
	for (size_t i = 0; i < target->directory_count; i++)
		fprintf(output_stdout(), "%s %s", i ? "," : "", target->directories[i].path);
	fprintf(output_stdout(), " for %g s, seed %llu; Ctrl+C ends it\n", report->seconds,
		(unsigned long long)report->spec->seed);
	print_what(report->spec);
	if (target->device_count)
		print_never_touched(target);
}

bool inject_report_redraws(const struct inject_report *report)
{
	return !report->json && terminal_has_codes(STDOUT_FILENO);
}

void inject_report_holding(struct inject_report *report, const json_t *evidence, double seconds_left)
{
	char hits[REPORT_CELL_SIZE];

	terminal_code(output_stdout(), "\r\033[K");
	fprintf(output_stdout(), "%.0f s left, hits: %s", ceil(seconds_left),
		report_count(hits, json_object_get(evidence, "hit")));
	fflush(output_stdout());
	report->line_open = true;
}

/* Ends the line of inject_report_holding. */
static void end_line(struct inject_report *report)
{
	if (report->line_open)
		terminal_code(output_stdout(), "\r\033[K");
	report->line_open = false;
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

int inject_report_reverted(struct inject_report *report, json_t *evidence)
{
	json_int_t hit = json_integer_at(evidence, "hit");
	char instead[768];

	end_line(report);
	if (report->json) {
		print_event("reverted",
			    json_pack("{s:O, s:b}", "evidence", evidence, "interrupted", report->interrupted));
	} else {
		char text[256];

		report->spec->ops->describe(text, sizeof(text), evidence);
		fprintf(output_stdout(), "reverted%s: %s\n", report->interrupted ? " early" : "", text);
		print_reasons(evidence);
		report_delays(output_stdout(), evidence);
	}
	warn_of_losses(evidence);
	if (report->interrupted)
		return EXIT_INTERRUPTED;
	if (hit)
		return EXIT_OK;
	evidence_explain_nothing(instead, sizeof(instead), evidence);
	log_warning("the fault touched nothing: no %s while it was live%s%s", report->spec->ops->nothing,
		    *instead ? "; " : "", instead);
	return EXIT_TRIALS;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Prints a trial's evidence. */
#include "report/internal.h"

#include <math.h>
#include <stdbool.h>

#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

#define PEERS_SHOWN 8

static void print_direction_loss(FILE *out, const json_t *counters)
{
	const json_t *dropped = json_object_get(json_object_get(counters, "line"), "line_dropped");
	const json_t *failed = json_object_get(counters, "failed");
	char cell[REPORT_CELL_SIZE];

	if (json_integer_value(dropped))
		fprintf(out, "    dropped by the line: %s\n", report_count(cell, dropped));
	if (json_integer_value(failed))
		fprintf(out, "    matched but passed untouched: %s\n", report_count(cell, failed));
}

static void print_delays(FILE *out, const json_t *counters)
{
	static const char *const histograms[] = {"drawn", "applied"};

	for (size_t i = 0; i < ARRAY_SIZE(histograms); i++) {
		const json_t *histogram = json_object_get(counters, histograms[i]);

		if (!json_integer_at(histogram, "count"))
			continue;
		fprintf(out, "    delay %s, mean %.3f ms\n", histograms[i],
			json_number_value(json_object_get(histogram, "mean_us")) / 1000);
		report_histogram(out, histogram, "      ");
	}
}

/* with_loss: for older records, whose evidence has no "losses". */
static void print_direction(FILE *out, const char *device, const char *direction, const json_t *counters,
			    bool with_loss)
{
	char seen[REPORT_CELL_SIZE], hit[REPORT_CELL_SIZE], bytes[REPORT_CELL_SIZE];

	if (!json_is_object(counters))
		return;
	fprintf(out, "  %s %s: seen %s, hit %s, bytes %s\n", device, direction,
		report_count(seen, json_object_get(counters, "seen")),
		report_count(hit, json_object_get(counters, "hit")),
		report_count(bytes, json_object_get(counters, "bytes")));
	if (with_loss)
		print_direction_loss(out, counters);
	print_delays(out, counters);
}

void report_delays(FILE *out, const json_t *evidence)
{
	static const char *const directions[] = {"egress", "ingress"};
	const json_t *device;
	size_t i;

	print_delays(out, evidence);
	json_array_foreach (json_object_get(evidence, "devices"), i, device)
		for (size_t j = 0; j < ARRAY_SIZE(directions); j++) {
			const json_t *counters = json_object_get(device, directions[j]);

			if (!json_integer_at(json_object_get(counters, "drawn"), "count"))
				continue;
			fprintf(out, "  %s %s\n", json_text_or(device, "device", "?"), directions[j]);
			print_delays(out, counters);
		}
}

/* "write of 4096 bytes at 8192, /data/wal: held for 20.1 ms, asked 20.0" */
static void print_slow_call(FILE *out, const json_t *call)
{
	double asked_ms = json_number_at(call, "asked_ms");

	fprintf(out, "    %s of %lld bytes at %lld, ", json_text_or(call, "call", "?"),
		(long long)json_integer_at(call, "length"), (long long)json_integer_at(call, "offset"));
	text_print(json_text_or(call, "file", "?"), out);
	fprintf(out, ": held for %.1f ms", json_number_at(call, "held_ms"));
	if (!isnan(asked_ms))
		fprintf(out, ", asked %.1f", asked_ms);
	fputc('\n', out);
}

/* Calls on files: by operation, how long they were held, and the slowest. */
static void print_calls(FILE *out, const json_t *evidence)
{
	const json_t *operations = json_object_get(evidence, "operations"), *one;
	char seen[REPORT_CELL_SIZE], hit[REPORT_CELL_SIZE];
	const char *name;
	size_t i;

	if (!operations)
		return;
	json_object_foreach ((json_t *)operations, name, one)
		if (json_integer_at(one, "seen"))
			fprintf(out, "    %s: seen %s, hit %s\n", name,
				report_count(seen, json_object_get(one, "seen")),
				report_count(hit, json_object_get(one, "hit")));
	print_delays(out, evidence);
	json_array_foreach (json_object_get(evidence, "slowest"), i, one)
		print_slow_call(out, one);
}

/* Prints the members of evidence that no other line shows. */
static void print_other_evidence(FILE *out, const json_t *evidence)
{
	static const char *const shown[] = {"engine",     "seen",      "hit",     "bytes",  "devices",
					    "peers",      "unmatched", "targets", "losses", "notes",
					    "operations", "drawn",     "applied", "slowest"};
	_cleanup_json_ json_t *rest = json_copy((json_t *)evidence);

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		json_object_del(rest, shown[i]);
	if (json_object_size(rest))
		field_json(out, "also", rest);
}

static void print_peers(FILE *out, const json_t *peers)
{
	char egress[REPORT_CELL_SIZE], ingress[REPORT_CELL_SIZE];
	const json_t *peer;
	size_t i;

	json_array_foreach (peers, i, peer) {
		if (i == PEERS_SHOWN) {
			fprintf(out, "    and %zu more peers (--json has all)\n", json_array_size(peers) - i);
			return;
		}
		fprintf(out, "    peer %s: egress %s, ingress %s\n", json_text_or(peer, "peer", "?"),
			report_count(egress, json_object_get(peer, "egress")),
			report_count(ingress, json_object_get(peer, "ingress")));
	}
}

/* target is the node's name if there are several targets, otherwise "". */
static void print_fault(FILE *out, const char *target, const json_t *evidence)
{
	char seen[REPORT_CELL_SIZE], hit[REPORT_CELL_SIZE], bytes[REPORT_CELL_SIZE];
	const json_t *losses = json_object_get(evidence, "losses"), *loss, *note, *device;
	size_t i;

	fprintf(out, "  %s%sengine %s, seen %s, hit %s, bytes %s\n", target, target[0] ? ": " : "",
		json_text_or(evidence, "engine", "?"), report_count(seen, json_object_get(evidence, "seen")),
		report_count(hit, json_object_get(evidence, "hit")),
		report_count(bytes, json_object_get(evidence, "bytes")));
	json_array_foreach (json_object_get(evidence, "devices"), i, device) {
		const char *name = json_text_or(device, "device", "?");

		print_direction(out, name, "egress", json_object_get(device, "egress"), !losses);
		print_direction(out, name, "ingress", json_object_get(device, "ingress"), !losses);
	}
	print_peers(out, json_object_get(evidence, "peers"));
	print_calls(out, evidence);
	json_array_foreach (losses, i, loss)
		fprintf(out, "    %s\n", json_text_or(loss, "text", ""));
	json_array_foreach (json_object_get(evidence, "notes"), i, note)
		fprintf(out, "    %s\n", json_string_value(note));
	print_other_evidence(out, evidence);
}

void evidence_print(FILE *out, const json_t *evidence)
{
	json_t *targets = json_object_get(evidence, "targets"), *one;
	const char *target;

	if (!json_is_object(evidence))
		return;
	fputs("\nevidence from the kernel\n", out);
	if (!targets)
		print_fault(out, "", evidence);
	json_object_foreach (targets, target, one)
		print_fault(out, target, one);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a fault on file calls did or does: as evidence, in words, and for bpf-status. */
#include <string.h>

#include "chaos/calls/calls.h"
#include "chaos/evidence.h"
#include "kernel/live.h"
#include "kernel/stats.h"
#include "util/json.h"
#include "util/text.h"

static const char *const call_names[EVAL_CALLS] = {
	[EVAL_CALL_READ] = "read",         [EVAL_CALL_WRITE] = "write",     [EVAL_CALL_FALLOCATE] = "fallocate",
	[EVAL_CALL_TRUNCATE] = "truncate", [EVAL_CALL_UNKNOWN] = "unknown",
};

static json_t *slowest_to_json(const struct eval_calls *calls)
{
	json_t *list = json_array();

	for (size_t i = 0; i < EVAL_SLOW_CALLS && calls->slowest[i].held_ns; i++) {
		const struct eval_slow_call *slow = &calls->slowest[i];
		double asked_ms = (double)slow->asked_ns / 1e6;

		json_array_append_new(list,
				      json_pack("{s:o, s:s, s:I, s:I, s:I, s:o, s:f}", "file",
						json_text(slow->file, strnlen(slow->file, sizeof(slow->file))), "call",
						call_names[slow->call < EVAL_CALLS ? slow->call : EVAL_CALL_UNKNOWN],
						"offset", (json_int_t)slow->offset, "length", (json_int_t)slow->length,
						"thread", (json_int_t)slow->thread, "asked_ms",
						slow->asked_ns ? json_real(asked_ms) : json_null(), "held_ms",
						(double)slow->held_ns / 1e6));
	}
	return list;
}

static json_t *by_call(const struct eval_calls *calls, json_int_t *seen, json_int_t *hit)
{
	json_t *json = json_object();

	for (size_t i = 0; i < EVAL_CALLS; i++) {
		*seen += (json_int_t)calls->seen[i];
		*hit += (json_int_t)calls->hit[i];
		json_object_set_new(json, call_names[i],
				    json_pack("{s:I, s:I}", "seen", (json_int_t)calls->seen[i], "hit",
					      (json_int_t)calls->hit[i]));
	}
	return json;
}

/* Of disk_pressure. */
static void add_spaces(json_t *json, const struct eval_calls *calls)
{
	json_t *list = json_array();

	for (size_t i = 0; i < EVAL_CALLS_SPACES && calls->spaces[i].available_bytes; i++) {
		const struct eval_calls_space *space = &calls->spaces[i];

		json_array_append_new(list, json_pack("{s:I, s:I, s:I}", "available_at_start_bytes",
						      (json_int_t)space->available_bytes, "reserved_bytes",
						      (json_int_t)space->reserved_bytes, "left_bytes",
						      (json_int_t)space->left_bytes));
	}
	if (json_array_size(list))
		json_object_set(json, "spaces", list);
	json_decref(list);
}

static void add_losses(json_t *json, const struct eval_calls *calls)
{
	if (calls->overflowed)
		evidence_add_loss(json, (json_int_t)calls->overflowed,
				  "%llu call%s passed untouched: too many were held",
				  (unsigned long long)calls->overflowed, text_plural((long long)calls->overflowed));
	if (calls->folders_lost)
		evidence_add_loss(json, (json_int_t)calls->folders_lost,
				  "%llu new folder%s could not be marked: calls on files there passed untouched",
				  (unsigned long long)calls->folders_lost, text_plural((long long)calls->folders_lost));
}

/* Why nothing was hit, as far as the counters tell. */
static void explain_no_hit(json_t *json, const struct eval_calls *calls, json_int_t seen)
{
	if (!seen && !calls->other_cgroup)
		evidence_add_note(json, "no call was seen on a file below the data_dirs%s",
				  calls->folders ? ": were they opened before the fault was live?" : "");
	else
		evidence_add_note(json,
				  "%lld calls were seen: %llu of other operations, %llu on other files; %llu more came "
				  "from outside the target's cgroup",
				  (long long)seen, (unsigned long long)calls->other_operation,
				  (unsigned long long)calls->other_file, (unsigned long long)calls->other_cgroup);
}

static json_t *counts_to_json(const struct eval_calls *calls, const char *engine, json_int_t *seen, json_int_t *hit)
{
	json_t *operations = by_call(calls, seen, hit);

	return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}, s:I, s:I, s:i, s:o, s:[]}",
			 "engine", engine, "seen", *seen, "hit", *hit, "bytes", (json_int_t)calls->bytes,
			 "first_hit_ns",
			 calls->first_hit_ns ? json_integer((json_int_t)calls->first_hit_ns) : json_null(),
			 "operations", operations, "drawn", stats_histogram_to_json(&calls->asked), "applied",
			 stats_histogram_to_json(&calls->applied), "passed", "other_cgroup",
			 (json_int_t)calls->other_cgroup, "other_file", (json_int_t)calls->other_file,
			 "other_operation", (json_int_t)calls->other_operation, "held", (json_int_t)calls->held,
			 "released_early", (json_int_t)calls->released, "folders", (int)calls->folders, "slowest",
			 slowest_to_json(calls), "devices");
}

json_t *calls_to_json(const struct eval_calls *calls, const char *engine)
{
	json_int_t seen = 0, hit = 0;
	json_t *json = counts_to_json(calls, engine, &seen, &hit);

	add_spaces(json, calls);
	add_losses(json, calls);
	if (!hit)
		explain_no_hit(json, calls, seen);
	return json;
}

/* Losses are what is true of the last look, not a sum: the same files are looked at before each stall. */
json_t *calls_stalls_to_json(const struct eval_calls *calls, const char *engine)
{
	json_int_t seen = 0, hit = 0;
	json_t *json = counts_to_json(calls, engine, &seen, &hit);

	json_object_set_new(json, "stalls", json_integer((json_int_t)calls->stalls));
	json_object_set_new(json, "files", json_integer((json_int_t)calls->files_stalled));
	if (calls->overflowed)
		evidence_add_loss(json, (json_int_t)calls->overflowed,
				  "%llu file%s passed untouched: at most %d are stalled at a time",
				  (unsigned long long)calls->overflowed, text_plural((long long)calls->overflowed),
				  CALLS_STALL_FILES);
	if (calls->folders_lost)
		evidence_add_loss(json, (json_int_t)calls->folders_lost,
				  "%llu file%s or folders could not be opened or stalled: writers there passed",
				  (unsigned long long)calls->folders_lost, text_plural((long long)calls->folders_lost));
	if (hit)
		return json;
	if (!calls->stalls)
		evidence_add_note(json, "no file below the data_dirs could be stalled: either there was none that "
					"matches `files`, or only such as may be executed or are eval's own");
	else
		evidence_add_note(json,
				  "there were %llu stalls, the last of %llu file%s, and no writer of the target was "
				  "found waiting at the end of any; %llu others, outside of its cgroup, were",
				  (unsigned long long)calls->stalls, (unsigned long long)calls->files_stalled,
				  text_plural((long long)calls->files_stalled),
				  (unsigned long long)calls->other_cgroup);
	return json;
}

void calls_describe(char *out, size_t size, const json_t *evidence)
{
	double mean_us = json_number_at(json_object_get(evidence, "applied"), "mean_us");
	json_int_t hit = json_integer_at(evidence, "hit");

	snprintf(out, size, "%lld of %lld calls hit (%lld bytes)", (long long)hit,
		 (long long)json_integer_at(evidence, "seen"), (long long)json_integer_at(evidence, "bytes"));
	if (hit && mean_us > 0)
		text_append(out, size, ", held for %.1f ms on average", mean_us / 1000);
}

static void append_mean(char *out, size_t size, const char *what, const json_t *histogram)
{
	if (json_integer_at(histogram, "count"))
		text_append(out, size, "; %s %.1f ms (mean)", what, json_number_at(histogram, "mean_us") / 1000);
}

void calls_live(const struct live_fault *live, json_t *out)
{
	struct eval_calls calls;
	char text[256];
	json_t *json, *space;
	size_t i;

	if (live_fault_copy(live, EVAL_CALLS_MAP, &calls, sizeof(calls)))
		return;
	json = calls_to_json(&calls, "");
	json_object_del(json, "engine");
	json_object_del(json, "notes");
	json_object_del(json, "losses");
	json_object_set_new(json, "data_dirs",
			    json_text(calls.data_dirs, strnlen(calls.data_dirs, sizeof(calls.data_dirs))));
	/* The engine bpf has no folders: it asks for each call whether it is below a data_dir. */
	if (calls.folders)
		evidence_add_note_about(out, "disk", "%s: %u folders", json_text_or(json, "data_dirs", ""),
					calls.folders);
	else
		evidence_add_note_about(out, "disk", "%s", json_text_or(json, "data_dirs", ""));
	snprintf(text, sizeof(text), "seen %lld, hit %lld; held now %llu", (long long)json_integer_at(json, "seen"),
		 (long long)json_integer_at(json, "hit"), (unsigned long long)calls.held);
	append_mean(text, sizeof(text), "delay asked", json_object_get(json, "drawn"));
	append_mean(text, sizeof(text), "applied", json_object_get(json, "applied"));
	json_array_foreach (json_object_get(json, "spaces"), i, space)
		text_append(text, sizeof(text), "; %lld bytes left", (long long)json_integer_at(space, "left_bytes"));
	evidence_add_note_about(out, "calls", "%s", text);
	json_object_set_new(out, "calls", json);
}

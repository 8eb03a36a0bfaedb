/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What limits on disks did or do: as evidence, in words, and for bpf-status. */
#include <string.h>

#include "chaos/evidence.h"
#include "chaos/throttle/throttle.h"
#include "kernel/live.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

static const char *const done_names[EVAL_THROTTLE_LIMITS] = {"read_bytes", "write_bytes", "reads", "writes"};

static json_t *limits_to_json(const __u64 limits[EVAL_THROTTLE_LIMITS])
{
	json_t *json = json_object();

	for (size_t i = 0; i < EVAL_THROTTLE_LIMITS; i++)
		json_object_set_new(json, throttle_limit_names[i],
				    limits[i] == EVAL_THROTTLE_NO_LIMIT ? json_null()
									: json_integer((json_int_t)limits[i]));
	return json;
}

static json_t *throttle_counts_to_json(const __u64 counts[EVAL_THROTTLE_LIMITS], const char *const *names)
{
	json_t *json = json_object();

	for (size_t i = 0; i < EVAL_THROTTLE_LIMITS; i++)
		json_object_set_new(json, names[i], json_integer((json_int_t)counts[i]));
	return json;
}

static json_t *disk_to_json(const struct eval_throttle_disk *disk)
{
	char number[32];

	snprintf(number, sizeof(number), "%u:%u", disk->major, disk->minor);
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "disk",
			 json_text(disk->name, strnlen(disk->name, sizeof(disk->name))), "number", number, "limits",
			 limits_to_json(disk->ours), "before", limits_to_json(disk->before), "done",
			 throttle_counts_to_json(disk->done, done_names), "throttled",
			 throttle_counts_to_json(disk->held, done_names), "reached",
			 throttle_counts_to_json(disk->reached, throttle_limit_names), "restored",
			 disk->state == EVAL_THROTTLE_RESTORED);
}

static void explain_no_throttling(json_t *json, const struct eval_throttle *shared, json_int_t seen)
{
	if (!seen)
		evidence_add_note(json,
				  "the cgroup did nothing on these disks: is it the one whose processes use them?");
	else
		evidence_add_note(json,
				  "%lld reads and writes, but no limit was reached: it was always below 90 %% of each",
				  (long long)seen);
	if (shared->intervals < 5)
		evidence_add_note(json, "the limits were in force for %.1f s only",
				  (double)shared->limited_ns / (double)NSEC_PER_SEC);
}

json_t *throttle_to_json(const struct eval_throttle *shared)
{
	json_int_t seen = 0, hit = 0, bytes = 0;
	json_t *disks = json_array(), *json;

	for (size_t i = 0; i < shared->disk_count; i++) {
		const struct eval_throttle_disk *disk = &shared->disks[i];

		seen += (json_int_t)(disk->done[EVAL_THROTTLE_READ_IOPS] + disk->done[EVAL_THROTTLE_WRITE_IOPS]);
		hit += (json_int_t)(disk->held[EVAL_THROTTLE_READ_IOPS] + disk->held[EVAL_THROTTLE_WRITE_IOPS]);
		bytes += (json_int_t)(disk->held[EVAL_THROTTLE_READ_BPS] + disk->held[EVAL_THROTTLE_WRITE_BPS]);
		json_array_append_new(disks, disk_to_json(disk));
	}
	json = json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:i, s:f, s:I, s:f, s:[]}", "engine", "io.max", "seen",
			 seen, "hit", hit, "bytes", bytes, "first_hit_ns",
			 shared->first_hit_ns ? json_integer((json_int_t)shared->first_hit_ns) : json_null(), "disks",
			 disks, "cgroup", json_text(shared->cgroup, strnlen(shared->cgroup, sizeof(shared->cgroup))),
			 "cgroups", (int)shared->cgroups, "limited_seconds",
			 (double)shared->limited_ns / (double)NSEC_PER_SEC, "intervals", (json_int_t)shared->intervals,
			 "pressure_seconds", (double)shared->waited_us / 1e6, "devices");
	if (!hit)
		explain_no_throttling(json, shared, seen);
	for (size_t i = 0; i < shared->disk_count; i++)
		if (shared->disks[i].state == EVAL_THROTTLE_CHANGED)
			evidence_add_note(json,
					  "disk %s: somebody else has changed its limits, which were left as they are",
					  shared->disks[i].name);
	return json;
}

void throttle_describe(char *out, size_t size, const json_t *evidence)
{
	json_int_t hit = json_integer_at(evidence, "hit"), seen = json_integer_at(evidence, "seen");
	double seconds = json_number_at(evidence, "limited_seconds");
	const json_t *disk;
	size_t i;

	snprintf(out, size, "%lld of %lld reads and writes at a limit (%lld bytes)", (long long)hit, (long long)seen,
		 (long long)json_integer_at(evidence, "bytes"));
	json_array_foreach (json_object_get(evidence, "disks"), i, disk) {
		const json_t *done = json_object_get(disk, "done");

		if (seconds > 0)
			text_append(out, size, "; %s: %.0f bytes/s read, %.0f written", json_text_or(disk, "disk", "?"),
				    (double)json_integer_at(done, "read_bytes") / seconds,
				    (double)json_integer_at(done, "write_bytes") / seconds);
	}
}

void throttle_live(const struct live_fault *live, json_t *out)
{
	struct eval_throttle shared;
	json_t *json;

	if (live_fault_copy(live, EVAL_THROTTLE_MAP, &shared, sizeof(shared)))
		return;
	json = throttle_to_json(&shared);
	json_object_del(json, "engine");
	json_object_del(json, "notes");
	json_object_set_new(json, "data_dirs",
			    json_text(shared.data_dirs, strnlen(shared.data_dirs, sizeof(shared.data_dirs))));
	evidence_add_note_about(out, "disk", "%s: limits of cgroup %s", json_text_or(json, "data_dirs", ""),
				json_text_or(json, "cgroup", ""));
	for (size_t i = 0; i < shared.disk_count && i < EVAL_THROTTLE_DISKS; i++) {
		char text[THROTTLE_TEXT_SIZE];

		evidence_add_note_about(out, "limits", "%.31s: %s", shared.disks[i].name,
					throttle_limits_text(text, shared.disks[i].ours));
	}
	json_object_set_new(out, "throttle", json);
}

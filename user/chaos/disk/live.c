/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a disk fault did or does, in words and for bpf-status. */
#include <string.h>

#include "chaos/calls/calls.h"
#include "chaos/disk/disk.h"
#include "chaos/evidence.h"
#include "eval_abi.h"
#include "kernel/live.h"
#include "kernel/stats.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/text.h"

void disk_describe(char *out, size_t size, const json_t *evidence)
{
	json_int_t shrunk = json_integer_at(evidence, "statfs_shrunk"), bytes = json_integer_at(evidence, "bytes");
	json_int_t seen = json_integer_at(evidence, "seen");

	out[0] = '\0';
	if (json_object_get(evidence, "refused"))
		text_append(out, size,
			    "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " calls refused (%" JSON_INTEGER_FORMAT
			    " bytes), %" JSON_INTEGER_FORMAT " answers of statfs shrunk",
			    json_integer_at(evidence, "hit") - shrunk, seen, bytes, shrunk);
	else
		text_append(out, size,
			    "%" JSON_INTEGER_FORMAT " bytes taken on %" JSON_INTEGER_FORMAT " file system(s)", bytes,
			    seen);
}

json_t *disk_refused(const struct eval_disk *disk)
{
	return json_pack("{s:I, s:I, s:I}", "write", (json_int_t)disk->refused[EVAL_DISK_WRITE], "append",
			 (json_int_t)disk->refused[EVAL_DISK_APPEND], "fallocate",
			 (json_int_t)disk->refused[EVAL_DISK_FALLOCATE]);
}

uint64_t disk_left_bytes(uint64_t limit_bytes, uint64_t charged_bytes)
{
	return limit_bytes > charged_bytes ? limit_bytes - charged_bytes : 0;
}

/* The fill engine has no programs, and thus no counters. */
static void hook_live(const struct live_fault *live, const struct eval_disk *disk, json_t *json, json_t *out)
{
	_cleanup_close_ int stats_fd = live_fault_map_open(live, EVAL_STATS_MAP);
	struct eval_stats stats = {};
	json_t *refused;

	if (stats_fd < 0 || stats_read(stats_fd, 0, &stats))
		return;
	refused = disk_refused(disk);
	json_object_set_new(json, "seen", json_integer((json_int_t)stats.seen));
	json_object_set_new(json, "refused", refused);
	json_object_set_new(json, "statfs_shrunk", json_integer((json_int_t)disk->statfs_shrunk));
	evidence_add_note_about(out, "calls",
				"seen %" JSON_INTEGER_FORMAT "; refused: write %" JSON_INTEGER_FORMAT
				", append %" JSON_INTEGER_FORMAT ", fallocate %" JSON_INTEGER_FORMAT
				"; statfs shrunk %" JSON_INTEGER_FORMAT,
				(json_int_t)stats.seen, json_integer_at(refused, "write"),
				json_integer_at(refused, "append"), json_integer_at(refused, "fallocate"),
				(json_int_t)disk->statfs_shrunk);
}

void disk_live(const struct live_fault *live, json_t *out)
{
	const struct eval_disk *disk = live_fault_disk(live);
	bool by_fill = !strcmp(live->ctl->engine, disk_fill_engine.name);
	__u64 left = 0, reserved = 0;
	json_t *json;

	if (by_fill)
		json_object_set_new(out, "over",
				    json_string("its holder gives the space back as soon as it runs, or ends"));
	if (!disk) {
		calls_live(live, out);
		return;
	}
	for (size_t i = 0; i < EVAL_DISK_DIRS; i++) {
		left += disk_left_bytes(disk->spaces[i].limit_bytes, disk->spaces[i].charged_bytes);
		reserved += disk->spaces[i].reserved_bytes;
	}
	json = json_pack("{s:o, s:I, s:I}", "data_dirs",
			 json_text(disk->data_dirs, strnlen(disk->data_dirs, sizeof(disk->data_dirs))), "left_bytes",
			 (json_int_t)left, "reserved_bytes", (json_int_t)reserved);
	json_object_set_new(out, "disk", json);
	evidence_add_note_about(out, "disk", "%s: %" JSON_INTEGER_FORMAT " bytes left, %" JSON_INTEGER_FORMAT " %s",
				json_text_or(json, "data_dirs", ""), (json_int_t)left, (json_int_t)reserved,
				by_fill ? "are held by a file without a name" : "are reported as used");
	hook_live(live, disk, json, out);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The chaos type disk_pressure: its fields, and the choice of an engine. */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "chaos/calls/calls.h"
#include "chaos/disk/disk.h"
#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/kinds.h"
#include "util/cleanup.h"
#include "util/json.h"

#define BYTES_MAX 1e15 /* exact as a JSON number */

static const char *const engines[] = {"auto", "hook", "precontent", "fill", NULL};
static const char *const errnos[] = {"ENOSPC", "EDQUOT", "EIO", "EROFS", NULL};
static const char *const switches[] = {"auto", "on", "off", NULL};

static const struct chaos_field fields[] = {
	{.name = "fill_percent",
	 .type = FIELD_NUMBER,
	 .max = 100,
	 .arg = "PERCENT",
	 .help = "share of the space available at the start that appears to be used, above 0"},
	{.name = "leave_bytes",
	 .type = FIELD_INTEGER,
	 .max = BYTES_MAX,
	 .arg = "BYTES",
	 .help = "instead: how much stays available"},
	{.name = "engine",
	 .type = FIELD_CHOICE,
	 .choices = engines,
	 .fallback = "\"auto\"",
	 .arg = "auto|hook|precontent|fill",
	 .help = "hook refuses calls in the kernel, precontent by fanotify, fill takes the space by a file (default: "
		 "auto, the first that is possible)"},
	{.name = "errno",
	 .type = FIELD_CHOICE,
	 .choices = errnos,
	 .fallback = "\"ENOSPC\"",
	 .arg = "ENOSPC|EDQUOT|EIO|EROFS",
	 .help = "what refused calls get (default: ENOSPC)"},
	{.name = "statfs",
	 .type = FIELD_CHOICE,
	 .choices = switches,
	 .fallback = "\"auto\"",
	 .arg = "auto|on|off",
	 .help = "whether df and statvfs see it, too (default: auto, if possible)"},
	CHAOS_FIELD_DATA_DIRS,
	{},
};

static const struct chaos_requirement requires[] = {
	{.feature = FEATURE_FMOD_RET, .param = "engine", .value = "hook"},
	{FEATURE_GROWTH, "engine", "hook", .gives = "overwriting goes on on a full disk"},
	{FEATURE_STATFS, "engine", "hook", .gives = "df tells what is left"},
	{.feature = FEATURE_STATFS, .param = "statfs", .value = "on"},
	{.feature = FEATURE_PRECONTENT, .param = "engine", .value = "precontent"},
	{},
};

struct disk_fault {
	struct disk_chosen chosen;
	/* Why auto did not choose these; .code 0: they were not tried, or chosen. */
	struct error why_not_hook, why_not_precontent;
};

static int check_amount(const json_t *params, const char **field, struct error *err)
{
	const json_t *percent = json_object_get(params, "fill_percent");
	const json_t *leave = json_object_get(params, "leave_bytes");

	*field = percent ? "fill_percent" : NULL;
	if (percent && leave)
		return error_set(err, -EINVAL, "fill_percent and leave_bytes exclude each other");
	if (!percent && !leave)
		return error_set(err, -EINVAL, "disk_pressure needs either fill_percent or leave_bytes");
	if (percent && json_number_value(percent) <= 0)
		return error_set(err, -EINVAL, "fill_percent must be above 0");
	return 0;
}

static int check_engine(const json_t *params, const char *engine, const char **field, struct error *err)
{
	const char *name = json_text_or(params, "errno", ""), *statfs = json_text_or(params, "statfs", "");

	*field = "errno";
	if (!strcmp(engine, "fill") && strcmp(name, "ENOSPC") != 0)
		return error_set(err, -EINVAL, "engine: fill gives ENOSPC only; errno: %s needs engine: hook", name);
	if (!strcmp(engine, "precontent") && !calls_errno(name))
		return error_set(err, -EINVAL, "engine: precontent cannot give %s; that needs engine: hook", name);
	*field = "statfs";
	if (!strcmp(engine, "fill") && !strcmp(statfs, "off"))
		return error_set(err, -EINVAL, "engine: fill is always seen by df; statfs: off needs engine: hook");
	if (!strcmp(engine, "precontent") && !strcmp(statfs, "on"))
		return error_set(err, -EINVAL, "engine: precontent is never seen by df; statfs: on needs engine: hook");
	return 0;
}

static int disk_check(const json_t *params, const char **field, struct error *err)
{
	int ret = check_amount(params, field, err);

	return ret ? ret : check_engine(params, json_text_or(params, "engine", ""), field, err);
}

/* Drops the advice to use engine: fill, where that is used already or is refused, too. */
static void cut_advice(struct error *err)
{
	static const char advice[] = ": use engine: fill", other[] = ", or ";
	char *at = strstr(err->text, advice), *after = at ? at + strlen(advice) : NULL;

	if (!at)
		return;
	if (strncmp(after, other, strlen(other))) {
		*at = '\0';
		return;
	}
	after += strlen(other);
	memmove(at + strlen(": "), after, strlen(after) + 1);
}

/* The errors of an engine that this kernel or file system does not have: only then does auto try the next one. */
static bool kernel_refuses(int code)
{
	return code == -EPERM || code == -EOPNOTSUPP || code == -ENOSYS;
}

/* Returns 1 if auto has to try the next engine, for the reason in *why. */
static int try_engine_of(struct disk_fault *disk, const struct disk_engine *engine, const struct fault_spec *spec,
			 const char **shown, struct error *why, struct error *err)
{
	bool is_auto = !strcmp(fault_text_param(spec, "engine"), "auto");
	int ret;

	disk->chosen.engine = engine;
	ret = engine->open(&disk->chosen.state, spec, shown, err);
	if (!ret || !is_auto || !kernel_refuses(ret))
		return ret;
	*why = *err;
	cut_advice(why);
	*err = (struct error){0};
	return 1;
}

/* auto does not take this engine if it would not reach files that are open: the others do. */
static int try_precontent(struct disk_fault *disk, const struct fault_spec *spec, const char **shown, struct error *err)
{
	_cleanup_json_ json_t *opened = NULL;

	if (!strcmp(fault_text_param(spec, "engine"), "auto"))
		opened = calls_opened_before(spec);
	if (!opened)
		return try_engine_of(disk, &disk_precontent_engine, spec, shown, &disk->why_not_precontent, err);
	error_set(&disk->why_not_precontent, -EOPNOTSUPP, "%s", json_string_value(opened));
	return 1;
}

static int open_any(struct disk_fault *disk, const struct fault_spec *spec, const char **shown, struct error *err)
{
	const char *asked = fault_text_param(spec, "engine");
	bool is_auto = !strcmp(asked, "auto");
	int ret = 1;

	if (is_auto || !strcmp(asked, "hook"))
		ret = try_engine_of(disk, &disk_hook_engine, spec, shown, &disk->why_not_hook, err);
	if (ret == 1 && (is_auto || !strcmp(asked, "precontent")))
		ret = try_precontent(disk, spec, shown, err);
	if (ret != 1)
		return ret;
	if (strcmp(fault_text_param(spec, "errno"), "ENOSPC") || !strcmp(fault_text_param(spec, "statfs"), "off"))
		return error_set(err, -EOPNOTSUPP, "errno and statfs: off need engine: hook, but %s",
				 disk->why_not_hook.text);
	disk->chosen.engine = &disk_fill_engine;
	return disk->chosen.engine->open(&disk->chosen.state, spec, shown, err);
}

/* Why engine: fill would be refused, too; false if it would not. */
static bool fill_is_refused(const struct target *target, struct error *why)
{
	bool keeps_margin;

	for (size_t i = 0; i < target->directory_count; i++)
		if (disk_guard_fill(target, &target->directories[i], &keeps_margin, why))
			return true;
	return false;
}

/* Says why no engine could be used. */
static int refuse(struct disk_fault *disk, const struct target *target, int code, struct error *own, struct error *err)
{
	struct error fill = {};

	if (disk->why_not_hook.code)
		return error_set(err, code, "%.240s (engine: fill, as %.200s)", own->text, disk->why_not_hook.text);
	if (!strstr(own->text, ": use engine: fill") || !fill_is_refused(target, &fill))
		return error_set(err, code, "%s", own->text);
	cut_advice(own);
	return error_set(err, code, "%.240s; and %.240s", own->text, fill.text);
}

static int disk_prepare(struct fault *fault, void **state, struct error *err)
{
	struct disk_fault *disk = calloc(1, sizeof(*disk));
	struct error own = {};
	const char *shown = NULL;
	int ret;

	if (!disk)
		return error_set(err, -ENOMEM, "out of memory");
	ret = open_any(disk, fault_get_spec(fault), &shown, &own);
	if (ret) {
		ret = refuse(disk, fault_get_spec(fault)->target, ret, &own, err);
		free(disk);
		return ret;
	}
	fault_set_engine(fault, shown);
	*state = disk;
	return 0;
}

static json_t *disk_evidence(void *state)
{
	struct disk_fault *disk = state;
	json_t *evidence = disk_chosen_evidence(disk);

	if (evidence && disk->why_not_hook.code) {
		json_object_set_new(evidence, "why_not_hook", json_outside(disk->why_not_hook.text));
		evidence_add_note(evidence, "by engine %s, because %s%s%.200s", disk->chosen.engine->name,
				  disk->why_not_hook.text, disk->why_not_precontent.code ? "; and " : "",
				  disk->why_not_precontent.text);
	}
	return evidence;
}

const struct chaos_ops chaos_disk_pressure = {
	.name = "disk_pressure",
	.kind = EVAL_KIND_DISK_PRESSURE,
	.summary = "make the target's disk seem to fill up",
	.target = TARGET_DISK,
	.watches_opens = true,
	.fields = fields,
	.requires = requires,
	.verb = "act on",
	.nothing = "call ran out of space",
	.check = disk_check,
	.prepare = disk_prepare,
	.activate = disk_chosen_activate,
	.renew = disk_chosen_renew,
	.stop = disk_chosen_stop,
	.revert = disk_chosen_revert,
	.evidence = disk_evidence,
	.free = disk_chosen_free,
	.describe = disk_describe,
	.live = disk_live,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hook engine, which refuses calls in the kernel. */
#include "chaos/disk/hook.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/session.h"
#include "eval_disk.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "kernel/stats.h"
#include "util/cleanup.h"
#include "util/json.h"

static void hook_free(void *state)
{
	struct disk_hook *hook = state;

	if (!hook)
		return;
	if (hook->session)
		session_stop(hook->session);
	disk_hook_end_sampling(hook);
	disk_attach_detach(&hook->attach);
	session_free(hook->session);
	if (hook->attach.shared)
		munmap(hook->attach.shared, sizeof(*hook->attach.shared));
	disk_pressure_bpf__destroy(hook->skel);
	free(hook);
}

static int hook_open(void **state, const struct fault_spec *spec, const char **shown, struct error *err)
{
	struct disk_hook *hook;
	const char *engine;
	int ret;

	if (spec->target->directory_count > EVAL_DISK_DIRS)
		return error_set(err, -EINVAL, "at most %d data_dirs for one disk_pressure, found %zu", EVAL_DISK_DIRS,
				 spec->target->directory_count);
	for (size_t i = 0; i < spec->target->directory_count; i++) {
		ret = disk_guard_root(spec->target, &spec->target->directories[i], "would run out of space", err);
		if (ret)
			return ret;
	}
	hook = calloc(1, sizeof(*hook));
	if (!hook)
		return error_set(err, -ENOMEM, "out of memory");
	hook->attach.spec = spec;
	hook->attach.refusal = disk_hook_refusal(spec);
	hook->attach.instead = disk_fill_engine.name;
	ret = disk_hook_load(hook, err);
	engine = hook->by_growth ? "hook" : "hook-all-writes";
	if (!ret) {
		hook->attach.obj = hook->skel->obj;
		hook->attach.tests_fallocate = hook->by_growth;
		ret = disk_share(&hook->attach.shared, hook->skel->obj, spec->target, err);
	}
	if (!ret)
		ret = chaos_session_new(&hook->session, hook->skel->obj, spec, NULL, engine, err);
	if (ret) {
		hook_free(hook);
		return ret;
	}
	*shown = engine;
	*state = hook;
	return 0;
}

static int hook_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct disk_hook *hook = state;
	int ret = disk_hook_attach(hook, err);

	if (!ret)
		ret = disk_hook_start_sampling(hook, err);
	if (ret)
		return ret;
	chaos_session_follow_cgroup(hook->session, hook->attach.spec->target);
	return session_activate(hook->session, duration_ns, err);
}

static int hook_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct disk_hook *hook = state;
	int ret = session_check(hook->session, err);

	if (ret)
		return ret;
	chaos_session_follow_cgroup(hook->session, hook->attach.spec->target);
	session_renew(hook->session, lease_ns);
	return 0;
}

/* Also called by a signal handler: stores to shared memory only. */
static void hook_stop(void *state)
{
	struct disk_hook *hook = state;

	session_stop(hook->session);
}

static int hook_revert(void *state, struct error *err)
{
	struct disk_hook *hook = state;

	hook_stop(hook);
	disk_hook_end_sampling(hook);
	disk_attach_detach(&hook->attach);
	return 0;
}

static json_t *spaces_to_json(const struct disk_hook *hook)
{
	json_t *spaces = json_array();

	for (size_t i = 0; i < hook->attach.file_system_count; i++) {
		const struct disk_file_system *fs = &hook->attach.file_systems[i];
		const struct eval_disk_space *space = &hook->attach.shared->spaces[i];
		uint64_t charged = space->charged_bytes;

		json_array_append_new(spaces, json_pack("{s:o, s:s, s:I, s:I, s:I, s:I}", "data_dir",
							json_outside(fs->path), "file_system", fs->type,
							"available_at_start_bytes", (json_int_t)fs->available_bytes,
							"reserved_bytes", (json_int_t)fs->reserved_bytes,
							"charged_bytes", (json_int_t)charged, "left_bytes",
							(json_int_t)disk_left_bytes(space->limit_bytes, charged)));
	}
	return spaces;
}

static json_t *hook_evidence(void *state)
{
	const struct disk_hook *hook = state;
	const struct eval_disk *shared = hook->attach.shared;
	struct eval_stats stats = {};
	json_t *json;

	stats_read(object_map_fd(hook->skel->obj, EVAL_STATS_MAP), 0, &stats);
	json = json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:I, s:o, s:o, s:f, s:f, s:[]}", "engine",
			 hook->by_growth ? "hook" : "hook-all-writes", "seen", (json_int_t)stats.seen, "hit",
			 (json_int_t)stats.hit, "bytes", (json_int_t)stats.bytes, "first_hit_ns",
			 stats.first_hit_ns ? json_integer((json_int_t)stats.first_hit_ns) : json_null(), "refused",
			 disk_refused(shared), "statfs_shrunk", (json_int_t)shared->statfs_shrunk, "statfs",
			 hook->with_statfs      ? json_string("on")
			 : *hook->why_no_statfs ? json_sprintf("off: %s", hook->why_no_statfs)
						: json_string("off"),
			 "spaces", spaces_to_json(hook), "attach_ms", hook->attach.attach_ms, "detach_ms",
			 hook->attach.detach_ms, "devices");
	if (!json)
		return NULL;
	if (!hook->by_growth) {
		json_object_set_new(json, "why_not_growth", json_outside(hook->why_not_growth.text));
		evidence_add_note(json, "every write was refused, because %s", hook->why_not_growth.text);
	}
	if (*hook->why_no_statfs)
		evidence_add_note(json, "statfs: off: %s", hook->why_no_statfs);
	return json;
}

const struct disk_engine disk_hook_engine = {
	.name = "hook",
	.open = hook_open,
	.activate = hook_activate,
	.renew = hook_renew,
	.stop = hook_stop,
	.revert = hook_revert,
	.evidence = hook_evidence,
	.free = hook_free,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The precontent engine, which refuses calls by fanotify where BPF hooks are refused: Linux 6.14 and newer. */
#include <errno.h>
#include <string.h>

#include "chaos/calls/calls.h"
#include "chaos/disk/disk.h"
#include "chaos/evidence.h"
#include "util/json.h"

static int precontent_open(void **state, const struct fault_spec *spec, const char **shown, struct error *err)
{
	const char *name = fault_text_param(spec, "errno");

	if (!calls_errno(name))
		return error_set(err, -EOPNOTSUPP, "engine: precontent cannot give %s", name);
	if (!strcmp(fault_text_param(spec, "statfs"), "on"))
		return error_set(err, -EOPNOTSUPP,
				 "engine: precontent is not seen by df: statfs: on needs engine: hook");
	return calls_open(state, spec, CALLS_FILL, shown, err);
}

static json_t *precontent_evidence(void *state)
{
	json_t *evidence = calls_evidence(state), *operations = json_object_get(evidence, "operations");

	json_object_set_new(evidence, "refused",
			    json_pack("{s:I, s:i, s:I}", "write",
				      json_integer_at(json_object_get(operations, "write"), "hit"), "append", 0,
				      "fallocate", json_integer_at(json_object_get(operations, "fallocate"), "hit")));
	json_object_set_new(evidence, "statfs", json_string("off: the engine cannot"));
	return evidence;
}

const struct disk_engine disk_precontent_engine = {
	.name = "precontent",
	.open = precontent_open,
	.activate = calls_activate,
	.renew = calls_renew,
	.stop = calls_stop,
	.revert = calls_revert,
	.evidence = precontent_evidence,
	.free = calls_free,
};

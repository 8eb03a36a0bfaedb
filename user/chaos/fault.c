/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "chaos/type.h"
#include "eval_abi.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

struct fault {
	const struct fault_spec *spec;
	void *state; /* of spec->ops; NULL before prepare succeeded */
	const char *engine;
	bool active;
	uint64_t deadline_ns, lease_ns;
	uint64_t renewal_took_ns; /* the longest since it is live */
};

const char *fault_text_param(const struct fault_spec *spec, const char *name)
{
	return json_text_or(spec->params, name, "");
}

void fault_spec_renew_others(const struct fault_spec *spec)
{
	if (spec->renew_others)
		spec->renew_others(spec->renew_others_arg);
}

int fault_new(struct fault **out, const struct fault_spec *spec, struct error *err)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	int ret;

	if (!fault)
		return error_set(err, -ENOMEM, "out of memory");
	fault->spec = spec;
	ret = spec->ops->prepare(fault, &fault->state, err);
	if (ret) {
		free(fault);
		return ret;
	}
	*out = fault;
	return 0;
}

int fault_activate(struct fault *fault, uint64_t duration_ns, struct error *err)
{
	int ret;

	/*
	 * The lease is not renewed while a page fault waits for a slow disk, possibly the one under disk_pressure.
	 * The fault also works without locked memory, so an error is ignored.
	 */
	mlockall(MCL_CURRENT);
	fault->active = true;
	ret = fault->spec->ops->activate(fault->state, duration_ns, err);
	fault->deadline_ns = clock_monotonic_ns() + duration_ns;
	fault->lease_ns = clock_monotonic_ns() + LEASE_NS;
	return ret;
}

int fault_renew(struct fault *fault, struct error *err)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t live_until_ns = now_ns < fault->deadline_ns ? now_ns : fault->deadline_ns;
	uint64_t took_ns;
	int ret;

	if (live_until_ns > fault->lease_ns)
		return error_set(err, -ETIME,
				 "the fault was not live for %.1f s: its process was stopped, or this host is "
				 "overloaded (its longest renewal took %.1f s)",
				 (double)(live_until_ns - fault->lease_ns) / (double)NSEC_PER_SEC,
				 (double)fault->renewal_took_ns / (double)NSEC_PER_SEC);
	fault->lease_ns = now_ns + LEASE_NS;
	ret = fault->spec->ops->renew(fault->state, fault->lease_ns, err);
	took_ns = clock_monotonic_ns() - now_ns;
	if (took_ns > fault->renewal_took_ns)
		fault->renewal_took_ns = took_ns;
	return ret;
}

void fault_stop(struct fault *fault)
{
	fault->spec->ops->stop(fault->state);
}

int fault_revert(struct fault *fault, struct error *err)
{
	if (!fault->active)
		return 0;
	fault->active = false;
	return fault->spec->ops->revert(fault->state, err);
}

json_t *fault_evidence(struct fault *fault)
{
	json_t *evidence = fault->spec->ops->evidence(fault->state);

	_cleanup_json_ json_t *empty = json_pack("{s:[], s:[]}", "losses", "notes");

	json_object_update_missing(evidence, empty);
	return evidence;
}

const char *fault_engine(const struct fault *fault)
{
	return fault->engine;
}

void fault_free(struct fault *fault)
{
	if (!fault)
		return;
	fault_revert(fault, NULL);
	fault->spec->ops->free(fault->state);
	free(fault);
}

const struct fault_spec *fault_get_spec(const struct fault *fault)
{
	return fault->spec;
}

void fault_set_engine(struct fault *fault, const char *engine)
{
	fault->engine = engine;
}

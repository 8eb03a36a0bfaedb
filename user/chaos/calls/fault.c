/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a fault on file calls: its control block, and the process that answers or stalls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "calls.skel.h"
#include "chaos/calls/calls.h"
#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/helper.h"
#include "chaos/session.h"
#include "kernel/features.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* Longer than marking takes: 100,000 folders take 2 s. */
#define READY_NS (60 * NSEC_PER_SEC)
#define END_WAIT_MS 1000

struct calls_fault {
	const struct fault_spec *spec;
	struct calls_request request;
	const struct calls_engine *engine;
	struct error why_not_first; /* why auto took another engine; .code 0: it did not */
	struct calls_bpf *skel;
	struct session *session;
	struct eval_ctl *ctl; /* the process's view */
	struct eval_calls *shared;
	struct helper helper; /* answers */
	json_t *untouched;    /* files that were open before the kernel could ask about them */
};

void calls_free(void *state)
{
	struct calls_fault *fault = state;

	if (!fault)
		return;
	calls_revert(fault, NULL);
	session_free(fault->session);
	if (fault->shared)
		munmap(fault->shared, sizeof(*fault->shared));
	if (fault->ctl)
		munmap(fault->ctl, sizeof(*fault->ctl));
	calls_bpf__destroy(fault->skel);
	json_decref(fault->untouched);
	free(fault);
}

static int share(struct calls_fault *fault, struct error *err)
{
	fault->ctl = object_map_state(fault->skel->obj, EVAL_CTL_MAP, sizeof(*fault->ctl), err);
	if (!fault->ctl)
		return err ? err->code : -EIO;
	return calls_share(&fault->shared, fault->skel->obj, fault->spec->target, err);
}

static int open_calls_session(struct calls_fault *fault, struct error *err)
{
	int ret;

	fault->skel = calls_bpf__open();
	if (!fault->skel)
		return error_set_errno(err, -errno, "cannot open the control block");
	ret = object_load(fault->skel->obj, err);
	if (!ret)
		ret = share(fault, err);
	return ret ? ret
		   : chaos_session_new(&fault->session, fault->skel->obj, fault->spec, NULL, fault->engine->name, err);
}

int calls_open(void **state, const struct fault_spec *spec, enum calls_effect effect, const char **shown,
	       struct error *err)
{
	struct calls_fault *own = calloc(1, sizeof(*own));
	int ret;

	if (!own)
		return error_set(err, -ENOMEM, "out of memory");
	own->spec = spec;
	own->helper = effect == CALLS_STALL ? HELPER_NONE(CALLS_STALL_PROCESS, "stalls files")
					    : HELPER_NONE(CALLS_PROCESS, "answers file calls");
	own->request = calls_request_of(spec, effect);
	ret = calls_check_directories(spec->target, CALLS_ROOTS, err);
	if (!ret)
		ret = calls_choose(&own->engine, spec, &own->request, &own->why_not_first, err);
	if (!ret)
		ret = open_calls_session(own, err);
	if (ret) {
		calls_free(own);
		return ret;
	}
	*shown = own->engine->name;
	*state = own;
	return 0;
}

int calls_prepare(struct fault *fault, void **state, enum calls_effect effect, struct error *err)
{
	const char *shown = NULL;
	int ret = calls_open(state, fault_get_spec(fault), effect, &shown, err);

	if (!ret)
		fault_set_engine(fault, shown);
	return ret;
}

static void run_child(int socket, const void *arg)
{
	const struct calls_fault *fault = arg;
	const struct target *target = fault->spec->target;
	int roots[CALLS_ROOTS];

	for (size_t i = 0; i < target->directory_count; i++)
		roots[i] = target->directories[i].fd;
	(fault->request.effect == CALLS_STALL ? calls_stall : calls_serve)(&(struct calls_server){
		.engine = fault->engine,
		.request = &fault->request,
		.ctl = fault->ctl,
		.shared = fault->shared,
		.has_cgroup = target->cgroup_path != NULL,
		.root_fds = roots,
		.root_count = target->directory_count,
		.socket = socket,
	});
}

int calls_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct calls_fault *fault = state;
	int ret = helper_start(&fault->helper, run_child, fault, err);

	if (!ret)
		ret = helper_wait_answer(&fault->helper, fault->spec, fault->session, READY_NS,
					 "the folders below the data_dirs were not walked through within 60 s", err);
	if (ret)
		return ret;
	if (fault->engine != &calls_lock && !features_try_precontent())
		fault->untouched = calls_opened_before(fault->spec);
	chaos_session_follow_cgroup(fault->session, fault->spec->target);
	return session_activate(fault->session, duration_ns, err);
}

int calls_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct calls_fault *fault = state;
	uint64_t beat_ns = __atomic_load_n(&fault->shared->beat_ns, __ATOMIC_ACQUIRE);
	int ret = session_check(fault->session, err);

	if (!ret)
		ret = helper_check(&fault->helper, beat_ns, err);
	if (ret)
		return ret;
	chaos_session_follow_cgroup(fault->session, fault->spec->target);
	session_renew(fault->session, lease_ns);
	return 0;
}

/* Also called by a signal handler. The process sees it within 10 ms. */
void calls_stop(void *state)
{
	struct calls_fault *fault = state;

	session_stop(fault->session);
}

int calls_revert(void *state, struct error *err)
{
	struct calls_fault *fault = state;

	if (fault->session)
		calls_stop(fault);
	/* Its end lets every held call go. */
	helper_end(&fault->helper, END_WAIT_MS);
	return 0;
}

json_t *calls_evidence(void *state)
{
	const struct calls_fault *fault = state;
	json_t *evidence = (fault->request.effect == CALLS_STALL ? calls_stalls_to_json
								 : calls_to_json)(fault->shared, fault->engine->name);

	if (fault->why_not_first.code)
		evidence_add_note(evidence, "engine: permission, because %.300s", fault->why_not_first.text);
	if (fault->untouched)
		evidence_add_note(evidence, "%s", json_string_value(fault->untouched));
	return evidence;
}

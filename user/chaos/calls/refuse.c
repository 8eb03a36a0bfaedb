/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The engine bpf of io_error: a hook in the kernel refuses calls, also on files that were opened before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "chaos/calls/calls.h"
#include "chaos/disk/attach.h"
#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/session.h"
#include "io_error.skel.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "util/json.h"

struct refuse_fault {
	struct disk_attach attach;
	struct calls_request request;
	struct io_error_bpf *skel;
	struct session *session;
	struct eval_calls *calls;   /* shared with the kernel */
	struct error why_not_exact; /* why calls at the same moment may get the same number; .code 0: they do not */
};

static void refuse_free(void *state)
{
	struct refuse_fault *fault = state;

	if (!fault)
		return;
	if (fault->session)
		session_stop(fault->session);
	disk_attach_detach(&fault->attach);
	session_free(fault->session);
	if (fault->calls)
		munmap(fault->calls, sizeof(*fault->calls));
	if (fault->attach.shared)
		munmap(fault->attach.shared, sizeof(*fault->attach.shared));
	io_error_bpf__destroy(fault->skel);
	free(fault);
}

static void refuse_configure(const struct refuse_fault *fault, struct io_error_bpf *skel, bool exact)
{
	const struct target *target = fault->attach.spec->target;
	struct eval_disk_config *config = (struct eval_disk_config *)&skel->rodata->disk_config;

	config->refusal = fault->attach.refusal;
	config->has_cgroup = target->cgroup_path != NULL;
	config->cgroup_level = target->cgroup_level;
	*(struct eval_call_draw *)&skel->rodata->call_draw = calls_draw_of(&fault->request);
	*(__u32 *)&skel->rodata->call_operations = fault->request.operations;
	bpf_program__set_autoload(skel->progs.error_permit, exact);
	bpf_program__set_autoload(skel->progs.error_permit_near, !exact);
}

static int refuse_load_as(struct refuse_fault *fault, bool exact, struct error *err)
{
	struct io_error_bpf *skel = io_error_bpf__open();
	int ret;

	if (!skel)
		return error_set_errno(err, -errno, "cannot open the program that refuses calls");
	refuse_configure(fault, skel, exact);
	ret = object_load(skel->obj, err);
	if (ret) {
		io_error_bpf__destroy(skel);
		return ret;
	}
	fault->skel = skel;
	fault->attach.obj = skel->obj;
	return 0;
}

static int refuse_load(struct refuse_fault *fault, struct error *err)
{
	int ret = refuse_load_as(fault, true, &fault->why_not_exact);

	/* 5.10: the other program has no instruction that came later. */
	if (ret)
		ret = refuse_load_as(fault, false, err);
	return ret ? disk_explain_refusal("bpf", fault->attach.instead, ret, err) : 0;
}

static int refuse_open(void **state, const struct fault_spec *spec, const char **shown, struct error *err)
{
	struct refuse_fault *fault = calloc(1, sizeof(*fault));
	int ret;

	if (!fault)
		return error_set(err, -ENOMEM, "out of memory");
	fault->request = calls_request_of(spec, CALLS_REFUSE);
	fault->attach.spec = spec;
	fault->attach.refusal = -fault->request.refusal;
	fault->attach.tests_fallocate = true;
	/* If auto takes this engine, precontent was not possible. */
	fault->attach.instead = strcmp(fault_text_param(spec, "engine"), "auto") ? "precontent" : NULL;
	ret = calls_check_directories(spec->target, EVAL_DISK_DIRS, err);
	if (!ret && fault->request.files)
		ret = error_set(err, -EOPNOTSUPP, "engine: bpf takes every file: files needs engine: precontent");
	if (!ret)
		ret = refuse_load(fault, err);
	if (!ret)
		ret = disk_share(&fault->attach.shared, fault->skel->obj, spec->target, err);
	if (!ret)
		ret = calls_share(&fault->calls, fault->skel->obj, spec->target, err);
	if (!ret)
		ret = chaos_session_new(&fault->session, fault->skel->obj, spec, NULL, "bpf", err);
	if (ret) {
		refuse_free(fault);
		return ret;
	}
	*shown = "bpf";
	*state = fault;
	return 0;
}

static int refuse_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct refuse_fault *fault = state;
	int ret = disk_attach_programs(&fault->attach, NULL, err);

	if (!ret)
		ret = disk_attach_learn(&fault->attach, err);
	if (ret)
		return ret;
	chaos_session_follow_cgroup(fault->session, fault->attach.spec->target);
	return session_activate(fault->session, duration_ns, err);
}

static int refuse_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct refuse_fault *fault = state;
	int ret = session_check(fault->session, err);

	if (ret)
		return ret;
	chaos_session_follow_cgroup(fault->session, fault->attach.spec->target);
	session_renew(fault->session, lease_ns);
	return 0;
}

/* Also called by a signal handler: stores to shared memory only. */
static void refuse_stop(void *state)
{
	struct refuse_fault *fault = state;

	session_stop(fault->session);
}

static int refuse_revert(void *state, struct error *err)
{
	struct refuse_fault *fault = state;

	refuse_stop(fault);
	disk_attach_detach(&fault->attach);
	return 0;
}

static json_t *refuse_evidence(void *state)
{
	const struct refuse_fault *fault = state;
	json_t *evidence = calls_to_json(fault->calls, "bpf");

	if (!evidence)
		return NULL;
	json_object_set_new(evidence, "attach_ms", json_real(fault->attach.attach_ms));
	json_object_set_new(evidence, "detach_ms", json_real(fault->attach.detach_ms));
	if (fault->why_not_exact.code)
		evidence_add_note(evidence, "calls at the same moment may have been counted as one by every, first and "
					    "percent: this kernel's programs have no exact counter");
	return evidence;
}

const struct disk_engine calls_refuse_engine = {
	.name = "bpf",
	.open = refuse_open,
	.activate = refuse_activate,
	.renew = refuse_renew,
	.stop = refuse_stop,
	.revert = refuse_revert,
	.evidence = refuse_evidence,
	.free = refuse_free,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a fault that limits a cgroup's disks, as its holder sees it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "throttle.skel.h"
#include "chaos/evidence.h"
#include "chaos/fault.h"
#include "chaos/helper.h"
#include "chaos/restore.h"
#include "chaos/session.h"
#include "chaos/throttle/throttle.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "process/cgroup.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define READY_NS (10 * NSEC_PER_SEC)
#define END_WAIT_MS 2000

struct throttle_fault {
	const struct fault_spec *spec;
	struct throttle_bpf *skel;
	struct session *session;
	struct eval_ctl *ctl; /* the process's view */
	struct eval_throttle *shared;
	struct helper helper; /* limits, and restores */
	struct throttle_record record;
	int cgroup_fd;
};

void throttle_free(void *state)
{
	struct throttle_fault *fault = state;

	if (!fault)
		return;
	if (fault->session)
		throttle_revert(fault, NULL);
	session_free(fault->session);
	if (fault->shared)
		munmap(fault->shared, sizeof(*fault->shared));
	if (fault->ctl)
		munmap(fault->ctl, sizeof(*fault->ctl));
	throttle_bpf__destroy(fault->skel);
	fd_close(fault->cgroup_fd);
	free(fault);
}

static int share_throttle(struct throttle_fault *fault, struct error *err)
{
	struct bpf_object *obj = fault->skel->obj;
	const struct target *target = fault->spec->target;
	unsigned int ctl_map;
	int ret;

	fault->ctl = object_map_state(obj, EVAL_CTL_MAP, sizeof(*fault->ctl), err);
	if (!fault->ctl)
		return -EIO;
	fault->shared = object_map_state(obj, EVAL_THROTTLE_MAP, sizeof(*fault->shared), err);
	if (!fault->shared)
		return -EIO;
	ret = object_ctl_id(obj, &ctl_map, err);
	if (ret)
		return ret;
	target_directories_text(target, fault->shared->data_dirs, sizeof(fault->shared->data_dirs));
	snprintf(fault->shared->cgroup, sizeof(fault->shared->cgroup), "%s", target->cgroup_path);
	fault->shared->cgroup_id = cgroup_id(fault->cgroup_fd, "");
	fault->shared->ctl_map = ctl_map;
	return throttle_find_disks(fault->shared, target, err);
}

static int open_throttle_session(struct throttle_fault *fault, struct error *err)
{
	int ret;

	fault->skel = throttle_bpf__open();
	if (!fault->skel)
		return error_set_errno(err, -errno, "cannot open the control block");
	ret = object_load(fault->skel->obj, err);
	if (!ret)
		ret = share_throttle(fault, err);
	return ret ? ret : chaos_session_new(&fault->session, fault->skel->obj, fault->spec, NULL, "io.max", err);
}

static int open_target_cgroup(struct throttle_fault *fault, struct error *err)
{
	const char *path = fault->spec->target->cgroup_path;

	if (!path)
		return error_set(
			err, -EINVAL,
			"disk_throttle limits a cgroup, and the node has none: give it its 'cgroup' (--cgroup), "
			"such as system.slice/tikv-20160.service");
	if (strlen(path) >= sizeof(fault->shared->cgroup))
		return error_set(err, -ENAMETOOLONG, "the cgroup's path has more than %zu characters",
				 sizeof(fault->shared->cgroup) - 1);
	return throttle_cgroup_open(&fault->cgroup_fd, path, 0, err);
}

int throttle_prepare(struct fault *fault, void **state, struct error *err)
{
	struct throttle_fault *own = calloc(1, sizeof(*own));
	int ret;

	if (!own)
		return error_set(err, -ENOMEM, "out of memory");
	own->spec = fault_get_spec(fault);
	own->helper = HELPER_NONE("eval-throttle", "limits the disks");
	own->record.fd = own->cgroup_fd = -1;
	chaos_restore_dead(NULL);
	ret = open_target_cgroup(own, err);
	if (!ret)
		ret = open_throttle_session(own, err);
	if (ret) {
		throttle_free(own);
		return ret;
	}
	fault_set_engine(fault, "io.max");
	*state = own;
	return 0;
}

static void run_throttle(int socket, const void *arg)
{
	const struct throttle_fault *fault = arg;
	const json_t *params = fault->spec->params;
	struct throttle_server server = {
		.ctl = fault->ctl,
		.shared = fault->shared,
		.target = fault->spec->target,
		.record = &fault->record,
		.replaces = json_is_true(json_object_get(params, "replace")),
		.cgroup_fd = fault->cgroup_fd,
		.socket = socket,
	};

	for (size_t i = 0; i < EVAL_THROTTLE_LIMITS; i++) {
		const json_t *asked = json_object_get(params, throttle_limit_names[i]);

		server.asked[i] = asked ? (__u64)json_number_value(asked) : EVAL_THROTTLE_NO_LIMIT;
	}
	throttle_serve(&server);
}

int throttle_activate(void *state, uint64_t duration_ns, struct error *err)
{
	struct throttle_fault *fault = state;
	int ret = throttle_record_open(&fault->record, fault->shared->ctl_map, err);

	if (!ret)
		ret = helper_start(&fault->helper, run_throttle, fault, err);
	if (!ret)
		ret = session_activate(fault->session, duration_ns, err);
	if (ret)
		return ret;
	if (send(fault->helper.socket, "", 1, MSG_NOSIGNAL) != 1)
		return error_set_errno(err, -errno, "cannot ask eval-throttle for the limits");
	return helper_wait_answer(&fault->helper, fault->spec, fault->session, READY_NS,
				  "the limits were not set within 10 s", err);
}

int throttle_renew(void *state, uint64_t lease_ns, struct error *err)
{
	struct throttle_fault *fault = state;
	const struct eval_throttle *shared = fault->shared;
	int ret = session_check(fault->session, err);

	if (!ret)
		ret = helper_check(&fault->helper, __atomic_load_n(&shared->beat_ns, __ATOMIC_ACQUIRE), err);
	if (!ret && shared->failure[0])
		ret = error_set(err, -ENODEV, "%.250s", shared->failure);
	/* Its deadline is no error: the holder is about to revert. */
	if (!ret && shared->is_over && clock_monotonic_ns() < fault->ctl->deadline_ns)
		ret = error_set(err, -ETIME, "the limits were taken back, as the lease was not renewed in time");
	if (ret)
		return ret;
	session_renew(fault->session, lease_ns);
	return 0;
}

/* Also called by a signal handler. The process sees it within 10 ms. */
void throttle_stop(void *state)
{
	struct throttle_fault *fault = state;

	session_stop(fault->session);
}

int throttle_revert(void *state, struct error *err)
{
	struct throttle_fault *fault = state;
	int ret;

	throttle_stop(fault);
	helper_end(&fault->helper, END_WAIT_MS);
	/* What it left if it was killed. */
	ret = throttle_restore(fault->shared, fault->cgroup_fd, fault->spec->target->cgroup_path, err);
	if (!ret)
		throttle_record_remove(&fault->record);
	fault->record.fd = fd_close(fault->record.fd);
	return ret;
}

json_t *throttle_evidence(void *state)
{
	const struct throttle_fault *fault = state;

	return throttle_to_json(fault->shared);
}

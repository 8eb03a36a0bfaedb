/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The two kinds of fanotify events that carry the faults, and which of them this kernel and file system have. */
#include <errno.h>
#include <string.h>
#include <sys/fanotify.h>

#include "chaos/calls/calls.h"
#include "chaos/fault.h"
#include "kernel/features.h"
#include "util/cleanup.h"

const struct calls_engine calls_precontent = {"precontent", FAN_CLASS_PRE_CONTENT, EVAL_FAN_PRE_ACCESS};
const struct calls_engine calls_permission = {"permission", FAN_CLASS_CONTENT, FAN_ACCESS_PERM};

const struct calls_engine calls_lock = {.name = "lock"};

int calls_group_open(const struct calls_engine *engine)
{
	/* O_LARGEFILE as for any file; our own descriptors of a file ask nobody. */
	int fd = fanotify_init(engine->class | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS |
				       FAN_REPORT_TID,
			       O_RDONLY | O_LARGEFILE | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Describes why the kernel refuses to mark a folder; returns the code. */
static int explain_refusal(const struct calls_engine *engine, const struct target_directory *directory, int code,
			   struct error *err)
{
	bool is_new = engine == &calls_precontent;

	if (code == -EPERM)
		return error_set(err, code,
				 "engine: %s needs CAP_SYS_ADMIN in the initial user namespace: run eval on the host",
				 engine->name);
	if (code == -EINVAL && is_new)
		return error_set(err, -EOPNOTSUPP,
				 "engine: precontent needs Linux 6.14 or newer (fanotify's FAN_PRE_ACCESS), which this "
				 "kernel is not");
	if (code == -ENOSYS || code == -EINVAL)
		return error_set(err, -EOPNOTSUPP,
				 "this kernel has no fanotify permission events (CONFIG_FANOTIFY_ACCESS_PERMISSIONS)");
	if (code == -EOPNOTSUPP || code == -ENODEV)
		return error_set(
			err, -EOPNOTSUPP,
			"engine: %s needs ext4, XFS or btrfs; the file system of data_dir '%s' has no such events",
			engine->name, directory->path);
	return error_set_errno(err, code, "cannot mark data_dir '%s'", directory->path);
}

static int try_engine(const struct calls_engine *engine, const struct target *target, struct error *err)
{
	_cleanup_close_ int fd = calls_group_open(engine);

	for (size_t i = 0; i < target->directory_count; i++) {
		const struct target_directory *directory = &target->directories[i];
		int ret = fd;

		if (fd >= 0)
			ret = fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, engine->mask | FAN_EVENT_ON_CHILD,
					    directory->fd, NULL)
				      ? -errno
				      : 0;
		if (ret)
			return explain_refusal(engine, directory, ret, err);
	}
	return 0;
}

/* Whether permission events carry the request: they are for reads. */
static int check_permission(const struct calls_request *request, struct error *err)
{
	if (request->effect == CALLS_REFUSE || request->effect == CALLS_FILL)
		return error_set(err, -EOPNOTSUPP, "engine: permission cannot give an errno");
	if (request->operations != 1U << EVAL_CALL_READ)
		return error_set(err, -EOPNOTSUPP, "engine: permission sees reads only: it needs operation: read");
	return 0;
}

int calls_choose(const struct calls_engine **out, const struct fault_spec *spec, const struct calls_request *request,
		 struct error *why, struct error *err)
{
	const char *asked = fault_text_param(spec, "engine");
	struct error first = {}, second = {};
	int ret;

	*why = (struct error){};
	if (request->effect == CALLS_STALL) {
		*out = &calls_lock;
		return 0;
	}
	if (strcmp(asked, "permission") != 0) {
		ret = try_engine(&calls_precontent, spec->target, &first);
		if (!ret) {
			*out = &calls_precontent;
			return 0;
		}
		/* Permission events give no errno. */
		if (!strcmp(asked, "precontent") || ret != -EOPNOTSUPP || request->effect == CALLS_REFUSE)
			return error_set(err, ret, "%s", first.text);
		*why = first;
	}
	ret = check_permission(request, &second) ?: try_engine(&calls_permission, spec->target, &second);
	if (!ret)
		*out = &calls_permission;
	else if (why->code)
		error_set(err, ret, "%.240s; and %.240s", first.text, second.text);
	else
		error_set(err, ret, "%s", second.text);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much space is available, how much of it appears to be used, and the counters that are shared with the kernel. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sys/statvfs.h>

#include "chaos/disk/disk.h"
#include "chaos/fault.h"
#include "eval_disk.h"
#include "kernel/object.h"
#include "target/target.h"

int disk_reserve(uint64_t *reserved_bytes, const struct disk_request *request, uint64_t available_bytes,
		 const char *path, struct error *err)
{
	if (!isnan(request->fill_percent)) {
		*reserved_bytes = (uint64_t)((double)available_bytes * request->fill_percent / 100.0);
		return 0;
	}
	if (request->leave_bytes > available_bytes)
		return error_set(err, -EINVAL,
				 "leave_bytes is %" PRIu64 ", but only %" PRIu64 " bytes are available at %s",
				 request->leave_bytes, available_bytes, path);
	*reserved_bytes = available_bytes - request->leave_bytes;
	return 0;
}

int disk_available(int fd, uint64_t *bytes)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs))
		return -errno;
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

int disk_share(struct eval_disk **out, struct bpf_object *obj, const struct target *target, struct error *err)
{
	struct eval_disk *shared;
	unsigned int ctl_map;
	int ret = object_ctl_id(obj, &ctl_map, err);

	if (ret)
		return ret;
	shared = object_map_state(obj, EVAL_DISK_MAP, sizeof(*shared), err);
	if (!shared)
		return -EIO;
	target_directories_text(target, shared->data_dirs, sizeof(shared->data_dirs));
	shared->ctl_map = ctl_map;
	*out = shared;
	return 0;
}

int disk_available_now(int fd, const char *btrfs_uuid, uint64_t *bytes)
{
	uint64_t pending = *btrfs_uuid ? disk_btrfs_pending(btrfs_uuid) : 0;
	int ret = disk_available(fd, bytes);

	if (!ret)
		*bytes -= pending < *bytes ? pending : *bytes;
	return ret;
}

struct disk_request disk_request_of(const struct fault_spec *spec)
{
	const json_t *percent = json_object_get(spec->params, "fill_percent");
	const json_t *leave = json_object_get(spec->params, "leave_bytes");

	return (struct disk_request){.fill_percent = percent ? json_number_value(percent) : NAN,
				     .leave_bytes = (uint64_t)json_number_value(leave)};
}

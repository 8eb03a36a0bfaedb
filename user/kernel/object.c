/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eval_abi.h"
#include "util/output.h"

static char last_warning[256];

static int log_from_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN) {
		va_list copy;

		va_copy(copy, ap);
		vsnprintf(last_warning, sizeof(last_warning), fmt, copy);
		va_end(copy);
		last_warning[strcspn(last_warning, "\n")] = '\0';
	}
	if (getenv("EVAL_DEBUG"))
		return vfprintf(output_stream(STDERR_FILENO), fmt, ap);
	return 0;
}

void object_log_init(void)
{
	libbpf_set_print(log_from_libbpf);
}

int object_load(struct bpf_object *obj, struct error *err)
{
	int ret;

	last_warning[0] = '\0';
	ret = bpf_object__load(obj);
	if (!ret)
		return 0;
	if (ret == -EPERM)
		return error_set(err, ret, "the kernel refuses the BPF program (EPERM): not root, or lockdown");
	return error_set_errno(err, ret, "cannot load the BPF program%s%s", *last_warning ? ": " : "", last_warning);
}

int object_size_map(struct bpf_object *obj, const char *name, size_t entries, struct error *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);
	int ret;

	if (!map)
		return error_set(err, -ENOENT, "internal: no BPF map '%s'", name);
	ret = bpf_map__set_max_entries(map, entries ? (__u32)entries : 1);
	return ret ? error_set_errno(err, ret, "cannot size BPF map '%s'", name) : 0;
}

int object_map_fd(struct bpf_object *obj, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

void *object_map_state(struct bpf_object *obj, const char *name, size_t size, struct error *err)
{
	void *state = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, object_map_fd(obj, name), 0);

	if (state != MAP_FAILED)
		return state;
	error_set_errno(err, -errno, "cannot map the fault's %s", name);
	return NULL;
}

int object_ctl_id(struct bpf_object *obj, unsigned int *id, struct error *err)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(object_map_fd(obj, EVAL_CTL_MAP), &info, &size))
		return error_set_errno(err, -errno, "cannot ask for the control block's id");
	*id = info.id;
	return 0;
}

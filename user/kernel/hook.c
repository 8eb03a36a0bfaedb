/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/hook.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "eval_abi.h"
#include "kernel/program.h"
#include "kernel/table.h"
#include "net/device.h"
#include "util/cleanup.h"
#include "util/text.h"

/* The program that ours attaches after may be detached between the query and the attach. */
#define LINK_TRIES 5
/* The kernel's limit of programs on a tcx hook. */
#define HOOK_PROGRAMS_MAX 64
/* UAPI of Linux 6.6, which Debian 12's header lacks. */
#define TCX_BEFORE (1U << 3)
#define TCX_AFTER (1U << 4)
#define TCX_RELATIVE_IS_ID (1U << 5)

/* The part of union bpf_attr for BPF_LINK_CREATE on a tcx hook. */
struct tcx_link_create {
	__u32 program_fd, ifindex, attach_type, flags, relative_id, zero;
	__u64 expected_revision;
};

bool hook_needs_filters(void)
{
	__u32 count = 0;

	return bpf_prog_query(DEVICE_LOOPBACK_IFINDEX, (enum bpf_attach_type)EVAL_BPF_TCX_EGRESS, 0, NULL, NULL,
			      &count) != 0;
}

/* Returns the id of our last program on the hook that drops, or 0. */
static __u32 last_drop(unsigned int ifindex, enum bpf_attach_type hook)
{
	__u32 ids[HOOK_PROGRAMS_MAX] = {}, count = HOOK_PROGRAMS_MAX;

	if (bpf_prog_query((int)ifindex, hook, 0, NULL, ids, &count))
		return 0;
	while (count && !program_drops(ids[count - 1]))
		count--;
	return count ? ids[count - 1] : 0;
}

static int tcx_link(int program_fd, unsigned int ifindex, enum bpf_attach_type hook, enum hook_place place)
{
	struct tcx_link_create attr = {
		.program_fd = (__u32)program_fd,
		.ifindex = ifindex,
		.attach_type = hook,
	};
	int fd, tries = LINK_TRIES;

	do {
		attr.relative_id = place == HOOK_BEHIND_DROPS ? last_drop(ifindex, hook) : 0;
		/* TCX_BEFORE alone means the first place. */
		attr.flags = attr.relative_id ? TCX_AFTER | TCX_RELATIVE_IS_ID : TCX_BEFORE;
		/* The kernel sets close-on-exec on every BPF descriptor. */
		fd = (int)syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	} while (fd < 0 && errno == ENOENT && attr.relative_id && --tries);
	return fd < 0 ? -errno : fd;
}

int hook_link(int program_fd, enum hook hook, unsigned int ifindex, enum hook_place place)
{
	static const enum bpf_attach_type types[] = {
		[HOOK_TC_INGRESS] = (enum bpf_attach_type)EVAL_BPF_TCX_INGRESS,
		[HOOK_TC_EGRESS] = (enum bpf_attach_type)EVAL_BPF_TCX_EGRESS,
	};

	if (hook == HOOK_XDP)
		return bpf_link_create(program_fd, (int)ifindex, BPF_XDP, NULL);
	return tcx_link(program_fd, ifindex, types[hook], place);
}

void hook_list_before(int link_fd, char *names, size_t size)
{
	__u32 ids[HOOK_PROGRAMS_MAX] = {}, count = HOOK_PROGRAMS_MAX;
	struct live_link link;

	if (live_link_read(&link, link_fd) || link.type != LINK_TYPE_TCX)
		return;
	if (bpf_prog_query((int)link.ifindex, (enum bpf_attach_type)link.attach_type, 0, NULL, ids, &count))
		return;
	for (__u32 i = 0; i < count && ids[i] != link.program_id; i++) {
		struct program program = {};

		if (!program_read(&program, ids[i]) && !program_is_ours(&program))
			text_append(names, size, "%s%s", *names ? ", " : "", program.name);
	}
}

int hook_error(int code, enum hook hook, const char *device, struct error *err)
{
	if (hook == HOOK_XDP && (code == -EBUSY || code == -EEXIST))
		return error_set(err, code, "%s already runs an XDP program, which is left alone: use engine: tc",
				 device);
	if (hook == HOOK_XDP)
		return error_set_errno(err, code, "cannot attach XDP to %s", device);
	/* The kernel's BPF_MPROG_MAX. */
	if (code == -ERANGE)
		return error_set(
			err, code,
			"cannot attach to %s: its tc hook already has %d programs, the kernel's limit; 'bpftool "
			"net' lists them",
			device, HOOK_PROGRAMS_MAX);
	return error_set_errno(err, code, "cannot attach to %s", device);
}

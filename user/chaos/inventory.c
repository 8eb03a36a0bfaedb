/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "chaos/inventory.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "chaos/type.h"
#include "eval_abi.h"
#include "eval_net.h"
#include "kernel/live.h"
#include "kernel/session.h"
#include "net/endpoint.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* The ports that the fault's programs protect; a disk fault has none. */
static void protect_add(json_t *fault, const struct live_fault *live)
{
	_cleanup_close_ int fd = live_fault_map_open(live, EVAL_PROTECT_MAP);
	struct eval_protect_key key, *last = NULL;
	json_t *list;

	if (fd < 0)
		return;
	list = json_array();
	for (; !bpf_map_get_next_key(fd, last, &key); last = &key) {
		struct protect_port port = {.protocol = key.protocol, .port = key.port, .local_only = key.local_only};
		char text[ENDPOINT_TEXT_SIZE];

		memcpy(port.address, key.address, sizeof(port.address));
		json_array_append_new(list, json_string(protect_format(&port, text)));
	}
	json_object_set_new(fault, "protect", list);
}

static json_t *netns_name(uint64_t ino)
{
	_cleanup_closedir_ DIR *dir = opendir("/run/netns");
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (!fstatat(dirfd(dir), entry->d_name, &st, 0) && st.st_ino == ino)
			return json_outside(entry->d_name);
	return json_null();
}

static double seconds_until(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns > now_ns ? (double)(at_ns - now_ns) / (double)NSEC_PER_SEC : 0;
}

/* A device's name may have any bytes, JSON text may not: such a name must not hide a fault. */
static json_t *fault_to_json(const struct live_fault *fault)
{
	const struct eval_ctl *ctl = fault->ctl;
	uint64_t now_ns = clock_monotonic_ns();
	bool live = session_ctl_is_live(ctl, now_ns);

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:I, s:o, s:i, s:b, s:b, s:f, s:f, s:i, s:o}", "type",
			 live_kind_name(ctl->kind), "campaign", json_outside(ctl->campaign), "trial",
			 json_outside(ctl->trial), "target", json_outside(ctl->target), "engine",
			 json_outside(ctl->engine), "device", json_outside(ctl->device), "ifindex", (int)ctl->ifindex,
			 "netns_ino", (json_int_t)ctl->netns_ino, "netns", netns_name(ctl->netns_ino), "holder_pid",
			 (int)ctl->holder_pid, "holder_alive", live_holder_is_alive(ctl), "live", live, "seconds_left",
			 seconds_until(ctl->deadline_ns, now_ns), "lease_seconds_left",
			 seconds_until(ctl->lease_ns, now_ns), "map_id", (int)fault->map_id, "hooks",
			 live_fault_hooks(fault));
}

static int inventory_visit(const struct live_fault *live, void *data)
{
	const struct chaos_ops *ops = chaos_of_kind(live->ctl->kind);
	json_t *fault = fault_to_json(live);

	protect_add(fault, live);
	if (ops)
		ops->live(live, fault);
	json_array_append_new(data, fault);
	return 0;
}

json_t *inventory_read(struct error *err)
{
	json_t *faults = json_array();

	if (!live_each_fault(inventory_visit, faults, err))
		return faults;
	json_decref(faults);
	return NULL;
}

static int other_version_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	json_array_append_new(data, json_pack("{s:i, s:i, s:b}", "abi_version", (int)ctl->abi_version, "map_id",
					      (int)map_id, "stopped", !ctl->deadline_ns));
	return 0;
}

json_t *inventory_other_versions(void)
{
	json_t *others = json_array();

	live_walk_all_versions(NULL, other_version_visit, others, NULL);
	return others;
}

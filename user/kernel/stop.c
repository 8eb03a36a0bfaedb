/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ends faults from outside, whoever holds them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "eval_abi.h"
#include "kernel/clsact.h"
#include "kernel/filter.h"
#include "kernel/hook.h"
#include "kernel/live.h"
#include "kernel/table.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/pidfd.h"
#include "util/procfs.h"
#include "util/text.h"

#define FIRST_ROOM 16

struct stopped {
	struct eval_ctl ctl;
	unsigned int map_id;
};

struct stop {
	struct stopped *faults;
	size_t count, room;
	int of_other_versions, of_other_namespaces, failed;
	FILE *report;
};

/*
 * The first store makes the fault inert; a line still delivers what it holds. drains is false for another version's
 * control block, which is known only up to deadline_ns: its holder sees the deadline and detaches.
 */
static int make_inert(int map_fd, bool drains)
{
	struct eval_ctl *mapped = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

	if (mapped == MAP_FAILED)
		return -errno;
	__atomic_store_n(&mapped->deadline_ns, 0, __ATOMIC_RELEASE);
	if (drains)
		__atomic_store_n(&mapped->draining, 1, __ATOMIC_RELEASE);
	munmap(mapped, sizeof(*mapped));
	return 0;
}

/*
 * From the host's own PID namespace, all faults are stopped; from a container, only those that its own processes hold,
 * not the host's or other containers'.
 */
static bool is_for_us(const struct eval_ctl *ctl)
{
	uint64_t own = procfs_pid_namespace();

	/* 0: unknown. An emergency stop stops too much rather than too little. */
	return !own || own == PID_NAMESPACE_INITIAL || ctl->holder_pidns_ino == own;
}

static int stop_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	struct stop *stop = data;
	struct stopped *grown;

	if (!is_for_us(ctl)) {
		stop->of_other_namespaces++;
		return 0;
	}
	if (make_inert(map_fd, true)) {
		stop->failed++;
		return 0;
	}
	grown = array_reserve(stop->faults, stop->count, &stop->room, FIRST_ROOM, sizeof(*grown));
	/* The fault is inert but stays attached. */
	if (!grown) {
		stop->failed++;
		return 0;
	}
	stop->faults = grown;
	grown[stop->count++] = (struct stopped){.ctl = *ctl, .map_id = map_id};
	return 0;
}

static int stop_other_version(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	struct stop *stop = data;

	/* The fault was stopped before. */
	if (!ctl->deadline_ns)
		return 0;
	if (make_inert(map_fd, false)) {
		stop->failed++;
		return 0;
	}
	stop->of_other_versions++;
	if (stop->report)
		fprintf(stop->report,
			"stopped: a fault of another version of eval (ABI %u, map %u); its holder, if it lives, "
			"detaches it\n",
			ctl->abi_version, map_id);
	return 0;
}

static void tell(FILE *report, const struct eval_ctl *ctl)
{
	fprintf(report, "stopped: %s (%s) on %s, device %s, held by pid %u%s\n", live_kind_name(ctl->kind), ctl->engine,
		*ctl->target ? ctl->target : "-", ctl->device, ctl->holder_pid,
		strcmp(ctl->engine, "fill") ? "" : ", which gives the space back as soon as it runs, or ends");
}

/* Leaves the line's hooks to their holder: without them the packets in the line would be lost. */
static void device_hooks_detach(const struct live_table *table, unsigned int map_id)
{
	const struct program *program = NULL;

	while ((program = live_table_next_program(table, map_id, program))) {
		const struct live_link *link = NULL;

		while (!program_is_of_line(program->name) && (link = live_table_next_link(table, program, link))) {
			_cleanup_close_ int fd = bpf_link_get_fd_by_id(link->id);

			if (fd >= 0)
				bpf_link_detach(fd);
		}
	}
}

/* Continues a holder that is stopped (SIGSTOP, Ctrl+Z): only the holder can free the space that it filled. */
static void wake_holder(const struct eval_ctl *ctl)
{
	bool is_here = ctl->holder_pidns_ino == procfs_pid_namespace();
	_cleanup_close_ int pidfd = is_here ? pidfd_of((pid_t)ctl->holder_pid) : -1;

	/* Checked after opening the pidfd, so the signal goes to the process that was checked. */
	if (pidfd >= 0 && live_holder_is_alive(ctl))
		pidfd_signal(pidfd, SIGCONT);
}

static int detach_all(const struct stop *stop, struct error *err)
{
	struct live_table table;
	int ret = live_table_read(&table, err);

	for (size_t i = 0; !ret && i < stop->count; i++)
		device_hooks_detach(&table, stop->faults[i].map_id);
	live_table_clear(&table);
	for (size_t i = 0; hook_needs_filters() && i < stop->count; i++)
		filters_remove(&stop->faults[i].ctl, stop->faults[i].map_id);
	return ret;
}

int live_stop_all(FILE *report, struct error *err)
{
	struct stop stop = {.report = report};
	int ret = live_walk_all_versions(stop_visit, stop_other_version, &stop, err), detached;

	for (size_t i = 0; report && i < stop.count; i++)
		tell(report, &stop.faults[i].ctl);
	for (size_t i = 0; i < stop.count; i++)
		wake_holder(&stop.faults[i].ctl);
	detached = stop.count ? detach_all(&stop, ret ? NULL : err) : 0;
	ret = ret ?: detached;
	free(stop.faults);
	if (stop.of_other_namespaces)
		log_warning("%d fault%s held in other PID namespaces left alone: to stop all, run this outside of "
			    "containers",
			    stop.of_other_namespaces, text_plural(stop.of_other_namespaces));
	if (!ret && stop.failed)
		return error_set(err, -EIO, "%d fault%s could not be stopped: see bpf-status, and end their holders",
				 stop.failed, text_plural(stop.failed));
	return ret ?: (int)stop.count + stop.of_other_versions;
}

static int sweep_visit(int map_fd, unsigned int map_id, const struct eval_ctl *ctl, void *data)
{
	int *swept = data;

	if (live_holder_is_alive(ctl) || make_inert(map_fd, true))
		return 0;
	*swept += filters_remove(ctl, map_id) > 0;
	return 0;
}

int live_sweep_dead(struct error *err)
{
	int swept = 0, ret;

	if (!hook_needs_filters())
		return 0;
	ret = live_walk(sweep_visit, &swept, err);
	swept += clsact_sweep();
	return ret ? ret : swept;
}

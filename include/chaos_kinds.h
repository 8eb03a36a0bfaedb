/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only list of chaos types: X(ENUM, name). `name` is the `type:` in the campaign file and the name of
 * user/chaos/<name>.c and, if it has programs, bpf/<name>.bpf.c. The order is part of the ABI (eval_ctl.kind): only
 * append.
 */
#pragma once

#define EVAL_CHAOS_KINDS(X) \
	X(LATENCY, latency) \
	X(NETWORK_PARTITION, network_partition) \
	X(DISK_PRESSURE, disk_pressure) \
	X(DISK_LATENCY, disk_latency) \
	X(IO_ERROR, io_error) \
	X(IO_HANG, io_hang) \
	X(DISK_STALL, disk_stall) \
	X(DISK_THROTTLE, disk_throttle)

enum eval_kind {
	EVAL_KIND_NONE,
#define X(id, name) EVAL_KIND_##id,
	EVAL_CHAOS_KINDS(X)
#undef X
		EVAL_KIND_COUNT,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All kinds of probes. */
#include "probe/internal.h"

const struct probe_ops *probe_ops_of(const struct probe *probe)
{
	static const struct probe_ops *const kinds[] = {
		[PROBE_EXEC] = &exec_probe_ops,
		[PROBE_TCP] = &tcp_probe_ops,
		[PROBE_HTTP] = &http_probe_ops,
		[PROBE_METRICS] = &metrics_probe_ops,
	};

	if (probe->kind == PROBE_TCP && !is_tcp_address(probe->tcp))
		return &name_probe_ops;
	return kinds[probe->kind];
}

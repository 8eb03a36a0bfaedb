// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that do nothing: the kernel has a feature if its program loads and attaches. None of them reads the kernel's
 * structures, because loading vmlinux's BTF takes longer than everything else.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int probe_tc(struct __sk_buff *skb)
{
	return -1;
}

SEC("xdp")
int probe_xdp(struct xdp_md *xdp)
{
	return XDP_PASS;
}

/* The baseline of the hook's cost in tests/tools/disk_cost.c. */
SEC("fmod_ret/security_file_permission")
int probe_empty(void *ctx)
{
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that do nothing: whether they load and attach tells what this kernel can do. None of them looks into the
 * kernel's structures: reading vmlinux's BTF takes longer than all else.
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

/* Also what the cost of ours is measured against. */
SEC("fmod_ret/security_file_permission")
int probe_empty(void *ctx)
{
	return 0;
}

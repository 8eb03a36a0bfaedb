// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs that do nothing: whether they load and attach tells what this kernel can do. */
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

SEC("fmod_ret/security_file_permission")
int probe_fmod_ret(void *ctx)
{
	return 0;
}

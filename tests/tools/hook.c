/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A program of another owner on a hook: hook DEVICE ingress|egress|front|tag|xdp|full [MARK [PRIORITY]]
 * The program counts packets and lets them pass; `tag` attaches to egress and gives each packet a tag with VLAN 0 and a
 * priority; `full` attaches to egress until the kernel takes no more; `front` to egress, in front of all others (on a
 * filter's hook only with their PRIORITY). Prints "ready", then "seen N marked N" for each line on standard input,
 * where marked counts packets with skb->mark MARK. Exits after a line "end" or the end of input. Before Linux 6.6 (no
 * tcx) the program is a clsact filter with PRIORITY (default 10).
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From Linux 6.6; Debian 12's header is older. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define TCX_BEFORE (1U << 3)
#define TCX_NEXT (-1)

#define INSN(op, to, from, offset, value) \
	{ \
		.code = (op), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (value) \
	}
#define MOV_IMM(to, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define MOV_REG(to, from) INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define MAP_FD(to, fd) INSN(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
/* counters[index]++ in 9 instructions; leaves r6 alone. */
#define COUNT(index, fd) \
	INSN(BPF_ST | BPF_W | BPF_MEM, 10, 0, -4, index), MOV_REG(2, 10), \
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4), MAP_FD(1, fd), CALL(BPF_FUNC_map_lookup_elem), \
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0), MOV_IMM(1, 1), \
		INSN(BPF_STX | BPF_DW | BPF_ATOMIC, 0, 1, 0, BPF_ADD)

static int tag_load(void)
{
	const struct bpf_insn tag[] = {
		MOV_IMM(2, htons(ETH_P_8021Q)),       MOV_IMM(3, 0x6000),
		CALL(BPF_FUNC_skb_vlan_push),         MOV_IMM(0, TCX_NEXT),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "someone_else", "GPL", tag, sizeof(tag) / sizeof(*tag), NULL);
}

static int program_load(int map_fd, bool xdp, unsigned int mark)
{
	const struct bpf_insn xdp_pass[] = {
		COUNT(0, map_fd),
		MOV_IMM(0, XDP_PASS),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	const struct bpf_insn tcx_next[] = {
		MOV_REG(6, 1),
		COUNT(0, map_fd),
		INSN(BPF_LDX | BPF_W | BPF_MEM, 1, 6, offsetof(struct __sk_buff, mark), 0),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 1, 0, 9, (int)mark),
		COUNT(1, map_fd),
		MOV_IMM(0, TCX_NEXT),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return xdp ? bpf_prog_load(BPF_PROG_TYPE_XDP, "someone_else", "GPL", xdp_pass,
				   sizeof(xdp_pass) / sizeof(*xdp_pass), NULL)
		   : bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "someone_else", "GPL", tcx_next,
				   sizeof(tcx_next) / sizeof(*tcx_next), NULL);
}

/* A clsact filter outlives its process, so main() removes it. */
struct clsact {
	struct bpf_tc_hook hook;
	struct bpf_tc_opts opts;
	bool made;
};

static int clsact_attach(struct clsact *clsact, int program_fd, const char *device, bool egress, unsigned int priority)
{
	clsact->hook = (struct bpf_tc_hook){.sz = sizeof(clsact->hook),
					    .ifindex = (int)if_nametoindex(device),
					    .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS};
	clsact->opts = (struct bpf_tc_opts){.sz = sizeof(clsact->opts),
					    .handle = 1,
					    .priority = priority,
					    .prog_fd = program_fd};
	clsact->made = !bpf_tc_hook_create(&clsact->hook);
	return bpf_tc_attach(&clsact->hook, &clsact->opts);
}

static void clsact_detach(struct clsact *clsact)
{
	if (!clsact->opts.sz)
		return;
	clsact->opts.prog_fd = 0;
	clsact->opts.flags = clsact->opts.prog_id = 0;
	bpf_tc_detach(&clsact->hook, &clsact->opts);
	clsact->hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	if (clsact->made)
		bpf_tc_hook_destroy(&clsact->hook);
}

/* The links stay open until this process ends. Returns how many programs were attached. */
static int fill(int map_fd, int ifindex)
{
	int count = 0;

	while (bpf_link_create(program_load(map_fd, false, 0), ifindex, TCX_EGRESS, NULL) >= 0)
		count++;
	return count;
}

/* The part of union bpf_attr for BPF_LINK_CREATE on a tcx hook, in front of all programs. */
static int front_link(int program_fd, int ifindex)
{
	struct {
		__u32 program_fd, ifindex, attach_type, flags, relative_id, zero;
		__u64 expected_revision;
	} attr = {(__u32)program_fd, (__u32)ifindex, TCX_EGRESS, TCX_BEFORE, 0, 0, 0};

	int fd = (int)syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

static void answer(int map_fd)
{
	char line[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n")) {
		unsigned long long counts[2] = {};

		for (unsigned int i = 0; i < 2; i++)
			bpf_map_lookup_elem(map_fd, &i, &counts[i]);
		printf("seen %llu marked %llu\n", counts[0], counts[1]);
	}
}

int main(int argc, char **argv)
{
	bool xdp = argc > 2 && !strcmp(argv[2], "xdp");
	bool tag = argc > 2 && !strcmp(argv[2], "tag");
	unsigned int mark = argc > 3 ? (unsigned int)strtoul(argv[3], NULL, 0) : 0;
	unsigned int priority = argc > 4 ? (unsigned int)strtoul(argv[4], NULL, 0) : 10;
	enum bpf_attach_type hook;
	struct clsact clsact = {};
	int map_fd, program_fd, attached;

	if (argc < 3) {
		fprintf(stderr, "usage: hook DEVICE ingress|egress|front|tag|xdp|full [MARK [PRIORITY]]\n");
		return 2;
	}
	hook = xdp ? BPF_XDP : (enum bpf_attach_type)(strcmp(argv[2], "ingress") ? TCX_EGRESS : TCX_INGRESS);
	map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "someone_count", 4, 8, 2, NULL);
	if (!strcmp(argv[2], "full") && !fill(map_fd, (int)if_nametoindex(argv[1])))
		return 1;
	if (!strcmp(argv[2], "full")) {
		answer(map_fd);
		return 0;
	}
	program_fd = tag ? tag_load() : program_load(map_fd, xdp, mark);
	attached = strcmp(argv[2], "front") ? bpf_link_create(program_fd, (int)if_nametoindex(argv[1]), hook, NULL)
					    : front_link(program_fd, (int)if_nametoindex(argv[1]));
	if (attached == -EINVAL && !xdp)
		attached = clsact_attach(&clsact, program_fd, argv[1], hook == TCX_EGRESS, priority);
	if (map_fd < 0 || program_fd < 0 || attached < 0) {
		fprintf(stderr, "hook: map %d, program %d, attached %d\n", map_fd, program_fd, attached);
		return 1;
	}
	answer(map_fd);
	clsact_detach(&clsact);
	return 0;
}

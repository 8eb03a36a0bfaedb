/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends crafted packets through every matching program by BPF_PROG_TEST_RUN and checks verdict and counters, as TAP.
 * A row's packet goes from the node to the peer on egress and from the peer to the node on ingress. It is a list of
 * headers:
 *
 *   vlan:VID qinq:VID      a tag in the frame     offload:VID  a tag beside the frame, as devices give it (tc alone)
 *   raw                    no Ethernet header     arp
 *   v4[:WORDS] v6          WORDS of options       stranger, alias  before v4 or v6: another remote, another local end
 *   first later whole      fragment headers (after v4 or v6): first fragment, later fragment, unfragmented
 *   hop route dst[:N] ah[:N]     N: the header's length field
 *   tcp udp sctp[:REMOTE:LOCAL]  ports, 40000:7000 by default     icmp:TYPE icmp6:TYPE esp
 *   cut:N                  of the last header only N bytes are there
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/fault.h"
#include "chaos/kinds.h"
#include "chaos/net/match.h"
#include "eval_net.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "kernel/stats.h"
#include "latency.skel.h"
#include "match_packet.h"
#include "network_partition.skel.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define HOUR_NS (3600 * NSEC_PER_SEC)
#define TCX_NEXT (-1)
#define TCX_DROP 2
#define ROOT_CGROUP 1
#define OWN_MARK (EVAL_MARK | 1)
/* The mark of another fault. */
#define OTHER_MARK (EVAL_MARK | 2)

enum rules {
	PEERS,     /* as `eval inject --netns` makes them: by peer alone, ssh protected */
	FREE,      /* the same, nothing protected */
	DNS,       /* the same, udp/53 protected */
	ALL,       /* any peer */
	PORTS,     /* port 7000 at either end */
	ICMP,      /* protocol: icmp */
	NODE,      /* a node that shares its namespace: by its address */
	NODE_PORT, /* by its address and port 7000 */
	SERVICE,   /* the same, and port 2379 of the peer */
	CGROUP,    /* by its address and port 7000, or what its cgroup sends */
	NETWORK,   /* the peers' networks, of two addresses: the stranger's is the other */
	BESIDE,    /* the networks beside those */
	RANGE,     /* ports 6990-7000 at either end */
	ZONE,      /* peers with the zone of the device */
	ELSEWHERE, /* peers with another device's zone */
	TUNNEL,    /* a device without Ethernet headers */
	OVER,      /* the fault is past its deadline */
	RULES,
};

static const struct program {
	const char *name;
	enum way way;
	int passes, hits; /* verdicts */
} programs[] = {
	{"drop_egress", OUT, TCX_NEXT, TC_ACT_REDIRECT},
	{"drop_ingress", IN, TCX_NEXT, TCX_DROP},
	{"drop_xdp", IN, XDP_PASS, XDP_DROP},
	{"delay_egress", OUT, TCX_NEXT, TC_ACT_REDIRECT},
	{"delay_ingress", IN, TCX_NEXT, TC_ACT_REDIRECT},
};
#define PROGRAMS ARRAY_SIZE(programs)

/* Sets of programs, by bit. */
enum through {
	EVERY = 0,
	TC = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4,
	TC_PARTITION = 1 << 0 | 1 << 1,
	INGRESS = 1 << 1 | 1 << 2 | 1 << 4,
	LATENCY = 1 << 3 | 1 << 4,
};

enum wanted { PASSES, HIT, UNSEEN /* not even counted */ };

/* Rows name only the members that are not zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct row {
	const char *name, *packet;
	enum rules rules;
	enum wanted wanted;
	enum through through;
	uint32_t mark;
	bool half_ip; /* newer kernels do not run tc programs with less than an IP header */
} rows[] = {
	{"IPv4", "v4 tcp", PEERS, HIT},
	{"IPv6", "v6 tcp", PEERS, HIT},
	{"UDP", "v4 udp", PEERS, HIT},
	{"SCTP", "v6 sctp", PEERS, HIT},
	{"ESP", "v4 esp", PEERS, HIT},
	{"a stranger's", "stranger v4 tcp", PEERS, PASSES},
	{"a stranger's, IPv6", "stranger v6 tcp", PEERS, PASSES},
	{"peers: all", "stranger v6 udp", ALL, HIT},
	{"past the deadline", "v4 tcp", OVER, UNSEEN},
	{"back from the fault's own line", "v4 tcp", PEERS, UNSEEN, LATENCY, OWN_MARK},
	{"back from another fault's line", "v4 tcp", PEERS, UNSEEN, LATENCY, OTHER_MARK},

	{"VLAN 0", "vlan:0 v4 tcp", PEERS, HIT},
	{"VLAN 0, IPv6", "vlan:0 v6 tcp", PEERS, HIT},
	{"VLAN 0, offloaded", "offload:0 v4 tcp", PEERS, HIT, TC},
	{"VLAN 0, offloaded, IPv6", "offload:0 v6 tcp", PEERS, HIT, TC},
	{"VLAN 0 of 802.1ad", "qinq:0 v4 tcp", PEERS, HIT},
	{"VLAN 0 twice", "vlan:0 vlan:0 v6 tcp", PEERS, HIT},
	{"VLAN 0 twice, one offloaded", "offload:0 vlan:0 v4 tcp", PEERS, HIT, TC},
	{"VLAN 0 three times", "vlan:0 vlan:0 vlan:0 v4 tcp", PEERS, PASSES},
	{"VLAN 0: its ports are found", "vlan:0 v4 tcp", PORTS, HIT},
	{"VLAN 0: ssh", "vlan:0 v4 tcp:40000:22", PEERS, PASSES},
	{"VLAN 0: ssh, offloaded", "offload:0 v4 tcp:40000:22", PEERS, PASSES, TC},
	{"VLAN 0: ARP", "vlan:0 arp", PEERS, PASSES},
	{"VLAN 0 and nothing else", "vlan:0 cut:2", PEERS, PASSES},
	{"VLAN 5", "vlan:5 v4 tcp", PEERS, PASSES},
	{"VLAN 5, IPv6", "vlan:5 v6 tcp", PEERS, PASSES},
	{"VLAN 5, offloaded", "offload:5 v4 tcp", PEERS, PASSES, TC},
	{"VLAN 4095", "vlan:4095 v4 tcp", PEERS, PASSES},
	{"VLAN 5 in VLAN 0", "vlan:0 vlan:5 v4 tcp", PEERS, PASSES},
	{"VLAN 5 in VLAN 0, offloaded", "offload:0 vlan:5 v4 tcp", PEERS, PASSES, TC},
	{"QinQ", "qinq:7 vlan:5 v4 tcp", PEERS, PASSES},
	{"QinQ, VLAN 0 inside", "qinq:7 vlan:0 v4 tcp", PEERS, PASSES},
	{"QinQ, VLAN 0 inside, offloaded", "offload:7 vlan:0 v4 tcp", PEERS, PASSES, TC},

	{"IPv4 options", "v4:3 tcp", PORTS, HIT},
	{"IPv4 options, the most", "v4:10 tcp", PORTS, HIT},
	{"IPv4 options: another port", "v4:3 tcp:40000:7001", PORTS, PASSES},
	{"IPv4 options: ssh", "v4:10 tcp:40000:22", PEERS, PASSES},
	{"IPv4 header of 16 bytes", "v4:-1 tcp", PEERS, PASSES},

	{"an extension", "v6 hop tcp", PORTS, HIT},
	{"each extension", "v6 hop dst route first ah dst tcp", PORTS, HIT},
	{"each extension: another port", "v6 hop dst route first ah dst tcp:40000:7001", PORTS, PASSES},
	{"long extensions", "v6 hop:3 dst:7 ah:9 tcp", PORTS, HIT},
	{"six extensions: ssh", "v6 hop dst dst dst dst dst tcp:22:40000", PEERS, PASSES},
	{"seven extensions: what is behind is not known", "v6 hop dst dst dst dst dst dst tcp", PORTS, PASSES},
	{"seven extensions: may be ssh", "v6 hop dst dst dst dst dst dst tcp:40000:22", PEERS, PASSES},
	{"seven extensions: may be DNS", "v6 hop dst dst dst dst dst dst udp:40000:53", DNS, PASSES},
	{"seven extensions, nothing protected", "v6 hop dst dst dst dst dst dst tcp:40000:22", FREE, HIT},
	{"half an extension", "v6 hop cut:3", FREE, PASSES},

	{"AH", "v4 ah tcp", PORTS, HIT},
	{"AH: another port", "v4 ah tcp:40000:7001", PORTS, PASSES},
	{"AH: ssh", "v4 ah tcp:40000:22", PEERS, PASSES},
	{"AH, IPv6: ssh", "v6 ah tcp:40000:22", PEERS, PASSES},
	{"AH: not ssh", "v6 ah:5 tcp", PEERS, HIT},
	{"half an AH: may be ssh", "v4 ah cut:1", PEERS, PASSES},
	{"half an AH, nothing protected", "v4 ah cut:1", FREE, HIT},

	{"a first fragment has ports", "v4 first tcp", PORTS, HIT},
	{"a first fragment has ports, IPv6", "v6 first tcp", PORTS, HIT},
	{"a first fragment: ssh", "v4 first tcp:40000:22", PEERS, PASSES},
	{"a first fragment: ssh, IPv6", "v6 first tcp:40000:22", PEERS, PASSES},
	{"a fragment that is the whole", "v6 whole tcp", PORTS, HIT},
	{"a later fragment has no ports", "v4 later udp", PORTS, PASSES},
	{"a later fragment has no ports, IPv6", "v6 later udp", PORTS, PASSES},
	{"a later fragment matches by address", "v4 later udp", PEERS, HIT},
	{"a later fragment matches by address, IPv6", "v6 later udp", PEERS, HIT},
	{"a later fragment may be ssh", "v4 later tcp", PEERS, PASSES},
	{"a later fragment may be ssh, IPv6", "v6 hop later tcp", PEERS, PASSES},
	{"a later fragment of an extension may be ssh", "v6 later dst", PEERS, PASSES},
	{"a later fragment of AH may be ssh", "v4 later ah", PEERS, PASSES},
	{"a later fragment may be DNS", "v4 later udp", DNS, PASSES},
	{"a later fragment, nothing protected", "v4 later tcp", FREE, HIT},
	{"a later fragment of an extension, nothing protected", "v6 later dst", FREE, HIT},

	{"ICMP echo", "v4 icmp:8", PEERS, HIT},
	{"ICMP unreachable", "v4 icmp:3", PEERS, HIT},
	{"ICMPv6 echo", "v6 icmp6:128", PEERS, HIT},
	{"ICMPv6 packet too big", "v6 icmp6:2", PEERS, HIT},
	{"protocol: icmp", "v4 icmp:8", ICMP, HIT},
	{"protocol: icmp, IPv6", "v6 icmp6:128", ICMP, HIT},
	{"protocol: icmp: TCP", "v4 tcp", ICMP, PASSES},
	{"ARP", "arp", PEERS, PASSES},
	{"ARP, peers: all", "arp", ALL, PASSES},
	{"ND: last type before it", "v6 icmp6:132", PEERS, HIT},
	{"ND: router solicitation", "v6 icmp6:133", PEERS, PASSES},
	{"ND: router advertisement", "v6 icmp6:134", ALL, PASSES},
	{"ND: neighbour solicitation", "v6 icmp6:135", PEERS, PASSES},
	{"ND: neighbour advertisement", "v6 icmp6:136", FREE, PASSES},
	{"ND: neighbour advertisement, protocol: icmp", "v6 icmp6:136", ICMP, PASSES},
	{"ND: redirect", "v6 hop icmp6:137", PEERS, PASSES},
	{"ND: first type behind it", "v6 icmp6:138", PEERS, HIT},
	{"ND of IPv4 is none", "v4 icmp:135", PEERS, HIT},

	{"half an IPv4 header", "v4 cut:19", FREE, PASSES, .half_ip = true},
	{"half an IPv6 header", "v6 cut:39", FREE, PASSES, .half_ip = true},
	{"half the ports: may be ssh", "v4 tcp cut:3", PEERS, PASSES},
	{"half the ports: may be ssh, IPv6", "v6 tcp cut:0", PEERS, PASSES},
	{"half the ports, nothing protected", "v4 tcp cut:3", FREE, HIT},
	{"half the ports match none", "v6 udp cut:3", PORTS, PASSES},
	{"no ICMPv6 type", "v6 icmp6:135 cut:0", PEERS, HIT},

	{"protect: the node's port", "v6 tcp:40000:22", PEERS, PASSES},
	{"protect: the peer's port", "v4 tcp:22:40000", PEERS, PASSES},
	{"protect: the node's sshd elsewhere", "v4 tcp:40000:2222", PEERS, PASSES},
	{"protect: not the peer's same port", "v4 tcp:2222:40000", PEERS, HIT},
	{"protect: not the same port of UDP", "v4 udp:40000:22", PEERS, HIT},
	{"protect: udp/53", "v4 udp:53:40000", DNS, PASSES},
	{"protect: udp/53 is not tcp/53", "v4 tcp:53:40000", DNS, HIT},

	{"ports: of the peer's end", "v6 udp:7000:40000", PORTS, HIT},
	{"ports: others", "v6 udp:7002:40000", PORTS, PASSES},
	{"the node's address", "v4 tcp", NODE, HIT},
	{"another address of the host's", "alias v6 tcp", NODE, PASSES},
	{"the node's port", "v6 tcp", NODE_PORT, HIT},
	{"another port of its address", "v6 tcp:40000:7001", NODE_PORT, PASSES},
	{"the node's port: a later fragment", "v4 later udp", NODE_PORT, PASSES},
	{"the peer's port", "v4 tcp:2379:7000", SERVICE, HIT},
	{"another port of the peer's", "v4 tcp:2380:7001", SERVICE, PASSES},
	{"another port of the peer's, to the node's", "v4 tcp:40000:7000", SERVICE, HIT},
	{"cgroup: not what nobody asked for", "v4 tcp:2379:41000", CGROUP, PASSES, INGRESS},
	{"cgroup: what it sends, and the answer", "v4 tcp:2379:41000", CGROUP, HIT},
	{"cgroup: another peer's port is no answer", "v4 tcp:2380:41000", CGROUP, PASSES, INGRESS},

	{"a network", "v4 tcp", NETWORK, HIT},
	{"a network, IPv6", "v6 udp", NETWORK, HIT},
	{"a network: its other address", "stranger v4 tcp", NETWORK, HIT},
	{"a network: its other address, IPv6", "stranger v6 tcp", NETWORK, HIT},
	{"a network: ssh", "v4 tcp:22:40000", NETWORK, PASSES},
	{"a network beside", "v4 tcp", BESIDE, PASSES},
	{"a network beside, IPv6", "v6 tcp", BESIDE, PASSES},
	{"a range of ports: the last", "v4 tcp", RANGE, HIT},
	{"a range of ports: the first", "v6 udp:6990:40000", RANGE, HIT},
	{"a range of ports: below", "v4 tcp:6989:40000", RANGE, PASSES},
	{"a range of ports: above", "v6 tcp:7001:40000", RANGE, PASSES},
	{"a zone: this device", "v6 tcp", ZONE, HIT},
	{"a zone: another device", "v6 tcp", ELSEWHERE, PASSES},

	{"no Ethernet header", "raw v4 tcp", TUNNEL, HIT, TC_PARTITION},
	{"no Ethernet header, IPv6", "raw v6 hop tcp", TUNNEL, HIT, TC_PARTITION},
	{"no Ethernet header: ssh", "raw v4 tcp:40000:22", TUNNEL, PASSES, TC_PARTITION},
	{"no Ethernet header: a stranger's", "raw stranger v6 tcp", TUNNEL, PASSES, TC_PARTITION},
};

/* --- Programs ------------------------------------------------------------------------------------------------- */

struct loaded {
	struct bpf_program *programs[PROGRAMS];
	int stats_fds[PROGRAMS];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "match: %s: %s\n", what, why);
	exit(1);
}

static void load(struct bpf_object *obj, const void *match_config, const struct fault_spec *spec, enum rules rules)
{
	struct net_device device = {.name = "eth0", .ifindex = 1, .ethernet = rules != TUNNEL};
	uint64_t until_ns = clock_monotonic_ns() + HOUR_NS;
	struct eval_ctl ctl = {.deadline_ns = rules == OVER ? 1 : until_ns,
			       .lease_ns = until_ns,
			       .cgroup_id = ROOT_CGROUP};
	struct error err = {};
	__u32 zero = 0;
	int ret;

	if (net_match_prepare(obj, (struct eval_match_config *)match_config, spec, &device, &err) ||
	    object_load(obj, &err) || net_match_fill(obj, spec, &device, &err))
		die("cannot load", err.text);
	ret = bpf_map_update_elem(object_map_fd(obj, EVAL_CTL_MAP), &zero, &ctl, BPF_ANY);
	if (ret)
		die(EVAL_CTL_MAP, strerror(-ret));
}

static void load_only(struct bpf_object *obj, const struct loaded *loaded)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, obj)
	{
		bool wanted = false;

		for (size_t i = 0; i < PROGRAMS; i++)
			wanted |= loaded->programs[i] == program;
		bpf_program__set_autoload(program, wanted);
	}
}

static json_t *params_of(enum rules rules)
{
	json_t *params = chaos_defaults(&chaos_latency);

	if (rules == PORTS)
		json_object_set_new(params, "ports", json_pack("[i]", 7000));
	if (rules == RANGE)
		json_object_set_new(params, "ports", json_pack("[s]", "6990-7000"));
	if (rules == ICMP)
		json_object_set_new(params, "protocol", json_string("icmp"));
	return params;
}

/* Sets the IPv4 and IPv6 endpoints of one end. */
static void endpoints_set(struct endpoint out[2], enum end end, uint16_t port)
{
	memset(out, 0, 2 * sizeof(*out));
	out[0].address[10] = out[0].address[11] = 0xff;
	address4(out[0].address + 12, end);
	address6(out[1].address, end);
	out[0].port = out[1].port = port;
}

/* Makes the peers networks, or gives them a zone. */
static void peers_widen(struct endpoint peers[2], enum rules rules)
{
	for (size_t i = 0; i < 2; i++) {
		/* Their last octets are 2 and, for the stranger, 3. */
		peers[i].prefix = rules == NETWORK ? 127 : rules == BESIDE ? 126 : 128;
		if (rules == BESIDE)
			peers[i].address[15] = 4;
		if (rules == ZONE || rules == ELSEWHERE)
			strcpy(peers[i].zone, rules == ZONE ? "eth0" : "eth1");
	}
}

/* Loads all programs, which stay loaded until the process exits. */
static void load_all(struct loaded *loaded, enum rules rules)
{
	static struct protect_port ssh[] = {{.protocol = IPPROTO_TCP, .port = 22},
					    {.protocol = IPPROTO_TCP, .port = 2222, .local_only = true}};
	static struct protect_port dns[] = {{.protocol = IPPROTO_UDP, .port = 53}};
	static char cgroup[] = "/";
	struct endpoint peers[2], locals[2];
	struct target target = {.peers = peers,
				.peer_count = 2,
				.peers_all = rules == ALL,
				.locals = locals,
				.local_count = rules >= NODE && rules <= CGROUP ? 2 : 0,
				.protect = rules == DNS ? dns : ssh,
				.protect_count = rules == DNS    ? 1
						 : rules == FREE ? 0
								 : 2,
				.cgroup_path = rules == CGROUP ? cgroup : NULL};
	_cleanup_json_ json_t *params = params_of(rules);
	struct fault_spec spec = {.ops = &chaos_latency, .params = params, .target = &target};
	struct latency_bpf *latency = latency_bpf__open();
	struct network_partition_bpf *partition = network_partition_bpf__open();

	if (!latency || !partition)
		die("cannot open the programs", strerror(errno));
	*loaded = (struct loaded){.programs = {partition->progs.drop_egress, partition->progs.drop_ingress,
					       partition->progs.drop_xdp, latency->progs.delay_egress,
					       latency->progs.delay_ingress}};
	load_only(partition->obj, loaded);
	load_only(latency->obj, loaded);
	endpoints_set(peers, PEER_END, rules == SERVICE || rules == CGROUP ? 2379 : 0);
	peers_widen(peers, rules);
	endpoints_set(locals, NODE_END, rules == NODE ? 0 : 7000);
	((struct eval_latency_config *)&latency->rodata->latency_config)->mark = OWN_MARK;
	load(latency->obj, (const void *)&latency->rodata->match_config, &spec, rules);
	load(partition->obj, (const void *)&partition->rodata->match_config, &spec, rules);
	for (size_t i = 0; i < PROGRAMS; i++)
		loaded->stats_fds[i] = object_map_fd(i < 3 ? partition->obj : latency->obj, EVAL_STATS_MAP);
}

/* Loads a program that gives the packet an offloaded tag and tail-calls the program in map_fd. */
static int tagger_load(int map_fd, int tci)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = htons(ETH_P_8021Q)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = tci},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_6},
		/* NOLINTNEXTLINE(misc-redundant-expression): two of the names are 0 */
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_2, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_TRAP},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tagger", "GPL", program, ARRAY_SIZE(program), NULL);
}

static int run(int program_fd, const struct packet *packet, uint32_t mark, bool is_xdp, int *verdict)
{
	struct __sk_buff context = {.mark = mark};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet->data, .data_size_in = (__u32)packet->size, .repeat = 1);
	int ret;

	if (!is_xdp) {
		opts.ctx_in = &context;
		opts.ctx_size_in = sizeof(context);
	}
	ret = bpf_prog_test_run_opts(program_fd, &opts);
	*verdict = (int)opts.retval;
	return ret;
}

static int run_tagged(int program_fd, const struct packet *packet, uint32_t mark, int *verdict)
{
	_cleanup_close_ int map_fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "tagged", 4, 4, 1, NULL);
	_cleanup_close_ int tagger_fd = -1;
	__u32 zero = 0;
	int ret;

	if (map_fd < 0)
		return map_fd;
	ret = bpf_map_update_elem(map_fd, &zero, &program_fd, BPF_ANY);
	if (ret)
		return ret;
	tagger_fd = tagger_load(map_fd, packet->offloaded);
	return tagger_fd < 0 ? tagger_fd : run(tagger_fd, packet, mark, false, verdict);
}

/* --- Rows ----------------------------------------------------------------------------------------------------- */

/* Returns true if the program did what the row wants; otherwise prints what it did. */
static bool row_holds(const struct row *row, const struct loaded *loaded, size_t index)
{
	const struct program *program = &programs[index];
	enum eval_direction direction = program->way == OUT ? EVAL_EGRESS : EVAL_INGRESS;
	int program_fd = bpf_program__fd(loaded->programs[index]);
	struct eval_stats before, after;
	struct packet packet;
	int verdict = 0, ret;
	__u64 seen, hit;

	packet_build(&packet, row->packet, program->way);
	stats_read(loaded->stats_fds[index], direction, &before);
	ret = packet.offloaded < 0 ? run(program_fd, &packet, row->mark, program->passes == XDP_PASS, &verdict)
				   : run_tagged(program_fd, &packet, row->mark, &verdict);
	stats_read(loaded->stats_fds[index], direction, &after);
	if (ret == -EINVAL && row->half_ip && program->passes != XDP_PASS)
		return true;
	if (ret) {
		printf("# %s: %s: the kernel does not run it: %s\n", row->name, program->name, strerror(-ret));
		return false;
	}
	seen = after.seen - before.seen;
	hit = after.hit - before.hit;
	if (verdict == (row->wanted == HIT ? program->hits : program->passes) && hit == (row->wanted == HIT) &&
	    seen == (row->wanted != UNSEEN) && after.failed == before.failed)
		return true;
	printf("# %s: %s: verdict %d, seen %llu, hit %llu, failed %llu\n", row->name, program->name, verdict,
	       (unsigned long long)seen, (unsigned long long)hit, (unsigned long long)(after.failed - before.failed));
	return false;
}

int main(void)
{
	static struct loaded loaded[RULES];

	object_log_init();
	for (enum rules rules = 0; rules < RULES; rules++)
		load_all(&loaded[rules], rules);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		bool good = true;

		for (size_t j = 0; j < PROGRAMS; j++)
			if (row->through == EVERY || row->through & 1 << j)
				good &= row_holds(row, &loaded[row->rules], j);
		printf("%s %zu - %s: %s: %s\n", good ? "ok" : "not ok", i + 1, row->name, row->packet,
		       row->wanted == HIT ? "is the fault's" : "passes");
	}
	printf("1..%zu\n", ARRAY_SIZE(rows));
	return 0;
}

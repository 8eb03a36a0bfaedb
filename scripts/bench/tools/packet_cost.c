/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Measures the cost of one packet in each program by BPF_PROG_TEST_RUN: packet_cost [ROUNDS [mixed]] prints "PROGRAM
 * FAMILY PACKET NS_ONE NS_MANY" per case and round, with one rule and with many. mixed: every tenth of the many is a
 * network of two addresses instead. Times are processor time of this thread, so other load on the
 * machine does not count. "empty" is a program that does nothing: the cost of the kernel's measuring loop.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chaos/fault.h"
#include "chaos/kinds.h"
#include "chaos/net/match.h"
#include "eval_net.h"
#include "kernel/object.h"
#include "kernel/session.h"
#include "latency.skel.h"
#include "network_partition.skel.h"
#include "probe.skel.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define MANY_RULES 10000
/* Enough packets to meet hash buckets of every length, and enough repeats to hide the cost of the call. */
#define PACKETS 64
#define REPEAT 4000
#define HOUR_NS (3600 * NSEC_PER_SEC)

enum family { IPV4, IPV6, FAMILIES };
enum rules { ONE, MANY, RULES };

static const char *const family_names[FAMILIES] = {"IPv4", "IPv6"};
static const char *const kind_names[] = {"stranger", "peer"};

/* The programs loaded for one number of rules and one family. */
struct loaded {
	struct latency_bpf *latency;
	struct network_partition_bpf *partition;
};

struct frame {
	struct ethhdr ethernet;
	union {
		struct {
			struct iphdr ip;
			struct tcphdr tcp;
		} __attribute__((packed)) v4;
		struct {
			struct ipv6hdr ip;
			struct tcphdr tcp;
		} __attribute__((packed)) v6;
	};
	uint8_t payload[64];
} __attribute__((packed));

static void die(const char *what, int code)
{
	fprintf(stderr, "packet_cost: %s: %s\n", what, strerror(code < 0 ? -code : code));
	exit(1);
}

/* Peers start at 10.1.0.0, strangers at 10.2.0.0; IPv6 addresses are these 32 bits below fd00::. */
static void address_set(uint8_t out[16], enum family family, bool stranger, uint32_t number)
{
	uint32_t ipv4 = htonl((stranger ? 0x0a020000 : 0x0a010000) + number);

	memset(out, 0, 16);
	if (family == IPV4)
		out[10] = out[11] = 0xff;
	else
		out[0] = 0xfd;
	memcpy(out + 12, &ipv4, sizeof(ipv4));
}

static void frame_fill(struct frame *frame, enum family family, bool ingress, const uint8_t remote[16])
{
	static const struct tcphdr tcp = {.doff = 5, .ack = 1};
	uint8_t local[16];

	memset(frame, 0, sizeof(*frame));
	address_set(local, family, true, 0xffff);
	if (family == IPV4) {
		frame->ethernet.h_proto = htons(ETH_P_IP);
		frame->v4.ip = (struct iphdr){.version = 4,
					      .ihl = 5,
					      .ttl = 64,
					      .protocol = IPPROTO_TCP,
					      .tot_len = htons(sizeof(*frame) - sizeof(frame->ethernet))};
		memcpy(ingress ? &frame->v4.ip.saddr : &frame->v4.ip.daddr, remote + 12, 4);
		memcpy(ingress ? &frame->v4.ip.daddr : &frame->v4.ip.saddr, local + 12, 4);
		frame->v4.tcp = tcp;
		frame->v4.tcp.source = htons(40000);
		frame->v4.tcp.dest = htons(2380);
	} else {
		frame->ethernet.h_proto = htons(ETH_P_IPV6);
		frame->v6.ip = (struct ipv6hdr){.version = 6,
						.hop_limit = 64,
						.nexthdr = IPPROTO_TCP,
						.payload_len = htons(sizeof(frame->v6.tcp) + sizeof(frame->payload))};
		memcpy(ingress ? &frame->v6.ip.saddr : &frame->v6.ip.daddr, remote, 16);
		memcpy(ingress ? &frame->v6.ip.daddr : &frame->v6.ip.saddr, local, 16);
		frame->v6.tcp = tcp;
		frame->v6.tcp.source = htons(40000);
		frame->v6.tcp.dest = htons(2380);
	}
}

static uint64_t thread_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static double measure(int program_fd, enum family family, bool ingress, bool stranger, uint32_t peers)
{
	uint64_t sum_ns = 0;

	for (uint32_t i = 0; i < PACKETS; i++) {
		struct frame frame;
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame),
			    .repeat = REPEAT);
		uint8_t remote[16];
		uint64_t before_ns;
		int ret;

		address_set(remote, family, stranger, (uint32_t)rand() % (stranger ? 0xffff : peers));
		frame_fill(&frame, family, ingress, remote);
		before_ns = thread_time_ns();
		ret = bpf_prog_test_run_opts(program_fd, &opts);
		if (ret)
			die("BPF_PROG_TEST_RUN", ret);
		sum_ns += thread_time_ns() - before_ns;
	}
	return (double)sum_ns / PACKETS / REPEAT;
}

static void make_live(struct bpf_object *obj)
{
	uint64_t until_ns = clock_monotonic_ns() + HOUR_NS;
	struct eval_ctl ctl = {.deadline_ns = until_ns, .lease_ns = until_ns};
	__u32 zero = 0;
	int ret = bpf_map_update_elem(object_map_fd(obj, EVAL_CTL_MAP), &zero, &ctl, BPF_ANY);

	if (ret)
		die("eval_ctl", ret);
}

static void load(struct bpf_object *obj, const void *rodata, const struct fault_spec *spec)
{
	static const struct net_device device = {.name = "bench", .ifindex = 1, .ethernet = true};
	struct error err = {};

	if (net_match_prepare(obj, (struct eval_match_config *)rodata, spec, &device, &err) || object_load(obj, &err) ||
	    net_match_fill(obj, spec, &device, &err)) {
		fprintf(stderr, "packet_cost: %s\n", err.text);
		exit(1);
	}
	make_live(obj);
}

/* Loads rules as `eval inject --netns` does: no filter by the node's own address, ssh protected. */
static void load_all(struct loaded *loaded, enum family family, size_t rules, bool mixed)
{
	_cleanup_free_ struct endpoint *peers = calloc(rules, sizeof(*peers));
	struct protect_port ssh = {.protocol = IPPROTO_TCP, .port = 22};
	struct target target = {
		.own_netns = true, .peers = peers, .peer_count = rules, .protect = &ssh, .protect_count = 1};
	_cleanup_json_ json_t *params = chaos_defaults(&chaos_latency);
	struct fault_spec spec = {.ops = &chaos_latency, .params = params, .target = &target};

	if (!peers)
		die("peers", ENOMEM);
	for (size_t i = 0; i < rules; i++)
		address_set(peers[i].address, family, false, (uint32_t)i);
	for (size_t i = 0; mixed && i < rules; i += 10)
		peers[i].prefix = 127;
	loaded->latency = latency_bpf__open();
	loaded->partition = network_partition_bpf__open();
	if (!loaded->latency || !loaded->partition)
		die("open", errno);
	load(loaded->latency->obj, (const void *)&loaded->latency->rodata->match_config, &spec);
	load(loaded->partition->obj, (const void *)&loaded->partition->rodata->match_config, &spec);
}

/* A packet that latency matches grows with each run, so repeats would be wrong: latency gets strangers only. */
static const struct bench_case {
	const char *name;
	bool ingress, peers_too;
} cases[] = {
	{"delay_egress", false, false}, {"delay_ingress", true, false}, {"drop_egress", false, true},
	{"drop_ingress", true, true},   {"drop_xdp", true, true},
};

static int program_fd(const struct loaded *loaded, size_t index)
{
	const struct bpf_program *const programs[] = {
		loaded->latency->progs.delay_egress,  loaded->latency->progs.delay_ingress,
		loaded->partition->progs.drop_egress, loaded->partition->progs.drop_ingress,
		loaded->partition->progs.drop_xdp,
	};

	_Static_assert(ARRAY_SIZE(programs) == ARRAY_SIZE(cases), "a program per case");
	return bpf_program__fd(programs[index]);
}

/* Alternates from round to round which number of rules is measured first. */
static void run_case(struct loaded loaded[RULES], size_t index, enum family family, bool stranger, unsigned int round)
{
	double ns[RULES] = {};

	for (unsigned int i = 0; i < RULES; i++) {
		enum rules rules = (i + round) % RULES;

		ns[rules] = measure(program_fd(&loaded[rules], index), family, cases[index].ingress, stranger,
				    rules == ONE ? 1 : MANY_RULES);
	}
	printf("%s %s %s %.2f %.2f\n", cases[index].name, family_names[family], kind_names[!stranger], ns[ONE],
	       ns[MANY]);
}

static struct probe_bpf *load_empty(void)
{
	struct probe_bpf *probe = probe_bpf__open();
	struct bpf_program *program;

	if (!probe)
		die("open", errno);
	/* The other programs need more of the kernel than this tool does. */
	bpf_object__for_each_program(program, probe->obj)
		bpf_program__set_autoload(program,
					  program == probe->progs.probe_tc || program == probe->progs.probe_xdp);
	if (probe_bpf__load(probe))
		die("load", errno);
	return probe;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 11;
	bool mixed = argc > 2 && !strcmp(argv[2], "mixed");
	struct loaded loaded[FAMILIES][RULES];
	struct probe_bpf *empty;

	object_log_init();
	srand(1);
	empty = load_empty();
	for (enum family family = 0; family < FAMILIES; family++)
		for (enum rules rules = 0; rules < RULES; rules++)
			load_all(&loaded[family][rules], family, rules == ONE ? 1 : MANY_RULES, mixed && rules == MANY);
	for (unsigned int round = 0; round < rounds; round++) {
		double tc_ns = measure(bpf_program__fd(empty->progs.probe_tc), IPV4, false, true, 1);
		double xdp_ns = measure(bpf_program__fd(empty->progs.probe_xdp), IPV4, true, true, 1);

		printf("empty_tc IPv4 stranger %.2f %.2f\n", tc_ns, tc_ns);
		printf("empty_xdp IPv4 stranger %.2f %.2f\n", xdp_ns, xdp_ns);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
			for (enum family family = 0; family < FAMILIES; family++)
				for (int peer = 0; peer <= (cases[i].peers_too ? 1 : 0); peer++)
					run_case(loaded[family], i, family, !peer, round);
	}
	return 0;
}

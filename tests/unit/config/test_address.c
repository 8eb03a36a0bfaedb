/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests which members' addresses collide across netns, ports and instances. */
#include "unit_config.h"

#include "config/reader.h"
#include "util/cleanup.h"

/* NODES is the list's text. Only the baseline runs, so that nothing but the addresses is checked. */
#define SUBJECT(INSTANCES, NODES) \
	"include_baseline: true\nsubjects:\n  - name: s\n    reset: none\n    instances: " INSTANCES \
	"\n    nodes:\n" NODES

static void netns_tell_instances_apart_but_not_nodes(void **state)
{
	assert_accepted(SUBJECT("2", "      - {name: a, netns: 'x{instance}', address: 10.0.0.1}\n"));
	assert_refused(
		SUBJECT("2", "      - {name: a, netns: x, address: 10.0.0.1}\n"),
		"7:38: error: node 'a' has the address 10.0.0.1 in instance 0 and in instance 1: use {instance}");
	assert_refused(SUBJECT("1", "      - {name: a, netns: x, address: 10.0.0.1}\n"
				    "      - {name: b, netns: y, address: 10.0.0.1}\n"),
		       "8:38: error: nodes 'a' and 'b' have one address, 10.0.0.1");
}

static void nodes_of_two_instances_may_not_meet(void **state)
{
#define MEETING "      - {name: a, address: '10.0.1.{instance}'}\n      - {name: b, address: '10.0.1.1{instance}'}\n"
	assert_accepted(SUBJECT("10", MEETING));
	assert_refused(SUBJECT("11", MEETING),
		       "7:28: error: node 'a' of instance 10 and node 'b' of instance 0 have one address, 10.0.1.10");
}

static void a_port_tells_apart_what_has_one(void **state)
{
	assert_accepted(
		SUBJECT("1", "      - {name: a, address: '10.0.0.1:1'}\n      - {name: b, address: '10.0.0.1:2'}\n"));
	assert_refused(SUBJECT("1",
			       "      - {name: a, address: '10.0.0.1:1'}\n      - {name: b, address: '10.0.0.1'}\n"),
		       "8:28: error: 10.0.0.1 of node 'b' and 10.0.0.1:1 of node 'a' overlap: without a port");
	assert_refused(SUBJECT("1", "      - {name: a, address: '[::ffff:10.0.0.1]:1'}\n      - {name: b, address: "
				    "'10.0.0.1:1'}\n"),
		       "8:28: error: nodes 'a' and 'b' have one address, 10.0.0.1:1");
	assert_accepted(SUBJECT(
		"1", "      - {name: a, address: ['fd00::1', '10.0.0.1']}\n      - {name: b, address: 'fd00::2'}\n"));
}

static void peers_are_members_too(void **state)
{
	assert_refused(SUBJECT("1",
			       "      - {name: a, address: 10.0.0.1}\n") "    peers: [{name: p, address: 10.0.0.1}]\n",
		       "8:32: error: nodes 'a' and 'p' have one address, 10.0.0.1");
}

static void a_peer_may_be_a_network(void **state)
{
	assert_accepted(
		SUBJECT("1", "      - {name: a, address: 10.0.0.1}\n") "    peers: [{name: p, address: 10.0.0.0/8}]\n");
	assert_accepted(
		SUBJECT("1",
			"      - {name: a, address: fd00::1}\n") "    peers: [{name: p, address: 'fe80::1%eth0'}]\n");
	assert_refused(
		SUBJECT("1", "      - {name: a, address: 10.0.0.1}\n") "    peers: [{name: p, address: 10.0.0.1/8}]\n",
		"8:32: error: '10.0.0.1/8' is an address in a network");
	assert_accepted(SUBJECT("1", "      - {name: a, address: 10.0.0.0/8}\n"));
	assert_refused(SUBJECT("1", "      - {name: a, address: 'fe80::1%eth0'}\n"),
		       "7:28: error: 'fe80::1%eth0': only a peer may have a zone");
}

static void host_names_and_ranges(void **state)
{
	assert_accepted(SUBJECT("2", "      - {name: a, address: 'tikv-{instance}.local:20160-20163'}\n"));
	assert_accepted(SUBJECT("1", "      - {name: a, address: '10.0.0.1:80-89', cgroup: /a}\n"
				     "      - {name: b, address: '10.0.0.1:90', cgroup: /b}\n"));
	assert_refused(SUBJECT("1", "      - {name: a, address: '10.0.0.1:80-90', cgroup: /a}\n"
				    "      - {name: b, address: '10.0.0.1:90-99', cgroup: /b}\n"),
		       "8:28: error: 10.0.0.1:90-99 of node 'b' and 10.0.0.1:80-90 of node 'a' overlap");
	assert_refused(SUBJECT("1", "      - {name: a, address: '10.0.0.1:90-80'}\n"),
		       "7:28: error: '10.0.0.1:90-80' has no valid port");
}

/* The limit of 16,384 is reached exactly at the end of an instance. */
static void too_many_are_said(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs(SUBJECT("64", ""), out);
	for (int i = 0; i < 256; i++)
		fprintf(out, "      - {name: n%d, address: ['10.{instance}.%d.1', '10.{instance}.%d.2']}\n", i, i, i);
	fclose(out);
	assert_refused(text, "7:30: error: more than 16384 addresses over all instances");
}

/* The placeholder makes the address wrong in each instance. */
static void said_once_for_all_instances(void **state)
{
	assert_refused(SUBJECT("8", "      - {name: a, address: '10.0.{instance}.256'}\n"), "7:28: error: ");
	assert_refused(SUBJECT("2", "      - {name: a, address: '10.0.0.{instance}'}\n"
				    "      - {name: b, address: '10.0.1.{instance}.1'}\n"),
		       "8:28: error: ");
	assert_refused(SUBJECT("64", "      - {name: a, address: '10.0.0.7'}\n"),
		       "7:28: error: node 'a' has the address");
}

static void assert_usable(const char *address, const char *why)
{
	char text[512], problem[256];

	snprintf(text, sizeof(text), SUBJECT("1", "      - {name: a, address: '%s'}\n"), address);
	snprintf(problem, sizeof(problem), "7:28: error: '%s' cannot be a node's address: %s", address, why ?: "");
	if (why)
		assert_refused(text, problem);
	else
		assert_accepted(text);
}

static void edges_of_what_is_unusable(void **state)
{
	assert_usable("0.0.0.1", "it stands for every address");
	assert_usable("1.0.0.0", NULL);
	assert_usable("223.255.255.255", NULL);
	assert_usable("224.0.0.0", "it is multicast");
	assert_usable("239.255.255.255", "it is multicast");
	assert_usable("240.0.0.0", NULL);
	assert_usable("255.255.255.254", NULL);
	assert_usable("255.255.255.255", "it is broadcast");
	assert_usable("::", "it stands for every address");
	assert_usable("ff02::1", "it is multicast");
	assert_usable("fe80::1", NULL);
}

static void loopback_is_its_own_in_a_netns(void **state)
{
	assert_accepted(SUBJECT("1", "      - {name: a, netns: x, address: 127.0.0.1}\n"));
	assert_accepted(SUBJECT("1", "      - {name: a, netns: x, address: '::1'}\n"));
	assert_refused(SUBJECT("1", "      - {name: a, address: '[::1]:5'}\n"),
		       "7:28: error: '[::1]:5' is loopback of this host");
	assert_refused(SUBJECT("1", "      - {name: a, address: 127.255.0.1}\n"),
		       "7:28: error: '127.255.0.1' is loopback");
}

static void sharing_is_by_ip_and_port(void **state)
{
	struct config *config =
		load_valid(SUBJECT("1", "      - {name: a, address: ['10.0.0.1:1', '10.0.0.9']}\n"
					"      - {name: b, address: '10.0.0.1:2'}\n"
					"      - {name: c, address: ['10.0.0.3:1', '10.0.0.3:2']}\n"
					"      - {name: d, address: '10.0.0.4:1'}\n"
					"      - {name: e}\n") "    peers: [{name: p, address: '10.0.0.4:2'}]\n");
	const struct subject *subject = &config->subjects[0];
	_cleanup_free_ const struct node **sharing = nodes_sharing_ip(subject);

	assert_ptr_equal(sharing[0], &subject->nodes[1]);
	assert_ptr_equal(sharing[1], &subject->nodes[0]);
	assert_null(sharing[2]); /* shares only with itself */
	assert_ptr_equal(sharing[3], &subject->peers[0]);
	assert_null(sharing[4]);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netns_tell_instances_apart_but_not_nodes),
		cmocka_unit_test(nodes_of_two_instances_may_not_meet),
		cmocka_unit_test(a_port_tells_apart_what_has_one),
		cmocka_unit_test(peers_are_members_too),
		cmocka_unit_test(a_peer_may_be_a_network),
		cmocka_unit_test(host_names_and_ranges),
		cmocka_unit_test(too_many_are_said),
		cmocka_unit_test(said_once_for_all_instances),
		cmocka_unit_test(edges_of_what_is_unusable),
		cmocka_unit_test(loopback_is_its_own_in_a_netns),
		cmocka_unit_test(sharing_is_by_ip_and_port),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}

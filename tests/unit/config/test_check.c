/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the checks across keys: chaos types against the subjects that they run on. */
#include "unit_config.h"

#define SUBJECT "subjects:\n  - name: s\n    reset: none\n"
#define TWO_NODES "    nodes:\n      - {name: n1, address: 10.0.0.1}\n      - {name: n2, address: 10.0.0.2}\n"
#define DISK "type: disk_pressure, params: {fill_percent: 90}"

/* If the target is a node's name, only that node must have what the type needs. */
static void needs_are_those_of_nodes_it_may_hit(void **state)
{
#define ONE_DATA_DIR SUBJECT "    nodes:\n      - {name: n1, data_dir: /a}\n      - {name: n2}\nchaos_types:\n"
	assert_accepted(ONE_DATA_DIR "  - {target: n1, " DISK "}\n");
	assert_refused(ONE_DATA_DIR "  - {target: random, " DISK "}\n",
		       "6:9: error: node 'n2' needs the key 'data_dir': disk_pressure may target it");
	assert_refused(ONE_DATA_DIR "  - {target: all, name: full, " DISK "}\n",
		       "6:9: error: node 'n2' needs the key 'data_dir': disk_pressure 'full' may target it");
	assert_refused(ONE_DATA_DIR "  - {target: n2, " DISK "}\n",
		       "6:9: error: node 'n2' needs the key 'data_dir': disk_pressure may target it");
}

static void roles_are_asked_for_by_roles_only(void **state)
{
	static const char *const targets[] = {"leader", "follower", "random", "all", "n1"};
	char text[512];

	for (size_t i = 0; i < 5; i++) {
		snprintf(text, sizeof(text),
			 SUBJECT TWO_NODES
			 "chaos_types: [{type: latency, target: %s, params: {min_ms: 1, max_ms: 2}}]\n",
			 targets[i]);
		if (i < 2)
			assert_refused(text, "7:39: error: target '");
		else
			assert_accepted(text);
	}
}

/* The message points to the level that gave the target. */
static void a_wrong_target_is_blamed_where_it_stands(void **state)
{
	assert_refused("defaults: {target: gone}\n" SUBJECT TWO_NODES LATENCY,
		       "1:20: error: no target 'gone' in subject 's'");
	assert_refused("defaults: {target: gone}\n" SUBJECT "    default_target: away\n" TWO_NODES LATENCY,
		       "5:21: error: no target 'away' in subject 's'");
	assert_accepted("defaults: {target: gone}\n" SUBJECT TWO_NODES
			"chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2}}]\n");
}

/* A subject file can be shared by campaigns, so an unused wrong target is an error too. */
static void a_subjects_own_target_is_checked_though_nobody_uses_it(void **state)
{
	assert_refused(SUBJECT "    default_target: away\n" TWO_NODES
			       "chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2}}]\n",
		       "4:21: error: no target 'away' in subject 's'");
	assert_refused("include_baseline: true\n" SUBJECT "    default_target: away\n" TWO_NODES,
		       "5:21: error: no target 'away' in subject 's'");
}

static void a_subject_is_named_in_what_it_lacks(void **state)
{
	assert_refused(
		SUBJECT TWO_NODES
		"  - {name: t, reset: none, nodes: [{name: n1, address: 10.0.1.1}, {name: x2, address: 10.0.1.2}]}\n"
		"chaos_types: [{type: latency, target: n2, params: {min_ms: 1, max_ms: 2}}]\n",
		"8:39: error: no target 'n2' in subject 't'; did you mean 'n1'?");
}

static void idle_where_the_target_is_its_only_peer(void **state)
{
#define CUT(TARGET, PEERS) \
	SUBJECT TWO_NODES "chaos_types: [{type: network_partition, target: " TARGET ", params: {peers: " PEERS "}}]\n"
	assert_accepted(CUT("n1", "[n2]"));
	assert_accepted(CUT("random", "[n1, n2]"));
	assert_accepted(CUT("random", "10.9.9.9"));
	assert_one_problem(CUT("random", "[n1]"), 0,
			   "7:73: warning: network_partition would cut nothing if the target is 'n1', its only peer");
	assert_refused(CUT("n2", "[n2]"),
		       "7:69: error: network_partition would cut nothing: the only peer is the target");
}

/* A peer without an address cannot be cut off. */
static void others_are_those_with_an_address(void **state)
{
	assert_refused(
		SUBJECT "    nodes:\n      - {name: n1, address: 10.0.0.1}\n      - {name: n2}\n"
			"chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2}}]\n",
		"7:15: error: latency would act on nothing: subject 's' has no other node or peer with an address");
	assert_accepted(SUBJECT "    nodes:\n      - {name: n1, address: 10.0.0.1}\n"
				"    peers: [{name: p, address: 10.0.0.2}]\n"
				"chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2}}]\n");
	assert_accepted(SUBJECT
			"    nodes:\n      - {name: n1, address: 10.0.0.1}\n"
			"chaos_types: [{type: latency, target: n1, params: {min_ms: 1, max_ms: 2, peers: all}}]\n");
}

static void peers_below_are_checked_once_and_only_where_used(void **state)
{
#define UNKNOWN_BELOW "defaults: {params: {latency: {min_ms: 1, max_ms: 2, peers: [n2, nobody]}}}\n" SUBJECT TWO_NODES
	assert_refused(
		UNKNOWN_BELOW "chaos_types: [latency, latency, latency]\n",
		"1:65: error: 'nobody' is neither a node nor a peer of subject 's' nor an address (a host name has a "
		"dot or a port here)");
	assert_accepted(UNKNOWN_BELOW "chaos_types: [{type: latency, target: n1, params: {peers: n2}}]\n");
	assert_refused(UNKNOWN_BELOW "chaos_types: [{type: latency, target: n1, params: {peers: n2}}, latency]\n",
		       "1:65: error: 'nobody' is neither");
}

/* The cgroup identifies the connections that the node opens. */
static void a_port_needs_a_cgroup_for_what_cuts(void **state)
{
#define WITH_PORT(MORE, TYPE) \
	SUBJECT "    nodes:\n      - {name: n1, address: '10.0.0.1:80'" MORE \
		"}\n      - {name: n2, address: 10.0.0.2}\n" \
		"chaos_types: [{target: n1, " TYPE "}]\n"
	assert_accepted(WITH_PORT("", "type: latency, params: {min_ms: 1, max_ms: 2}"));
	assert_accepted(WITH_PORT(", cgroup: /n1", "type: network_partition"));
	assert_refused(WITH_PORT("", "type: network_partition"),
		       "5:9: error: network_partition may target node 'n1', whose address has a port");
}

static void a_peer_has_no_nodes_name(void **state)
{
	assert_refused(SUBJECT "    peers: [{name: n2, address: 10.0.0.9}]\n" TWO_NODES LATENCY,
		       "4:20: error: the peer 'n2' has the name of the node on line 7");
}

static void the_number_of_trials_has_an_end(void **state)
{
	assert_accepted("trials_per_combination: 100000\n" SUBJECT TWO_NODES LATENCY);
	assert_accepted("include_baseline: true\ntrials_per_combination: 50000\n" SUBJECT TWO_NODES LATENCY);
	assert_refused("include_baseline: true\ntrials_per_combination: 50001\n" SUBJECT TWO_NODES LATENCY,
		       "2:25: error: 100002 trials are more than 100000");
}

static void parallel_is_compared_with_all_instances(void **state)
{
#define TWO_SUBJECTS \
	"subjects:\n  - {name: s, reset: none, instances: 2, nodes: [{name: n1, data_dir: /a}]}\n" \
	"  - {name: t, reset: none, nodes: [{name: n1, data_dir: /b}]}\nchaos_types: [{" DISK "}]\n"
	assert_accepted("parallel: 3\n" TWO_SUBJECTS);
	assert_one_problem("parallel: 4\n" TWO_SUBJECTS, 0,
			   "1:11: warning: parallel is 4, but the subjects have 3 instances: so many run at once");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_are_those_of_nodes_it_may_hit),
		cmocka_unit_test(roles_are_asked_for_by_roles_only),
		cmocka_unit_test(a_wrong_target_is_blamed_where_it_stands),
		cmocka_unit_test(a_subjects_own_target_is_checked_though_nobody_uses_it),
		cmocka_unit_test(a_subject_is_named_in_what_it_lacks),
		cmocka_unit_test(idle_where_the_target_is_its_only_peer),
		cmocka_unit_test(others_are_those_with_an_address),
		cmocka_unit_test(peers_below_are_checked_once_and_only_where_used),
		cmocka_unit_test(a_port_needs_a_cgroup_for_what_cuts),
		cmocka_unit_test(a_peer_has_no_nodes_name),
		cmocka_unit_test(the_number_of_trials_has_an_end),
		cmocka_unit_test(parallel_is_compared_with_all_instances),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests which nodes a trial's target selects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "inject/choose.h"
#include "inject/node.h"
#include "util/cleanup.h"

#define SEEDS 200

#define NODE(word, address) \
	{ \
		.name = (word), .addresses = {.items = (char *[]){(address), NULL}, .count = 1}, .data_dirs = { \
			.items = (char *[]){NULL} \
		} \
	}

/* n1, n3 and n4 (and n2 in instance 7) are on this host, by loopback, which validation would refuse. */
static struct node nodes[] = {
	NODE("n1", "127.0.0.1"),
	NODE("n2", "12{instance}.0.0.1"),
	NODE("n3", "127.0.0.1"),
	NODE("n4", "127.0.0.1"),
};
static const struct subject lab = {
	.name = "lab",
	.instances = 8,
	.roles = {.exec = "echo n1"},
	.nodes = nodes,
	.node_count = ARRAY_SIZE(nodes),
};

static struct choice choice_in(const struct subject *subject, const char *target, const char *leader)
{
	return (struct choice){.subject = subject, .target = target, .leader = leader, .seed = 1};
}

static void assert_chosen(const struct choice *choice, const char *name)
{
	const struct node *node = NULL;

	assert_int_equal(choose_node(choice, &node, NULL), 0);
	assert_non_null(node);
	assert_string_equal(node->name, name);
}

static void assert_refused(const struct choice *choice, int code, const char *text)
{
	const struct node *node;
	struct error err = {};

	assert_int_equal(choose_node(choice, &node, &err), code);
	assert_int_equal(err.code, code);
	assert_string_equal(err.text, text);
}

/* Counts how often each of n1 … n4 is drawn over SEEDS seeds. */
static void draw_all(struct choice *choice, unsigned int times[4])
{
	memset(times, 0, 4 * sizeof(*times));
	for (choice->seed = 0; choice->seed < SEEDS; choice->seed++) {
		const struct node *node = NULL;

		assert_int_equal(choose_node(choice, &node, NULL), 0);
		assert_non_null(node);
		times[node - choice->subject->nodes]++;
		assert_chosen(choice, node->name);
	}
}

static void by_name(void **state)
{
	struct choice choice = choice_in(&lab, "n3", "n1");

	assert_chosen(&choice, "n3");
	/* Only opening the target checks that the node is on this host. */
	choice.target = "n2";
	assert_chosen(&choice, "n2");
	choice.target = "n5";
	assert_refused(&choice, -ENOENT, "no node 'n5' in subject 'lab'");
}

static void all_is_none_in_particular(void **state)
{
	struct choice choice = choice_in(&lab, "all", "");
	const struct node *node = choice.subject->nodes;

	assert_int_equal(choose_node(&choice, &node, NULL), 0);
	assert_null(node);
}

static void the_leader(void **state)
{
	struct choice choice = choice_in(&lab, "leader", "n4");

	assert_chosen(&choice, "n4");
	choice.leader = "";
	assert_refused(&choice, -ENOENT, "`roles` names no leader");
	choice.leader = "n9";
	assert_refused(&choice, -ENOENT, "`roles` names 'n9', which is not a node of 'lab'");
	choice.target = "follower";
	assert_refused(&choice, -ENOENT, "`roles` names 'n9', which is not a node of 'lab'");
}

static void no_roles(void **state)
{
	struct subject silent = lab;
	struct choice choice = choice_in(&silent, "leader", "n1");

	silent.roles.exec = NULL;
	assert_refused(&choice, -EINVAL, "target leader needs the subject's `roles` command");
	choice.target = "follower";
	assert_refused(&choice, -EINVAL, "target follower needs the subject's `roles` command");
}

static void draws_are_of_this_host(void **state)
{
	struct choice choice = choice_in(&lab, "random", "n1");
	unsigned int times[4];

	draw_all(&choice, times);
	assert_in_range(times[0], SEEDS / 6, SEEDS / 2);
	assert_int_equal(times[1], 0);
	assert_in_range(times[2], SEEDS / 6, SEEDS / 2);
	assert_in_range(times[3], SEEDS / 6, SEEDS / 2);
	choice.instance = 7;
	draw_all(&choice, times);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_in_range(times[i], SEEDS / 8, SEEDS / 2);
}

static void a_follower_is_not_the_leader(void **state)
{
	struct choice choice = choice_in(&lab, "follower", "n3");
	unsigned int times[4];

	draw_all(&choice, times);
	assert_in_range(times[0], SEEDS / 4, SEEDS);
	assert_int_equal(times[1], 0);
	assert_int_equal(times[2], 0);
	assert_in_range(times[3], SEEDS / 4, SEEDS);
	/* The leader is on another host. */
	choice.leader = "n2";
	draw_all(&choice, times);
	assert_int_equal(times[1], 0);
	assert_int_equal(times[0] + times[2] + times[3], SEEDS);
}

static void nobody_is_left_to_draw(void **state)
{
	struct subject pair = lab;
	struct choice choice = choice_in(&pair, "follower", "n1");

	pair.node_count = 2;
	assert_refused(&choice, -EHOSTUNREACH, "no other node of 'lab' is on this host");
	choice.leader = "n2";
	assert_chosen(&choice, "n1");
	choice.target = "random";
	assert_chosen(&choice, "n1");
}

static void nobody_is_here(void **state)
{
	struct subject away = lab;
	struct choice choice = choice_in(&away, "random", "");

	away.nodes = nodes + 1;
	away.node_count = 1;
	assert_refused(&choice, -EHOSTUNREACH, "no node of 'lab' is on this host");
}

static void roles_of_nodes(void **state)
{
	struct choice choice = choice_in(&lab, "random", "n3");

	assert_string_equal(choose_role(&choice, "n3"), "leader");
	assert_string_equal(choose_role(&choice, "n1"), "follower");
	choice.leader = "";
	assert_null(choose_role(&choice, "n1"));
	choice.leader = "n9";
	assert_null(choose_role(&choice, "n1"));
}

static void local_nodes(void **state)
{
	struct choice choice = choice_in(&lab, "random", "");
	const struct node *node = node_find(choice.subject, "n2");
	bool local = true;

	assert_ptr_equal(node, &choice.subject->nodes[1]);
	assert_null(node_find(choice.subject, "n"));
	assert_int_equal(node_is_local(node, choice.subject, 0, &local, NULL), 0);
	assert_false(local);
	assert_int_equal(node_is_local(node, choice.subject, 7, &local, NULL), 0);
	assert_true(local);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(all_is_none_in_particular),
		cmocka_unit_test(the_leader),
		cmocka_unit_test(no_roles),
		cmocka_unit_test(draws_are_of_this_host),
		cmocka_unit_test(a_follower_is_not_the_leader),
		cmocka_unit_test(nobody_is_left_to_draw),
		cmocka_unit_test(nobody_is_here),
		cmocka_unit_test(roles_of_nodes),
		cmocka_unit_test(local_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

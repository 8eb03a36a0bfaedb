/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests a set of faults with a chaos type that only notes its calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chaos/type.h"
#include "inject/faults.h"
#include "target/target.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/host_lock.h"
#include "util/json.h"

enum { NODES = 3 };

/* The planned behaviour of one fault of the set. */
struct plan_of_fault {
	char name[2];
	int prepare, activate, renew, revert; /* return codes */
	json_int_t hit, first_hit_ns;
	bool has_no_evidence;
};

static struct plan_of_fault plans[NODES];
static char notes[128]; /* "+a " for the activation of a, and so on */

static int note(char what, const struct plan_of_fault *plan, int code, struct error *err)
{
	size_t used = strlen(notes);

	snprintf(notes + used, sizeof(notes) - used, "%c%s ", what, plan->name);
	return code ? error_set(err, code, "%s does not", plan->name) : 0;
}

static void assert_notes(const char *wanted)
{
	assert_string_equal(notes, wanted);
	notes[0] = '\0';
}

static int fake_prepare(struct fault *fault, void **state, struct error *err)
{
	struct plan_of_fault *plan = &plans[fault_get_spec(fault)->seed];

	*state = plan;
	fault_set_engine(fault, "none");
	return note('p', plan, plan->prepare, err);
}

static int fake_activate(void *state, uint64_t duration_ns, struct error *err)
{
	const struct plan_of_fault *plan = state;

	return note('+', plan, plan->activate, err);
}

static int fake_renew(void *state, uint64_t lease_ns, struct error *err)
{
	const struct plan_of_fault *plan = state;

	return note('r', plan, plan->renew, err);
}

static void fake_stop(void *state)
{
	note('!', state, 0, NULL);
}

static int fake_revert(void *state, struct error *err)
{
	const struct plan_of_fault *plan = state;

	return note('-', plan, plan->revert, err);
}

static json_t *fake_evidence(void *state)
{
	const struct plan_of_fault *plan = state;

	return plan->has_no_evidence ? NULL
				     : json_pack("{s:I, s:I, s:I, s:I}", "hit", plan->hit, "seen", plan->hit * 2,
						 "bytes", (json_int_t)1, "first_hit_ns", plan->first_hit_ns);
}

static void fake_free(void *state)
{
	note('f', state, 0, NULL);
}

static const struct chaos_ops fake = {
	.name = "fake",
	.prepare = fake_prepare,
	.activate = fake_activate,
	.renew = fake_renew,
	.stop = fake_stop,
	.revert = fake_revert,
	.evidence = fake_evidence,
	.free = fake_free,
};

static struct target *target_new(const char *node)
{
	struct target *target = calloc(1, sizeof(*target));

	assert_non_null(target);
	target->node = strdup(node);
	target->netns_fd = -1;
	target->claim = HOST_LOCK_NONE;
	return target;
}

static int open_next(struct fault_set *set, struct error *err)
{
	struct fault_spec spec = {.campaign = "", .trial = "", .ops = &fake, .seed = set->count};

	return fault_set_open(set, &spec, target_new(set->count < NODES ? plans[set->count].name : "x"), err);
}

static int reset_plans(void **state)
{
	memset(plans, 0, sizeof(plans));
	for (size_t i = 0; i < NODES; i++)
		plans[i].name[0] = (char)('a' + i);
	notes[0] = '\0';
	return 0;
}

static void open_all(struct fault_set *set)
{
	assert_int_equal(fault_set_reserve(set, NODES, NULL), 0);
	for (size_t i = 0; i < NODES; i++)
		assert_int_equal(open_next(set, NULL), 0);
	assert_notes("pa pb pc ");
}

static void activate_all(struct fault_set *set)
{
	open_all(set);
	while (set->live_count < set->count)
		assert_int_equal(fault_set_activate_next(set, NSEC_PER_SEC, NULL), 0);
	assert_notes("+a +b +c ");
}

static void a_whole_life(void **state)
{
	struct fault_set set = {};

	activate_all(&set);
	assert_int_equal(fault_set_renew(&set, NULL), 0);
	assert_notes("ra rb rc ");
	fault_set_stop(&set);
	assert_notes("!a !b !c ");
	assert_int_equal(fault_set_revert(&set, NULL), 0);
	assert_notes("-c -b -a ");
	/* fault_set_close does not revert again. */
	fault_set_close(&set);
	assert_notes("fc fb fa ");
	fault_set_free(&set);
	assert_notes("");
	assert_int_equal(set.count, 0);
}

static void renewed_is_what_is_active(void **state)
{
	struct fault_set set = {};

	open_all(&set);
	assert_int_equal(fault_set_renew(&set, NULL), 0);
	assert_notes("");
	assert_int_equal(fault_set_activate_next(&set, NSEC_PER_SEC, NULL), 0);
	assert_int_equal(fault_set_renew(&set, NULL), 0);
	assert_notes("+a ra ");
	/* Freeing the set reverts faults that are still active. */
	fault_set_free(&set);
	assert_notes("fc fb -a fa ");
}

static void one_that_cannot_go_on_stops_all(void **state)
{
	struct fault_set set = {};
	struct error err = {};

	activate_all(&set);
	plans[1].renew = -ENODEV;
	assert_int_equal(fault_set_renew(&set, &err), -ENODEV);
	assert_string_equal(err.text, "b does not");
	assert_notes("ra rb !a !b !c ");
	fault_set_free(&set);
}

static void one_that_does_not_go_live(void **state)
{
	struct fault_set set = {};
	struct error err = {};

	open_all(&set);
	plans[1].activate = -EIO;
	assert_int_equal(fault_set_activate_next(&set, NSEC_PER_SEC, &err), 0);
	assert_int_equal(fault_set_activate_next(&set, NSEC_PER_SEC, &err), -EIO);
	assert_string_equal(err.text, "b does not");
	assert_int_equal(set.live_count, 1);
	assert_notes("+a +b ");
	/* Stop and revert include b, which may be partly attached. */
	fault_set_stop(&set);
	assert_int_equal(fault_set_revert(&set, NULL), 0);
	assert_notes("!a !b !c -b -a ");
	fault_set_free(&set);
}

static void one_that_cannot_be_opened(void **state)
{
	struct fault_set set = {};
	struct error err = {};

	plans[1].prepare = -EPERM;
	assert_int_equal(fault_set_reserve(&set, NODES, NULL), 0);
	assert_int_equal(open_next(&set, NULL), 0);
	assert_int_equal(open_next(&set, &err), -EPERM);
	assert_string_equal(err.text, "b does not");
	assert_notes("pa pb ");
	fault_set_stop(&set);
	assert_int_equal(fault_set_revert(&set, NULL), 0);
	assert_int_equal(fault_set_read_evidence(&set), 0);
	assert_notes("!a ");
	fault_set_free(&set);
	assert_notes("fa ");
}

static void no_more_than_there_is_room_for(void **state)
{
	struct fault_set set = {};

	open_all(&set);
	assert_int_equal(open_next(&set, NULL), -E2BIG);
	assert_int_equal(set.count, NODES);
	assert_notes("");
	fault_set_free(&set);
}

static void a_failed_revert_holds_up_none(void **state)
{
	struct fault_set set = {};
	struct error err = {};

	activate_all(&set);
	plans[2].revert = -EBUSY;
	plans[0].revert = -EIO;
	assert_int_equal(fault_set_revert(&set, &err), -EBUSY);
	assert_string_equal(err.text, "c does not");
	assert_notes("-c -b -a ");
	fault_set_free(&set);
}

static void evidence_of_several(void **state)
{
	struct fault_set set = {};
	_cleanup_json_ json_t *all = NULL;
	const json_t *targets;

	activate_all(&set);
	assert_int_equal(fault_set_read_evidence(&set), 0);
	plans[0].hit = 3;
	plans[0].first_hit_ns = 900;
	plans[2].hit = 4;
	plans[2].first_hit_ns = 700;
	plans[1].has_no_evidence = true;
	assert_int_equal(fault_set_read_evidence(&set), 700);
	assert_int_equal(fault_set_hits(&set), 7);
	all = fault_set_evidence(&set);
	assert_int_equal(json_integer_at(all, "hit"), 7);
	assert_int_equal(json_integer_at(all, "seen"), 14);
	/* Members read before stay. */
	assert_int_equal(json_integer_at(all, "bytes"), 3);
	targets = json_object_get(all, "targets");
	assert_int_equal(json_object_size(targets), NODES);
	assert_int_equal(json_integer_at(json_object_get(targets, "c"), "hit"), 4);
	fault_set_close(&set);
	assert_int_equal(fault_set_hits(&set), 7);
	fault_set_free(&set);
}

static void evidence_of_one(void **state)
{
	struct fault_set set = {};
	_cleanup_json_ json_t *one = NULL;

	assert_int_equal(fault_set_reserve(&set, 1, NULL), 0);
	assert_int_equal(open_next(&set, NULL), 0);
	assert_null(fault_set_evidence(&set));
	plans[0].hit = 5;
	fault_set_read_evidence(&set);
	one = fault_set_evidence(&set);
	assert_int_equal(json_integer_at(one, "hit"), 5);
	assert_null(json_object_get(one, "targets"));
	fault_set_free(&set);
}

static void described(void **state)
{
	struct fault_set set = {};
	_cleanup_json_ json_t *faults = NULL;
	const json_t *second;

	open_all(&set);
	faults = fault_set_describe(&set);
	assert_int_equal(json_array_size(faults), NODES);
	second = json_array_get(faults, 1);
	assert_string_equal(json_text_or(second, "target", ""), "b");
	assert_string_equal(json_text_or(second, "engine", ""), "none");
	assert_string_equal(json_text_or(second, "seed", ""), "1");
	assert_int_equal(json_array_size(json_object_get(second, "devices")), 0);
	fault_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_whole_life, reset_plans),
		cmocka_unit_test_setup(renewed_is_what_is_active, reset_plans),
		cmocka_unit_test_setup(one_that_cannot_go_on_stops_all, reset_plans),
		cmocka_unit_test_setup(one_that_does_not_go_live, reset_plans),
		cmocka_unit_test_setup(one_that_cannot_be_opened, reset_plans),
		cmocka_unit_test_setup(no_more_than_there_is_room_for, reset_plans),
		cmocka_unit_test_setup(a_failed_revert_holds_up_none, reset_plans),
		cmocka_unit_test_setup(evidence_of_several, reset_plans),
		cmocka_unit_test_setup(evidence_of_one, reset_plans),
		cmocka_unit_test_setup(described, reset_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests whether a campaign starts anew or resumes, and which of its trials run. */
#include "unit_campaign.h"

#include "plan/status.h"

#define SIX "trials_per_combination: 6\n" LAB LATENCY
#define OTHER "trials_per_combination: 6\ndefaults: {duration_seconds: 7}\n" LAB LATENCY

static int select_trials(struct run *run)
{
	int ret;

	start_telling();
	ret = campaign_select(&run->campaign);
	end_telling();
	return ret;
}

/* Records a campaign whose trial i has status i. */
static void leave_campaign(struct run *run, const char *text)
{
	prepare_run(run, text);
	run->options.fresh = true;
	assert_int_equal(select_trials(run), EXIT_OK);
	for (size_t i = 0; i < run->campaign.plan->trial_count; i++)
		set_trial(run, i,
			  json_pack("{s:s, s:i, s:i}", "status", status_name(i % STATUS_COUNT), "attempt", (int)i,
				    "instance", (int)i + 10));
	end_run(run);
}

static void assert_entries(const struct run *run, const char *pending)
{
	const struct campaign *campaign = &run->campaign;
	size_t to_run = 0;

	assert_int_equal(campaign->entry_count, strlen(pending));
	for (size_t i = 0; i < campaign->entry_count; i++) {
		assert_ptr_equal(campaign->entries[i].plan, &campaign->plan->trials[i]);
		assert_int_equal(campaign->entries[i].state, pending[i] == '+' ? ENTRY_PENDING : ENTRY_SKIPPED);
		to_run += pending[i] == '+';
	}
	assert_int_equal(campaign->to_run, to_run);
}

static void test_fresh(void **state)
{
	struct run *run = *state;
	_cleanup_json_ json_t *row = NULL, *trials = NULL;

	prepare_run(run, SIX);
	run->options.fresh = true;
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_false(run->campaign.resumed);
	assert_entries(run, "++++++");
	assert_int_equal(run->campaign.left_out, 0);
	assert_int_equal(run->campaign.entries[0].attempt, 0);
	assert_int_equal(run->campaign.entries[0].instance, -1);
	assert_true(campaign_signal_fd() >= 0);
	row = campaign_row(run);
	assert_string_equal(json_text_or(row, "status", ""), "running");
	assert_string_equal(json_text_or(row, "command_line", ""), "eval run campaign lab.yaml");
	assert_string_equal(json_text_or(row, "seed", ""), "7");
	assert_int_equal(json_integer_at(row, "holder_pid"), getpid());
	assert_int_equal(json_integer_at(json_object_get(row, "trials"), "planned"), 6);
	end_run(run);
}

static void test_fresh_beside_one_of_the_same_second(void **state)
{
	struct run *run = *state;
	_cleanup_json_ json_t *row = NULL, *campaigns = NULL;

	leave_campaign(run, SIX);
	prepare_run(run, SIX);
	run->options.fresh = true;
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_entries(run, "++++++");
	campaigns = store_campaigns(run->campaign.store, NULL);
	assert_int_equal(json_array_size(campaigns), 2);
	assert_string_equal(json_text_or(json_array_get(campaigns, 0), "id", ""), run->campaign.plan->campaign_id);
	row = campaign_row(run);
	assert_string_equal(json_text_or(row, "seed", ""), "7");
	end_run(run);
}

static void test_only(void **state)
{
	struct run *run = *state;

	prepare_run(run, SIX);
	run->options.fresh = true;
	run->options.only = "*-[25]";
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_entries(run, "-+--+-");
	assert_int_equal(run->campaign.left_out, 4);
	end_run(run);
	prepare_run(run, SIX);
	run->options.fresh = true;
	run->options.only = "latency";
	start_telling();
	assert_int_equal(campaign_check_selection(&run->campaign), EXIT_USAGE);
	end_telling();
	assert_told("--only latency: no trial's id matches; the ids look like trial-lab-latency-1\n");
	end_run(run);
}

static void test_resume(void **state)
{
	struct run *run = *state;
	_cleanup_json_ json_t *trials = NULL;
	const json_t *running;

	leave_campaign(run, SIX);
	prepare_run(run, SIX);
	run->options.resume = true;
	run->campaign.plan->seed = 8; /* the recorded seed is used */
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_true(run->campaign.resumed);
	assert_true(run->campaign.plan->seed == 7);
	/* planned, running, completed, failed, void, interrupted */
	assert_entries(run, "++---+");
	assert_int_equal(run->campaign.left_out, 0);
	assert_int_equal(run->campaign.entries[5].attempt, 5);
	assert_int_equal(run->campaign.entries[5].instance, 15);
	trials = store_trials(run->campaign.store, run->campaign.plan->campaign_id, NULL);
	running = json_array_get(trials, 1);
	assert_string_equal(json_text_or(running, "status", ""), "interrupted");
	assert_string_equal(json_text_or(running, "error_text", ""), "the coordinator died while it ran");
	assert_string_equal(json_text_or(json_array_get(trials, 2), "status", ""), "completed");
	end_run(run);
}

static void test_resume_only(void **state)
{
	struct run *run = *state;

	leave_campaign(run, SIX);
	prepare_run(run, SIX);
	run->options.resume = true;
	run->options.only = "*-[36]";
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_entries(run, "-----+");
	assert_int_equal(run->campaign.left_out, 2);
	end_run(run);
}

static void test_retry_failed(void **state)
{
	struct run *run = *state;

	leave_campaign(run, SIX);
	prepare_run(run, SIX);
	run->options.retry_failed = true;
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_entries(run, "++-+++");
	for (size_t i = 0; i < run->campaign.plan->trial_count; i++)
		set_trial(run, i, json_pack("{s:s}", "status", i ? "completed" : "failed"));
	end_run(run);
	/* --retry-failed also works on a finished campaign. */
	prepare_run(run, SIX);
	run->options.retry_failed = true;
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_entries(run, "+-----");
	end_run(run);
	prepare_run(run, SIX);
	run->options.resume = true;
	assert_int_equal(select_trials(run), EXIT_USAGE);
	assert_told("nothing to resume: database ");
	end_run(run);
}

static void test_by_id(void **state)
{
	struct run *run = *state;

	leave_campaign(run, SIX);
	prepare_run(run, SIX);
	run->options.resume = true;
	run->options.resume_id = "campaign-2023";
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_entries(run, "++---+");
	end_run(run);
	prepare_run(run, SIX);
	run->options.resume = true;
	run->options.resume_id = "campaign-1999";
	assert_int_equal(select_trials(run), EXIT_USAGE);
	assert_told("campaign-1999");
	end_run(run);
}

/* Gives the config the recorded path, because each load uses a new folder. */
static void take_recorded_path(struct run *run)
{
	_cleanup_json_ json_t *campaigns = store_campaigns(run->campaign.store, NULL);

	free(run->config->path);
	run->config->path = strdup(json_text_or(json_array_get(campaigns, 0), "config_path", ""));
}

static void assert_told_what_changed(void)
{
	assert_told(" was started with other settings than lab.yaml has now; what changed:");
	assert_told("duration_seconds: 30.0 -> 7.0");
	assert_told("change it back to resume, or start anew with --fresh");
}

static void test_changed_file(void **state)
{
	struct run *run = *state;

	leave_campaign(run, SIX);
	prepare_run(run, OTHER);
	run->options.resume = true;
	assert_int_equal(select_trials(run), EXIT_USAGE);
	assert_told("has no unfinished campaign of lab.yaml");
	end_run(run);
	prepare_run(run, OTHER);
	take_recorded_path(run);
	run->options.resume = true;
	assert_int_equal(select_trials(run), EXIT_USAGE);
	assert_told_what_changed();
	end_run(run);
	prepare_run(run, OTHER);
	run->options.resume = true;
	run->options.resume_id = "campaign-2023";
	assert_int_equal(select_trials(run), EXIT_USAGE);
	assert_told_what_changed();
	end_run(run);
}

static void test_an_unfinished_one_is_never_passed_over(void **state)
{
	struct run *run = *state;

	leave_campaign(run, SIX);
	prepare_run(run, SIX);
	assert_int_equal(select_trials(run), EXIT_USAGE);
	assert_told(" of this file is unfinished (completed 1, failed 1, void 1, interrupted 1, running 1, planned 1): "
		    "--resume goes on with it, --fresh starts anew\n");
	assert_int_equal(run->campaign.entry_count, 0);
	for (size_t i = 0; i < run->campaign.plan->trial_count; i++)
		set_trial(run, i, json_pack("{s:s}", "status", "void"));
	end_run(run);
	prepare_run(run, SIX);
	assert_int_equal(select_trials(run), EXIT_OK);
	assert_false(run->campaign.resumed);
	assert_entries(run, "++++++");
	end_run(run);
}

static void test_rows_that_are_not_the_plan(void **state)
{
	struct run *run = *state;

	leave_campaign(run, SIX);
	prepare_run(run, SIX);
	set_trial(run, 1, json_pack("{s:s}", "id", "trial-lab-latency-7"));
	run->options.resume = true;
	assert_int_equal(select_trials(run), EXIT_HOST);
	assert_told("cannot resume: ");
	assert_told(": trial 2 is 'trial-lab-latency-7', the file plans 'trial-lab-latency-2'\n");
	end_run(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fresh),
		TEST(test_fresh_beside_one_of_the_same_second),
		TEST(test_only),
		TEST(test_resume),
		TEST(test_resume_only),
		TEST(test_retry_failed),
		TEST(test_by_id),
		TEST(test_changed_file),
		TEST(test_an_unfinished_one_is_never_passed_over),
		TEST(test_rows_that_are_not_the_plan),
	};

	return cmocka_run_group_tests_name("select", tests, catch_told, NULL);
}

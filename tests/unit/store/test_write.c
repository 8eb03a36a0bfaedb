/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the rows, values and lookups of the store. */
#include "campaign/campaign.h"
#include "unit_store.h"

#include "util/clock.h"
#include "util/json.h"
#include "util/moment.h"

static void test_plan_is_written(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *campaign = NULL, *trials = NULL;
	json_t *trial;

	create_campaign(f);
	campaign = store_campaign(f->store, CAMPAIGN, &err);
	assert_non_null(campaign);
	assert_string_equal(string_of(campaign, "label"), "raft");
	assert_string_equal(string_of(campaign, "host"), "h1");
	assert_string_equal(string_of(campaign, "status"), "running");
	assert_true(store_u64_value(json_object_get(campaign, "seed")) == UINT64_MAX);
	assert_int_equal(json_array_size(json_object_get(json_object_get(campaign, "config"), "subjects")), 1);
	assert_int_equal(json_integer_at(json_object_get(campaign, "trials"), "planned"), TRIALS);
	trials = store_trials(f->store, CAMPAIGN, &err);
	assert_int_equal(json_array_size(trials), TRIALS);
	trial = json_array_get(trials, 0);
	assert_true(json_is_true(json_object_get(trial, "baseline")));
	assert_true(json_is_null(json_object_get(trial, "type")));
	trial = json_array_get(trials, 2);
	assert_string_equal(string_of(trial, "id"), "trial-lab-latency-0003");
	assert_string_equal(string_of(trial, "status"), "planned");
	assert_string_equal(string_of(trial, "seed"), "18446744073709551613");
	assert_true(store_u64_value(json_object_get(trial, "seed")) == UINT64_MAX - 2);
	assert_true(json_equal(json_object_get(trial, "params_asked"), f->params));
	assert_true(json_is_null(
		json_object_get(json_object_get(json_object_get(trial, "settings"), "expect"), "p99_ms_max")));
}

/* Returns a value that column accepts, also by its CHECK constraint. */
static json_t *sample_value(const struct store_column *column, int salt)
{
	static const struct {
		const char *column, *value;
	} checked[] = {{"status", "running"},
		       {"verdict", "pass"},
		       {"error_stage", "hold"},
		       {"campaign_id", CAMPAIGN},
		       {"trial_id", "trial-lab-latency-0002"}};

	for (size_t i = 0; i < ARRAY_SIZE(checked); i++)
		if (!strcmp(column->name, checked[i].column))
			return json_string(checked[i].value);
	switch (column->type) {
	case STORE_TEXT:
		return json_sprintf("%s – %d \"x\" \\ 'y'", column->name, salt);
	case STORE_INTEGER:
		return json_integer(INT64_MAX - salt);
	case STORE_REAL:
		return json_real(0.1 + salt);
	case STORE_BOOL:
		return json_boolean(salt % 2);
	case STORE_U64:
		return store_u64(UINT64_MAX - (uint64_t)salt);
	case STORE_JSON:
		return json_pack("{s:[i, f, n, b], s:s}", "list", salt, 0.25, 1, "text", "✓\n");
	}
	return NULL;
}

static json_t *full_row(enum store_table_id table, const char *skip)
{
	json_t *row = json_object();
	int salt = 0;

	for (const struct store_column *column = store_tables[table].columns; column->name; column++)
		if (!strstr(skip, column->name))
			json_object_set_new(row, column->name, sample_value(column, ++salt));
	return row;
}

/* Compares with the row that was written. */
static int check_sample(const struct store_sample *sample, void *data)
{
	const json_t *row = data;

	assert_int_equal(sample->attempt, 4);
	assert_string_equal(sample->probe, string_of(row, "probe"));
	assert_string_equal(sample->error, string_of(row, "error"));
	assert_string_equal(sample->phase, string_of(row, "phase"));
	assert_true(sample->scheduled_ns == json_integer_at(row, "scheduled_ns"));
	assert_true(sample->started_at_ns == json_integer_at(row, "started_at_ns"));
	assert_true(sample->latency_ns == json_integer_at(row, "latency_ns"));
	assert_int_equal(sample->ok, json_is_true(json_object_get(row, "ok")));
	json_object_set_new(data, "seen", json_true());
	return 0;
}

static void test_every_column_comes_back(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *trial = full_row(TABLE_TRIALS, "campaign_id"),
			      *attempt = full_row(TABLE_ATTEMPTS, "attempt");
	_cleanup_json_ json_t *sample = full_row(TABLE_SAMPLES, "attempt"), *samples = json_array();
	_cleanup_json_ json_t *event = full_row(TABLE_EVENTS, ""), *campaign = full_row(TABLE_CAMPAIGNS, "id");
	_cleanup_json_ json_t *found = NULL, *read_attempts = NULL, *read_events = NULL;
	_cleanup_json_ json_t *read_campaign = NULL;

	create_campaign(f);
	json_object_set_new(trial, "id", json_string("trial-lab-latency-0002"));
	json_array_append(samples, sample);
	assert_ok(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", trial, &err));
	assert_ok(store_attempt_set(f->store, CAMPAIGN, "trial-lab-latency-0002", 4, attempt, &err));
	assert_ok(store_samples_add(f->store, CAMPAIGN, "trial-lab-latency-0002", 4, samples, &err));
	assert_ok(store_event_add(f->store, CAMPAIGN, "trial-lab-latency-0002", event, &err));
	assert_ok(store_campaign_set(f->store, CAMPAIGN, campaign, &err));
	found = store_trial(f->store, CAMPAIGN, "trial-lab-latency-0002", &err);
	assert_holds(found, trial);
	read_attempts = store_attempts(f->store, CAMPAIGN, "trial-lab-latency-0002", &err);
	assert_holds(json_array_get(read_attempts, 0), attempt);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(read_attempts, 0), "attempt")), 4);
	assert_ok(store_visit_samples(f->store, CAMPAIGN, "trial-lab-latency-0002", check_sample, sample, &err));
	assert_true(json_is_true(json_object_get(sample, "seen")));
	read_events = store_events(f->store, CAMPAIGN, "trial-lab-latency-0002", &err);
	assert_holds(json_array_get(read_events, 0), event);
	read_campaign = store_campaign(f->store, CAMPAIGN, &err);
	json_object_del(campaign, "trials");
	assert_holds(read_campaign, campaign);
}

static void test_attempts_update_in_part(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *start =
		json_pack("{s:s, s:i}", "started_at", "2026-11-23T00:00:00.000001Z", "instance", 3);
	_cleanup_json_ json_t *end = json_pack("{s:s}", "status", "failed");
	_cleanup_json_ json_t *empty = json_object(), *attempts = NULL;

	create_campaign(f);
	assert_ok(store_attempt_set(f->store, CAMPAIGN, "trial-lab-latency-0002", 1, start, &err));
	assert_ok(store_attempt_set(f->store, CAMPAIGN, "trial-lab-latency-0002", 1, end, &err));
	assert_ok(store_attempt_set(f->store, CAMPAIGN, "trial-lab-latency-0002", 1, empty, &err));
	attempts = store_attempts(f->store, CAMPAIGN, "trial-lab-latency-0002", &err);
	assert_int_equal(json_array_size(attempts), 1);
	assert_holds(json_array_get(attempts, 0), start);
	assert_holds(json_array_get(attempts, 0), end);
}

static void test_event_keeps_other_keys(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *event = json_pack("{s:s, s:{s:i}}", "kind", "lease", "late", "ms", 12);
	_cleanup_json_ json_t *events = NULL;
	json_t *row;

	create_campaign(f);
	assert_ok(store_event_add(f->store, CAMPAIGN, NULL, event, &err));
	events = store_events(f->store, CAMPAIGN, NULL, &err);
	row = json_array_get(events, 0);
	assert_int_equal(strlen(string_of(row, "at")), RFC3339_SIZE - 1);
	assert_true(
		json_equal(json_object_get(json_object_get(row, "details"), "late"), json_object_get(event, "late")));
}

static void assert_refused(struct fixture *f, const char *column, json_t *value, const char *text)
{
	_cleanup_json_ json_t *columns = json_object();

	json_object_set_new(columns, column, value);
	assert_int_equal(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", columns, &err), -EINVAL);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void test_wrong_values_are_refused(void **state)
{
	struct fixture *f = *state;

	create_campaign(f);
	assert_refused(f, "statuss", json_string("void"), "has no column 'statuss', the nearest is 'status'");
	assert_refused(f, "status", json_string("done"), "CHECK");
	assert_refused(f, "verdict", json_string("maybe"), "CHECK");
	assert_refused(f, "error_stage", json_string("somewhere"), "CHECK");
	assert_refused(f, "subject", json_null(), "NOT NULL");
	assert_refused(f, "target_node", json_integer(1), "trials.target_node takes text");
	assert_refused(f, "error_errno", json_string("1"), "takes an integer");
	assert_refused(f, "fresh", json_integer(2), "takes true or false");
	assert_refused(f, "seed", json_string("18446744073709551616"), "2^64 - 1");
	assert_refused(f, "seed", json_string("-1"), "2^64 - 1");
	assert_refused(f, "seed", json_string(""), "2^64 - 1");
}

static void test_missing_rows(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *columns = json_pack("{s:s}", "status", "running");

	create_campaign(f);
	assert_int_equal(store_trial_set(f->store, CAMPAIGN, "trial-none-0009", columns, &err), -ENOENT);
	assert_int_equal(store_campaign_set(f->store, "campaign-none", columns, &err), -ENOENT);
	assert_int_equal(store_attempt_set(f->store, CAMPAIGN, "trial-none-0009", 1, columns, &err), -EINVAL);
	assert_non_null(strstr(err.text, "FOREIGN KEY"));
	assert_null(store_campaign(f->store, "", &err));
	assert_int_equal(err.code, -ENOENT);
}

static void test_seeds_are_exact(void **state)
{
	struct fixture *f = *state;
	static const uint64_t seeds[] = {0, 7, INT64_MAX, (uint64_t)INT64_MAX + 1, 0x8000000000000001, UINT64_MAX};

	create_campaign(f);
	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		_cleanup_json_ json_t *columns = json_pack("{s:o}", "seed", store_u64(seeds[i])), *trial = NULL;

		assert_ok(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", columns, &err));
		trial = store_trial(f->store, CAMPAIGN, "2", &err);
		assert_true(store_u64_value(json_object_get(trial, "seed")) == seeds[i]);
	}
}

static void test_moment(void **state)
{
	_cleanup_json_ json_t *columns = json_object();

	assert_int_equal(moment_set(columns, "started_at", 1795470203123456789ULL, 42), 0);
	assert_string_equal(string_of(columns, "started_at"), "2026-11-23T21:43:23.123456Z");
	assert_int_equal(json_integer_at(columns, "started_at_monotonic_ns"), 42);
}

static void insert_campaign(struct fixture *f, char *id, const char *hash, const char *created_at)
{
	_cleanup_json_ json_t *columns = json_pack("{s:s}", "created_at", created_at);

	f->plan.campaign_id = id;
	snprintf(f->plan.hash, sizeof(f->plan.hash), "%s", hash);
	assert_ok(store_campaign_create(f->store, &f->plan, columns, &err));
}

static void test_lookups(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *asked, *found;
		int code;
	} cases[] = {
		{"campaign-20261123T215643Z-0123abcd", "campaign-20261123T215643Z-0123abcd", 0},
		{"campaign-20261123T21", "campaign-20261123T215643Z-0123abcd", 0},
		{"20261123T2156", "campaign-20261123T215643Z-0123abcd", 0},
		{"0123abcd", "campaign-20261123T215643Z-0123abcd", 0},
		{"0123abc", NULL, -ENOENT},
		{"campaign-2026", NULL, -ENOTUNIQ},
		{"campaign-20261124T000000Z-89abcdef", "campaign-20261124T000000Z-89abcdef", 0},
		{"89abcdef", NULL, -ENOTUNIQ},
		{"campaign-%", NULL, -ENOENT},
	};

	insert_campaign(f, CAMPAIGN, "0123abcd", "2026-11-23T21:56:43.000000Z");
	insert_campaign(f, "campaign-20261124T000000Z-89abcdef", "89abcdef", "2026-11-24T00:00:00.000000Z");
	insert_campaign(f, "campaign-20261125T000000Z-89abcdef", "89abcdef", "2026-11-25T00:00:00.000000Z");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *campaign = store_campaign(f->store, cases[i].asked, fresh_error());

		if (cases[i].found)
			assert_string_equal(string_of(campaign, "id"), cases[i].found);
		else
			assert_null(campaign);
		assert_int_equal(err.code, cases[i].code);
		if (err.code == -ENOTUNIQ)
			assert_non_null(strstr(err.text, "campaign-20261125T000000Z-89abcdef, campaign-20261124T"));
	}
}

static void test_trial_lookups(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *campaign, *asked, *found;
		int code;
	} cases[] = {
		{"0123abcd", "trial-lab-latency-0002", "trial-lab-latency-0002", 0},
		{"0123abcd", "lab-base", "trial-lab-baseline-0001", 0},
		{"0123abcd", "baseline-0001", "trial-lab-baseline-0001", 0},
		{"0123abcd", "3", "trial-lab-latency-0003", 0},
		{"0123abcd", "0003", "trial-lab-latency-0003", 0},
		{"0123abcd", "trial-lab-latency", NULL, -ENOTUNIQ},
		{"0123abcd", "9", NULL, -ENOENT},
		{"nothing", "3", NULL, -ENOENT},
		{NULL, "trial-lab-latency-0002", NULL, -ENOTUNIQ},
		{"89abcdef", "trial-lab-latency-0002", "trial-lab-latency-0002", 0},
	};

	insert_campaign(f, CAMPAIGN, "0123abcd", "2026-11-23T21:56:43.000000Z");
	insert_campaign(f, "campaign-20261124T000000Z-89abcdef", "89abcdef", "2026-11-24T00:00:00.000000Z");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *trial = store_trial(f->store, cases[i].campaign, cases[i].asked, fresh_error());

		assert_int_equal(err.code, cases[i].code);
		if (cases[i].found)
			assert_string_equal(string_of(trial, "id"), cases[i].found);
		else
			assert_null(trial);
	}
}

static void set_status(struct fixture *f, const char *campaign, const char *status)
{
	_cleanup_json_ json_t *columns = json_pack("{s:s}", "status", status);

	for (size_t i = 0; i < TRIALS; i++)
		assert_ok(store_trial_set(f->store, campaign, f->trials[i].id, columns, &err));
}

static void test_unfinished(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *status;
		bool open;
	} cases[] = {{"planned", true},    {"running", true}, {"interrupted", true},
		     {"completed", false}, {"failed", false}, {"void", false}};
	_cleanup_json_ json_t *campaigns = NULL;

	err.code = -1;
	assert_null(store_unfinished(f->store, "0123abcd", &err));
	assert_int_equal(err.code, 0);
	insert_campaign(f, "campaign-20261122T000000Z-0123abcd", "0123abcd", "2026-11-22T00:00:00.000000Z");
	insert_campaign(f, CAMPAIGN, "0123abcd", "2026-11-23T21:56:43.000000Z");
	insert_campaign(f, "campaign-20261124T000000Z-ffffffff", "ffffffff", "2026-11-24T00:00:00.000000Z");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *found = NULL;

		set_status(f, CAMPAIGN, cases[i].status);
		found = store_unfinished(f->store, "0123abcd", &err);
		assert_string_equal(string_of(found, "id"),
				    cases[i].open ? CAMPAIGN : "campaign-20261122T000000Z-0123abcd");
	}
	campaigns = store_campaigns(f->store, &err);
	assert_int_equal(json_array_size(campaigns), 3);
	assert_string_equal(string_of(json_array_get(campaigns, 0), "id"), "campaign-20261124T000000Z-ffffffff");
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(json_array_get(campaigns, 1), "trials"), "void")),
			 TRIALS);
}

static void test_rollback_and_failed_create(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *campaigns = NULL, *wrong = json_pack("{s:s}", "hostt", "h1");

	assert_int_equal(store_campaign_create(f->store, &f->plan, wrong, &err), -EINVAL);
	/* An id that occurs twice in the plan: nothing is stored. */
	f->trials[2].id = f->trials[1].id;
	assert_int_equal(store_campaign_create(f->store, &f->plan, NULL, &err), -EINVAL);
	assert_ok(store_begin(f->store, &err));
	f->plan.trial_count = 1;
	assert_ok(store_campaign_create(f->store, &f->plan, NULL, &err));
	store_rollback(f->store);
	store_rollback(f->store);
	campaigns = store_campaigns(f->store, &err);
	assert_int_equal(json_array_size(campaigns), 0);
}

static void test_bury_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *trial = NULL;

	create_campaign(f);
	set_status(f, CAMPAIGN, "running");
	run_sql(f->path, "CREATE TRIGGER refuse BEFORE UPDATE ON trials WHEN old.id LIKE '%-0003' BEGIN "
			 "SELECT raise(ABORT, 'no'); END");
	assert_true(store_bury_running(f->store, CAMPAIGN, &err) < 0);
	assert_false(store_in_transaction(f->store));
	trial = store_trial(f->store, CAMPAIGN, "2", &err);
	assert_string_equal(string_of(trial, "status"), "running");
	run_sql(f->path, "DROP TRIGGER refuse");
	assert_int_equal(store_bury_running(f->store, CAMPAIGN, &err), TRIALS);
}

static void test_text_from_outside(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *found = NULL;
	static const struct {
		const char *bytes;
		size_t size;
		const char *text;
	} cases[] = {
		{"plain", 5, "plain"},
		{"", 0, ""},
		{"a\0b", 3,
		 "a\xef\xbf\xbd"
		 "b"},
		{"\xff\xfe", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
		{"gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f"},
		{"cut \xe2\x82", 6, "cut \xef\xbf\xbd\xef\xbf\xbd"},
		{"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf0\x9f\x92\xa5", 4, "\xf0\x9f\x92\xa5"},
		{"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};

	create_campaign(f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *columns = json_object(), *trial = NULL;

		json_object_set_new(columns, "error_text", json_text(cases[i].bytes, cases[i].size));
		json_object_set_new(columns, "commands_json", json_text(cases[i].bytes, cases[i].size));
		assert_string_equal(string_of(columns, "error_text"), cases[i].text);
		assert_ok(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", columns, &err));
		trial = store_trial(f->store, CAMPAIGN, "2", &err);
		assert_holds(trial, columns);
	}
	store_close(TAKE_PTR(f->store));
	run_sql(f->path, "UPDATE trials SET error_text = CAST(x'41ff' AS TEXT), evidence = 'no json'");
	assert_ok(store_open(&f->store, f->path, STORE_READ, &err));
	found = store_trial(f->store, CAMPAIGN, "2", &err);
	assert_string_equal(string_of(found, "error_text"), "A\xef\xbf\xbd");
	assert_string_equal(string_of(found, "evidence"), "no json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plan_is_written),
		TEST(test_every_column_comes_back),
		TEST(test_attempts_update_in_part),
		TEST(test_event_keeps_other_keys),
		TEST(test_wrong_values_are_refused),
		TEST(test_missing_rows),
		TEST(test_seeds_are_exact),
		TEST(test_moment),
		TEST(test_lookups),
		TEST(test_trial_lookups),
		TEST(test_unfinished),
		TEST(test_rollback_and_failed_create),
		TEST(test_bury_is_all_or_nothing),
		TEST(test_text_from_outside),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

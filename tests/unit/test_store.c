/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store_internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define CAMPAIGN "campaign-20261123T215643Z-0123abcd"
#define TRIAL "trial-lab-latency-0001"
#define TRIALS 3

/* One for the file: each call fills it anew. */
static struct error err;

static struct error *fresh_error(void)
{
	err = (struct error){};
	return &err;
}

struct fixture {
	char folder[64], path[96];
	struct store *store;
	struct subject subject;
	struct chaos_ops ops;
	struct chaos chaos;
	struct settings settings;
	struct config config;
	struct plan_trial trials[TRIALS];
	struct plan plan;
	json_t *params;
};

static void remove_files(const struct fixture *f)
{
	static const char *const names[] = {"eval.db", "eval.db-wal", "eval.db-shm", "a/b/eval.db"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/a/b", f->folder);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/a", f->folder);
	rmdir(path);
	rmdir(f->folder);
}

static void fill_plan(struct fixture *f)
{
	static const char *const ids[TRIALS] = {"trial-lab-baseline-0001", "trial-lab-latency-0002",
						"trial-lab-latency-0003"};

	f->params = json_pack("{s:f, s:s}", "min_ms", 50.5, "direction", "both");
	f->subject = (struct subject){.name = "lab", .fresh = true};
	f->ops = (struct chaos_ops){.name = "latency"};
	f->chaos = (struct chaos){.ops = &f->ops, .name = "latency"};
	f->settings = (struct settings){.warmup_seconds = 5, .duration_seconds = 30, .retries = 1,
					.expect = {0.9, NAN, 10}};
	f->config = (struct config){.name = "raft", .parallel = 2, .cooldown_seconds = 1.5};
	for (unsigned int i = 0; i < TRIALS; i++)
		f->trials[i] = (struct plan_trial){.id = (char *)ids[i], .index = i + 1, .repetition = 1,
						   .subject = &f->subject, .chaos = i ? &f->chaos : NULL,
						   .chaos_name = i ? "latency" : "baseline",
						   .target = i ? "leader" : NULL, .settings = &f->settings,
						   .params = i ? f->params : NULL, .seed = UINT64_MAX - i};
	f->plan = (struct plan){.campaign_id = CAMPAIGN, .canonical = "{\"subjects\":[\"lab\"]}", .hash = "0123abcd",
				.seed = UINT64_MAX, .config = &f->config, .trials = f->trials, .trial_count = TRIALS};
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/eval-test-XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/eval.db", f->folder);
	fill_plan(f);
	*state = f;
	return store_open(&f->store, f->path, STORE_WRITE, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	remove_files(f);
	json_decref(f->params);
	free(f);
	return 0;
}

#define assert_ok(call) \
	do { \
		int ret_ = (call); \
		if (ret_) \
			fail_msg("%s: %d %s", #call, ret_, err.text); \
	} while (0)

static void create_campaign(struct fixture *f)
{
	_cleanup_json_ json_t *columns = json_pack("{s:s, s:s, s:s}", "host", "h1", "kernel", "6.18", "status", "running");

	assert_ok(store_campaign_create(f->store, &f->plan, columns, &err));
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static const char *string_of(const json_t *row, const char *column)
{
	return json_string_value(json_object_get(row, column));
}

static void test_files_are_private(void **state)
{
	struct fixture *f = *state;
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	_cleanup_free_ char *nested = NULL;
	struct store *second = NULL;
	struct stat st;
	char path[128];

	create_campaign(f);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_not_equal(asprintf(&nested, "%s/a/b/eval.db", f->folder), -1);
	assert_ok(store_open(&second, nested, STORE_WRITE, &err));
	store_close(second);
	snprintf(path, sizeof(path), "%s/a/b", f->folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_durability_settings(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *pragma, *value;
	} wanted[] = {{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"}, {"user_version", "1"}};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		_cleanup_statement_ sqlite3_stmt *statement = NULL;
		char sql[64];

		snprintf(sql, sizeof(sql), "PRAGMA %s", wanted[i].pragma);
		assert_int_equal(sqlite3_prepare_v2(f->store->db, sql, -1, &statement, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
		assert_string_equal(sqlite3_column_text(statement, 0), wanted[i].value);
	}
}

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
	assert_int_equal(json_integer_value(json_object_get(json_object_get(campaign, "trials"), "planned")), TRIALS);
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
	assert_true(json_is_null(json_object_get(json_object_get(json_object_get(trial, "settings"), "expect"),
						 "p99_ms_max")));
}

/* A value that column takes; CHECK constraints by name. */
static json_t *sample_value(const struct store_column *column, int salt)
{
	static const struct {
		const char *column, *value;
	} checked[] = {{"status", "running"}, {"verdict", "pass"}, {"error_stage", "hold"},
		       {"campaign_id", CAMPAIGN}, {"trial_id", "trial-lab-latency-0002"}};

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

static void assert_holds(const json_t *row, const json_t *wanted)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)wanted, name, value)
		if (!json_equal(value, json_object_get(row, name)))
			fail_msg("column %s came back as %s", name,
				 json_dumps(json_object_get(row, name), JSON_ENCODE_ANY));
}

static void test_every_column_comes_back(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *trial = full_row(TABLE_TRIALS, "campaign_id"), *attempt = full_row(TABLE_ATTEMPTS, "attempt");
	_cleanup_json_ json_t *sample = full_row(TABLE_SAMPLES, "attempt"), *samples = json_array();
	_cleanup_json_ json_t *event = full_row(TABLE_EVENTS, ""), *campaign = full_row(TABLE_CAMPAIGNS, "id");
	_cleanup_json_ json_t *found = NULL, *read_attempts = NULL, *read_samples = NULL, *read_events = NULL;
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
	read_samples = store_samples(f->store, CAMPAIGN, "trial-lab-latency-0002", &err);
	assert_holds(json_array_get(read_samples, 0), sample);
	read_events = store_events(f->store, CAMPAIGN, "trial-lab-latency-0002", &err);
	assert_holds(json_array_get(read_events, 0), event);
	read_campaign = store_campaign(f->store, CAMPAIGN, &err);
	json_object_del(campaign, "trials");
	assert_holds(read_campaign, campaign);
}

static void test_attempts_update_in_part(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *start = json_pack("{s:s, s:i}", "started_at", "2026-11-23T00:00:00.000001Z", "instance", 3);
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
	assert_true(json_equal(json_object_get(json_object_get(row, "details"), "late"), json_object_get(event, "late")));
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

	assert_int_equal(store_moment(columns, "started_at", 1795470203123456789ULL, 42), 0);
	assert_string_equal(string_of(columns, "started_at"), "2026-11-23T21:43:23.123456Z");
	assert_int_equal(json_integer_value(json_object_get(columns, "started_at_monotonic_ns")), 42);
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
	} cases[] = {{"planned", true}, {"running", true}, {"interrupted", true},
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
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json_array_get(campaigns, 1), "trials"), "void")),
			 TRIALS);
}

static void test_migration(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *old = NULL, *set = json_pack("{s:[s]}", "commands_json", "reset"), *trial = NULL;
	struct store *reader = NULL;

	create_campaign(f);
	store_close(TAKE_PTR(f->store));
	run_sql(f->path, "ALTER TABLE trials DROP COLUMN commands_json; ALTER TABLE trials DROP COLUMN fresh;"
			 "DROP TABLE samples; PRAGMA user_version = 0");
	assert_ok(store_open(&reader, f->path, STORE_READ, &err));
	old = store_trial(reader, CAMPAIGN, "2", &err);
	assert_true(json_is_null(json_object_get(old, "commands_json")));
	store_close(reader);
	assert_ok(store_open(&f->store, f->path, STORE_WRITE, &err));
	assert_ok(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", set, &err));
	trial = store_trial(f->store, CAMPAIGN, "2", &err);
	assert_holds(trial, set);
	assert_string_equal(string_of(trial, "seed"), "18446744073709551614");
	test_durability_settings(state);
}

static void assert_open_fails(const struct fixture *f, enum store_mode mode, int code, const char *text)
{
	struct store *store = NULL;
	int ret = store_open(&store, f->path, mode, &err);

	if (ret != code || !strstr(err.text, text) || !strstr(err.text, f->path) || strchr(err.text, '\n'))
		fail_msg("%d '%s', not %d '%s'", ret, err.text, code, text);
	assert_null(store);
}

static void test_newer_schema(void **state)
{
	struct fixture *f = *state;

	store_close(TAKE_PTR(f->store));
	run_sql(f->path, "PRAGMA user_version = 99");
	assert_open_fails(f, STORE_WRITE, -EPROTO, "has schema 99, this eval");
	assert_open_fails(f, STORE_READ, -EPROTO, "use the newer eval");
}

static void write_file(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
}

static void test_wrong_files(void **state)
{
	struct fixture *f = *state;

	store_close(TAKE_PTR(f->store));
	unlink(f->path);
	assert_open_fails(f, STORE_READ, -ENOENT, "no database");
	for (int i = 0; i < 200; i++)
		write_file(f->path, "this is a text and no database, and it is longer than the header of one would be: "
				    "one hundred bytes and some more");
	assert_open_fails(f, STORE_WRITE, -EUCLEAN, "not a database");
	assert_open_fails(f, STORE_READ, -EUCLEAN, "not a database");
	unlink(f->path);
	run_sql(f->path, "CREATE TABLE theirs (x)");
	assert_open_fails(f, STORE_WRITE, -EUCLEAN, "belongs to another program");
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_open_fails(f, STORE_WRITE, -EISDIR, "is a directory");
	assert_open_fails(f, STORE_READ, -EISDIR, "is a directory");
	rmdir(f->path);
	/* An empty file is a database without tables. */
	write_file(f->path, "");
	assert_ok(store_open(&f->store, f->path, STORE_WRITE, &err));
	create_campaign(f);
}

static void test_damaged_file(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = -1;
	char garbage[4096];

	create_campaign(f);
	store_close(TAKE_PTR(f->store));
	memset(garbage, 0xa5, sizeof(garbage));
	fd = open(f->path, O_WRONLY | O_CLOEXEC);
	for (off_t page = 1; page < 20; page++)
		assert_int_equal(pwrite(fd, garbage, sizeof(garbage), page * 4096), sizeof(garbage));
	assert_open_fails(f, STORE_READ, -EUCLEAN, "it is damaged");
	assert_open_fails(f, STORE_WRITE, -EUCLEAN, "it is damaged");
}

static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *big = calloc(1, 1 << 20);
	_cleanup_json_ json_t *columns = NULL, *trial = NULL, *small = json_pack("{s:s}", "error_text", "short");

	create_campaign(f);
	memset(big, 'x', (1 << 20) - 1);
	columns = json_pack("{s:s}", "error_text", big);
	assert_int_equal(sqlite3_exec(f->store->db, "PRAGMA max_page_count = 40", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", columns, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "the disk is full; free some space"));
	assert_ok(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", small, &err));
	trial = store_trial(f->store, CAMPAIGN, "2", &err);
	assert_holds(trial, small);
}

static void test_locked(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *columns = json_pack("{s:s}", "status", "running");
	struct store *second = NULL;

	create_campaign(f);
	assert_ok(store_open(&second, f->path, STORE_WRITE, &err));
	sqlite3_busy_timeout(second->db, 10);
	assert_ok(store_begin(f->store, &err));
	assert_int_equal(store_trial_set(second, CAMPAIGN, "trial-lab-latency-0002", columns, &err), -EBUSY);
	assert_non_null(strstr(err.text, "locked by another process"));
	store_close(second);
	assert_ok(store_commit(f->store, &err));
}

static void test_reader_beside_a_writer(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *columns = json_pack("{s:s}", "status", "running"), *before = NULL, *after = NULL;
	struct store *reader = NULL;

	create_campaign(f);
	assert_ok(store_begin(f->store, &err));
	assert_ok(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", columns, &err));
	assert_ok(store_open(&reader, f->path, STORE_READ, &err));
	before = store_trial(reader, CAMPAIGN, "2", &err);
	assert_string_equal(string_of(before, "status"), "planned");
	assert_ok(store_commit(f->store, &err));
	after = store_trial(reader, CAMPAIGN, "2", &err);
	assert_string_equal(string_of(after, "status"), "running");
	assert_int_not_equal(store_trial_set(reader, CAMPAIGN, "trial-lab-latency-0002", columns, &err), 0);
	assert_int_equal(err.code, -EROFS);
	store_close(reader);
}

/* Writes campaign after campaign, a byte after each that is durable, until it is killed. */
static void write_until_killed(struct fixture *f, int acknowledge_fd)
{
	struct store *store = NULL;
	char id[64];

	f->plan.campaign_id = id;
	if (store_open(&store, f->path, STORE_WRITE, NULL))
		_exit(1);
	for (int i = 0;; i++) {
		snprintf(id, sizeof(id), "campaign-%08d", i);
		if (store_campaign_create(store, &f->plan, NULL, NULL) || write(acknowledge_fd, "x", 1) != 1)
			_exit(1);
	}
}

static void test_killed_while_writing(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *campaigns = NULL;
	const json_t *campaign;
	int pipe_fds[2], status;
	size_t acknowledged = 0, i;
	pid_t pid;
	char byte;

	store_close(TAKE_PTR(f->store));
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid)
		write_until_killed(f, pipe_fds[1]);
	close(pipe_fds[1]);
	for (; acknowledged < 20; acknowledged++)
		assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(pipe_fds[0], &byte, 1) == 1)
		acknowledged++;
	close(pipe_fds[0]);
	assert_ok(store_open(&f->store, f->path, STORE_WRITE, &err));
	campaigns = store_campaigns(f->store, &err);
	/* What was acknowledged is there, at most the one in the making beyond it, and none in part. */
	assert_in_range(json_array_size(campaigns), acknowledged, acknowledged + 1);
	json_array_foreach(campaigns, i, campaign)
		assert_int_equal(json_integer_value(json_object_get(json_object_get(campaign, "trials"), "total")), TRIALS);
}

/* Killed with a transaction open, large enough that SQLite has already written parts of it to the log. */
static void test_killed_in_mid_transaction(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *campaigns = NULL;
	int status;
	pid_t pid;

	store_close(TAKE_PTR(f->store));
	pid = fork();
	if (!pid) {
		_cleanup_json_ json_t *event = json_pack("{s:s}", "text", "some text that makes the transaction grow");
		struct store *store = NULL;

		if (store_open(&store, f->path, STORE_WRITE, NULL) || store_begin(store, NULL) ||
		    store_campaign_create(store, &f->plan, NULL, NULL))
			_exit(1);
		sqlite3_exec(store->db, "PRAGMA cache_size = 10", NULL, NULL, NULL);
		for (int i = 0; i < 5000; i++)
			if (store_event_add(store, CAMPAIGN, NULL, event, NULL))
				_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_ok(store_open(&f->store, f->path, STORE_WRITE, &err));
	campaigns = store_campaigns(f->store, &err);
	assert_int_equal(json_array_size(campaigns), 0);
	create_campaign(f);
}

static void test_rollback_and_failed_create(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *campaigns = NULL, *wrong = json_pack("{s:s}", "hostt", "h1");

	assert_int_equal(store_campaign_create(f->store, &f->plan, wrong, &err), -EINVAL);
	/* The same id twice in the plan: nothing of it stays. */
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
		{"a\0b", 3, "a\xef\xbf\xbd" "b"},
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files_are_private),
		TEST(test_durability_settings),
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
		TEST(test_migration),
		TEST(test_newer_schema),
		TEST(test_wrong_files),
		TEST(test_damaged_file),
		TEST(test_disk_full),
		TEST(test_locked),
		TEST(test_reader_beside_a_writer),
		TEST(test_killed_while_writing),
		TEST(test_killed_in_mid_transaction),
		TEST(test_rollback_and_failed_create),
		TEST(test_text_from_outside),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

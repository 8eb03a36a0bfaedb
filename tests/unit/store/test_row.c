/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the conversion of single rows between JSON and SQL. */
#include "unit_store.h"

#include "util/json.h"

#define TRIAL "trial-lab-latency-0002"

static json_t *trial_keys(const char *id)
{
	return json_pack("{s:s, s:s}", "campaign_id", CAMPAIGN, "id", id);
}

static json_t *rows_of(struct fixture *f, enum store_table_id table, const char *sql)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	json_t *rows;

	assert_ok(store_prepare(f->store, &statement, sql, &err));
	rows = store_rows(f->store, table, statement, &err);
	assert_non_null(rows);
	return rows;
}

/* Sets column of TRIAL to value (taken) and returns the column as read back. */
static json_t *written(struct fixture *f, const char *column, json_t *value)
{
	_cleanup_json_ json_t *keys = trial_keys(TRIAL), *columns = json_object(), *rows = NULL;

	json_object_set_new(columns, column, value);
	assert_ok(store_update(f->store, TABLE_TRIALS, keys, columns, &err));
	rows = rows_of(f, TABLE_TRIALS, "SELECT * FROM trials WHERE id = '" TRIAL "'");
	assert_int_equal(json_array_size(rows), 1);
	return json_incref(json_object_get(json_array_get(rows, 0), column));
}

static void test_values_come_back(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *column;
		json_t *in, *out; /* out NULL: same as in */
	} cases[] = {
		{"error_text", json_string("it's \"quoted\"\n"), NULL},
		{"error_text", json_string(""), NULL},
		{"error_text", json_null(), NULL},
		{"error_text", json_stringn("a\0b", 3),
		 json_string("a\xef\xbf\xbd"
			     "b")},
		{"error_errno", json_integer(INT64_MIN), NULL},
		{"fresh", json_true(), NULL},
		{"fresh", json_integer(0), json_false()},
		{"fresh", json_integer(1), json_true()},
		{"seed", json_string("007"), json_string("7")},
		{"seed", json_integer(7), json_string("7")},
		{"seed", json_string("18446744073709551615"), NULL},
		{"evidence", json_pack("{s:[i, n]}", "a", 1), NULL},
		{"evidence", json_string("text"), NULL},
		{"evidence", json_integer(3), NULL},
		{"evidence", json_false(), NULL},
		{"evidence", json_null(), NULL},
	};

	create_campaign(f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *wanted = cases[i].out ?: json_incref(cases[i].in);
		_cleanup_json_ json_t *found = written(f, cases[i].column, cases[i].in);

		if (!json_equal(wanted, found))
			fail_msg("case %zu: %s came back as %s", i, cases[i].column,
				 json_dumps(found, JSON_ENCODE_ANY));
	}
}

static void test_values_are_checked_before_sql(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *column;
		json_t *value;
		const char *text;
	} cases[] = {
		{"error_tex", json_null(), "table trials has no column 'error_tex', the nearest is 'error_text'"},
		{"\"; DROP TABLE trials; --", json_null(), "has no column"},
		{"error_text", json_integer(1), "column trials.error_text takes text"},
		{"error_text", json_object(), "takes text"},
		{"error_errno", json_real(1), "takes an integer"},
		{"fresh", json_integer(-1), "takes true or false"},
		{"fresh", json_string("1"), "takes true or false"},
		{"seed", json_integer(-1), "takes a string of digits"},
		{"seed", json_string("18446744073709551616"), "takes a string of digits"},
		{"seed", json_string("7 "), "takes a string of digits"},
		{"seed", json_stringn("7\0", 2), "takes a string of digits"},
		{"seed", json_true(), "takes a string of digits"},
	};
	_cleanup_json_ json_t *keys = trial_keys(TRIAL), *list = json_array();

	create_campaign(f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *columns = json_object();

		json_object_set_new(columns, cases[i].column, cases[i].value);
		assert_int_equal(store_update(f->store, TABLE_TRIALS, keys, columns, fresh_error()), -EINVAL);
		if (!strstr(err.text, cases[i].text))
			fail_msg("case %zu: '%s' does not say '%s'", i, err.text, cases[i].text);
	}
	assert_int_equal(store_update(f->store, TABLE_TRIALS, keys, list, fresh_error()), -EINVAL);
	assert_string_equal(err.text, "a row of table trials must be an object");
}

static void test_update_needs_its_row(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *there = trial_keys(TRIAL), *missing = trial_keys("trial-none-0009");
	_cleanup_json_ json_t *half = json_pack("{s:s}", "campaign_id", CAMPAIGN), *rows = NULL;
	_cleanup_json_ json_t *columns = json_pack("{s:s}", "engine", "tc"), *nothing = json_object();

	create_campaign(f);
	assert_int_equal(store_update(f->store, TABLE_TRIALS, missing, columns, &err), -ENOENT);
	assert_ok(store_update(f->store, TABLE_TRIALS, missing, nothing, &err));
	assert_ok(store_update(f->store, TABLE_TRIALS, there, columns, &err));
	rows = rows_of(f, TABLE_TRIALS, "SELECT * FROM trials WHERE engine = 'tc'");
	assert_int_equal(json_array_size(rows), 1);
	assert_string_equal(string_of(json_array_get(rows, 0), "id"), TRIAL);
	json_decref(rows);
	/* With fewer keys, all matching rows are updated. */
	assert_ok(store_update(f->store, TABLE_TRIALS, half, columns, &err));
	rows = rows_of(f, TABLE_TRIALS, "SELECT * FROM trials WHERE engine = 'tc'");
	assert_int_equal(json_array_size(rows), TRIALS);
}

static void test_upsert(void **state)
{
	struct fixture *f = *state;
	static const char *const keys[] = {"campaign_id", "trial_id", "attempt", NULL};
	_cleanup_json_ json_t *row = json_pack("{s:s, s:s, s:i, s:s, s:i}", "campaign_id", CAMPAIGN, "trial_id", TRIAL,
					       "attempt", 1, "engine", "tc", "worker_pid", 7);
	_cleanup_json_ json_t *again = json_pack("{s:s, s:s, s:i, s:s}", "campaign_id", CAMPAIGN, "trial_id", TRIAL,
						 "attempt", 1, "engine", "xdp");
	_cleanup_json_ json_t *only_keys =
		json_pack("{s:s, s:s, s:i}", "campaign_id", CAMPAIGN, "trial_id", TRIAL, "attempt", 1);
	_cleanup_json_ json_t *rows = NULL;

	create_campaign(f);
	assert_ok(store_insert(f->store, TABLE_ATTEMPTS, row, &err));
	assert_int_equal(store_insert(f->store, TABLE_ATTEMPTS, row, fresh_error()), -EINVAL);
	assert_non_null(strstr(err.text, "cannot write to table attempts: UNIQUE"));
	assert_ok(store_upsert(f->store, TABLE_ATTEMPTS, keys, again, &err));
	assert_ok(store_upsert(f->store, TABLE_ATTEMPTS, keys, only_keys, &err));
	rows = rows_of(f, TABLE_ATTEMPTS, "SELECT * FROM attempts");
	assert_int_equal(json_array_size(rows), 1);
	assert_holds(json_array_get(rows, 0), again);
	assert_int_equal(json_integer_at(json_array_get(rows, 0), "worker_pid"), 7);
}

static void test_rows_have_all_columns(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *rows = NULL, *none = NULL;
	const json_t *row;

	create_campaign(f);
	run_sql(f->path, "ALTER TABLE trials ADD COLUMN theirs TEXT DEFAULT 'x'; "
			 "UPDATE trials SET evidence = '{\"cut\": ' WHERE trial_index = 2");
	rows = rows_of(f, TABLE_TRIALS, "SELECT id, theirs, evidence FROM trials ORDER BY trial_index");
	assert_int_equal(json_array_size(rows), TRIALS);
	row = json_array_get(rows, 1);
	for (const struct store_column *column = store_tables[TABLE_TRIALS].columns; column->name; column++)
		assert_non_null(json_object_get(row, column->name));
	assert_null(json_object_get(row, "theirs"));
	assert_string_equal(string_of(row, "id"), TRIAL);
	/* A column that the SELECT leaves out is null. */
	assert_true(json_is_null(json_object_get(row, "subject")));
	/* A value that is not JSON comes back as text. */
	assert_string_equal(string_of(row, "evidence"), "{\"cut\": ");
	none = rows_of(f, TABLE_TRIALS, "SELECT * FROM trials WHERE id = ''");
	assert_int_equal(json_array_size(none), 0);
}

static void test_u64(void **state)
{
	_cleanup_json_ json_t *most = store_u64(UINT64_MAX), *number = json_integer(7);

	assert_string_equal(json_string_value(most), "18446744073709551615");
	assert_true(store_u64_value(most) == UINT64_MAX);
	assert_true(store_u64_value(number) == 0 && store_u64_value(NULL) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values_come_back), TEST(test_values_are_checked_before_sql), TEST(test_update_needs_its_row),
		TEST(test_upsert),           TEST(test_rows_have_all_columns),         cmocka_unit_test(test_u64),
	};

	return cmocka_run_group_tests_name("row", tests, NULL, NULL);
}

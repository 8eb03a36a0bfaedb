/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A database in its own folder, and a plan to store in it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/internal.h"
#include "util/cleanup.h"

#define CAMPAIGN "campaign-20261123T215643Z-0123abcd"
#define TRIALS 3

/* Shared by all tests of the file; each call resets it. */
static struct error err;

static inline struct error *fresh_error(void)
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

static inline void remove_files(const struct fixture *f)
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

static inline void fill_plan(struct fixture *f)
{
	static const char *const ids[TRIALS] = {"trial-lab-baseline-0001", "trial-lab-latency-0002",
						"trial-lab-latency-0003"};

	f->params = json_pack("{s:f, s:s}", "min_ms", 50.5, "direction", "both");
	f->subject = (struct subject){.name = "lab", .fresh = true};
	f->ops = (struct chaos_ops){.name = "latency"};
	f->chaos = (struct chaos){.ops = &f->ops, .name = "latency"};
	f->settings = (struct settings){.warmup_seconds = 5,
					.duration_seconds = 30,
					.retries = 1,
					.expect = {{0.9, NAN, NAN, NAN, NAN, NAN, 10}}};
	f->config = (struct config){.name = "raft", .parallel = 2, .cooldown_seconds = 1.5};
	for (unsigned int i = 0; i < TRIALS; i++)
		f->trials[i] = (struct plan_trial){.id = (char *)ids[i],
						   .index = i + 1,
						   .repetition = 1,
						   .subject = &f->subject,
						   .chaos = i ? &f->chaos : NULL,
						   .chaos_name = i ? "latency" : "baseline",
						   .target = i ? "leader" : NULL,
						   .settings = &f->settings,
						   .params = i ? f->params : NULL,
						   .seed = UINT64_MAX - i};
	f->plan = (struct plan){.campaign_id = CAMPAIGN,
				.canonical = "{\"subjects\":[\"lab\"]}",
				.hash = "0123abcd",
				.seed = UINT64_MAX,
				.config = &f->config,
				.trials = f->trials,
				.trial_count = TRIALS};
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline void create_campaign(struct fixture *f)
{
	_cleanup_json_ json_t *columns =
		json_pack("{s:s, s:s, s:s}", "host", "h1", "kernel", "6.18", "status", "running");

	assert_ok(store_campaign_create(f->store, &f->plan, columns, &err));
}

static inline void run_sql(const char *path, const char *sql)
{
	mode_t before = umask(077);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	umask(before);
}

static inline const char *string_of(const json_t *row, const char *column)
{
	return json_string_value(json_object_get(row, column));
}

static inline void assert_holds(const json_t *row, const json_t *wanted)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)wanted, name, value)
		if (!json_equal(value, json_object_get(row, name)))
			fail_msg("column %s came back as %s", name,
				 json_dumps(json_object_get(row, name), JSON_ENCODE_ANY));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

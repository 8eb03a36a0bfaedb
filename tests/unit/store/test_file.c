/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the database file: modes, schema versions, damage, locks, and the death of a writer. */
#include "unit_store.h"
#include "util/json.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
	} wanted[] = {{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"}, {"user_version", "4"}};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		_cleanup_statement_ sqlite3_stmt *statement = NULL;
		char sql[64];

		assert_non_null(f->store);
		snprintf(sql, sizeof(sql), "PRAGMA %s", wanted[i].pragma);
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): asserted above */
		assert_int_equal(sqlite3_prepare_v2(f->store->db, sql, -1, &statement, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
		assert_string_equal(sqlite3_column_text(statement, 0), wanted[i].value);
	}
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

/* Rows stay, and attempts still refer to their trials. */
static void test_older_verdicts(void **state)
{
	struct fixture *f = *state;
	_cleanup_json_ json_t *set = json_pack("{s:s}", "verdict", "inconclusive"), *trial = NULL;
	_cleanup_json_ json_t *wrong = json_pack("{s:s}", "verdict", "perhaps");

	create_campaign(f);
	store_close(TAKE_PTR(f->store));
	run_sql(f->path, "PRAGMA writable_schema = ON;"
			 "UPDATE sqlite_master SET sql = replace(sql, ', ''inconclusive''', '');"
			 "PRAGMA writable_schema = RESET; PRAGMA user_version = 2");
	assert_ok(store_open(&f->store, f->path, STORE_WRITE, &err));
	assert_ok(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", set, &err));
	assert_ok(store_attempt_set(f->store, CAMPAIGN, "trial-lab-latency-0002", 1, set, &err));
	assert_int_equal(store_trial_set(f->store, CAMPAIGN, "trial-lab-latency-0002", wrong, &err), -EINVAL);
	trial = store_trial(f->store, CAMPAIGN, "2", &err);
	assert_holds(trial, set);
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
	assert_int_equal(fchmod(fileno(file), 0600), 0);
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

static void test_no_permission(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	store_close(TAKE_PTR(f->store));
	assert_int_equal(chmod(f->folder, 0755), 0);
	pid = fork();
	if (!pid) {
		struct store *store = NULL;
		bool refused = !setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534) &&
			       store_open(&store, f->path, STORE_WRITE, &err) == -EACCES &&
			       strstr(err.text, "Permission denied; run as root");

		snprintf(f->path, sizeof(f->path), "%s/a/eval.db", f->folder);
		refused &= store_open(&store, f->path, STORE_WRITE, &err) == -EACCES &&
			   strstr(err.text, "cannot make folder") && strstr(err.text, "run as root");
		_exit(refused ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* A file in place of the folder fails with any rights. */
	write_file(f->path, "");
	snprintf(f->path + strlen(f->path), 10, "/x.db");
	assert_open_fails(f, STORE_WRITE, -ENOTDIR, "Not a directory; name another file");
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

/* Others must not be able to read or write a database that root writes, nor SQLite's files beside it. */
static void test_root_writes_private_files_only(void **state)
{
	struct fixture *f = *state;
	struct store *reader = NULL;
	char journal[128], log[128];

	if (geteuid())
		skip();
	store_close(TAKE_PTR(f->store));
	snprintf(journal, sizeof(journal), "%s-journal", f->path);
	snprintf(log, sizeof(log), "%s-wal", f->path);
	assert_int_equal(chmod(f->path, 0604), 0);
	assert_open_fails(f, STORE_WRITE, -EPERM, "anyone can read");
	assert_int_equal(chmod(f->path, 0602), 0);
	assert_open_fails(f, STORE_UPDATE, -EPERM, "(mode 0602): chmod o-rw");
	/* A reader is not refused; it leaves a log with the mode of the database. */
	assert_ok(store_open(&reader, f->path, STORE_READ, &err));
	store_close(reader);
	assert_int_equal(chmod(f->path, 0600), 0);
	assert_open_fails(f, STORE_WRITE, -EPERM, "eval.db-wal (mode 0602): chmod o-rw");
	unlink(log);
	snprintf(log, sizeof(log), "%s-shm", f->path);
	unlink(log);
	assert_int_equal(chmod(f->folder, 0777), 0);
	assert_open_fails(f, STORE_WRITE, -EPERM, "(mode 0777): chmod o-w");
	assert_int_equal(chmod(f->folder, 01777), 0);
	write_file(journal, "theirs");
	assert_int_equal(chown(journal, 65534, 65534), 0);
	assert_open_fails(f, STORE_WRITE, -EPERM, "-journal belongs to user");
	unlink(journal);
	assert_ok(store_open(&f->store, f->path, STORE_WRITE, &err));
}

/* The same for a file created between our check and SQLite's open. */
static void test_sqlite_opens_private_files_only(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;

	if (geteuid())
		skip();
	store_close(TAKE_PTR(f->store));
	store_file_guard(STORE_WRITE);
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(chown(f->path, 65534, 65534), 0);
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_CANTOPEN);
	sqlite3_close(db);
	assert_int_equal(chown(f->path, 0, 0), 0);
	assert_ok(store_open(&f->store, f->path, STORE_WRITE, &err));
}

static void test_update_needs_the_file(void **state)
{
	struct fixture *f = *state;

	store_close(TAKE_PTR(f->store));
	unlink(f->path);
	assert_open_fails(f, STORE_UPDATE, -ENOENT, "no database");
	assert_int_equal(access(f->path, F_OK), -1);
}

/* Writes campaigns until it is killed; acknowledges each durable campaign with a byte. */
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
	/* Every acknowledged campaign is there, at most one more, and each is complete. */
	assert_in_range(json_array_size(campaigns), acknowledged, acknowledged + 1);
	json_array_foreach (campaigns, i, campaign)
		assert_int_equal(json_integer_at(json_object_get(campaign, "trials"), "total"), TRIALS);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files_are_private),
		TEST(test_durability_settings),
		TEST(test_migration),
		TEST(test_older_verdicts),
		TEST(test_newer_schema),
		TEST(test_wrong_files),
		TEST(test_no_permission),
		TEST(test_damaged_file),
		TEST(test_disk_full),
		TEST(test_locked),
		TEST(test_reader_beside_a_writer),
		TEST(test_root_writes_private_files_only),
		TEST(test_sqlite_opens_private_files_only),
		TEST(test_update_needs_the_file),
		TEST(test_killed_while_writing),
		TEST(test_killed_in_mid_transaction),
	};

	return cmocka_run_group_tests_name("store_file", tests, NULL, NULL);
}

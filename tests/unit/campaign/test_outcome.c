/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests a campaign's end: its records, messages and exit code. */
#include "unit_campaign.h"

#include <signal.h>
#include <sys/wait.h>

#include "report/report.h"

#define THREE "trials_per_combination: 3\n" LAB LATENCY
#define CLEANUP \
	"trials_per_combination: 3\nsubjects:\n  - name: lab\n    instances: 2\n    cleanup: 'exit " \
	"$EVAL_INSTANCE'\n" LAB_NODES LATENCY

/* Prepares a campaign whose trials ended with these statuses. */
static void prepare_end(struct run *run, const char *text, FILE *out, const char *const statuses[3])
{
	prepare_run(run, text);
	run->options.fresh = true;
	assert_int_equal(campaign_select(&run->campaign), EXIT_OK);
	for (size_t i = 0; i < 3; i++)
		set_trial(run, i,
			  json_pack("{s:s, s:s}", "status", statuses[i], "verdict",
				    strcmp(statuses[i], "completed") ? "none" : "pass"));
	assert_int_equal(progress_new(&run->campaign.progress, PROGRESS_QUIET, out, 1, 3), 0);
	record_watch_file(&run->campaign);
	run->campaign.usage = calloc(1, sizeof(*run->campaign.usage));
	run->campaign.usage->used = calloc(run->config->subjects[0].instances, sizeof(bool));
}

static int finish(struct run *run)
{
	int ret;

	start_telling();
	ret = campaign_finish(&run->campaign);
	end_telling();
	return ret;
}

static void end_it(struct run *run)
{
	free(run->campaign.usage->used);
	free(run->campaign.usage);
	end_run(run);
}

static bool has_event(struct run *run, const char *kind, const char *text)
{
	_cleanup_json_ json_t *events = store_events(run->campaign.store, run->campaign.plan->campaign_id, NULL, NULL);
	const json_t *event;
	size_t i;

	json_array_foreach (events, i, event)
		if (!strcmp(json_text_or(event, "kind", ""), kind) && strstr(json_text_or(event, "text", ""), text))
			return true;
	return false;
}

static void test_ends(void **state)
{
	struct run *run = *state;
	static const struct {
		const char *statuses[3], *only, *status;
		size_t left_out;
		int code;
		const char *told;
	} cases[] = {
		{{"completed", "completed", "completed"}, NULL, "completed", 0, EXIT_OK, NULL},
		{{"completed", "failed", "completed"}, NULL, "completed", 0, EXIT_TRIALS, "1 trial did not pass"},
		{{"void", "failed", "completed"}, NULL, "completed", 0, EXIT_TRIALS, "2 trials did not pass"},
		{{"completed", "failed", "completed"}, "*-[13]", "completed", 0, EXIT_OK, NULL},
		{{"completed", "planned", "completed"}, "*-[13]", "interrupted", 1, EXIT_OK, "1 trial is left"},
		{{"interrupted", "planned", "completed"}, "*-1", "interrupted", 1, EXIT_TRIALS, "2 trials are left"},
	};
	_cleanup_fclose_ FILE *nowhere = fopen("/dev/null", "w");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *row = NULL;

		prepare_end(run, THREE, nowhere, cases[i].statuses);
		run->options.only = cases[i].only;
		run->campaign.left_out = cases[i].left_out;
		assert_int_equal(finish(run), cases[i].code);
		row = campaign_row(run);
		assert_string_equal(json_text_or(row, "status", ""), cases[i].status);
		assert_int_equal(json_integer_at(row, "exit_code"), cases[i].code);
		assert_int_equal(strlen(json_text_or(row, "ended_at", "")), strlen("2026-11-23T21:56:43.123456Z"));
		assert_true(has_event(run, cases[i].status, cases[i].status));
		if (cases[i].told) {
			assert_told(cases[i].told);
			assert_told(" run campaign lab.yaml --resume=");
			assert_told(run->campaign.plan->campaign_id);
		} else {
			assert_string_equal(told, "");
		}
		end_it(run);
	}
}

static void test_counts_are_recorded(void **state)
{
	struct run *run = *state;
	_cleanup_fclose_ FILE *nowhere = fopen("/dev/null", "w");
	_cleanup_json_ json_t *row = NULL, *wanted = json_pack("{s:i, s:i}", "failed", 2, "completed", 1);

	prepare_end(run, THREE, nowhere, (const char *const[]){"failed", "completed", "failed"});
	assert_int_equal(finish(run), EXIT_TRIALS);
	row = campaign_row(run);
	assert_true(json_equal(json_object_get(row, "summary"), wanted));
	end_it(run);
}

/* The columns kept of each row must be enough for the table. */
static void test_table_is_that_of_the_whole_rows(void **state)
{
	struct run *run = *state;
	FILE *file = tmpfile(), *out;
	_cleanup_free_ char *wanted = NULL, *printed = calloc(1, 8192);
	_cleanup_json_ json_t *trials = NULL;
	size_t size;

	prepare_end(run, THREE, file, (const char *const[]){"failed", "completed", "completed"});
	set_trial(run, 0, json_pack("{s:s, s:s}", "error_stage", "ready", "error_text", "no answer"));
	set_trial(run, 1,
		  json_pack("{s:s, s:{s:i, s:[{s:{s:{s:i}}}]}, s:{s:{s:{s:{s:f}}}, s:f}}", "recovered_at", "then",
			    "evidence", "hit", 9, "devices", "egress", "line", "line_dropped", 3, "summary", "probes",
			    "put", "during", "availability", 0.5, "recovery_seconds", 1.5));
	set_trial(run, 2,
		  json_pack("{s:s, s:{s:i, s:s}, s:[{s:s, s:f, s:n, s:b}]}", "verdict", "fail", "evidence", "hit", 4,
			    "more", "of it", "expectations", "name", "p99_ms_max", "asked", 10.0, "measured", "ok", 0));
	assert_int_equal(finish(run), EXIT_TRIALS);
	assert_true(pread(fileno(file), printed, 8191, 0) > 0);
	trials = store_trials(run->campaign.store, run->campaign.plan->campaign_id, NULL);
	out = open_memstream(&wanted, &size);
	report_table(out, -1, trials);
	report_conclusions(out, -1, trials);
	fclose(out);
	assert_string_equal(printed, wanted);
	assert_non_null(strstr(printed, "the line dropped 3 packets"));
	end_it(run);
	fclose(file);
}

static void test_cleanup_of_what_was_used(void **state)
{
	struct run *run = *state;
	_cleanup_fclose_ FILE *nowhere = fopen("/dev/null", "w");

	prepare_end(run, CLEANUP, nowhere, (const char *const[]){"completed", "completed", "completed"});
	assert_int_equal(finish(run), EXIT_OK);
	assert_string_equal(told, "");
	end_it(run);
	prepare_end(run, CLEANUP, nowhere, (const char *const[]){"completed", "completed", "completed"});
	run->campaign.usage->used[0] = run->campaign.usage->used[1] = true;
	/* The folder of the campaign file is deleted by now. */
	free(run->config->subjects[0].cleanup.directory);
	run->config->subjects[0].cleanup.directory = strdup("/");
	/* A failed cleanup does not change the exit code. */
	assert_int_equal(finish(run), EXIT_OK);
	assert_told("cleanup of lab (instance 1) failed: ");
	assert_null(strstr(told, "instance 0"));
	assert_true(has_event(run, "cleanup_failed", "cleanup of lab (instance 1) failed: "));
	end_it(run);
}

static void test_lost_database(void **state)
{
	struct run *run = *state;
	_cleanup_fclose_ FILE *nowhere = fopen("/dev/null", "w");
	_cleanup_json_ json_t *row = NULL;

	prepare_end(run, THREE, nowhere, (const char *const[]){"completed", "completed", "completed"});
	run->campaign.lost = true;
	error_set(&run->campaign.store_error, -ENOSPC, "the disk is full");
	assert_int_equal(finish(run), EXIT_HOST);
	assert_told("eval: error: the campaign stops, all faults are inert: the disk is full\n");
	assert_told(" run campaign lab.yaml --resume=");
	row = campaign_row(run);
	assert_string_equal(json_text_or(row, "status", ""), "running");
	end_it(run);
	/* The database is lost just before the end is written. */
	prepare_end(run, THREE, nowhere, (const char *const[]){"completed", "completed", "completed"});
	unlink(run->path);
	assert_int_equal(finish(run), EXIT_HOST);
	assert_told("is gone");
	assert_true(run->campaign.lost && run->campaign.stopping);
	end_it(run);
}

static void test_missing_row(void **state)
{
	struct run *run = *state;
	_cleanup_fclose_ FILE *nowhere = fopen("/dev/null", "w");
	_cleanup_json_ json_t *row = NULL;

	prepare_end(run, THREE, nowhere, (const char *const[]){"completed", "completed", "completed"});
	set_trial(run, 1, json_pack("{s:s}", "id", "trial-of-somebody-else"));
	assert_int_equal(finish(run), EXIT_HOST);
	assert_told("trial-lab-latency-2");
	row = campaign_row(run);
	assert_string_equal(json_text_or(row, "status", ""), "interrupted");
	assert_int_equal(json_integer_at(row, "exit_code"), EXIT_HOST);
	end_it(run);
}

/* Runs in its own process, because a received signal is never forgotten. */
static int finish_interrupted(struct run *run)
{
	static const char *const statuses[3] = {"completed", "interrupted", "planned"};
	FILE *nowhere = fopen("/dev/null", "w");

	prepare_end(run, THREE, nowhere, statuses);
	kill(getpid(), SIGTERM);
	while (!campaign_interrupted())
		usleep(1000);
	return campaign_finish(&run->campaign);
}

static void test_signal(void **state)
{
	struct run *run = *state;
	_cleanup_json_ json_t *campaigns = NULL;
	const json_t *row;
	struct store *store;
	pid_t pid;
	int status;

	start_telling();
	pid = fork();
	if (!pid)
		_exit(finish_interrupted(run));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	end_telling();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_INTERRUPTED);
	assert_told("eval: interrupted; all faults are inert. This resumes it:\n");
	assert_int_equal(store_open(&store, run->path, STORE_READ, NULL), 0);
	campaigns = store_campaigns(store, NULL);
	row = json_array_get(campaigns, 0);
	assert_string_equal(json_text_or(row, "status", ""), "interrupted");
	assert_int_equal(json_integer_at(row, "exit_code"), EXIT_INTERRUPTED);
	assert_int_equal(json_object_size(json_object_get(row, "summary")), 0);
	store_close(store);
}

static void test_commands_are_quoted(void **state)
{
	static const struct {
		struct campaign_command command;
		const char *text;
	} cases[] = {
		{{.file = "lab.yaml"}, " run campaign lab.yaml --resume=ID\n"},
		{{}, " run campaign --resume=ID\n"},
		{{.file = "a b.yaml", .db = "/var/lib/x.db"},
		 " run campaign 'a b.yaml' --resume=ID --db /var/lib/x.db\n"},
		{{.file = "it's", .db = ""}, " run campaign 'it'\\''s' --resume=ID --db ''\n"},
		{{.file = "$(x)", .db = "a;b"}, " run campaign '$(x)' --resume=ID --db 'a;b'\n"},
		{{.file = "/proc/../proc/version", .only = "trial-*", .parallel = 3},
		 " run campaign /proc/version --resume=ID --only 'trial-*' --parallel 3\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct campaign_command command = cases[i].command;

		command.verb = "run campaign";
		command.id_option = "--resume=";
		command.id = "ID";
		start_telling();
		campaign_tell_command(&command);
		end_telling();
		assert_told(cases[i].text);
	}
}

static void test_commands_for_sudo_and_another_shell(void **state)
{
	const struct campaign_command command = {.verb = "cleanup", .id = "ID"}, named = {.verb = "x", .db = "/y.db"};
	_cleanup_free_ char *plain = NULL, *sudo = NULL, *own = NULL;

	unsetenv("SUDO_UID");
	unsetenv("EVAL_DB");
	plain = campaign_command_text(&command);
	setenv("SUDO_UID", "1000", 1);
	setenv("EVAL_DB", "/x.db", 1);
	sudo = campaign_command_text(&command);
	own = campaign_command_text(&named);
	unsetenv("SUDO_UID");
	unsetenv("EVAL_DB");
	assert_int_equal(plain[0], '/');
	assert_memory_equal(sudo, "sudo /", 6);
	assert_non_null(strstr(sudo, " cleanup ID --db /x.db"));
	assert_non_null(strstr(own, " x --db /y.db"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_signal),
		TEST(test_ends),
		TEST(test_counts_are_recorded),
		TEST(test_table_is_that_of_the_whole_rows),
		TEST(test_cleanup_of_what_was_used),
		TEST(test_lost_database),
		TEST(test_missing_row),
		cmocka_unit_test(test_commands_are_quoted),
		cmocka_unit_test(test_commands_for_sudo_and_another_shell),
	};

	return cmocka_run_group_tests_name("outcome", tests, catch_told, NULL);
}

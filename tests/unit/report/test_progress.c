/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the progress of a running campaign: lines, JSON, and live lines on a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "report/progress.h"
#include "util/cleanup.h"
#include "util/json.h"

static struct settings settings = {.warmup_seconds = 10, .duration_seconds = 50};
static struct plan_trial trials[] = {
	{.id = "trial-lab-latency-1", .settings = &settings},
	{.id = "trial-lab-latency-2", .settings = &settings},
};

/* The file that progress writes to, and the text read from it. */
struct reader {
	struct progress *progress;
	FILE *file;
	int fd;
	char text[8192];
};

static void open_reader(struct reader *reader, enum progress_mode mode, int fd, int to_fd)
{
	*reader = (struct reader){.fd = fd, .file = fdopen(to_fd, "w")};
	assert_non_null(reader->file);
	assert_int_equal(progress_new(&reader->progress, mode, reader->file, 2, 4), 0);
}

static void open_pipe(struct reader *reader, enum progress_mode mode)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	open_reader(reader, mode, ends[0], ends[1]);
}

static void open_terminal(struct reader *reader, unsigned short columns)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), terminal;
	struct winsize size = {.ws_col = columns, .ws_row = 24};
	struct termios settings_of_it;
	char name[64];

	assert_true(fd >= 0 && !grantpt(fd) && !unlockpt(fd) && !ptsname_r(fd, name, sizeof(name)));
	terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0 && !tcgetattr(terminal, &settings_of_it));
	settings_of_it.c_oflag = 0;
	assert_true(!tcsetattr(terminal, TCSANOW, &settings_of_it) && !ioctl(terminal, TIOCSWINSZ, &size));
	open_reader(reader, PROGRESS_LINES, fd, terminal);
}

static void close_reader(struct reader *reader)
{
	progress_free(reader->progress);
	fclose(reader->file);
	close(reader->fd);
}

/* Returns the text written since the last call. */
static const char *read_all(struct reader *reader)
{
	size_t used = 0;
	ssize_t got;

	while ((got = read(reader->fd, reader->text + used, sizeof(reader->text) - 1 - used)) > 0)
		used += (size_t)got;
	reader->text[used] = '\0';
	return reader->text;
}

/* Asserts one line, which begins with the time of day ("21:56:43 "). */
static void assert_line(struct reader *reader, const char *wanted)
{
	const char *line = read_all(reader);

	assert_true(strlen(line) > 9 && line[2] == ':' && line[5] == ':' && line[8] == ' ');
	assert_string_equal(line + 9, wanted);
}

static void send_message(struct reader *reader, unsigned int lane, json_t *message)
{
	progress_message(reader->progress, lane, message);
	json_decref(message);
}

static void end_trial(struct reader *reader, unsigned int lane, json_t *columns)
{
	progress_trial_end(reader->progress, lane, columns);
	json_decref(columns);
}

static json_t *phase(const char *name, double seconds)
{
	return json_pack("{s:s, s:s, s:o}", "message", "phase", "phase", name, "seconds",
			 seconds > 0 ? json_real(seconds) : json_null());
}

static void test_lines(void **state)
{
	struct reader reader;

	open_pipe(&reader, PROGRESS_LINES);
	progress_campaign(reader.progress, "campaign_start", json_pack("{s:i}", "to_run", 4), "4 trials\nto run");
	assert_line(&reader, "4 trials\n         to run\n");
	progress_trial_start(reader.progress, 0, &trials[0], 1, 0);
	assert_string_equal(read_all(&reader), "");
	send_message(&reader, 0, phase("reset", 0));
	assert_line(&reader, "trial-lab-latency-1: reset\n");
	send_message(&reader, 0, phase("ready", 30));
	assert_line(&reader, "trial-lab-latency-1: ready, at most 30 s\n");
	send_message(&reader, 0, phase("hold", 2.5));
	assert_line(&reader, "trial-lab-latency-1: hold for 2.5 s\n");
	send_message(&reader, 0, json_pack("{s:s, s:s}", "message", "event", "text", "\033[2Jretry"));
	assert_line(&reader, "trial-lab-latency-1: ?[2Jretry\n");
	send_message(&reader, 0, json_pack("{s:s, s:[]}", "message", "samples", "samples"));
	send_message(&reader, 0, json_pack("{s:s, s:{}}", "message", "columns", "columns"));
	/* A message of a lane without a trial is ignored. */
	send_message(&reader, 1, phase("reset", 0));
	assert_string_equal(read_all(&reader), "");
	close_reader(&reader);
}

static void test_end_lines(void **state)
{
	static const struct {
		const char *columns, *line;
	} cases[] = {
		{"{\"status\": \"completed\", \"verdict\": \"pass\", \"summary\": {\"probes\": {\"get\": {\"during\": "
		 "{\"availability\": 1}}, \"put\": {\"during\": {\"availability\": 0.98}}}, \"recovery_seconds\": "
		 "1.25}}",
		 "completed, pass, put 98.0 % available, recovered in 1.25 s\n"},
		{"{\"status\": \"completed\", \"verdict\": \"none\"}", "completed\n"},
		{"{\"status\": \"completed\", \"verdict\": \"fail\"}", "verdict fail\n"},
		{"{\"status\": \"completed\", \"verdict\": \"fail\", \"summary\": {\"recovery_seconds\": null}}",
		 "stuck: did not recover in time\n"},
		{"{\"status\": \"failed\", \"error_stage\": \"ready\", \"error_text\": \"no answer\"}",
		 "failed in ready: no answer\n"},
		{"{\"status\": \"interrupted\"}", "interrupted\n"},
		{"{}", "?\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reader reader;
		char wanted[128];

		open_pipe(&reader, PROGRESS_LINES);
		progress_trial_start(reader.progress, 0, &trials[0], 1, 0);
		end_trial(&reader, 0, json_loads(cases[i].columns, 0, NULL));
		snprintf(wanted, sizeof(wanted), "trial-lab-latency-1: %s", cases[i].line);
		assert_line(&reader, wanted);
		close_reader(&reader);
	}
}

/* Asserts a line of JSON that has all members of wanted. */
static void assert_json(struct reader *reader, const char *wanted_text)
{
	const char *line = read_all(reader);
	_cleanup_json_ json_t *found = json_loads(line, 0, NULL), *wanted = json_loads(wanted_text, 0, NULL);
	const char *key;
	json_t *value;

	assert_true(found && wanted && strchr(line, '\n') == line + strlen(line) - 1);
	assert_int_equal(strlen(json_text_or(found, "at", "")), strlen("2026-11-23T21:56:43.123456Z"));
	assert_int_equal(json_integer_at(found, "format"), JSON_DOCUMENT_FORMAT);
	json_object_del(found, "at");
	json_object_del(found, "format");
	json_object_foreach (wanted, key, value)
		if (!json_equal(value, json_object_get(found, key)))
			fail_msg("no %s as wanted in %s", key, line);
	assert_int_equal(json_object_size(found), json_object_size(wanted));
}

static void test_json(void **state)
{
	struct reader reader;

	open_pipe(&reader, PROGRESS_JSON);
	progress_campaign(reader.progress, "campaign_start", json_pack("{s:i}", "to_run", 4), "not for programs");
	assert_json(&reader, "{\"event\": \"campaign_start\", \"to_run\": 4}");
	progress_trial_start(reader.progress, 1, &trials[1], 2, 3);
	assert_json(&reader, "{\"event\": \"trial_start\", \"trial\": \"trial-lab-latency-2\", \"attempt\": 2, "
			     "\"instance\": 3}");
	send_message(&reader, 1, phase("hold", 2));
	assert_json(&reader, "{\"event\": \"phase\", \"trial\": \"trial-lab-latency-2\", \"phase\": \"hold\", "
			     "\"seconds\": 2.0}");
	/* A worker cannot set the line's time, event or trial. */
	send_message(&reader, 1,
		     json_pack("{s:s, s:s, s:s, s:s}", "message", "event", "at", "then", "trial", "other", "event",
			       "campaign_end"));
	assert_json(&reader, "{\"event\": \"event\", \"trial\": \"trial-lab-latency-2\"}");
	send_message(&reader, 1, json_pack("{s:s, s:{s:s}}", "message", "columns", "columns", "status", "failed"));
	send_message(&reader, 1, json_pack("{s:s}", "message", "end"));
	assert_string_equal(read_all(&reader), "");
	end_trial(&reader, 1,
		  json_pack("{s:s, s:s, s:s, s:i}", "status", "failed", "verdict", "none", "error_text", "why",
			    "attempt", 2));
	assert_json(&reader, "{\"event\": \"trial_end\", \"trial\": \"trial-lab-latency-2\", \"status\": \"failed\", "
			     "\"verdict\": \"none\", \"error_stage\": null, \"error_text\": \"why\", "
			     "\"target_node\": null, \"summary\": null}");
	progress_table(reader.progress, NULL);
	progress_tick(reader.progress);
	assert_string_equal(read_all(&reader), "");
	close_reader(&reader);
}

static void test_quiet_has_only_the_table(void **state)
{
	_cleanup_json_ json_t *results = json_pack("[{s:s, s:s}]", "id", "trial-lab-latency-1", "status", "void");
	struct reader reader;

	open_pipe(&reader, PROGRESS_QUIET);
	progress_campaign(reader.progress, "campaign_start", NULL, "4 trials");
	progress_trial_start(reader.progress, 0, &trials[0], 1, 0);
	send_message(&reader, 0, phase("reset", 0));
	end_trial(&reader, 0, json_pack("{s:s}", "status", "void"));
	assert_string_equal(read_all(&reader), "");
	progress_table(reader.progress, results);
	assert_non_null(strstr(read_all(&reader), "    void: the evidence shows no hit\n"));
	assert_int_equal(progress_end(reader.progress), 0);
	close_reader(&reader);
}

static void test_live_lines(void **state)
{
	struct reader reader;
	const char *text;

	open_terminal(&reader, 200);
	progress_trial_start(reader.progress, 0, &trials[0], 1, 0);
	progress_trial_start(reader.progress, 1, &trials[1], 1, 1);
	send_message(&reader, 0, phase("hold", 1000));
	send_message(&reader, 1,
		     json_pack("{s:s, s:{s:{s:b, s:f}, s:{s:n}}}", "message", "samples", "state", "put", "ok", 1,
			       "latency_ms", 2.0, "get", "ok"));
	assert_string_equal(read_all(&reader), "");
	progress_tick(reader.progress);
	text = read_all(&reader);
	assert_non_null(strstr(text, "  trial-lab-latency-1                      hold     1000 s left"));
	assert_non_null(strstr(text, "put ok 2.0 ms\033[K\n"));
	/* Four trials of 60 s each, two at a time. */
	assert_non_null(strstr(text, "0 of 4 trials done, about 2:00 to go\033[K\n")
				?: strstr(text, "0 of 4 trials done, about 1:59 to go\033[K\n"));
	/* No redraw before progress_wake_ns(). */
	progress_tick(reader.progress);
	assert_string_equal(read_all(&reader), "");
	end_trial(&reader, 0, json_pack("{s:s}", "status", "failed"));
	text = read_all(&reader);
	assert_memory_equal(text, "\033[3A\033[J", 7);
	assert_non_null(strstr(text, " trial-lab-latency-1: failed, no text recorded\n"));
	progress_tick(reader.progress);
	text = read_all(&reader);
	assert_null(strstr(text, "latency-1"));
	assert_non_null(strstr(text, "1 of 4 trials done, 1 not passed"));
	progress_clear(reader.progress);
	assert_string_equal(read_all(&reader), "\033[2A\033[J");
	close_reader(&reader);
}

static void test_live_lines_are_cut(void **state)
{
	struct reader reader;
	const char *text;

	open_terminal(&reader, 20);
	progress_trial_start(reader.progress, 0, &trials[0], 1, 0);
	progress_tick(reader.progress);
	text = read_all(&reader);
	assert_string_equal(text, "  trial-lab..ncy-1 \033[K\n0 of 4 trials done,\033[K\n");
	close_reader(&reader);
}

static json_t *sample(const char *probe, double latency_ms, bool ok)
{
	return json_pack("{s:s, s:I, s:b}", "probe", probe, "latency_ns", (json_int_t)(latency_ms * 1e6), "ok", ok);
}

/* Samples of the probe "put", and hits if there are any. */
static json_t *samples(json_t *list, json_int_t hits)
{
	return json_pack("{s:s, s:o, s:o, s:{s:{s:b, s:f}}}", "message", "samples", "samples", list, "hits",
			 hits < 0 ? json_null() : json_integer(hits), "state", "put", "ok", 1, "latency_ms", 2.0);
}

/* Draws a trial with a slow, a bad and a fast sample, and with hits that come more and more slowly. */
static const char *draw_samples(struct reader *reader, const char *locale, unsigned short columns)
{
	json_t *list = json_pack("[o, o, o, o]", sample("put", 2, true), sample("put", 100, true),
				 sample("put", 50, false), sample("put", 51, true));

	assert_int_equal(setenv("LC_ALL", locale, 1), 0);
	open_terminal(reader, columns);
	progress_trial_start(reader->progress, 0, &trials[0], 1, 0);
	send_message(reader, 0, samples(list, 800));
	send_message(reader, 0, samples(json_array(), -1));
	send_message(reader, 0, samples(json_array(), 1200));
	send_message(reader, 0, samples(json_array(), 1200));
	progress_tick(reader->progress);
	return read_all(reader);
}

static void test_sparklines(void **state)
{
	struct reader reader;

	assert_non_null(strstr(draw_samples(&reader, "C.UTF-8", 120), "put ok 2.0 ms ▁█×▅, hits 1200 █▅▁\033[K\n"));
	close_reader(&reader);
	assert_non_null(strstr(draw_samples(&reader, "C", 120), "put ok 2.0 ms _#x=, hits 1200 #=_\033[K\n"));
	close_reader(&reader);
}

static void test_a_new_trial_has_new_sparklines(void **state)
{
	struct reader reader;

	draw_samples(&reader, "C", 120);
	end_trial(&reader, 0, json_pack("{s:s}", "status", "completed"));
	progress_trial_start(reader.progress, 0, &trials[1], 1, 0);
	send_message(&reader, 0, samples(json_pack("[o]", sample("put", 3, true)), -1));
	read_all(&reader);
	progress_tick(reader.progress);
	assert_non_null(strstr(read_all(&reader), "put ok 2.0 ms #\033[K\n"));
	close_reader(&reader);
}

/* The characters of the longest line, without codes. */
static size_t longest_line(const char *text)
{
	size_t longest = 0, length = 0;

	for (; *text; text++) {
		if (!strncmp(text, "\033[K", 3))
			text += 2;
		else if (*text == '\n')
			length = 0;
		else if (((unsigned char)*text & 0xc0) != 0x80)
			length++;
		longest = length > longest ? length : longest;
	}
	return longest;
}

static void test_live_lines_fit(void **state)
{
	static const unsigned short widths[] = {20, 60, 80, 100, 120, 240};

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		json_t *list = json_array();
		struct reader reader;

		for (int j = 0; j < 100; j++)
			json_array_append_new(list, sample(j % 2 ? "put" : "get", j, true));
		draw_samples(&reader, "C.UTF-8", widths[i]);
		send_message(&reader, 0, samples(list, 9000));
		send_message(&reader, 0, phase("hold", 1000));
		progress_tick(reader.progress);
		/* Before that were two lines, or three. */
		assert_in_range(longest_line(strchr(read_all(&reader), 'J') + 1), 1, widths[i] - 1U);
		close_reader(&reader);
	}
}

static void test_a_narrow_terminal_has_two_lines_for_a_trial(void **state)
{
	struct winsize low = {.ws_col = 60, .ws_row = 5};
	struct reader reader;

	assert_non_null(
		strstr(draw_samples(&reader, "C", 60), " \033[K\n    put ok 2.0 ms _#x=, hits 1200 #=_\033[K\n"));
	/* Not if the lines of all lanes would be more than the terminal has. */
	assert_int_equal(ioctl(fileno(reader.file), TIOCSWINSZ, &low), 0);
	send_message(&reader, 0, phase("hold", 0));
	progress_tick(reader.progress);
	assert_non_null(
		strstr(read_all(&reader), "  trial-lab..ncy-1 hold                put ok 2.0 ms, hits \033[K\n"));
	close_reader(&reader);
}

static void test_a_dumb_terminal_gets_lines(void **state)
{
	static const char *const terms[] = {"dumb", ""};

	for (size_t i = 0; i < ARRAY_SIZE(terms); i++) {
		struct reader reader;

		assert_int_equal(setenv("TERM", terms[i], 1), 0);
		open_terminal(&reader, 80);
		assert_int_equal(setenv("TERM", "xterm", 1), 0);
		progress_trial_start(reader.progress, 0, &trials[0], 1, 0);
		send_message(&reader, 0, phase("reset", 0));
		assert_line(&reader, "trial-lab-latency-1: reset\n");
		progress_tick(reader.progress);
		assert_string_equal(read_all(&reader), "");
		close_reader(&reader);
	}
}

static void test_colour(void **state)
{
	static const struct {
		const char *term, *no_color;
		bool coloured;
	} cases[] = {{"xterm", NULL, true}, {"xterm", "", true}, {"xterm", "1", false}, {"dumb", NULL, false}};
	_cleanup_json_ json_t *results = json_pack("[{s:s, s:s}]", "id", "trial-lab-latency-1", "status", "void");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reader reader;

		assert_int_equal(setenv("TERM", cases[i].term, 1), 0);
		if (cases[i].no_color)
			assert_int_equal(setenv("NO_COLOR", cases[i].no_color, 1), 0);
		open_terminal(&reader, 80);
		progress_table(reader.progress, results);
		assert_int_equal(!strstr(read_all(&reader), "\033[33mvoid"), !cases[i].coloured);
		close_reader(&reader);
		unsetenv("NO_COLOR");
	}
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
}

static void test_a_reader_that_stalls(void **state)
{
	struct reader reader;
	char line[1001];
	int lines = 0;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	open_pipe(&reader, PROGRESS_LINES);
	while (progress_poll_fd(reader.progress) < 0 && lines++ < 1000)
		progress_campaign(reader.progress, "event", NULL, line);
	assert_true(progress_poll_fd(reader.progress) >= 0);
	while (*read_all(&reader))
		progress_flush(reader.progress);
	assert_int_equal(progress_poll_fd(reader.progress), -1);
	assert_int_equal(progress_end(reader.progress), 0);
	close_reader(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_end_lines),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_quiet_has_only_the_table),
		cmocka_unit_test(test_live_lines),
		cmocka_unit_test(test_live_lines_are_cut),
		cmocka_unit_test(test_sparklines),
		cmocka_unit_test(test_a_new_trial_has_new_sparklines),
		cmocka_unit_test(test_live_lines_fit),
		cmocka_unit_test(test_a_narrow_terminal_has_two_lines_for_a_trial),
		cmocka_unit_test(test_a_dumb_terminal_gets_lines),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_a_reader_that_stalls),
	};

	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}

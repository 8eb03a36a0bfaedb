/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests that output never blocks: text for a full pipe waits within bounds, and the rest is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/output.h"
#include "util/terminal.h"

#define LINE_SIZE 1000

static void add_line(struct output *output, unsigned int number)
{
	char line[LINE_SIZE + 1];

	snprintf(line, sizeof(line), "%0*u\n", LINE_SIZE - 1, number);
	output_add(output, line, LINE_SIZE);
}

static void assert_text(int fd, const char *wanted)
{
	char text[LINE_SIZE + 1];
	size_t used = 0, length = strlen(wanted);

	while (used < length) {
		ssize_t got = read(fd, text + used, length - used);

		assert_true(got > 0);
		used += (size_t)got;
	}
	text[used] = '\0';
	assert_string_equal(text, wanted);
}

static void assert_line(int fd, unsigned int number)
{
	char wanted[LINE_SIZE + 1];

	snprintf(wanted, sizeof(wanted), "%0*u\n", LINE_SIZE - 1, number);
	assert_text(fd, wanted);
}

static void full_pipe(void **state)
{
	struct output *output;
	uint64_t from_ns = clock_monotonic_ns();
	unsigned int count = 6000, lost, number;
	char told[64];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	output = output_new(ends[1]);
	for (number = 0; number < count; number++)
		add_line(output, number);
	assert_true(output_poll_fd(output) >= 0);
	/* The pipe's flags are unchanged, because its other users share them. */
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	lost = (unsigned int)output_lost(output);
	assert_in_range(lost, 1000, 2000);
	output_drain(output, 100 * NSEC_PER_MSEC);
	assert_true(clock_monotonic_ns() - from_ns < 5 * NSEC_PER_SEC);
	/* When the reader reads again, it gets every line that was not dropped, whole and in order. */
	for (number = 0; number < count - lost; number++) {
		output_flush(output);
		assert_line(ends[0], number);
	}
	assert_int_equal(output_poll_fd(output), -1);
	/* The number of lost lines precedes the next line. */
	add_line(output, count);
	snprintf(told, sizeof(told), "%u lines were lost here: nobody read the output\n", lost);
	assert_text(ends[0], told);
	assert_line(ends[0], count);
	assert_int_equal(output_lost(output), 0);
	output_free(output);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_socket(void **state)
{
	struct output *output;
	uint64_t from_ns = clock_monotonic_ns();
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	output = output_new(ends[1]);
	for (unsigned int number = 0; number < 2000; number++)
		add_line(output, number);
	assert_true(output_poll_fd(output) >= 0);
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	/* At the end, lines that still wait count as lost. */
	assert_in_range(output_end(output, 10 * NSEC_PER_MSEC), 1000, 2000);
	assert_true(clock_monotonic_ns() - from_ns < 5 * NSEC_PER_SEC);
	output_free(output);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_disk(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct output *output = output_new(fd);

	assert_true(fd >= 0);
	for (unsigned int number = 0; number < 3; number++)
		add_line(output, number);
	assert_int_equal(output_lost(output), 3);
	output_free(output);
	close(fd);
}

/* The parent writes what waits; the child must not, and it reopens its own description of the file. */
static void a_child_begins_anew(void **state)
{
	struct output *output;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	output = output_new(ends[1]);
	for (unsigned int number = 0; number < 100; number++)
		add_line(output, number);
	assert_true(output_poll_fd(output) >= 0);
	child = fork();
	if (!child) {
		int own_fd = output_poll_fd(output), null_fd = open("/dev/null", O_RDWR);

		dup2(null_fd, own_fd);
		add_line(output, 100);
		/* The pipe is full: text can wait only if the description does not block. */
		_exit(output_poll_fd(output) < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (unsigned int number = 0; number < 100; number++) {
		output_flush(output);
		assert_line(ends[0], number);
	}
	assert_int_equal(output_poll_fd(output), -1);
	output_free(output);
	close(ends[0]);
	close(ends[1]);
}

static void reader_is_gone(void **state)
{
	struct output *output;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	output = output_new(ends[1]);
	close(ends[0]);
	add_line(output, 1);
	assert_int_equal(output_poll_fd(output), -1);
	output_free(output);
	close(ends[1]);
}

static void a_file_goes_on_where_it_is(void **state)
{
	_cleanup_fclose_ FILE *file = tmpfile();
	struct output *output;

	assert_non_null(file);
	assert_int_equal(write(fileno(file), "before\n", 7), 7);
	output = output_new(fileno(file));
	add_line(output, 3);
	output_free(output);
	assert_int_equal(lseek(fileno(file), 0, SEEK_CUR), 7 + LINE_SIZE);
	assert_int_equal(lseek(fileno(file), 7, SEEK_SET), 7);
	assert_line(fileno(file), 3);
}

static void assert_filtered(const char *from, const char *wanted)
{
	/* Writes the text whole, then byte by byte: an incomplete character waits for its end. */
	for (int step = 0; step < 2; step++) {
		char *text = NULL;
		size_t size = 0;
		FILE *below = open_memstream(&text, &size), *stream = terminal_stream(below);

		assert_non_null(stream);
		for (size_t i = 0; from[i]; i++) {
			fputc(from[i], stream);
			if (step)
				fflush(stream);
		}
		fclose(stream);
		fclose(below);
		assert_string_equal(text, wanted);
		free(text);
	}
}

static void what_drives_a_terminal(void **state)
{
	assert_filtered("plain, \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\n\tend",
			"plain, \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\n\tend");
	assert_filtered("a\033[2Jb\rc\ad\x7f"
			"e",
			"a?[2Jb?c?d?e");
	assert_filtered("\xc2\x9b"
			"31m \xc2\x80 \xc2\x9f \xc2\xa0",
			"?31m ? ? \xc2\xa0");
	assert_filtered("\x9b"
			"31m \xff \xc0\x9b \xed\xa0\x80",
			"?31m ? ?? ???");
	assert_filtered("cut \xe2\x82", "cut ?");
}

static void codes_of_our_own_pass(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *below = open_memstream(&text, &size), *stream = terminal_stream(below);

	fputs("a\033", stream);
	terminal_code(stream, "\033[31m");
	fputs("b", stream);
	fclose(stream);
	fclose(below);
	assert_string_equal(text, "a?\033[31mb");
	free(text);
}

static void json_has_no_controls(void **state)
{
	_cleanup_json_ json_t *value = json_pack("{s:s}", "a\x7f", "\033 \x7f \xc2\x9b \xc2\xa0"), *again = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	json_print(value, JSON_COMPACT, out);
	fclose(out);
	assert_string_equal(text, "{\"a\\u007F\":\"\\u001B \\u007F \\u009B \xc2\xa0\"}");
	again = json_loads(text, 0, NULL);
	assert_true(json_equal(value, again));
	free(text);
}

/* A file that is written in the background has every line, in order, and what it does not take is counted. */
static void a_file_in_the_background(void **state)
{
	char path[] = "/tmp/eval-output-XXXXXX";
	struct rlimit size = {}, before;
	struct output *output;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	output = output_new(fd);
	assert_int_equal(output_begin_background(output), 0);
	for (unsigned int i = 0; i < 2000; i++)
		add_line(output, i);
	output_end_background(output);
	add_line(output, 2000);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	for (unsigned int i = 0; i <= 2000; i++)
		assert_line(fd, i);
	assert_int_equal(output_lost(output), 0);

	getrlimit(RLIMIT_FSIZE, &before);
	size = (struct rlimit){.rlim_cur = 2003 * LINE_SIZE, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &size), 0);
	assert_int_equal(output_begin_background(output), 0);
	for (unsigned int i = 0; i < 5; i++)
		add_line(output, i);
	assert_int_equal(output_end(output, NSEC_PER_SEC), 3);
	setrlimit(RLIMIT_FSIZE, &before);
	output_free(output);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_pipe),
		cmocka_unit_test(a_full_socket),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(a_child_begins_anew),
		cmocka_unit_test(reader_is_gone),
		cmocka_unit_test(a_file_goes_on_where_it_is),
		cmocka_unit_test(a_file_in_the_background),
		cmocka_unit_test(what_drives_a_terminal),
		cmocka_unit_test(codes_of_our_own_pass),
		cmocka_unit_test(json_has_no_controls),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

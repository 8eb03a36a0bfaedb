/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests commands as processes: exit codes, output, timeouts, process groups and what they inherit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/environment.h"
#include "process/proc.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define MS NSEC_PER_MSEC

static struct proc *start(const char *exec, uint64_t timeout_ns, enum proc_stderr standard_error)
{
	struct proc_spec spec = {
		.exec = exec,
		.directory = "/",
		.environment = environ,
		.timeout_ns = timeout_ns,
		.cgroup_fd = -1,
		.standard_error = standard_error,
	};
	struct proc *proc = NULL;
	struct error err = {};

	if (proc_start(&proc, &spec, &err))
		fail_msg("%s", err.text);
	return proc;
}

/* Fails if the process takes longer than 10 s. */
static void run_to_end(struct proc *proc)
{
	uint64_t end_ns = clock_monotonic_ns() + 10 * NSEC_PER_SEC;

	while (!proc_handle(proc)) {
		struct pollfd fds[PROC_POLL_MAX];
		uint64_t wake_ns = proc_wake_ns(proc), now_ns = clock_monotonic_ns();

		assert_true(now_ns < end_ns);
		poll(fds, proc_poll_fds(proc, fds),
		     wake_ns == UINT64_MAX ? 1000
		     : wake_ns > now_ns    ? (int)((wake_ns - now_ns) / MS) + 1
					   : 0);
	}
}

static void test_reads_its_input(void **state)
{
	struct proc_spec spec = {
		.exec = "cat; cat", .directory = "/", .environment = environ, .cgroup_fd = -1, .input = "one\ntwo\n"};
	_cleanup_json_ json_t *output = NULL;
	struct proc *proc = NULL;

	assert_int_equal(proc_start(&proc, &spec, NULL), 0);
	run_to_end(proc);
	assert_true(proc_succeeded(proc));
	output = proc_output(proc);
	assert_string_equal(json_string_value(output), "one\ntwo\n");
	proc_free(proc);
}

static struct proc *run(const char *exec)
{
	struct proc *proc = start(exec, 0, PROC_STDERR_MIXED);

	run_to_end(proc);
	return proc;
}

static void assert_output(const struct proc *proc, const char *wanted)
{
	_cleanup_json_ json_t *output = proc_output(proc);

	assert_string_equal(json_string_value(output), wanted);
}

static void test_exit_codes(void **state)
{
	static const struct {
		const char *exec, *described;
		int exit_code, signal;
	} cases[] = {
		{"true", "exit 0", 0, 0},
		{"echo one; echo 'two words'; echo; exit 3", "exit 3: two words", 3, 0},
		{"no-such-command-here 2>/dev/null", "exit 127", 127, 0},
		{"kill -KILL $$", "signal 9 (Killed)", -1, SIGKILL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc *proc = run(cases[i].exec);
		char text[256];

		proc_describe(proc, text, sizeof(text));
		assert_string_equal(text, cases[i].described);
		assert_int_equal(proc_get_result(proc)->exit_code, cases[i].exit_code);
		assert_int_equal(proc_get_result(proc)->signal, cases[i].signal);
		assert_int_equal(proc_succeeded(proc), !cases[i].exit_code);
		assert_true(proc_get_result(proc)->ended_ns >= proc_get_result(proc)->started_ns);
		proc_free(proc);
	}
}

static void test_output_is_mixed_or_apart(void **state)
{
	struct proc *proc = run("echo out; echo err >&2; echo out");
	_cleanup_json_ json_t *errors = NULL;

	assert_output(proc, "out\nerr\nout\n");
	proc_free(proc);
	proc = start("echo out; echo err >&2", 0, PROC_STDERR_APART);
	run_to_end(proc);
	assert_output(proc, "out\n");
	errors = proc_error_output(proc);
	assert_string_equal(json_string_value(errors), "err\n");
	proc_free(proc);
}

static void test_output_is_bounded(void **state)
{
	struct proc *proc = run("echo begin; head -c 1000000 /dev/zero | tr '\\0' x; echo end");
	_cleanup_json_ json_t *output = proc_output(proc);
	const char *text = json_string_value(output);

	assert_in_range(strlen(text), PROC_OUTPUT_MAX, PROC_OUTPUT_MAX + 100);
	assert_memory_equal(text, "begin\nxxx", 9);
	assert_string_equal(text + strlen(text) - 5, "xend\n");
	assert_non_null(strstr(text, "bytes left out"));
	proc_free(proc);
	/* Output that just fits is not cut. */
	proc = run("head -c 65536 /dev/zero | tr '\\0' y");
	json_decref(output);
	output = proc_output(proc);
	assert_int_equal(json_string_length(output), PROC_OUTPUT_MAX);
	assert_null(strstr(json_string_value(output), "left out"));
	proc_free(proc);
}

static void test_output_is_text(void **state)
{
	struct proc *proc = run("printf 'a\\377b\\000c\\033[31md'");

	assert_output(proc, "a\xef\xbf\xbd"
			    "b c [31md");
	proc_free(proc);
}

/* A zombie does not live: the process that adopted it may be slow to reap it. */
static bool lives(pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[32], state = 'Z';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	return f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1 && state != 'Z' && state != 'X';
}

static void test_timeout_kills_the_group(void **state)
{
	struct proc *proc = start("sleep 60 & echo $!; sleep 60", 1000 * MS, PROC_STDERR_MIXED);
	_cleanup_json_ json_t *output = NULL;
	char text[256];
	pid_t child;

	run_to_end(proc);
	assert_true(proc_get_result(proc)->timed_out);
	assert_false(proc_succeeded(proc));
	proc_describe(proc, text, sizeof(text));
	assert_memory_equal(text, "timed out after ", 16);
	output = proc_output(proc);
	child = atoi(json_string_value(output));
	assert_true(child > 1);
	for (int i = 0; i < 5000 && lives(child); i++)
		usleep(1000);
	assert_false(lives(child));
	proc_free(proc);
}

/* If the poll loop is late, a process that ended in time did not time out. */
static void test_late_look_is_no_timeout(void **state)
{
	struct proc *proc = start("exit 0", 200 * MS, PROC_STDERR_MIXED);
	siginfo_t info = {};

	assert_int_equal(waitid(P_PID, (id_t)proc_pid(proc), &info, WEXITED | WNOWAIT), 0);
	while (clock_monotonic_ns() < proc_wake_ns(proc))
		usleep(1000);
	run_to_end(proc);
	assert_false(proc_get_result(proc)->timed_out);
	assert_true(proc_succeeded(proc));
	proc_free(proc);
}

static void test_daemon_does_not_block(void **state)
{
	struct proc *proc = run("sleep 60 & echo $!");
	_cleanup_json_ json_t *output = proc_output(proc);
	pid_t child = atoi(json_string_value(output));
	_cleanup_close_ int fd = proc_take_pipe(proc);

	assert_true(proc_get_result(proc)->ended_ns - proc_get_result(proc)->started_ns < 10 * NSEC_PER_SEC);
	/* The daemon lives, and its pipe was handed to the caller. */
	assert_int_equal(kill(child, 0), 0);
	assert_true(fd >= 0);
	proc_free(proc);
	assert_int_equal(kill(child, 0), 0);
	kill(child, SIGKILL);
}

static void test_no_pipe_without_daemon(void **state)
{
	struct proc *proc = run("true");

	assert_int_equal(proc_take_pipe(proc), -1);
	proc_free(proc);
}

static void test_free_kills(void **state)
{
	struct proc *proc = start("exec sleep 60", 0, PROC_STDERR_MIXED);
	pid_t pid = proc_pid(proc);

	proc_free(proc);
	assert_true(kill(pid, 0) && errno == ESRCH);
}

static bool always(void)
{
	return true;
}

static void test_wait(void **state)
{
	struct proc *proc = start("sleep 0.1; exit 4", 10 * NSEC_PER_SEC, PROC_STDERR_MIXED);

	assert_true(proc_wait(proc, NULL, -1));
	assert_int_equal(proc_get_result(proc)->exit_code, 4);
	proc_free(proc);

	proc = start("sleep 30", 100 * MS, PROC_STDERR_MIXED);
	assert_true(proc_wait(proc, NULL, -1));
	assert_true(proc_get_result(proc)->timed_out);
	proc_free(proc);

	proc = start("sleep 30", 0, PROC_STDERR_MIXED);
	assert_false(proc_wait(proc, always, -1));
	assert_false(proc_ended(proc));
	proc_free(proc);
}

static void test_inherits_nothing(void **state)
{
	struct proc *proc;
	int fd = dup(STDERR_FILENO);

	assert_true(fd > STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);
	/* Wanted: only the standard descriptors and ls's own, no signal ignored or blocked, and a separate session. */
	/* Under make, glibc's posix_spawn leaves its internal signals 32 and 33 ignored, which we cannot change. */
	proc = run("ls /proc/self/fd | tr '\\n' ' '; grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\n\\t' | "
		   "sed s/0000000180000000/0000000000000000/; "
		   "read -r a b c d e sid rest </proc/self/stat; test \"$sid\" = $$ && echo own; readlink "
		   "/proc/self/fd/0");
	assert_output(proc, "0 1 2 3 SigBlk:0000000000000000SigIgn:0000000000000000own\n/dev/null\n");
	proc_free(proc);
	close(fd);
}

static void test_folder_is_gone(void **state)
{
	struct proc_spec spec = {
		.exec = "true",
		.directory = "/no/such/folder",
		.environment = environ,
		.cgroup_fd = -1,
	};
	struct proc *proc = NULL;
	char text[256];

	assert_int_equal(proc_start(&proc, &spec, NULL), 0);
	run_to_end(proc);
	proc_describe(proc, text, sizeof(text));
	assert_string_equal(text, "exit 126: eval: cannot enter the command's folder");
	proc_free(proc);
}

static const char *find(char **environment, const char *name)
{
	size_t length = strlen(name);
	const char *found = NULL;

	for (; *environment; environment++)
		if (!strncmp(*environment, name, length) && (*environment)[length] == '=') {
			assert_null(found);
			found = *environment + length + 1;
		}
	return found;
}

static void test_environment(void **state)
{
	struct environment_values values = {
		.instance = 3,
		.campaign = "c",
		.trial = "t",
		.subject = "s",
		.phase = "hold",
	};
	_cleanup_free_ char **environment = NULL;

	setenv("EVAL_TRIAL", "outer", 1);
	setenv("EVAL_TARGET", "outer", 1);
	setenv("EVAL_TRIALS", "kept", 1);
	environment = environment_build(&values);
	assert_string_equal(find(environment, "EVAL_INSTANCE"), "3");
	assert_string_equal(find(environment, "EVAL_TRIAL"), "t");
	assert_string_equal(find(environment, "EVAL_PHASE"), "hold");
	assert_string_equal(find(environment, "EVAL_TRIALS"), "kept");
	assert_null(find(environment, "EVAL_TARGET"));
	assert_non_null(find(environment, "PATH"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_reads_its_input),
		cmocka_unit_test(test_output_is_mixed_or_apart),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_output_is_text),
		cmocka_unit_test(test_timeout_kills_the_group),
		cmocka_unit_test(test_late_look_is_no_timeout),
		cmocka_unit_test(test_daemon_does_not_block),
		cmocka_unit_test(test_no_pipe_without_daemon),
		cmocka_unit_test(test_free_kills),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_inherits_nothing),
		cmocka_unit_test(test_folder_is_gone),
		cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

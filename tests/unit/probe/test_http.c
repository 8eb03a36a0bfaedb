/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests tcp and http probes against a server of its own on loopback: what is good, what is bad, and how it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/probe.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

#define JSON_BODY "{\"health\": \"true\", \"count\": 3, \"list\": [{\"a/b\": 1.5}]}"
#define BIG (2 * 1024 * 1024)

static uint16_t port, closed_port;
static pid_t server;

static void serve(int connection)
{
	char request[4096] = "", head[128];
	static char body[BIG];
	size_t size;

	if (read(connection, request, sizeof(request) - 1) <= 0)
		return;
	if (strstr(request, "/hang"))
		pause();
	size = strstr(request, "/big") ? BIG : strlen(JSON_BODY);
	memset(body, 'x', size);
	memcpy(body, JSON_BODY, strlen(JSON_BODY));
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nLocation: /\r\nContent-Length: %zu\r\n\r\n",
		 strstr(request, "/down")    ? "503 Down"
		 : strstr(request, "/moved") ? "302 Moved"
					     : "200 OK",
		 strstr(request, "/cut") ? size + 1 : size);
	if (write(connection, head, strlen(head)) < 0 || write(connection, body, size) < 0)
		return;
}

__attribute__((noreturn)) static void run_server(int listener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int connection = accept(listener, NULL, NULL);

		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(connection);
			_exit(0);
		}
		close(connection);
	}
}

static int bind_to(uint16_t *out)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*out = ntohs(address.sin_port);
	return fd;
}

static int start_server(void **state)
{
	int listener = bind_to(&port);

	/* Bound, so that nobody else gets it, but it does not listen. */
	bind_to(&closed_port);
	assert_int_equal(listen(listener, 1024), 0);
	server = fork();
	if (!server)
		run_server(listener);
	close(listener);
	return 0;
}

static int stop_server(void **state)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}

/* Takes one sample. Returns the probe's state, with the sample's time in *ms. */
static json_t *sample(const struct probe *probe, double *ms)
{
	struct probe copy = *probe;
	const struct subject subject = {.probes = &copy, .probe_count = 1};
	struct error err = {};
	struct probes *probes;
	json_t *all, *state;

	copy.name = "p";
	copy.timeout_ms = copy.timeout_ms ?: 5000;
	assert_int_equal(probes_new(&probes, &subject, (struct probe_list){subject.probes, 1}, 0, -1, &err), 0);
	probes_start(probes, clock_monotonic_ns());
	probes_step(probes, "hold", environ);
	probes_finish(probes);
	while (probes_running(probes)) {
		struct pollfd fds[16];

		assert_in_range(probes_poll_count(probes), 1, ARRAY_SIZE(fds));
		poll(fds, probes_poll_fds(probes, fds), 10);
		probes_step(probes, "hold", environ);
	}
	all = probes_state(probes);
	state = json_incref(json_object_get(all, "p"));
	json_decref(all);
	*ms = json_number_at(state, "latency_ms");
	probes_free(probes);
	return state;
}

/* The error of one sample; "" if it is good. */
static const char *error_of(const struct probe *probe)
{
	static char text[256];
	double ms;
	json_t *state = sample(probe, &ms);

	snprintf(text, sizeof(text), "%s", json_text_or(state, "error", ""));
	assert_int_equal(json_is_true(json_object_get(state, "ok")), !*text);
	json_decref(state);
	return text;
}

static char *url_of(const char *path)
{
	static char url[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	return url;
}

static const char *get(const char *path, struct http_check check)
{
	const struct probe probe = {
		.kind = PROBE_HTTP,
		.http = {.url = url_of(path), .status = check.status, .body = check.body, .json = check.json}};

	return error_of(&probe);
}

static void a_connection_is_enough_for_tcp(void **state)
{
	char text[64];
	struct probe probe = {.kind = PROBE_TCP, .tcp = text};

	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	assert_string_equal(error_of(&probe), "");
	snprintf(text, sizeof(text), "localhost:%u", port);
	assert_string_equal(error_of(&probe), "");
	snprintf(text, sizeof(text), "127.0.0.1:%u", closed_port);
	assert_string_equal(error_of(&probe), "cannot connect: Connection refused");
	snprintf(text, sizeof(text), "no-such-host.invalid:%u", port);
	assert_non_null(strstr(error_of(&probe), "resolve"));
}

static void an_answer_is_checked(void **state)
{
	_cleanup_json_ json_t *right =
		json_pack("{s:s, s:s, s:s}", "/health", "true", "/count", "3.0", "/list/0/a~1b", "1.5");
	_cleanup_json_ json_t *wrong = json_pack("{s:s}", "/health", "false");
	_cleanup_json_ json_t *missing = json_pack("{s:s}", "/none", "x");

	assert_string_equal(get("/", (struct http_check){}), "");
	assert_string_equal(get("/down", (struct http_check){}), "status 503");
	assert_string_equal(get("/down", (struct http_check){.status = 503}), "");
	assert_string_equal(get("/", (struct http_check){.status = 503}), "status 200, not 503");
	/* Not followed: what is asked is how this server answers. */
	assert_string_equal(get("/moved", (struct http_check){}), "status 302");
	assert_string_equal(get("/", (struct http_check){.body = "\"count\": [0-9]"}), "");
	assert_string_equal(get("/", (struct http_check){.body = "^count"}), "the body does not match '^count'");
	assert_string_equal(get("/", (struct http_check){.json = right}), "");
	assert_string_equal(get("/", (struct http_check){.json = wrong}), "/health is 'true', not 'false'");
	assert_string_equal(get("/", (struct http_check){.json = missing}), "the answer has no /none");
	assert_string_equal(get("/big", (struct http_check){.json = right}), "the answer is longer than 1048576 bytes");
	assert_string_not_equal(get("/cut", (struct http_check){}), "");
}

static void a_sample_has_its_time(void **state)
{
	const struct probe hangs = {.kind = PROBE_HTTP, .http.url = url_of("/hang"), .timeout_ms = 200};
	double ms;
	json_t *got = sample(&hangs, &ms);

	assert_string_equal(json_text_or(got, "error", ""), "timed out after 0.2 s");
	assert_true(ms >= 200 && ms < 2000);
	json_decref(got);
}

static void nothing_is_left_of_what_still_runs(void **state)
{
	struct probe probe = {
		.kind = PROBE_HTTP, .name = "p", .http.url = url_of("/hang"), .every_ms = 1, .timeout_ms = 9000};
	const struct subject subject = {.probes = &probe, .probe_count = 1};
	int before = dup(0), after;
	struct probes *probes;

	close(before);
	assert_int_equal(probes_new(&probes, &subject, (struct probe_list){subject.probes, 1}, 0, -1, NULL), 0);
	probes_start(probes, clock_monotonic_ns());
	for (int i = 0; i < 20; i++) {
		probes_step(probes, "hold", environ);
		usleep(1000);
	}
	assert_true(probes_running(probes));
	probes_free(probes);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void a_namespace_that_is_not_there_is_an_error(void **state)
{
	struct probe probe = {.kind = PROBE_TCP, .tcp = "127.0.0.1:1", .netns = "eval-no-such"};
	const struct subject subject = {.probes = &probe, .probe_count = 1};
	struct probes *probes;
	struct error err = {};

	assert_int_equal(probes_new(&probes, &subject, (struct probe_list){subject.probes, 1}, 0, -1, &err), -2);
	assert_non_null(strstr(err.text, "cannot open network namespace 'eval-no-such'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_enough_for_tcp),
		cmocka_unit_test(an_answer_is_checked),
		cmocka_unit_test(a_sample_has_its_time),
		cmocka_unit_test(nothing_is_left_of_what_still_runs),
		cmocka_unit_test(a_namespace_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}

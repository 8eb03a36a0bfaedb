/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests the worker's messages: a message too large for a datagram is lost, and the loss is reported. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/json.h"

static json_t *receive(int fd)
{
	static char buffer[TRIAL_MESSAGE_MAX];
	ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	return got < 0 ? NULL : json_loadb(buffer, (size_t)got, 0, NULL);
}

static const char *field(const json_t *message, const char *name)
{
	return json_text_or(message, name, "");
}

/* The send buffer has the campaign's size, so that a message can exceed the receiver's limit. */
static void oversized_is_told(void **state)
{
	static char huge[TRIAL_MESSAGE_MAX];
	int size = 2 * TRIAL_MESSAGE_MAX;
	_cleanup_json_ json_t *lost = NULL, *next = NULL, *none = NULL;
	struct trial_job job = {};
	struct trial trial = {.job = &job, .phase = PHASE_HOLD};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	outbox_init(&trial.outbox, ends[1]);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)), 0);
	memset(huge, 'x', sizeof(huge) - 1);
	trial_set(&trial, json_pack("{s:s}", "evidence", huge));
	trial_event(&trial, "next", "after it");
	assert_null(trial.outbox.first);
	lost = receive(ends[0]);
	assert_string_equal(field(lost, "message"), "event");
	assert_string_equal(field(lost, "kind"), "record_lost");
	assert_string_equal(field(lost, "phase"), "hold");
	assert_non_null(strstr(field(lost, "text"), "too long for a message"));
	next = receive(ends[0]);
	assert_string_equal(field(next, "kind"), "next");
	assert_string_equal(field(next, "text"), "after it");
	none = receive(ends[0]);
	assert_null(none);
	close(ends[0]);
	close(ends[1]);
}

/* The coordinator is stopped. Unread messages are kept within bounds; results are always kept. */
static void the_coordinator_does_not_read(void **state)
{
	enum { EVENTS = 800 };
	struct trial_job job = {};
	struct trial trial = {.job = &job, .phase = PHASE_HOLD};
	unsigned int events = 0, told = 0;
	bool has_result = false;
	static char text[100000];
	json_t *message;
	int ends[2];

	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	outbox_init(&trial.outbox, ends[1]);
	for (unsigned int i = 0; i < EVENTS; i++)
		trial_send(&trial, "event", json_pack("{s:s, s:s}", "kind", "many", "text", text));
	trial_set(&trial, json_pack("{s:s}", "status", "completed"));
	assert_in_range(trial.outbox.bytes, 60 << 20, 68 << 20);
	/* The coordinator reads again. */
	while ((message = receive(ends[0]))) {
		events += !strcmp(field(message, "kind"), "many");
		has_result |= !strcmp(field(message, "message"), "columns");
		json_decref(message);
		trial_flush(&trial);
	}
	assert_int_equal(trial.outbox.bytes, 0);
	assert_true(has_result);
	trial_event(&trial, "last", "after it");
	message = receive(ends[0]);
	assert_string_equal(field(message, "kind"), "record_lost");
	assert_int_equal(sscanf(field(message, "text"), "%u messages are lost", &told), 1);
	json_decref(message);
	assert_int_equal(told, EVENTS - events);
	assert_in_range(told, 1, EVENTS / 2);
	message = receive(ends[0]);
	assert_string_equal(field(message, "kind"), "last");
	json_decref(message);
	close(ends[0]);
	close(ends[1]);
}

static void nobody_is_left(void **state)
{
	struct trial_job job = {};
	struct trial trial = {.job = &job};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	outbox_init(&trial.outbox, ends[1]);
	close(ends[0]);
	trial_event(&trial, "last", "to nobody");
	assert_null(trial.outbox.first);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oversized_is_told),
		cmocka_unit_test(the_coordinator_does_not_read),
		cmocka_unit_test(nobody_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the worker tells the coordinator: a message that no datagram holds is lost, and that is told. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "trial_internal.h"
#include "util/cleanup.h"

static json_t *receive(int fd)
{
	static char buffer[TRIAL_MESSAGE_MAX];
	ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	return got < 0 ? NULL : json_loadb(buffer, (size_t)got, 0, NULL);
}

static const char *field(const json_t *message, const char *name)
{
	return json_string_value(json_object_get(message, name)) ?: "";
}

/* As the campaign's, so that more can be sent than is received. */
static void oversized_is_told(void **state)
{
	static char huge[TRIAL_MESSAGE_MAX];
	int size = 2 * TRIAL_MESSAGE_MAX;
	_cleanup_json_ json_t *lost = NULL, *next = NULL, *none = NULL;
	struct trial_job job = {};
	struct trial trial = {.job = &job, .phase = PHASE_HOLD};
	int ends[2];

	trial.outbox_end = &trial.outbox;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	job.socket_fd = ends[1];
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)), 0);
	memset(huge, 'x', sizeof(huge) - 1);
	trial_set(&trial, json_pack("{s:s}", "evidence", huge));
	trial_event(&trial, "next", "after it");
	assert_null(trial.outbox);
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

static void nobody_is_left(void **state)
{
	struct trial_job job = {};
	struct trial trial = {.job = &job};
	int ends[2];

	trial.outbox_end = &trial.outbox;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	job.socket_fd = ends[1];
	close(ends[0]);
	trial_event(&trial, "last", "to nobody");
	assert_null(trial.outbox);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oversized_is_told),
		cmocka_unit_test(nobody_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

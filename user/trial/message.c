/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The worker's messages to the coordinator. Only trial_flush_all blocks: the lease must be renewed while the
 * coordinator waits for its disk. */
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/json.h"
#include "util/moment.h"

#define NO_MEMORY_RETRY_MS 10
/* Holds an hour of five probes at 50 ms each, for a stopped coordinator. If it is full, only results are queued. */
#define OUTBOX_MAX (64UL << 20)

/* Takes body. */
static void enqueue(struct trial *trial, const char *message, json_t *body)
{
	char *text = NULL;

	if (body) {
		json_object_set_new(body, "message", json_string(message));
		text = json_dumps(body, JSON_COMPACT);
	}
	json_decref(body);
	if (text)
		outbox_add(&trial->outbox, text);
}

static json_t *event_new(const struct trial *trial, const char *kind, const char *text)
{
	json_t *body = json_pack("{s:s, s:s, s:o}", "kind", kind, "phase", trial_phase_name(trial->phase), "text",
				 json_outside(text));

	moment_add_now(body);
	return body;
}

/* Replaces the first message, which is too long to be sent or received whole, by an event that says so. Returns false
 * if there is no memory for the event, or if it is not shorter. */
static bool replace_oversized(struct trial *trial)
{
	_cleanup_json_ json_t *event = NULL;
	char text[128], *smaller;

	snprintf(text, sizeof(text), "a record of %zu bytes is lost: it is too long for a message",
		 strlen(trial->outbox.first->text));
	event = event_new(trial, "record_lost", text);
	json_object_set_new(event, "message", json_string("event"));
	smaller = json_dumps(event, JSON_COMPACT);
	if (smaller && outbox_shorten_first(&trial->outbox, smaller))
		return true;
	free(smaller);
	return false;
}

static bool is_result(const char *message)
{
	return !strcmp(message, "columns") || !strcmp(message, "end");
}

/* Queues an event with the number of messages dropped so far. */
static void tell_messages_lost(struct trial *trial)
{
	char text[96];

	if (!trial->messages_lost)
		return;
	snprintf(text, sizeof(text), "%zu messages are lost: the coordinator did not read them", trial->messages_lost);
	trial->messages_lost = 0;
	enqueue(trial, "event", event_new(trial, "record_lost", text));
}

void trial_send(struct trial *trial, const char *message, json_t *body)
{
	/* Out of memory, or a text that is not UTF-8: jansson does not tell which. */
	if (!body) {
		body = event_new(trial, "record_lost", "a record could not be made");
		message = "event";
	}
	trial_flush(trial);
	if (trial->outbox.bytes < OUTBOX_MAX) {
		tell_messages_lost(trial);
	} else if (!is_result(message)) {
		trial->messages_lost++;
		json_decref(body);
		return;
	}
	enqueue(trial, message, body);
	trial_flush(trial);
}

void trial_flush(struct trial *trial)
{
	while (outbox_flush(&trial->outbox))
		if (!replace_oversized(trial))
			outbox_drop_first(&trial->outbox);
}

void trial_flush_all(struct trial *trial)
{
	trial_flush(trial);
	while (trial->outbox.first) {
		const struct outbox_message *first = trial->outbox.first;

		poll(&(struct pollfd){.fd = trial->outbox.socket_fd, .events = POLLOUT}, 1, -1);
		trial_flush(trial);
		/* The socket is writable, but the kernel had no memory for the message (ENOBUFS). */
		if (trial->outbox.first == first)
			poll(NULL, 0, NO_MEMORY_RETRY_MS);
	}
}

static void messages_step(void *arg)
{
	trial_flush(arg);
}

static size_t messages_poll_count(const void *arg)
{
	return 1;
}

static size_t messages_poll_fds(const void *arg, struct pollfd *out)
{
	const struct trial *trial = arg;

	if (!trial->outbox.first)
		return 0;
	*out = (struct pollfd){.fd = trial->outbox.socket_fd, .events = POLLOUT};
	return 1;
}

const struct pump_source trial_messages_source = {
	.step = messages_step,
	.poll_fds = messages_poll_fds,
	.poll_count = messages_poll_count,
};

void trial_enter(struct trial *trial, enum trial_phase phase, double seconds)
{
	json_t *body = json_pack("{s:s, s:o}", "phase", trial_phase_name(phase), "seconds",
				 seconds > 0 ? json_real(seconds) : json_null());

	trial->phase = phase;
	trial_rebuild_environment(trial, NULL);
	moment_add_now(body);
	trial_send(trial, "phase", body);
}

void trial_event(struct trial *trial, const char *kind, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	trial_send(trial, "event", event_new(trial, kind, text));
}

/* Takes columns. */
void trial_set(struct trial *trial, json_t *columns)
{
	trial_send(trial, "columns", columns ? json_pack("{s:o}", "columns", columns) : NULL);
}

void trial_set_moment(struct trial *trial, const char *name, uint64_t monotonic_ns)
{
	json_t *columns = json_object();

	moment_add(columns, name, monotonic_ns);
	trial_set(trial, columns);
}

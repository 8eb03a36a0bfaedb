/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the worker tells the coordinator. Sending never blocks: the lease must be renewed while the coordinator waits
 * for its disk. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "store/store.h"
#include "trial/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/moment.h"

/* Samples per datagram: a sample's text is below 1 KiB. */
#define SAMPLES_A_MESSAGE 256
#define NO_MEMORY_RETRY_MS 10
/* For a coordinator that is stopped: an hour of five probes, each every 50 ms. Beyond it all but results is dropped. */
#define OUTBOX_MAX (64UL << 20)

struct outbox_message {
	struct outbox_message *next;
	char *text;
};

static const char *const phase_names[PHASE_COUNT] = {
	[PHASE_RESET] = "reset", [PHASE_READY] = "ready",   [PHASE_WARMUP] = "warmup",   [PHASE_INJECT] = "inject",
	[PHASE_HOLD] = "hold",   [PHASE_REVERT] = "revert", [PHASE_RECOVER] = "recover", [PHASE_CHECK] = "check",
};

const char *trial_phase_name(enum trial_phase phase)
{
	return phase_names[phase];
}

enum trial_phase trial_phase_find(const char *name)
{
	enum trial_phase phase = 0;

	while (phase < PHASE_COUNT && strcmp(phase_names[phase], name))
		phase++;
	return phase;
}

/* Takes body. */
static void enqueue(struct trial *trial, const char *message, json_t *body)
{
	struct outbox_message *queued = calloc(1, sizeof(*queued));

	if (queued && body) {
		json_object_set_new(body, "message", json_string(message));
		queued->text = json_dumps(body, JSON_COMPACT);
	}
	json_decref(body);
	if (!queued || !queued->text) {
		free(queued);
		return;
	}
	trial->outbox_bytes += strlen(queued->text);
	*trial->outbox_end = queued;
	trial->outbox_end = &queued->next;
}

static json_t *event_new(const struct trial *trial, const char *kind, const char *text)
{
	json_t *body = json_pack("{s:s, s:s, s:o}", "kind", kind, "phase", phase_names[trial->phase], "text",
				 json_text(text, strlen(text)));

	moment_add_now(body);
	return body;
}

/* In the place of a message that no datagram holds, or whose end the coordinator would not get: an event that says so.
 * False: that did not work either. */
static bool replace_oversized(struct trial *trial, struct outbox_message *message)
{
	size_t length = strlen(message->text);
	_cleanup_json_ json_t *event = NULL;
	char text[128], *smaller;

	snprintf(text, sizeof(text), "a record of %zu bytes is lost: it is too long for a message", length);
	event = event_new(trial, "record_lost", text);
	json_object_set_new(event, "message", json_string("event"));
	smaller = json_dumps(event, JSON_COMPACT);
	if (!smaller || strlen(smaller) >= length) {
		free(smaller);
		return false;
	}
	trial->outbox_bytes -= length - strlen(smaller);
	free(message->text);
	message->text = smaller;
	return true;
}

static bool is_result(const char *message)
{
	return !strcmp(message, "columns") || !strcmp(message, "end");
}

/* Before the next message that there is room for. */
static void tell_outbox_lost(struct trial *trial)
{
	char text[96];

	if (!trial->outbox_lost)
		return;
	snprintf(text, sizeof(text), "%zu messages are lost: the coordinator did not read them", trial->outbox_lost);
	trial->outbox_lost = 0;
	enqueue(trial, "event", event_new(trial, "record_lost", text));
}

void trial_send(struct trial *trial, const char *message, json_t *body)
{
	trial_flush(trial);
	if (trial->outbox_bytes < OUTBOX_MAX) {
		tell_outbox_lost(trial);
	} else if (!is_result(message)) {
		trial->outbox_lost++;
		json_decref(body);
		return;
	}
	enqueue(trial, message, body);
	trial_flush(trial);
}

void trial_flush(struct trial *trial)
{
	while (trial->outbox) {
		struct outbox_message *first = trial->outbox;
		size_t length = strlen(first->text);
		ssize_t sent;

		if (length > TRIAL_MESSAGE_MAX && replace_oversized(trial, first))
			continue;
		sent = send(trial->job->socket_fd, first->text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
			return;
		if (sent < 0 && errno == EMSGSIZE && replace_oversized(trial, first))
			continue;
		/* Any other failure: the coordinator is gone, and this process follows it. */
		trial->outbox_bytes -= strlen(first->text);
		trial->outbox = first->next;
		if (!trial->outbox)
			trial->outbox_end = &trial->outbox;
		free(first->text);
		free(first);
	}
}

void trial_flush_all(struct trial *trial)
{
	trial_flush(trial);
	while (trial->outbox) {
		const struct outbox_message *first = trial->outbox;

		poll(&(struct pollfd){.fd = trial->job->socket_fd, .events = POLLOUT}, 1, -1);
		trial_flush(trial);
		/* Writable, but the kernel had no memory for it (ENOBUFS). */
		if (trial->outbox == first)
			poll(NULL, 0, NO_MEMORY_RETRY_MS);
	}
}

void trial_enter(struct trial *trial, enum trial_phase phase, double seconds)
{
	json_t *body = json_pack("{s:s, s:o}", "phase", phase_names[phase], "seconds",
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
	trial_send(trial, "columns", json_pack("{s:o}", "columns", columns));
}

void trial_set_moment(struct trial *trial, const char *name, uint64_t monotonic_ns)
{
	json_t *columns = json_object();

	moment_add(columns, name, monotonic_ns);
	trial_set(trial, columns);
}

static void send_samples_part(struct trial *trial, const json_t *samples, size_t from)
{
	json_t *part = json_array();

	for (size_t i = from; i < json_array_size(samples) && i < from + SAMPLES_A_MESSAGE; i++)
		json_array_append(part, json_array_get(samples, i));
	trial_send(trial, "samples", json_pack("{s:o, s:o}", "samples", part, "state", probes_state(trial->probes)));
}

void trial_send_samples(struct trial *trial)
{
	_cleanup_json_ json_t *samples = trial->probes ? probes_take_samples(trial->probes) : NULL;

	for (size_t i = 0; i < json_array_size(samples); i += SAMPLES_A_MESSAGE)
		send_samples_part(trial, samples, i);
	if (samples)
		json_array_extend(trial->samples, samples);
}

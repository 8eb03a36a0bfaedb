/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A sample is an HTTP request whose answer is checked; or only a TCP connection to a host by its name. */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http.h"
#include "probe/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/text.h"

#define SHOWN_MAX 60 /* bytes of a value in a message */

struct http_sample {
	const struct probe *probe;
	const regex_t *body; /* what the body must match; NULL: anything */
	struct http_request *request;
};

static int name_prepare(void **state, const struct probe *probe, struct error *err)
{
	return http_prepare(err);
}

static int http_sample_prepare(void **state, const struct probe *probe, struct error *err)
{
	int ret = http_prepare(err);
	regex_t *body;

	if (ret || !probe->http.body)
		return ret;
	body = calloc(1, sizeof(*body));
	if (!body)
		return error_set(err, -ENOMEM, "out of memory");
	if (regcomp(body, probe->http.body, REG_EXTENDED | REG_NOSUB)) {
		free(body);
		return error_set(err, -EINVAL, "the pattern for the body is wrong");
	}
	*state = body;
	return 0;
}

static void http_sample_forget(void *state)
{
	if (state)
		regfree(state);
	free(state);
}

static int start_request(void **sample, const struct sample_spec *spec, const struct http_spec *http, struct error *err)
{
	struct http_sample *own = calloc(1, sizeof(*own));
	int ret;

	if (!own)
		return error_set(err, -ENOMEM, "out of memory");
	own->probe = spec->probe;
	own->body = spec->state;
	ret = http_start(&own->request, http, err);
	if (ret)
		free(own);
	else
		*sample = own;
	return ret;
}

static int name_start(void **sample, const struct sample_spec *spec, struct error *err)
{
	_cleanup_free_ char *url = NULL;
	struct http_spec http = {.connect_only = true,
				 .netns_fd = spec->netns_fd,
				 .timeout_ns = spec->probe->timeout_ms * NSEC_PER_MSEC};

	if (asprintf(&url, "http://%s", spec->probe->tcp) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	http.url = url;
	return start_request(sample, spec, &http, err);
}

static int http_sample_start(void **sample, const struct sample_spec *spec, struct error *err)
{
	const struct http_check *check = &spec->probe->http;
	const struct http_spec http = {.url = check->url,
				       .ca = check->ca,
				       .cert = check->cert,
				       .key = check->key,
				       .netns_fd = spec->netns_fd,
				       .timeout_ns = spec->probe->timeout_ms * NSEC_PER_MSEC};

	return start_request(sample, spec, &http, err);
}

static bool http_sample_handle(void *sample, const struct pollfd *ready, size_t count)
{
	const struct http_sample *own = sample;

	return http_handle(own->request, ready, count);
}

static int check_status(const struct http_check *check, long status, struct error *err)
{
	if (check->status ? status == check->status : status >= 200 && status <= 299)
		return 0;
	if (check->status)
		return error_set(err, -EPROTO, "status %ld, not %u", status, check->status);
	return error_set(err, -EPROTO, "status %ld", status);
}

static int check_body(const regex_t *wanted, const char *pattern, const char *body, struct error *err)
{
	if (!wanted || !regexec(wanted, body, 0, NULL, 0))
		return 0;
	return error_set(err, -EPROTO, "the body does not match '%.*s'", text_cut(pattern, SHOWN_MAX), pattern);
}

/* True if both are the same number, however it is written. */
static bool same_number(const char *a, const char *b)
{
	char *a_end, *b_end;
	double first = strtod(a, &a_end), second = strtod(b, &b_end);

	return *a && *b && !*a_end && !*b_end && first == second;
}

static int check_value(const json_t *document, const char *pointer, const char *wanted, struct error *err)
{
	const json_t *value = json_at_pointer(document, pointer);
	_cleanup_free_ char *written = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	const char *text = json_string_value(value) ?: written;

	if (!value)
		return error_set(err, -EPROTO, "the answer has no %.*s", text_cut(pointer, SHOWN_MAX), pointer);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	if (!strcmp(text, wanted) || (json_is_number(value) && same_number(text, wanted)))
		return 0;
	return error_set(err, -EPROTO, "%.*s is '%.*s', not '%.*s'", text_cut(pointer, SHOWN_MAX), pointer,
			 text_cut(text, SHOWN_MAX), text, text_cut(wanted, SHOWN_MAX), wanted);
}

static int check_json(json_t *wanted, const char *body, size_t size, struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	const char *pointer;
	json_t *value;
	int ret = 0;

	if (!wanted)
		return 0;
	document = json_loadb(body, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (!document)
		return error_set(err, -EPROTO, "the answer is no JSON");
	json_object_foreach (wanted, pointer, value)
		if (!ret)
			ret = check_value(document, pointer, json_string_value(value), err);
	return ret;
}

static int judge(const struct http_sample *own, struct error *err)
{
	const struct http_check *check = &own->probe->http;
	size_t size;
	const char *body = http_body(own->request, &size);
	int ret = http_result(own->request, err);

	if (ret || own->probe->kind == PROBE_TCP)
		return ret;
	ret = check_status(check, http_status(own->request), err);
	if (!ret)
		ret = check_body(own->body, check->body, body, err);
	return ret ? ret : check_json(check->json, body, size, err);
}

static void http_sample_result(const void *sample, struct sample_result *out)
{
	const struct http_sample *own = sample;
	struct error err = {};

	out->started_ns = http_started_ns(own->request);
	out->ended_ns = http_ended_ns(own->request);
	out->good = !judge(own, &err);
	snprintf(out->error, sizeof(out->error), "%.*s", text_cut(err.text, sizeof(out->error) - 1), err.text);
}

static json_t *http_sample_output(const void *sample)
{
	const struct http_sample *own = sample;
	size_t size;
	const char *body = http_body(own->request, &size);

	return json_text(body, size);
}

static size_t http_sample_poll_fds(const void *sample, struct pollfd *out)
{
	const struct http_sample *own = sample;

	return http_poll_fds(own->request, out);
}

static uint64_t http_sample_wake_ns(const void *sample)
{
	const struct http_sample *own = sample;

	return http_wake_ns(own->request);
}

static void http_sample_free(void *sample)
{
	struct http_sample *own = sample;

	http_free(own->request);
	free(own);
}

/* Each takes three descriptors, of the 1,024 that a process has. */
#define REQUEST_OPS \
	.at_once = 64, .handle = http_sample_handle, .result = http_sample_result, .output = http_sample_output, \
	.poll_max = HTTP_POLL_MAX, .poll_fds = http_sample_poll_fds, .wake_ns = http_sample_wake_ns, \
	.free = http_sample_free

const struct probe_ops name_probe_ops = {.prepare = name_prepare, .start = name_start, REQUEST_OPS};
const struct probe_ops http_probe_ops = {.prepare = http_sample_prepare,
					 .forget = http_sample_forget,
					 .start = http_sample_start,
					 REQUEST_OPS};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A sample asks for Prometheus text, and keeps the wanted series: gauges as they are, counters as rates. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http.h"
#include "net/prometheus.h"
#include "probe/internal.h"
#include "util/clock.h"
#include "util/text.h"

/* What was found last, to tell how much a counter grew. */
struct last_value {
	uint64_t at_ns; /* 0: never found */
	double value, started;
	size_t matched;
};

struct scrape {
	const struct probe *probe;
	struct http_request *request;
	struct prometheus *scan;
	struct last_value *last; /* by series */
};

static void scrape_free(void *sample)
{
	struct scrape *own = sample;

	http_free(own->request);
	prometheus_free(own->scan);
	free(own);
}

static void take_part(void *arg, const char *bytes, size_t size)
{
	prometheus_feed(arg, bytes, size);
}

static int scrape_prepare(void **state, const struct probe *probe, struct error *err)
{
	int ret = http_prepare(err);

	if (ret)
		return ret;
	*state = calloc(probe->series.count + 1, sizeof(struct last_value));
	return *state ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int scrape_start(void **sample, const struct sample_spec *spec, struct error *err)
{
	const struct http_check *check = &spec->probe->http;
	struct http_spec http = {.url = check->url,
				 .ca = check->ca,
				 .cert = check->cert,
				 .key = check->key,
				 .netns_fd = spec->netns_fd,
				 .timeout_ns = spec->probe->timeout_ms * NSEC_PER_MSEC,
				 .sink = take_part};
	struct scrape *own = calloc(1, sizeof(*own));
	int ret;

	if (!own)
		return error_set(err, -ENOMEM, "out of memory");
	own->probe = spec->probe;
	own->last = spec->state;
	ret = prometheus_new(&own->scan, spec->probe->series.items, spec->probe->series.count, err);
	http.sink_arg = own->scan;
	if (!ret)
		ret = http_start(&own->request, &http, err);
	if (ret)
		scrape_free(own);
	else
		*sample = own;
	return ret;
}

static bool scrape_handle(void *sample, const struct pollfd *ready, size_t count)
{
	const struct scrape *own = sample;

	return http_handle(own->request, ready, count);
}

static void scrape_result(const void *sample, struct sample_result *out)
{
	const struct scrape *own = sample;
	struct error err = {};

	out->started_ns = http_started_ns(own->request);
	out->ended_ns = http_ended_ns(own->request);
	out->good = !http_result(own->request, &err);
	if (out->good && http_status(own->request) != 200) {
		out->good = false;
		error_set(&err, -EPROTO, "status %ld", http_status(own->request));
	}
	snprintf(out->error, sizeof(out->error), "%.*s", text_cut(err.text, sizeof(out->error) - 1), err.text);
}

static json_t *scrape_output(const void *sample)
{
	return json_null();
}

static size_t scrape_poll_fds(const void *sample, struct pollfd *out)
{
	return http_poll_fds(((const struct scrape *)sample)->request, out);
}

static uint64_t scrape_wake_ns(const void *sample)
{
	return http_wake_ns(((const struct scrape *)sample)->request);
}

/*
 * A counter starts at 0 with its process: after a restart it grew by what it shows. A process that restarts is seen by
 * process_start_time_seconds or, without it, because the counter fell.
 */
static double rate_of(const struct last_value *last, const struct last_value *now)
{
	bool restarted = (last->started > 0 && now->started > last->started) || now->value < last->value;
	double grown = restarted ? now->value : now->value - last->value;

	return grown / ((double)(now->at_ns - last->at_ns) / (double)NSEC_PER_SEC);
}

/* The sum fell because series are gone, as those of a peer or region are: that says nothing of how much it grew. */
static bool lost_series(const struct last_value *last, const struct last_value *now)
{
	return now->value < last->value &&
	       (now->started > 0 ? now->started <= last->started : now->matched < last->matched);
}

static void append_value(const struct scrape *own, size_t index, struct last_value *last, json_t *out)
{
	struct prometheus_value found = prometheus_get(own->scan, index);
	/* The text is of the moment of the request: how long it takes to come says nothing of the counter. */
	const struct last_value now = {.at_ns = http_started_ns(own->request),
				       .value = found.value,
				       .started = prometheus_started(own->scan),
				       .matched = found.matched};

	if (!found.matched)
		return;
	if (!found.is_counter || (last->at_ns && now.at_ns > last->at_ns && !lost_series(last, &now)))
		json_array_append_new(out, json_pack("{s:s, s:s, s:I, s:I, s:f, s:s}", "source", own->probe->name,
						     "series", own->probe->series.items[index], "since_ns",
						     (json_int_t)last->at_ns, "at_ns", (json_int_t)now.at_ns, "value",
						     found.is_counter ? rate_of(last, &now) : found.value, "kind",
						     found.is_counter ? "rate" : "gauge"));
	*last = now;
}

static void scrape_values(const void *sample, json_t *out)
{
	const struct scrape *own = sample;

	for (size_t i = 0; i < own->probe->series.count; i++)
		append_value(own, i, &own->last[i], out);
}

const struct probe_ops metrics_probe_ops = {
	.prepare = scrape_prepare,
	.start = scrape_start,
	.at_once = 1,
	.handle = scrape_handle,
	.result = scrape_result,
	.output = scrape_output,
	.values = scrape_values,
	.poll_max = HTTP_POLL_MAX,
	.poll_fds = scrape_poll_fds,
	.wake_ns = scrape_wake_ns,
	.free = scrape_free,
};

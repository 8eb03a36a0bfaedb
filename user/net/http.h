/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One HTTP request, or only a connection, by libcurl: without proxies, redirects or connections kept from before.
 * Driven by the caller's poll loop. Names are looked up with this host's files, over the network of the namespace.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

#define HTTP_BODY_MAX (1024 * 1024)        /* a longer body is an error */
#define HTTP_STREAM_MAX (64 * 1024 * 1024) /* the same for one that goes to a sink */

struct http_spec {
	const char *url;             /* http:// or https:// */
	bool connect_only;           /* connects to the URL's host and port, and sends nothing */
	const char *ca, *cert, *key; /* PEM files; NULL: this host's authorities, no certificate of our own */
	int netns_fd;                /* 0: the caller's namespace */
	uint64_t timeout_ns;
	/* Takes the body in parts, instead of http_body(). NULL: kept. */
	void (*sink)(void *arg, const char *bytes, size_t size);
	void *sink_arg;
};

struct http_request;

/* Returns 0, or -EINVAL with err set. */
int http_check_url(const char *url, struct error *err);

/* Opens libcurl, so that the first request need not wait for it: some 40 ms. */
int http_prepare(struct error *err);
int http_start(struct http_request **out, const struct http_spec *spec, struct error *err);
/* Also before its end; NULL is fine. */
void http_free(struct http_request *request);

/* Writes the descriptors to poll, at most HTTP_POLL_MAX; returns how many. */
#define HTTP_POLL_MAX 4
size_t http_poll_fds(const struct http_request *request, struct pollfd *out);
/* The latest time for the next http_handle() (CLOCK_MONOTONIC); UINT64_MAX: none. */
uint64_t http_wake_ns(const struct http_request *request);
/* Does what is due, by what poll() said of those descriptors. Returns true when the request has ended. */
bool http_handle(struct http_request *request, const struct pollfd *ready, size_t count);

/* After its end: 0 if there is an answer (or a connection), or why not, in words that are the same each time. */
int http_result(const struct http_request *request, struct error *err);
long http_status(const struct http_request *request);
/* Ends with a NUL that *size does not count. */
const char *http_body(const struct http_request *request, size_t *size);
/* CLOCK_MONOTONIC */
uint64_t http_started_ns(const struct http_request *request);
uint64_t http_ended_ns(const struct http_request *request);

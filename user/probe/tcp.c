/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A sample is a TCP connection to an IP address, which is reset as soon as it is there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/endpoint.h"
#include "net/netns.h"
#include "net/socket.h"
#include "probe/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/json.h"

/* What the samples of a probe share. */
struct tcp_address {
	struct sockaddr_storage to;
	socklen_t size;
};

struct tcp_sample {
	int fd;
	int code; /* negative errno once it has failed */
	unsigned int timeout_ms;
	uint64_t started_ns, ended_ns; /* ended_ns is 0 until it has ended */
};

bool is_tcp_address(const char *text)
{
	struct endpoint endpoint;

	return !endpoint_parse(&endpoint, text, NULL);
}

static int tcp_prepare(void **state, const struct probe *probe, struct error *err)
{
	struct tcp_address *address;
	struct endpoint endpoint;

	if (endpoint_parse(&endpoint, probe->tcp, err))
		return -EINVAL;
	address = calloc(1, sizeof(*address));
	if (!address)
		return error_set(err, -ENOMEM, "out of memory");
	address->size = endpoint_to_sockaddr(&endpoint, &address->to);
	*state = address;
	return 0;
}

static int open_in(int netns_fd, int family)
{
	int saved = -1, ret = netns_fd ? netns_enter(netns_fd, &saved) : 0, fd;

	if (ret)
		return ret;
	fd = socket_open_reset(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	netns_leave(&saved);
	return fd;
}

static void tcp_end(struct tcp_sample *own, int code)
{
	own->code = code;
	own->ended_ns = clock_monotonic_ns();
}

static int tcp_start(void **sample, const struct sample_spec *spec, struct error *err)
{
	const struct tcp_address *address = spec->state;
	int fd = open_in(spec->netns_fd, address->to.ss_family);
	struct tcp_sample *own;

	if (fd < 0)
		return error_set_errno(err, fd, "cannot open a socket");
	own = calloc(1, sizeof(*own));
	if (!own) {
		fd_close(fd);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*own = (struct tcp_sample){.fd = fd, .timeout_ms = spec->probe->timeout_ms, .started_ns = clock_monotonic_ns()};
	if (!connect(fd, (const struct sockaddr *)&address->to, address->size))
		tcp_end(own, 0);
	else if (errno != EINPROGRESS)
		tcp_end(own, -errno);
	*sample = own;
	return 0;
}

static uint64_t deadline_of(const struct tcp_sample *own)
{
	return own->started_ns + own->timeout_ms * NSEC_PER_MSEC;
}

static bool tcp_handle(void *sample, const struct pollfd *ready, size_t count)
{
	struct tcp_sample *own = sample;
	socklen_t size = sizeof(int);
	int code = 0;

	if (own->ended_ns)
		return true;
	if (count && ready->revents)
		tcp_end(own, getsockopt(own->fd, SOL_SOCKET, SO_ERROR, &code, &size) ? -errno : -code);
	else if (clock_monotonic_ns() >= deadline_of(own))
		tcp_end(own, -ETIME);
	return own->ended_ns;
}

static void tcp_result(const void *sample, struct sample_result *out)
{
	const struct tcp_sample *own = sample;

	out->started_ns = own->started_ns;
	out->ended_ns = own->ended_ns;
	out->good = !own->code;
	/* ETIME is our own time, ETIMEDOUT the kernel's. */
	if (own->code == -ETIME)
		snprintf(out->error, sizeof(out->error), "timed out after %g s", own->timeout_ms / 1000.0);
	else if (own->code)
		snprintf(out->error, sizeof(out->error), "cannot connect: %s", strerror(-own->code));
}

static json_t *tcp_output(const void *sample)
{
	return json_null();
}

static size_t tcp_poll_fds(const void *sample, struct pollfd *out)
{
	const struct tcp_sample *own = sample;

	*out = (struct pollfd){.fd = own->fd, .events = POLLOUT};
	return !own->ended_ns;
}

static uint64_t tcp_wake_ns(const void *sample)
{
	const struct tcp_sample *own = sample;

	/* One that ended at once is taken up with the next step. */
	return own->ended_ns ? own->ended_ns : deadline_of(own);
}

static void tcp_free(void *sample)
{
	struct tcp_sample *own = sample;

	fd_close(own->fd);
	free(own);
}

const struct probe_ops tcp_probe_ops = {
	.at_once = 256,
	.prepare = tcp_prepare,
	.start = tcp_start,
	.handle = tcp_handle,
	.result = tcp_result,
	.output = tcp_output,
	.poll_max = 1,
	.poll_fds = tcp_poll_fds,
	.wake_ns = tcp_wake_ns,
	.free = tcp_free,
};

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/http.h"

/* Its checks of types are macros that call the library by name. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/netns.h"
#include "net/socket.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Should libcurl not ask for a new time when one is over: it does not if it takes the old one to be still ahead. */
#define TIMER_AGAIN_NS (10 * NSEC_PER_MSEC)

/*
 * libcurl reads a hundred times this before it returns. Reading 100 KB of metrics takes half a millisecond, in which no
 * sample starts. For the same reason the body is not asked for compressed: a small part of it could become very long.
 */
#define SINK_BYTES 1024L

struct http_request {
	CURLM *multi;
	CURL *easy;
	int netns_fd;
	struct pollfd fds[HTTP_POLL_MAX];
	size_t fd_count;
	uint64_t started_ns, ended_ns; /* ended_ns is 0 until it has ended */
	uint64_t timer_ns, deadline_ns;
	double timeout_seconds;
	CURLcode code;
	bool too_long;
	char *body;
	size_t size, room;
	void (*sink)(void *arg, const char *bytes, size_t size);
	void *sink_arg;
};

/*
 * libcurl is opened when a probe needs it: what it needs itself (TLS, Kerberos, LDAP: 28 libraries) makes the start of
 * every command, of most of which no probe asks, 10 ms longer.
 */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt
/* clang-format off */
#define FUNCTIONS(X) \
	X(global_init) X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_strerror) X(easy_cleanup) X(multi_init) \
	X(multi_setopt) X(multi_add_handle) X(multi_remove_handle) X(multi_socket_action) X(multi_info_read) \
	X(multi_cleanup) X(url) X(url_set) X(url_get) X(url_strerror) X(url_cleanup)
/* clang-format on */
#define MEMBER(name) __typeof__(curl_##name) *name;
static struct {
	bool is_open;
	FUNCTIONS(MEMBER)
} curl;

int http_prepare(struct error *err)
{
	void *library;
	bool complete = true;

	if (curl.is_open)
		return 0;
	library = dlopen("libcurl.so.4", RTLD_NOW);
	if (!library)
		return error_set(err, -ENOENT, "tcp and http probes need libcurl.so.4: %s", dlerror());
#define LOOK_UP(name) complete &= !!(*(void **)&curl.name = dlsym(library, "curl_" #name));
	FUNCTIONS(LOOK_UP)
	if (!complete || curl.global_init(CURL_GLOBAL_DEFAULT))
		return error_set(err, -ENOTSUP, "this host's libcurl.so.4 is too old or cannot be set up");
	curl.is_open = true;
	return 0;
}

int http_check_url(const char *url, struct error *err)
{
	char *scheme = NULL;
	CURLUcode code;
	CURLU *parts;
	int ret = http_prepare(err);

	if (ret)
		return ret;
	parts = curl.url();
	if (!parts)
		return error_set(err, -ENOMEM, "out of memory");
	code = curl.url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	if (!code)
		code = curl.url_get(parts, CURLUPART_SCHEME, &scheme, 0);
	if (code)
		ret = error_set(err, -EINVAL, "'%.200s' is no URL like http://HOST:PORT/PATH: %s", url,
				curl.url_strerror(code));
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		ret = error_set(err, -EINVAL, "'%.200s' is neither a http:// nor a https:// URL", url);
	/* curl_free() is free(). */
	free(scheme);
	curl.url_cleanup(parts);
	return ret;
}

static short events_of(int what)
{
	return (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	struct http_request *request = data;
	size_t i = 0;

	while (i < request->fd_count && request->fds[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < request->fd_count)
			request->fds[i] = request->fds[--request->fd_count];
		return 0;
	}
	if (i == HTTP_POLL_MAX)
		return -1;
	request->fds[i] = (struct pollfd){.fd = fd, .events = events_of(what)};
	request->fd_count += i == request->fd_count;
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *data)
{
	struct http_request *request = data;

	request->timer_ns = timeout_ms < 0 ? UINT64_MAX : clock_monotonic_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	return 0;
}

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	int fd = socket_open_reset(address->family, address->socktype, address->protocol);

	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
	struct http_request *request = data;
	size_t length = size * count;
	char *grown;

	request->too_long = request->size + length > (request->sink ? HTTP_STREAM_MAX : HTTP_BODY_MAX);
	if (request->too_long)
		return 0;
	if (request->sink) {
		request->sink(request->sink_arg, bytes, length);
		request->size += length;
		return length;
	}
	while (request->size + length + 1 > request->room) {
		grown = realloc(request->body, request->room ? request->room * 2 : 4096);
		if (!grown)
			return 0;
		request->body = grown;
		request->room = request->room ? request->room * 2 : 4096;
	}
	memcpy(request->body + request->size, bytes, length);
	request->size += length;
	request->body[request->size] = '\0';
	return length;
}

static bool set_options(struct http_request *request, const struct http_spec *spec)
{
	CURL *easy = request->easy;
	bool bad = false;

	bad |= curl.easy_setopt(easy, CURLOPT_URL, spec->url);
	bad |= curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl.easy_setopt(easy, CURLOPT_CONNECT_ONLY, spec->connect_only ? 1L : 0L);
	bad |= curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	bad |= curl.easy_setopt(easy, CURLOPT_NOPROXY, "*");
	bad |= curl.easy_setopt(easy, CURLOPT_USERAGENT, "eval");
	bad |= curl.easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	bad |= curl.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	bad |= curl.easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	/* Does not wait for a look-up that hangs. */
	bad |= curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	bad |= curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	bad |= curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	bad |= curl.easy_setopt(easy, CURLOPT_WRITEDATA, request);
	if (spec->sink)
		bad |= curl.easy_setopt(easy, CURLOPT_BUFFERSIZE, SINK_BYTES);
	if (spec->ca)
		bad |= curl.easy_setopt(easy, CURLOPT_CAINFO, spec->ca);
	if (spec->cert)
		bad |= curl.easy_setopt(easy, CURLOPT_SSLCERT, spec->cert);
	if (spec->key)
		bad |= curl.easy_setopt(easy, CURLOPT_SSLKEY, spec->key);
	bad |= curl.multi_setopt(request->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	bad |= curl.multi_setopt(request->multi, CURLMOPT_SOCKETDATA, request);
	bad |= curl.multi_setopt(request->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	bad |= curl.multi_setopt(request->multi, CURLMOPT_TIMERDATA, request);
	return !bad;
}

int http_start(struct http_request **out, const struct http_spec *spec, struct error *err)
{
	struct http_request *request;
	int ret = http_prepare(err);

	if (ret)
		return ret;
	request = calloc(1, sizeof(*request));
	if (!request)
		return error_set(err, -ENOMEM, "out of memory");
	request->netns_fd = spec->netns_fd;
	request->sink = spec->sink;
	request->sink_arg = spec->sink_arg;
	request->started_ns = clock_monotonic_ns();
	request->deadline_ns = request->started_ns + spec->timeout_ns;
	request->timeout_seconds = (double)spec->timeout_ns / NSEC_PER_SEC;
	request->timer_ns = UINT64_MAX;
	request->multi = curl.multi_init();
	request->easy = curl.easy_init();
	if (!request->multi || !request->easy || !set_options(request, spec) ||
	    curl.multi_add_handle(request->multi, request->easy)) {
		http_free(request);
		return error_set(err, -ENOMEM, "cannot set up a request");
	}
	/* The first timer, which is due at once. */
	http_handle(request, NULL, 0);
	*out = request;
	return 0;
}

void http_free(struct http_request *request)
{
	if (!request)
		return;
	if (request->multi && request->easy)
		curl.multi_remove_handle(request->multi, request->easy);
	curl.easy_cleanup(request->easy);
	curl.multi_cleanup(request->multi);
	free(request->body);
	free(request);
}

size_t http_poll_fds(const struct http_request *request, struct pollfd *out)
{
	if (request->ended_ns)
		return 0;
	memcpy(out, request->fds, request->fd_count * sizeof(*out));
	return request->fd_count;
}

uint64_t http_wake_ns(const struct http_request *request)
{
	/* One that has ended waits for the caller. */
	return request->ended_ns ? request->ended_ns : clock_earlier(request->timer_ns, request->deadline_ns);
}

static void end_with(struct http_request *request, CURLcode code)
{
	request->code = code;
	request->ended_ns = clock_monotonic_ns();
}

/* fds is not the list of the request, which libcurl changes meanwhile. */
static void act(struct http_request *request, bool timer, const struct pollfd *fds, size_t count)
{
	const CURLMsg *message;
	int running, left;

	if (timer) {
		request->timer_ns = clock_monotonic_ns() + TIMER_AGAIN_NS;
		curl.multi_socket_action(request->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	for (size_t i = 0; i < count; i++)
		if (fds[i].revents)
			curl.multi_socket_action(request->multi, fds[i].fd, 0, &running);
	while ((message = curl.multi_info_read(request->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			end_with(request, message->data.result);
}

/* Enters the namespace for the sockets, and for the thread of a look-up, which must not get our signals. */
static void act_inside(struct http_request *request, bool timer, const struct pollfd *fds, size_t count)
{
	sigset_t all, before;
	int saved = -1;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (request->netns_fd && netns_enter(request->netns_fd, &saved))
		end_with(request, CURLE_COULDNT_CONNECT);
	else
		act(request, timer, fds, count);
	netns_leave(&saved);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool http_handle(struct http_request *request, const struct pollfd *ready, size_t count)
{
	bool timer, any = false;

	if (request->ended_ns)
		return true;
	for (size_t i = 0; i < count; i++)
		any |= ready[i].revents != 0;
	timer = clock_monotonic_ns() >= request->timer_ns;
	if (any || timer)
		act_inside(request, timer, ready, count);
	if (!request->ended_ns && clock_monotonic_ns() >= request->deadline_ns)
		end_with(request, CURLE_OPERATION_TIMEDOUT);
	return request->ended_ns;
}

int http_result(const struct http_request *request, struct error *err)
{
	long code = 0;

	if (request->code == CURLE_OK)
		return 0;
	if (request->code == CURLE_OPERATION_TIMEDOUT)
		return error_set(err, -ETIMEDOUT, "timed out after %g s", request->timeout_seconds);
	if (request->too_long)
		return error_set(err, -EFBIG, "the answer is longer than %d bytes",
				 request->sink ? HTTP_STREAM_MAX : HTTP_BODY_MAX);
	curl.easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &code);
	if (request->code == CURLE_COULDNT_CONNECT && code > 0)
		return error_set(err, -(int)code, "cannot connect: %s", strerror((int)code));
	/* Whether a read or a write notices it first is chance. */
	if (request->code == CURLE_SEND_ERROR || request->code == CURLE_RECV_ERROR ||
	    request->code == CURLE_GOT_NOTHING)
		return error_set(err, -ECONNRESET, "the server broke the connection off");
	return error_set(err, -EIO, "%s", curl.easy_strerror(request->code));
}

long http_status(const struct http_request *request)
{
	long status = 0;

	curl.easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

const char *http_body(const struct http_request *request, size_t *size)
{
	*size = request->size;
	return request->body ?: "";
}

uint64_t http_started_ns(const struct http_request *request)
{
	return request->started_ns;
}

uint64_t http_ended_ns(const struct http_request *request)
{
	return request->ended_ns;
}

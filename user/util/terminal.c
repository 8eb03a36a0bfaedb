/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "util/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/text.h"

/* Standard output, standard error, a campaign's progress, and spare slots. */
#define STREAMS_MAX 8

struct filtered {
	FILE *stream, *below;
	char rest[4]; /* an incomplete character at the end of the last write */
	size_t rest_size;
};

static struct filtered streams[STREAMS_MAX];

static bool is_control(const char *c, size_t length)
{
	unsigned char first = (unsigned char)c[0], second = length > 1 ? (unsigned char)c[1] : 0;

	if (length == 1)
		return (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f;
	return length == 2 && first == 0xc2 && second < 0xa0;
}

size_t terminal_filter(char *text, size_t size, size_t *rest)
{
	size_t used = 0;

	*rest = 0;
	for (size_t i = 0; i < size;) {
		size_t length = text_utf8_length(text + i, size - i);

		if (!length && text_utf8_is_cut(text + i, size - i)) {
			*rest = size - i;
			break;
		}
		if (!length || is_control(text + i, length))
			text[used++] = '?';
		else
			for (size_t j = 0; j < length; j++)
				text[used++] = text[i + j];
		i += length ? length : 1;
	}
	return used;
}

static ssize_t write_filtered(void *cookie, const char *bytes, size_t size)
{
	struct filtered *filtered = cookie;
	_cleanup_free_ char *text = malloc(filtered->rest_size + size + 1);
	size_t total = filtered->rest_size + size, used, rest;

	if (!text)
		return 0;
	memcpy(text, filtered->rest, filtered->rest_size);
	memcpy(text + filtered->rest_size, bytes, size);
	used = terminal_filter(text, total, &rest);
	/* The incomplete character at the end of the input, which the filter leaves as it was. */
	memcpy(filtered->rest, rest > size ? text + total - rest : bytes + size - rest, rest);
	filtered->rest_size = rest;
	return fwrite(text, 1, used, filtered->below) != used || fflush(filtered->below) ? 0 : (ssize_t)size;
}

static int close_filtered(void *cookie)
{
	struct filtered *filtered = cookie;

	if (filtered->rest_size)
		fputc('?', filtered->below);
	*filtered = (struct filtered){};
	return 0;
}

FILE *terminal_stream(FILE *below)
{
	static const cookie_io_functions_t functions = {.write = write_filtered, .close = close_filtered};

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		if (streams[i].below)
			continue;
		streams[i] = (struct filtered){.below = below};
		streams[i].stream = fopencookie(&streams[i], "w", functions);
		if (!streams[i].stream)
			streams[i] = (struct filtered){};
		return streams[i].stream;
	}
	return NULL;
}

static const struct filtered *find(const FILE *stream)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (streams[i].below && streams[i].stream == stream)
			return &streams[i];
	return NULL;
}

void terminal_filter_standard(void)
{
	FILE *out = terminal_stream(stdout), *err = terminal_stream(stderr);

	/* Without this memory nothing else would run either. */
	if (!out || !err)
		abort();
	setvbuf(out, NULL, isatty(STDOUT_FILENO) == 1 ? _IOLBF : _IOFBF, BUFSIZ);
	setvbuf(err, NULL, _IONBF, 0);
	stdout = out;
	stderr = err;
}

void terminal_code(FILE *stream, const char *code)
{
	const struct filtered *filtered = find(stream);

	fflush(stream);
	fputs(code, filtered ? filtered->below : stream);
}

int terminal_fd(FILE *stream)
{
	const struct filtered *filtered = find(stream);

	return fileno(filtered ? filtered->below : stream);
}

bool terminal_has_codes(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) == 1 && term && *term && strcmp(term, "dumb") != 0;
}

bool terminal_has_colour(int fd)
{
	const char *unwanted = getenv("NO_COLOR");

	return terminal_has_codes(fd) && !(unwanted && *unwanted);
}

bool terminal_is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool is_utf8 = locale && !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");

	if (locale)
		freelocale(locale);
	return is_utf8;
}

size_t terminal_columns(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) ? 0 : size.ws_col;
}

size_t terminal_rows(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) ? 0 : size.ws_row;
}

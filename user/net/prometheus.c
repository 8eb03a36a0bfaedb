/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "net/prometheus.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

#define LINE_MAX_BYTES (64 * 1024)
#define LABELS_MAX 64
#define STARTED "process_start_time_seconds"
#define RATE "rate("

enum operator{ EQUAL, NOT_EQUAL, MATCHES, MATCHES_NOT };

struct matcher {
	char *label, *value;
	enum operator operator;
	regex_t regex; /* of the last two operators */
	bool compiled;
};

struct selector {
	char *name;
	struct matcher *matchers;
	size_t count, room;
	bool as_counter;
	struct prometheus_value found;
};

struct prometheus {
	struct selector *selectors;
	size_t count;
	double started;
	char family[256]; /* of the last line # TYPE */
	bool family_is_counter;
	char *line;
	size_t used, room;
	bool too_long;
};

struct label {
	const char *name, *value;
};

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static size_t name_length(const char *text)
{
	size_t length = 0;

	if (!is_name_start(*text))
		return 0;
	while (is_name_start(text[length]) || (text[length] >= '0' && text[length] <= '9'))
		length++;
	return length;
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/*
 * Reads a quoted value, in place: *text is at the opening quote, and behind the closing one afterwards. NULL if it does
 * not end.
 */
static char *read_quoted(char **text)
{
	char *start = *text + 1, *in = start, *out = start;

	while (*in && *in != '"') {
		if (*in == '\\' && in[1]) {
			in++;
			*out++ = *in == 'n' ? '\n' : *in;
			in++;
		} else {
			*out++ = *in++;
		}
	}
	if (!*in)
		return NULL;
	*text = in + 1;
	*out = '\0';
	return start;
}

static void selector_clear(struct selector *selector)
{
	for (size_t i = 0; i < selector->count; i++) {
		free(selector->matchers[i].label);
		free(selector->matchers[i].value);
		if (selector->matchers[i].compiled)
			regfree(&selector->matchers[i].regex);
	}
	free(selector->matchers);
	free(selector->name);
}

static int read_operator(char **text, enum operator* out)
{
	static const struct {
		const char *text;
		enum operator operator;
	} operators[] = {{"=~", MATCHES}, {"!~", MATCHES_NOT}, {"!=", NOT_EQUAL}, {"=", EQUAL}};

	*text = (char *)skip_blanks(*text);
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (!strncmp(*text, operators[i].text, strlen(operators[i].text))) {
			*text += strlen(operators[i].text);
			*out = operators[i].operator;
			return 0;
		}
	return -EINVAL;
}

static int compile(struct matcher *matcher, struct error *err)
{
	_cleanup_free_ char *whole = NULL;

	if (asprintf(&whole, "^(%s)$", matcher->value) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	if (regcomp(&matcher->regex, whole, REG_EXTENDED | REG_NOSUB))
		return error_set(err, -EINVAL, "'%.100s' is no regular expression", matcher->value);
	matcher->compiled = true;
	return 0;
}

/* *text is behind '{' or ','. */
static int read_matcher(struct selector *selector, char **text, struct error *err)
{
	struct matcher *grown = array_reserve(selector->matchers, selector->count, &selector->room, 4, sizeof(*grown));
	struct matcher *matcher;
	size_t length;
	char *value;

	if (!grown)
		return error_set(err, -ENOMEM, "out of memory");
	selector->matchers = grown;
	matcher = &grown[selector->count];
	*matcher = (struct matcher){};
	selector->count++;
	*text = (char *)skip_blanks(*text);
	length = name_length(*text);
	matcher->label = strndup(*text, length);
	*text += length;
	if (!length || read_operator(text, &matcher->operator) < 0)
		return error_set(err, -EINVAL, "a label is compared like label=\"value\", by =, !=, =~ or !~");
	*text = (char *)skip_blanks(*text);
	value = **text == '"' ? read_quoted(text) : NULL;
	if (!value)
		return error_set(err, -EINVAL, "a label's value needs double quotes");
	matcher->value = strdup(value);
	if (!matcher->label || !matcher->value)
		return error_set(err, -ENOMEM, "out of memory");
	return matcher->operator>= MATCHES ? compile(matcher, err) : 0;
}

static int read_matchers(struct selector *selector, char *text, struct error *err)
{
	int ret = 0;

	text = (char *)skip_blanks(text);
	while (!ret && *text != '}') {
		ret = read_matcher(selector, &text, err);
		if (ret)
			return ret;
		text = (char *)skip_blanks(text);
		if (*text == ',')
			text = (char *)skip_blanks(text + 1);
		else if (*text != '}')
			return error_set(err, -EINVAL, "a selector ends with '}'");
	}
	return *skip_blanks(text + 1) ? error_set(err, -EINVAL, "nothing may follow the '}' of a selector") : 0;
}

static int no_selector(const char *text, struct error *err)
{
	return error_set(err, -EINVAL, "'%.*s' is no series like NAME or NAME{label=\"value\"}", text_cut(text, 100),
			 text);
}

/* text is changed meanwhile. */
static int read_selector(struct selector *out, char *text, struct error *err)
{
	size_t length = name_length(text);
	char *rest = (char *)skip_blanks(text + length);

	out->name = strndup(text, length);
	if (!out->name)
		return error_set(err, -ENOMEM, "out of memory");
	if (!length || (*rest && *rest != '{'))
		return no_selector(text, err);
	return *rest ? read_matchers(out, rest + 1, err) : 0;
}

static int selector_parse(struct selector *out, const char *selector, struct error *err)
{
	_cleanup_free_ char *copy = strdup(selector);
	bool as_counter = !strncmp(selector, RATE, strlen(RATE));
	size_t size = strlen(selector);
	int ret;

	*out = (struct selector){.as_counter = as_counter};
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	if (as_counter && copy[size - 1] != ')')
		return no_selector(selector, err);
	if (as_counter)
		copy[size - 1] = '\0';
	ret = read_selector(out, copy + (as_counter ? strlen(RATE) : 0), err);
	if (ret)
		selector_clear(out);
	return ret;
}

int prometheus_check(const char *text, struct error *err)
{
	struct selector selector;
	int ret = selector_parse(&selector, text, err);

	if (!ret)
		selector_clear(&selector);
	return ret;
}

int prometheus_new(struct prometheus **out, char *const *selectors, size_t count, struct error *err)
{
	struct prometheus *scan = calloc(1, sizeof(*scan));
	int ret = 0;

	if (scan)
		scan->selectors = calloc(count + 1, sizeof(*scan->selectors));
	if (!scan || !scan->selectors) {
		prometheus_free(scan);
		return error_set(err, -ENOMEM, "out of memory");
	}
	while (!ret && scan->count < count) {
		ret = selector_parse(&scan->selectors[scan->count], selectors[scan->count], err);
		scan->count += !ret;
	}
	if (ret)
		prometheus_free(scan);
	else
		*out = scan;
	return ret;
}

void prometheus_free(struct prometheus *scan)
{
	if (!scan)
		return;
	for (size_t i = 0; i < scan->count; i++)
		selector_clear(&scan->selectors[i]);
	free(scan->selectors);
	free(scan->line);
	free(scan);
}

/* "# TYPE name kind" */
static void read_type(struct prometheus *scan, const char *text)
{
	size_t length;

	if (strncmp(text, "# TYPE ", 7) != 0)
		return;
	text = skip_blanks(text + 7);
	length = strcspn(text, " \t");
	if (length >= sizeof(scan->family))
		length = 0;
	memcpy(scan->family, text, length);
	scan->family[length] = '\0';
	text = skip_blanks(text + length);
	scan->family_is_counter = !strncmp(text, "counter", 7);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length >= wanted && !strcmp(text + length - wanted, end);
}

/* By the line # TYPE of its family; else, and of the parts of a histogram or summary, by what names mean by custom. */
static bool is_counter(const struct prometheus *scan, const char *name)
{
	static const char *const ends[] = {"_count", "_sum", "_bucket", "_total"};
	size_t family = strlen(scan->family);
	bool has_end = false;

	/* OpenMetrics names the family of requests_total "requests". */
	if (family && !strncmp(name, scan->family, family) && (!name[family] || !strcmp(name + family, "_total")))
		return scan->family_is_counter;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		has_end |= ends_with(name, ends[i]);
	return has_end;
}

/* Reads {label="value",…} in place; *text is at '{', and behind '}' afterwards. Returns their number, or -EINVAL. */
static int read_labels(char **text, struct label *labels)
{
	char *at = (char *)skip_blanks(*text + 1);
	int count = 0;

	while (*at && *at != '}') {
		size_t length = name_length(at);
		char *name = at, *name_end = at + length;

		at = (char *)skip_blanks(name_end);
		if (!length || *at != '=' || count == LABELS_MAX)
			return -EINVAL;
		at = (char *)skip_blanks(at + 1);
		if (*at != '"')
			return -EINVAL;
		labels[count].value = read_quoted(&at);
		if (!labels[count].value)
			return -EINVAL;
		*name_end = '\0';
		labels[count++].name = name;
		at = (char *)skip_blanks(at);
		if (*at == ',')
			at = (char *)skip_blanks(at + 1);
	}
	*text = *at ? at + 1 : at;
	return *at ? count : -EINVAL;
}

/* A label that is not there is one with an empty value, as in Prometheus. */
static bool label_matches(const struct matcher *matcher, const struct label *labels, int count)
{
	const char *value = "";

	for (int i = 0; i < count; i++)
		if (!strcmp(labels[i].name, matcher->label))
			value = labels[i].value;
	switch (matcher->operator) {
	case EQUAL:
		return !strcmp(value, matcher->value);
	case NOT_EQUAL:
		return strcmp(value, matcher->value) != 0;
	case MATCHES:
		return !regexec(&matcher->regex, value, 0, NULL, 0);
	case MATCHES_NOT:
		return regexec(&matcher->regex, value, 0, NULL, 0) != 0;
	}
	return false;
}

static bool selects(const struct selector *selector, const char *name, const struct label *labels, int count)
{
	if (strcmp(selector->name, name) != 0)
		return false;
	for (size_t i = 0; i < selector->count; i++)
		if (!label_matches(&selector->matchers[i], labels, count))
			return false;
	return true;
}

static bool wants_name(const struct prometheus *scan, const char *text, size_t length)
{
	for (size_t i = 0; i < scan->count; i++)
		if (!strncmp(scan->selectors[i].name, text, length) && !scan->selectors[i].name[length])
			return true;
	return strlen(STARTED) == length && !strncmp(text, STARTED, length);
}

static void read_sample(struct prometheus *scan, char *line)
{
	struct label labels[LABELS_MAX];
	size_t length = name_length(line);
	char *rest = line + length, *end, name[512];
	int count = 0;
	double value;

	if (!length || length >= sizeof(name) || !wants_name(scan, line, length))
		return;
	memcpy(name, line, length);
	name[length] = '\0';
	rest = (char *)skip_blanks(rest);
	if (*rest == '{')
		count = read_labels(&rest, labels);
	rest = (char *)skip_blanks(rest);
	value = strtod(rest, &end);
	if (count < 0 || end == rest || !(fabs(value) <= PROMETHEUS_VALUE_MAX))
		return;
	if (!strcmp(name, STARTED) && !count)
		scan->started = value;
	for (size_t i = 0; i < scan->count; i++) {
		struct selector *selector = &scan->selectors[i];

		if (!selects(selector, name, labels, count))
			continue;
		selector->found.matched++;
		selector->found.value += value;
		selector->found.is_counter = selector->as_counter || is_counter(scan, name);
	}
}

static void read_line(struct prometheus *scan, char *line)
{
	if (*line == '#')
		read_type(scan, line);
	else
		read_sample(scan, line);
}

static void keep(struct prometheus *scan, const char *bytes, size_t size)
{
	if (scan->used + size > LINE_MAX_BYTES) {
		scan->too_long = true;
		return;
	}
	if (scan->used + size + 1 > scan->room) {
		size_t room = (scan->used + size + 1) * 2;
		char *grown = realloc(scan->line, room);

		if (!grown) {
			scan->too_long = true;
			return;
		}
		scan->line = grown;
		scan->room = room;
	}
	memcpy(scan->line + scan->used, bytes, size);
	scan->used += size;
}

static void end_line(struct prometheus *scan)
{
	if (scan->used && !scan->too_long) {
		scan->line[scan->used] = '\0';
		read_line(scan, scan->line);
	}
	scan->used = 0;
	scan->too_long = false;
}

void prometheus_feed(struct prometheus *scan, const char *bytes, size_t size)
{
	while (size) {
		const char *end = memchr(bytes, '\n', size);
		size_t length = end ? (size_t)(end - bytes) : size;

		keep(scan, bytes, length);
		if (!end)
			return;
		end_line(scan);
		bytes = end + 1;
		size -= length + 1;
	}
}

struct prometheus_value prometheus_get(const struct prometheus *scan, size_t selector)
{
	return scan->selectors[selector].found;
}

double prometheus_started(const struct prometheus *scan)
{
	return scan->started;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Builds a tree of nodes with their places from libyaml's events. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "config/reader.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/trusted.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct builder {
	struct reader *reader;
	const char *file;
	yaml_parser_t parser;
	struct ynode *open[CONFIG_DEPTH_MAX]; /* from the root inwards */
	struct ynode *last[CONFIG_DEPTH_MAX]; /* last child of each */
	struct ynode *key[CONFIG_DEPTH_MAX];  /* key without its value yet */
	size_t depth;
	struct ynode *root;
	size_t documents;
};

static void ynode_free(struct ynode *node)
{
	while (node) {
		struct ynode *next = node->next;

		ynode_free(node->key);
		ynode_free(node->children);
		free(node->text);
		free(node);
		node = next;
	}
}

static struct place mark_place(const struct builder *builder, const yaml_mark_t *mark)
{
	return (struct place){.file = builder->file,
			      .line = (unsigned int)mark->line + 1,
			      .column = (unsigned int)mark->column + 1};
}

/* Takes node and adds it to the open parent; -EINVAL after reporting too many children. */
static int builder_attach(struct builder *builder, struct ynode *node)
{
	struct ynode *parent;
	size_t top = builder->depth - 1;

	if (!builder->depth) {
		builder->root = node;
		return 0;
	}
	parent = builder->open[top];
	if (parent->kind == YNODE_MAPPING && !builder->key[top]) {
		builder->key[top] = node;
		return 0;
	}
	node->key = TAKE_PTR(builder->key[top]);
	if (builder->last[top])
		builder->last[top]->next = node;
	else
		parent->children = node;
	builder->last[top] = node;
	parent->count++;
	if (parent->count > (parent->kind == YNODE_MAPPING ? CONFIG_MAPPING_MAX : CONFIG_SEQUENCE_MAX)) {
		problem_error(builder->reader, &node->place, "more than %d %s",
			      parent->kind == YNODE_MAPPING ? CONFIG_MAPPING_MAX : CONFIG_SEQUENCE_MAX,
			      parent->kind == YNODE_MAPPING ? "keys in one mapping" : "items in one list");
		return -EINVAL;
	}
	return 0;
}

static int builder_open(struct builder *builder, struct ynode *node)
{
	int ret = builder_attach(builder, node);

	if (ret < 0)
		return ret;
	if (builder->depth == CONFIG_DEPTH_MAX) {
		problem_error(builder->reader, &node->place, "nested more than %d levels deep", CONFIG_DEPTH_MAX);
		return -EINVAL;
	}
	builder->open[builder->depth] = node;
	builder->last[builder->depth] = NULL;
	builder->key[builder->depth] = NULL;
	builder->depth++;
	return 0;
}

static void refuse_decoration(struct builder *builder, const yaml_event_t *event, const yaml_char_t *anchor,
			      const yaml_char_t *tag)
{
	struct place place = mark_place(builder, &event->start_mark);

	if (anchor)
		problem_error(builder->reader, &place, "anchors are not allowed ('&%s'): write the value out", anchor);
	if (tag)
		problem_error(builder->reader, &place, "tags are not allowed ('%s'): write the value without it", tag);
}

static struct ynode *node_new(struct builder *builder, const yaml_event_t *event)
{
	struct ynode *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->place = mark_place(builder, &event->start_mark);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = YNODE_SCALAR;
		node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		node->text = strndup((const char *)event->data.scalar.value, event->data.scalar.length);
		/* Only "\0" in double quotes yields a NUL here, which would cut the text short. */
		if (strlen(node->text ?: "") != event->data.scalar.length)
			problem_error(builder->reader, &node->place, "a NUL character in a text");
		refuse_decoration(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
		break;
	case YAML_SEQUENCE_START_EVENT:
		node->kind = YNODE_SEQUENCE;
		refuse_decoration(builder, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		node->kind = YNODE_MAPPING;
		refuse_decoration(builder, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		break;
	default:
		node->kind = YNODE_REFUSED;
		problem_error(builder->reader, &node->place, "aliases are not allowed ('*%s'): write the value out",
			      event->data.alias.anchor);
		break;
	}
	return node;
}

/* Returns 1 at the end of the stream. */
static int builder_take(struct builder *builder, const yaml_event_t *event)
{
	struct place place = mark_place(builder, &event->start_mark);

	switch (event->type) {
	case YAML_SCALAR_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: {
		struct ynode *node = node_new(builder, event);

		if (!node || (event->type == YAML_SCALAR_EVENT && !node->text)) {
			ynode_free(node);
			problem_error(builder->reader, &place, "out of memory");
			return -ENOMEM;
		}
		if (node->kind == YNODE_SEQUENCE || node->kind == YNODE_MAPPING)
			return builder_open(builder, node);
		return builder_attach(builder, node);
	}
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		builder->depth--;
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (builder->documents++) {
			problem_error(builder->reader, &place, "a second document: one file holds one");
			return -EINVAL;
		}
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	default:
		return 0;
	}
}

static void report_syntax(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	struct place place = mark_place(builder, &parser->problem_mark);
	const char *context = parser->context ?: "";
	/* The likely cause is 10.77.{instance}.1 without quotes inside {…}. */
	bool in_flow = strstr(context, "flow");

	problem_error(builder->reader, &place, "not valid YAML: %s%s%s%s%s", parser->problem ?: "unreadable",
		      *context ? " (" : "", context, *context ? ")" : "",
		      in_flow ? "; quote a text that has '{', '[' or ',' in it" : "");
}

static int builder_run(struct builder *builder)
{
	int ret;

	do {
		yaml_event_t event;

		if (!yaml_parser_parse(&builder->parser, &event)) {
			report_syntax(builder);
			return -EINVAL;
		}
		ret = builder_take(builder, &event);
		yaml_event_delete(&event);
	} while (!ret);
	return ret < 0 ? ret : 0;
}

static struct ynode *parse_text(struct reader *reader, const char *file, const char *text, size_t size)
{
	struct builder builder = {.reader = reader, .file = file};
	const struct place start = {.file = file, .line = 1, .column = 1};
	int ret;

	if (!yaml_parser_initialize(&builder.parser)) {
		problem_error(reader, &start, "out of memory");
		return NULL;
	}
	/* libyaml refuses a byte order mark if the encoding is set. */
	if (size >= strlen(BYTE_ORDER_MARK) && !memcmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK))) {
		text += strlen(BYTE_ORDER_MARK);
		size -= strlen(BYTE_ORDER_MARK);
	}
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, size);
	ret = builder_run(&builder);
	yaml_parser_delete(&builder.parser);
	/* A key without a value is not in the tree yet. */
	for (size_t i = 0; ret < 0 && i < builder.depth; i++)
		ynode_free(builder.key[i]);
	if (ret < 0) {
		ynode_free(builder.root);
		return NULL;
	}
	if (!builder.root)
		problem_error(reader, &start, "the file is empty");
	return builder.root;
}

/* libyaml reports a bad byte only by its offset; this reports line and column. */
static bool check_bytes(struct reader *reader, const char *file, const unsigned char *text, size_t size)
{
	struct place place = {.file = file, .line = 1, .column = 1};

	for (size_t i = 0, length; i < size; i += length) {
		/* A NUL is valid UTF-8, and is refused below as a control character. */
		length = text[i] ? text_utf8_length((const char *)text + i, size - i) : 1;
		if (!length) {
			problem_error(reader, &place, "not UTF-8 (byte 0x%02x)", text[i]);
			return false;
		}
		if ((text[i] < 0x20 && !strchr("\t\n\r", text[i])) || !text[i] || text[i] == 0x7f) {
			problem_error(reader, &place, "a control character (byte 0x%02x)", text[i]);
			return false;
		}
		place.column++;
		if (text[i] == '\n') {
			place.line++;
			place.column = 1;
		}
	}
	return true;
}

/* Opens regular files only: a FIFO could block, and a device might never end. */
static int open_regular(struct trusted *file, const char *path, struct error *err)
{
	int ret = trusted_find(file, path, TRUSTED_LEAVE_MISSING);

	if (!ret && file->fd < 0)
		ret = -ENOENT;
	if (ret)
		return error_set_errno(err, ret, "cannot read %s", path);
	if (S_ISDIR(file->st.st_mode))
		return error_set(err, -EISDIR, "cannot read %s: it is a directory, not a file", path);
	if (!S_ISREG(file->st.st_mode))
		return error_set(err, -EOPNOTSUPP, "cannot read %s: not a regular file", path);
	ret = trusted_open(file, O_RDONLY, TRUSTED_NO_WRITE);
	return ret < 0 ? error_set_errno(err, ret, "cannot read %s", path) : ret;
}

static int read_all(int fd, const char *path, char *text, size_t *size, struct error *err)
{
	size_t used = 0;

	while (used < CONFIG_FILE_MAX + 1) {
		ssize_t n = read(fd, text + used, CONFIG_FILE_MAX + 1 - used);

		if (n < 0 && errno != EINTR)
			return error_set_errno(err, -errno, "cannot read %s", path);
		if (!n)
			break;
		if (n > 0)
			used += (size_t)n;
	}
	*size = used;
	return 0;
}

static char *absolute_directory(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *slash = copy ? strrchr(copy, '/') : NULL;

	if (!copy)
		return NULL;
	if (!slash)
		return realpath(".", NULL);
	slash[slash == copy] = '\0';
	return realpath(copy, NULL);
}

static int document_add(struct reader *reader, const char *path, size_t *out, struct error *err)
{
	struct document *documents = realloc(reader->documents, (reader->document_count + 1) * sizeof(*documents));
	struct document *document;

	if (!documents)
		return error_set(err, -ENOMEM, "out of memory");
	reader->documents = documents;
	document = &documents[reader->document_count];
	*document = (struct document){.file = strdup(path), .directory = absolute_directory(path)};
	if (!document->file || !document->directory) {
		free(document->file);
		free(document->directory);
		return error_set_errno(err, -ENOENT, "cannot read %s", path);
	}
	*out = reader->document_count++;
	return 0;
}

int document_read(struct reader *reader, const char *path, size_t *out, struct error *err)
{
	_cleanup_free_ char *text = malloc(CONFIG_FILE_MAX + 1);
	_cleanup_trusted_ struct trusted file = TRUSTED_NONE;
	_cleanup_close_ int fd = -1;
	struct place start = {.line = 1, .column = 1};
	size_t size = 0;
	int ret;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	fd = open_regular(&file, path, err);
	if (fd < 0)
		return fd;
	ret = read_all(fd, path, text, &size, err);
	if (ret < 0)
		return ret;
	ret = document_add(reader, path, out, err);
	if (ret < 0)
		return ret;
	start.file = reader->documents[*out].file;
	if (file.why[0])
		(reader->use == CONFIG_TO_RUN && !geteuid()
			 ? problem_error
			 : problem_warning)(reader, &start, "root runs no commands of this file: %s", file.why);
	if (size > CONFIG_FILE_MAX) {
		problem_error(reader, &start, "the file is larger than 1 MiB");
		return 0;
	}
	if (!check_bytes(reader, start.file, (const unsigned char *)text, size))
		return 0;
	text[size] = '\0';
	reader->documents[*out].root = parse_text(reader, start.file, text, size);
	reader->documents[*out].text = TAKE_PTR(text);
	return 0;
}

void documents_free(struct reader *reader)
{
	for (size_t i = 0; i < reader->document_count; i++) {
		ynode_free(reader->documents[i].root);
		free(reader->documents[i].file);
		free(reader->documents[i].directory);
		free(reader->documents[i].text);
	}
	free(reader->documents);
	reader->documents = NULL;
	reader->document_count = 0;
}

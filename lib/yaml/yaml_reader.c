/* SPDX-License-Identifier: MIT */
#include "yaml/yaml_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "base/utf8.h"

static int fail_bytes(struct yaml_reader *reader, const char *remedy, const char *format, ...) _printf_(3, 4);

static int fail_bytes(struct yaml_reader *reader, const char *remedy, const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	problem_at(reader->problem, reader->name, reader->line, reader->column);
	problem_set(reader->problem, EINVAL, "%s", text);
	problem_remedy(reader->problem, "%s", remedy);
	return -EINVAL;
}

int yaml_reader_fail_at(struct yaml_reader *reader, yaml_mark_t mark, const char *remedy, const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	problem_at(reader->problem, reader->name, (unsigned)mark.line + 1, (unsigned)mark.column + 1);
	problem_set(reader->problem, EINVAL, "%s", text);
	problem_remedy(reader->problem, "%s", remedy ? remedy : "");
	return -EINVAL;
}

int yaml_reader_fail(struct yaml_reader *reader, const char *remedy, const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return yaml_reader_fail_at(reader, reader->event.start_mark, remedy, "%s", text);
}

/* Lines end in "\n" or "\r\n" and nothing else, so that line numbers mean the same to everybody. */
static int check_character(struct yaml_reader *reader, const char *text, size_t length, size_t *ret_size)
{
	uint32_t c;
	size_t size = utf8_next(text, length, &c);

	if (size == 0) {
		if (length < 4 && !reader->ended) {
			*ret_size = 0; /* perhaps only cut off by the end of the block */
			return 0;
		}
		return fail_bytes(reader, "save the file as UTF-8", "byte 0x%02x is not valid UTF-8",
				  (unsigned char)*text);
	}
	if (c == '\r') {
		if (length == 1 && !reader->ended) {
			*ret_size = 0;
			return 0;
		}
		if (length > 1 && text[1] == '\n') {
			*ret_size = 1;
			return 0;
		}
	}
	if (c == 0xfeff)
		return fail_bytes(reader, "save the file as UTF-8 without a byte order mark", "a byte order mark");
	if (c != '\n' && c != '\t' && !text_is_printable(text, size))
		return fail_bytes(reader, "remove it; an editor that shows invisible characters helps",
				  "control character U+%04X", c);
	*ret_size = size;
	if (c == '\n') {
		reader->line++;
		reader->column = 1;
	} else {
		reader->column++;
	}
	return 0;
}

static int check_block(struct yaml_reader *reader)
{
	while (reader->checked < reader->end) {
		unsigned char c = (unsigned char)reader->block[reader->checked];
		size_t size = 0;
		int r;

		if (c >= 0x20 && c < 0x7f) {
			reader->checked++;
			reader->column++;
			continue;
		}
		r = check_character(reader, reader->block + reader->checked, reader->end - reader->checked, &size);
		if (r < 0)
			return r;
		if (size == 0)
			return 0;
		reader->checked += size;
	}
	return 0;
}

static int fill_block(struct yaml_reader *reader)
{
	ssize_t n;
	int r;

	memmove(reader->block, reader->block + reader->start, reader->end - reader->start);
	reader->end -= reader->start;
	reader->checked -= reader->start;
	reader->start = 0;
	n = reader->source(reader->context, reader->block + reader->end, sizeof(reader->block) - reader->end);
	if (n < 0)
		return (int)n;
	if (n == 0)
		reader->ended = true;
	reader->bytes += (uint64_t)n;
	if (reader->bytes > reader->limit)
		return fail_bytes(reader, "split it into several files in the .d directory",
				  "the file is larger than %llu MiB", (unsigned long long)reader->limit >> 20);
	if (reader->hash) {
		r = sha256_stream_add(reader->hash, reader->block + reader->end, (size_t)n);
		if (r < 0)
			return r;
	}
	reader->end += (size_t)n;
	return check_block(reader);
}

/* libyaml's read handler: 1 fine, 0 failure. */
static int give(void *context, unsigned char *data, size_t size, size_t *ret_size)
{
	struct yaml_reader *reader = context;
	size_t n;

	while (reader->start == reader->checked && !reader->ended) {
		reader->error = fill_block(reader);
		if (reader->error < 0)
			return 0;
	}
	n = MIN_OF(size, reader->checked - reader->start);
	memcpy(data, reader->block + reader->start, n);
	reader->start += n;
	*ret_size = n;
	return 1;
}

int yaml_reader_init(struct yaml_reader *reader, const char *name, yaml_source_fn source, void *context,
		     struct sha256_stream *hash, struct problem *problem)
{
	/* The block is left as it is: everything before it is set. */
	memset(reader, 0, offsetof(struct yaml_reader, block));
	reader->name = name;
	reader->source = source;
	reader->context = context;
	reader->hash = hash;
	reader->problem = problem;
	reader->limit = YAML_BYTES_MAX;
	reader->line = reader->column = 1;
	if (!yaml_parser_initialize(&reader->parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&reader->parser, give, reader);
	return 0;
}

void yaml_reader_wipe(struct yaml_reader *reader)
{
	if (reader->live && reader->event.type == YAML_SCALAR_EVENT)
		secret_wipe(reader->event.data.scalar.value, reader->event.data.scalar.length);
}

/* What libyaml decodes from and to, and what it read ahead: a file that was given up in its middle may have had a
 * secret in the other half. (While a text is put together libyaml's small buffers may move; what they leave behind is
 * out of our reach.) */
static void wipe_all(struct yaml_reader *reader)
{
	yaml_parser_t *parser = &reader->parser;

	for (yaml_token_t *token = parser->tokens.head; token && token != parser->tokens.tail; token++)
		if (token->type == YAML_SCALAR_TOKEN)
			secret_wipe(token->data.scalar.value, token->data.scalar.length);
	if (parser->raw_buffer.start)
		secret_wipe(parser->raw_buffer.start, (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
	if (parser->buffer.start)
		secret_wipe(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
	secret_wipe(reader->block, sizeof(reader->block));
}

void yaml_reader_finish(struct yaml_reader *reader)
{
	yaml_reader_wipe(reader);
	if (reader->live)
		yaml_event_delete(&reader->event);
	reader->live = false;
	wipe_all(reader);
	yaml_parser_delete(&reader->parser);
}

static int parser_failed(struct yaml_reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;

	if (reader->error < 0)
		return reader->error;
	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return yaml_reader_fail_at(reader, parser->problem_mark,
				   "check the indentation, and quote text with ':', '#' or brackets in it",
				   "not valid YAML: %s%s%s", parser->context ? parser->context : "",
				   parser->context ? ", " : "", parser->problem ? parser->problem : "unknown error");
}

static int refuse_extras(struct yaml_reader *reader)
{
	const yaml_event_t *event = &reader->event;
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return yaml_reader_fail(reader, "write the value out", "aliases (*name) are not allowed here");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		if (event->data.scalar.length > YAML_SCALAR_MAX)
			return yaml_reader_fail(reader, "", "a text of more than %u bytes", YAML_SCALAR_MAX);
		if (memchr(event->data.scalar.value, '\0', event->data.scalar.length))
			return yaml_reader_fail(reader, "remove it", "a NUL character");
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (event->data.document_start.version_directive ||
		    event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
			return yaml_reader_fail(reader, "remove it", "YAML directives (%%…) are not allowed here");
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	if (anchor)
		return yaml_reader_fail(reader, "remove the anchor", "anchors (&name) are not allowed here");
	if (tag)
		return yaml_reader_fail(reader, "remove the tag", "tags (!name) are not allowed here");
	return 0;
}

int yaml_reader_next(struct yaml_reader *reader)
{
	if (reader->live)
		yaml_event_delete(&reader->event);
	reader->live = false;
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return parser_failed(reader);
	reader->live = true;
	if (reader->event.type == YAML_SEQUENCE_START_EVENT || reader->event.type == YAML_MAPPING_START_EVENT) {
		if (++reader->depth > YAML_DEPTH_MAX)
			return yaml_reader_fail(reader, "", "lists and mappings are nested more than %u deep",
						YAML_DEPTH_MAX);
	} else if (reader->event.type == YAML_SEQUENCE_END_EVENT || reader->event.type == YAML_MAPPING_END_EVENT) {
		reader->depth--;
	}
	return refuse_extras(reader);
}

int yaml_reader_begin(struct yaml_reader *reader)
{
	int r = yaml_reader_next(reader); /* stream start */

	if (r == 0)
		r = yaml_reader_next(reader);
	if (r < 0)
		return r;
	if (reader->event.type != YAML_DOCUMENT_START_EVENT)
		return yaml_reader_fail(reader, "it begins with \"version: 1\"", "the file is empty");
	return yaml_reader_next(reader);
}

int yaml_reader_end(struct yaml_reader *reader)
{
	int r = yaml_reader_next(reader); /* document end */

	if (r == 0)
		r = yaml_reader_next(reader);
	if (r < 0)
		return r;
	if (reader->event.type != YAML_STREAM_END_EVENT)
		return yaml_reader_fail(reader, "put it into a file of its own in the .d directory",
					"a second YAML document in one file");
	return 0;
}

const char *yaml_reader_what(const struct yaml_reader *reader)
{
	switch (reader->event.type) {
	case YAML_SEQUENCE_START_EVENT:
		return "a list";
	case YAML_MAPPING_START_EVENT:
		return "a mapping";
	case YAML_SCALAR_EVENT:
		return yaml_scalar_is_null(reader) ? "nothing" : "a single value";
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	return "the end";
}

bool yaml_scalar_is_plain(const struct yaml_reader *reader)
{
	return reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

bool yaml_scalar_is_null(const struct yaml_reader *reader)
{
	const char *text = yaml_scalar(reader);

	if (!yaml_scalar_is_plain(reader))
		return false;
	switch (yaml_scalar_length(reader)) {
	case 0:
		return true;
	case 1:
		return *text == '~';
	case 4:
		return strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
	default:
		return false;
	}
}

/* SPDX-License-Identifier: MIT */
#include "yaml/yaml_tree.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/text.h"

#define DEPTH_MAX 8
#define NODES_MAX 4096

struct reader {
	yaml_parser_t parser;
	struct arena *arena;
	const char *file;
	struct problem *problem;
	unsigned nodes;
};

static void reader_finish(struct reader *r)
{
	yaml_parser_delete(&r->parser);
}

static void event_finish(yaml_event_t *event)
{
	yaml_event_delete(event);
}

static int fault(const struct reader *r, const yaml_mark_t *mark, const char *text)
{
	problem_at(r->problem, r->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1);
	return problem_set(r->problem, EINVAL, "%s", text);
}

static int next_event(struct reader *r, yaml_event_t *ret)
{
	if (yaml_parser_parse(&r->parser, ret))
		return 0;
	if (r->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	problem_at(r->problem, r->file, (unsigned)r->parser.problem_mark.line + 1,
		   (unsigned)r->parser.problem_mark.column + 1);
	return problem_set(r->problem, EINVAL, "not YAML: %s", r->parser.problem ? r->parser.problem : "unreadable");
}

static int new_node(struct reader *r, const yaml_event_t *event, enum yaml_node_kind kind, struct yaml_node **ret)
{
	struct yaml_node *node;

	if (++r->nodes > NODES_MAX)
		return fault(r, &event->start_mark, "the file has too many entries");
	node = arena_alloc(r->arena, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->kind = kind;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	*ret = node;
	return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, struct yaml_node **ret)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	struct yaml_node *node;
	int result;

	if (event->data.scalar.anchor || event->data.scalar.tag)
		return fault(r, &event->start_mark, "anchors and tags are not used here");
	if (strlen(text) != length || !text_is_printable(text, length))
		return fault(r, &event->start_mark, "the text has control characters");
	result = new_node(r, event, YAML_TREE_SCALAR, &node);
	if (result < 0)
		return result;
	node->text = arena_strndup(r->arena, text, length);
	if (!node->text)
		return -ENOMEM;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	*ret = node;
	return 0;
}

static int read_node(struct reader *r, const yaml_event_t *event, unsigned depth, struct yaml_node **ret);

static int read_sequence(struct reader *r, struct yaml_node *sequence, unsigned depth)
{
	struct yaml_node **tail = &sequence->first;
	int result;

	for (;;) {
		_cleanup_(event_finish) yaml_event_t event = {0};

		result = next_event(r, &event);
		if (result < 0)
			return result;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		result = read_node(r, &event, depth + 1, tail);
		if (result < 0)
			return result;
		tail = &(*tail)->next;
	}
}

static bool has_key(const struct yaml_node *mapping, const struct yaml_node *key)
{
	for (const struct yaml_node *other = mapping->first; other; other = other->next)
		if (other != key && text_equal(other->text, key->text))
			return true;
	return false;
}

static int read_mapping(struct reader *r, struct yaml_node *mapping, unsigned depth)
{
	struct yaml_node **tail = &mapping->first;
	int result;

	for (;;) {
		_cleanup_(event_finish) yaml_event_t event = {0};
		_cleanup_(event_finish) yaml_event_t value = {0};

		result = next_event(r, &event);
		if (result < 0)
			return result;
		if (event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (event.type != YAML_SCALAR_EVENT)
			return fault(r, &event.start_mark, "a key must be a word");
		result = read_scalar(r, &event, tail);
		if (result < 0)
			return result;
		if (has_key(mapping, *tail)) {
			problem_at(r->problem, r->file, (*tail)->line, (*tail)->column);
			problem_remedy(r->problem, "keep one of the two");
			return problem_set(r->problem, EINVAL, "'%s' is there twice", (*tail)->text);
		}
		result = next_event(r, &value);
		if (result < 0)
			return result;
		result = read_node(r, &value, depth + 1, &(*tail)->value);
		if (result < 0)
			return result;
		tail = &(*tail)->next;
	}
}

static int read_node(struct reader *r, const yaml_event_t *event, unsigned depth, struct yaml_node **ret)
{
	struct yaml_node *node;
	int result;

	if (depth > DEPTH_MAX)
		return fault(r, &event->start_mark, "nested too deeply");
	switch ((int)event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, event, ret);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
			return fault(r, &event->start_mark, "anchors and tags are not used here");
		result = new_node(r, event, YAML_TREE_SEQUENCE, &node);
		if (result >= 0)
			result = read_sequence(r, node, depth);
		break;
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
			return fault(r, &event->start_mark, "anchors and tags are not used here");
		result = new_node(r, event, YAML_TREE_MAPPING, &node);
		if (result >= 0)
			result = read_mapping(r, node, depth);
		break;
	default:
		return fault(r, &event->start_mark, "aliases are not used here");
	}
	if (result < 0)
		return result;
	*ret = node;
	return 0;
}

int yaml_tree_read(struct arena *arena, const char *file, const char *data, size_t length, struct yaml_node **ret,
		   struct problem *problem)
{
	_cleanup_(reader_finish) struct reader r = {.arena = arena, .file = file, .problem = problem};
	struct yaml_node *root = NULL;
	int result;

	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, length);

	for (bool documents = false;;) {
		_cleanup_(event_finish) yaml_event_t event = {0};

		result = next_event(&r, &event);
		if (result < 0)
			return result;
		switch ((int)event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_STREAM_END_EVENT:
			*ret = root;
			return 0;
		case YAML_DOCUMENT_START_EVENT:
			if (documents)
				return fault(&r, &event.start_mark, "a second document begins here");
			if (event.data.document_start.version_directive ||
			    event.data.document_start.tag_directives.start !=
				    event.data.document_start.tag_directives.end)
				return fault(&r, &event.start_mark, "directives are not used here");
			documents = true;
			break;
		default:
			result = read_node(&r, &event, 0, &root);
			if (result < 0)
				return result;
		}
	}
}

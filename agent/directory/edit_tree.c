/* SPDX-License-Identifier: MIT */
#include "directory/edit_tree.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/text.h"

#define DEPTH_MAX 16U

static const char *const section_names[RECORD_KIND_COUNT] = {
	[RECORD_TENANT] = "tenants", [RECORD_PROJECT] = "projects", [RECORD_USER] = "users",
	[RECORD_MEMBER] = "members", [RECORD_KEY] = "keys",         [RECORD_HOST] = "hosts",
	[RECORD_IDP] = "providers",  [RECORD_GRANT] = "grants",
};

const char *edit_section_name(enum record_kind kind)
{
	return section_names[kind];
}

struct scan {
	struct edit_tree *tree;
	yaml_parser_t parser;
	yaml_event_t event;
	bool live;
	const char *text;
	size_t length;
	size_t characters, bytes; /* a place that both counts are known of */
	size_t leaf_end;          /* of the last scalar or closing bracket */
	enum record_kind kind;
	uint32_t index;
};

static size_t to_bytes(struct scan *scan, yaml_mark_t mark)
{
	/* Marks hardly ever go back, and then by little. */
	while (scan->characters < mark.index && scan->bytes < scan->length) {
		scan->bytes++;
		while (scan->bytes < scan->length && ((unsigned char)scan->text[scan->bytes] & 0xc0) == 0x80)
			scan->bytes++;
		scan->characters++;
	}
	while (scan->characters > mark.index && scan->bytes > 0) {
		scan->bytes--;
		while (scan->bytes > 0 && ((unsigned char)scan->text[scan->bytes] & 0xc0) == 0x80)
			scan->bytes--;
		scan->characters--;
	}
	return scan->bytes;
}

static int next(struct scan *scan)
{
	if (scan->live)
		yaml_event_delete(&scan->event);
	scan->live = false;
	if (!yaml_parser_parse(&scan->parser, &scan->event))
		return scan->parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	scan->live = true;
	if (scan->event.type == YAML_SCALAR_EVENT)
		scan->leaf_end = to_bytes(scan, scan->event.end_mark);
	return 0;
}

static bool starts_value(const struct scan *scan)
{
	return scan->event.type == YAML_SCALAR_EVENT || scan->event.type == YAML_SEQUENCE_START_EVENT ||
	       scan->event.type == YAML_MAPPING_START_EVENT;
}

static bool is_flow(const struct scan *scan)
{
	return scan->event.type == YAML_SEQUENCE_START_EVENT
		       ? scan->event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
		       : scan->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
}

/* The value that the current event starts; its nodes are kept when `keep`. */
static int read_node(struct scan *scan, bool keep, unsigned depth, struct edit_node **ret)
{
	struct edit_node *node = NULL, scratch = {0};
	int r;

	if (!starts_value(scan) || depth > DEPTH_MAX)
		return -EINVAL;
	if (keep) {
		node = arena_alloc(&scan->tree->arena, sizeof(*node));
		if (!node)
			return -ENOMEM;
	} else {
		node = &scratch;
	}
	node->start = to_bytes(scan, scan->event.start_mark);
	if (scan->event.type == YAML_SCALAR_EVENT) {
		node->type = EDIT_SCALAR;
		if (keep)
			node->text = arena_strndup(&scan->tree->arena, (const char *)scan->event.data.scalar.value,
						   scan->event.data.scalar.length);
		if (keep && !node->text)
			return -ENOMEM;
	} else {
		node->type = scan->event.type == YAML_SEQUENCE_START_EVENT ? EDIT_LIST : EDIT_MAP;
		node->flow = is_flow(scan);
		for (;;) {
			struct edit_node *child = NULL;

			r = next(scan);
			if (r < 0)
				return r;
			if (!starts_value(scan))
				break;
			r = read_node(scan, keep, depth + 1, &child);
			if (r < 0)
				return r;
			node->count++;
			if (!child)
				continue;
			if (node->last)
				node->last->next = child;
			else
				node->first = child;
			node->last = child;
		}
		if (node->flow)
			scan->leaf_end = to_bytes(scan, scan->event.end_mark);
	}
	/* A block collection ends with its last leaf: libyaml's mark is at the next thing. */
	node->end = scan->leaf_end;
	if (ret)
		*ret = keep ? node : NULL;
	return 0;
}

static int read_section(struct scan *scan, enum record_kind kind)
{
	struct edit_section *section = &scan->tree->sections[kind];
	int r;

	if (scan->event.type != YAML_SEQUENCE_START_EVENT)
		return -EINVAL;
	section->exists = true;
	section->flow = is_flow(scan);
	section->start = to_bytes(scan, scan->event.start_mark);
	for (;;) {
		bool wanted = scan->kind == kind && scan->index == section->count;
		size_t start;
		bool flow;

		r = next(scan);
		if (r < 0)
			return r;
		if (!starts_value(scan))
			break;
		start = to_bytes(scan, scan->event.start_mark);
		flow = scan->event.type != YAML_SCALAR_EVENT && is_flow(scan);
		r = read_node(scan, wanted, 0, wanted ? &scan->tree->record : NULL);
		if (r < 0)
			return r;
		if (scan->kind == kind && scan->index == section->count + 1)
			section->before_end = scan->leaf_end;
		if (scan->kind == kind && section->count > 0 && scan->index == section->count - 1)
			section->after_start = start;
		section->last_start = start;
		section->last_end = scan->leaf_end;
		section->last_flow = flow;
		section->count++;
	}
	if (section->flow)
		scan->leaf_end = to_bytes(scan, scan->event.end_mark);
	section->end = scan->leaf_end;
	return 0;
}

static int read_file(struct scan *scan)
{
	int r;

	do {
		r = next(scan);
		if (r < 0)
			return r;
	} while (scan->event.type == YAML_STREAM_START_EVENT || scan->event.type == YAML_DOCUMENT_START_EVENT);
	if (scan->event.type != YAML_MAPPING_START_EVENT)
		return -EINVAL;
	scan->tree->flow = is_flow(scan);
	for (;;) {
		size_t key_start;
		unsigned kind = 0;

		r = next(scan);
		if (r < 0)
			return r;
		if (scan->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (scan->event.type != YAML_SCALAR_EVENT)
			return -EINVAL;
		key_start = to_bytes(scan, scan->event.start_mark);
		while (kind < RECORD_KIND_COUNT &&
		       !text_equal(section_names[kind], (const char *)scan->event.data.scalar.value))
			kind++;
		r = next(scan);
		if (r < 0)
			return r;
		if (kind == RECORD_KIND_COUNT) {
			r = read_node(scan, false, 0, NULL);
		} else {
			scan->tree->sections[kind].key_start = key_start;
			r = read_section(scan, kind);
		}
		if (r < 0)
			return r;
	}
}

int edit_tree_read(struct edit_tree *tree, const char *text, size_t length, enum record_kind kind, uint32_t index)
{
	struct scan scan = {.tree = tree, .text = text, .length = length, .kind = kind, .index = index};
	int r;

	*tree = (struct edit_tree){0};
	arena_init(&tree->arena);
	if (!yaml_parser_initialize(&scan.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&scan.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&scan.parser, (const unsigned char *)text, length);
	r = read_file(&scan);
	if (scan.live)
		yaml_event_delete(&scan.event);
	yaml_parser_delete(&scan.parser);
	if (r == 0 && index != EDIT_NO_RECORD && !tree->record)
		r = -EINVAL;
	if (r < 0)
		edit_tree_finish(tree);
	return r;
}

void edit_tree_finish(struct edit_tree *tree)
{
	arena_finish(&tree->arena);
}

struct edit_node *edit_map_get(const struct edit_node *map, const char *key, struct edit_node **ret_key,
			       struct edit_node **ret_before)
{
	struct edit_node *before = NULL;

	for (struct edit_node *node = map->first; node && node->next; node = node->next->next) {
		if (node->text && strcmp(node->text, key) == 0) {
			if (ret_key)
				*ret_key = node;
			if (ret_before)
				*ret_before = before;
			return node->next;
		}
		before = node->next;
	}
	return NULL;
}

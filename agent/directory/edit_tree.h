/* SPDX-License-Identifier: MIT
 *
 * Where things stand in a directory file's text: the lists of records, and one record in full. Offsets
 * are bytes (libyaml counts characters). The text must have been loaded before: what the loader refuses
 * is not expected here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "directory/directory.h"
#include "directory/unit.h"

enum edit_type { EDIT_SCALAR, EDIT_LIST, EDIT_MAP };

/* Children of a map are its keys and values in turn. The end is behind the last character that belongs
 * to it; blank lines and comments that follow do not. */
struct edit_node {
	enum edit_type type;
	bool flow; /* with brackets */
	size_t start, end;
	const char *text; /* scalars: the value */
	struct edit_node *first, *last, *next;
	uint32_t count; /* children */
};

struct edit_section {
	bool exists;
	bool flow;
	size_t key_start;
	size_t start, end; /* of the list */
	uint32_t count;
	size_t last_start, last_end; /* of the last item */
	bool last_flow;
	size_t before_end,
		after_start; /* the end of the item before the wanted one, the start of the one after; 0: none */
};

#define EDIT_NO_RECORD UINT32_MAX
struct edit_tree {
	struct arena arena;
	bool flow; /* the whole file is one flow mapping, as JSON is */
	struct edit_section sections[RECORD_KIND_COUNT];
	struct edit_node *record; /* the wanted one; NULL: none */
};

/* Reads the text for record `index` of `kind` (EDIT_NO_RECORD: none). 0, -ENOMEM, -EINVAL. */
int edit_tree_read(struct edit_tree *tree, const char *text, size_t length, enum record_kind kind, uint32_t index);
void edit_tree_finish(struct edit_tree *tree);
/* The value of a key in a map; NULL. *ret_key (may be NULL) is the key's node, *ret_before the value
 * before it (NULL for the first). */
struct edit_node *edit_map_get(const struct edit_node *map, const char *key, struct edit_node **ret_key,
			       struct edit_node **ret_before);
const char *edit_section_name(enum record_kind kind); /* "users" */

/* SPDX-License-Identifier: MIT
 *
 * A small YAML file as a tree, for configurations. A strict part of YAML 1.1: one document of mappings,
 * sequences and scalars; no anchors, aliases, tags, duplicate keys or directives. Every node knows its place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/problem.h"

enum yaml_node_kind { YAML_TREE_SCALAR, YAML_TREE_SEQUENCE, YAML_TREE_MAPPING };

struct yaml_node {
	enum yaml_node_kind kind;
	unsigned line, column;   /* 1-based */
	const char *text;        /* scalar: its text, without NUL inside */
	bool plain;              /* scalar without quotes: may be a number or a boolean */
	struct yaml_node *first; /* members of a sequence; keys of a mapping */
	struct yaml_node *next;  /* the next member or key */
	struct yaml_node *value; /* of a key */
};

/* An empty document (only comments) gives a NULL tree. 0; -EINVAL with the place in `problem`; -ENOMEM.
 * The tree lives in the arena. */
int yaml_tree_read(struct arena *arena, const char *file, const char *data, size_t length, struct yaml_node **ret,
		   struct problem *problem);

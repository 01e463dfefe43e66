/* SPDX-License-Identifier: MIT
 *
 * From keyed hashes to records, in a form of which a changed copy costs what changed: a tree of two levels over small
 * pages, shared between copies until one of them writes. The caller compares the records.
 *
 * Copies may be used by several threads at once, each copy by one.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_page;
#define INDEX_NODE_PAGES 64U
struct index_node {
	atomic_uint references;
	struct index_page *pages[INDEX_NODE_PAGES]; /* NULL: empty */
};
struct index {
	struct index_node **nodes; /* NULL: nothing in it */
	uint32_t bits;             /* of the hash that choose the page */
	uint64_t count;
};

/* Room for so many, to begin with. 0 or -ENOMEM. */
int index_init(struct index *index, uint64_t expected);
int index_copy(struct index *ret, const struct index *from);
void index_finish(struct index *index);
/* Keeps duplicates. Those with one hash are found in the order in which they were put. 0 or -ENOMEM. */
int index_put(struct index *index, uint64_t hash, const void *record);
int index_remove(struct index *index, uint64_t hash, const void *record); /* 0, -ENOENT or -ENOMEM */
/* Walks the candidates for this hash: start with *cursor = 0; NULL at the end. */
const void *index_next(const struct index *index, uint64_t hash, uint32_t *cursor);
/* Did it grow so far that its pages are long? Then make it anew. */
bool index_is_crowded(const struct index *index);

/* SPDX-License-Identifier: MIT
 *
 * Inside a picture: its parts, and what several of them claim. Nothing of a part is changed for another's sake; what a
 * conflict takes away is left out by every look-up.
 */
#pragma once

#include "directory/part.h"

struct change {
	enum record_kind kind;
	enum change_kind change;
	const void *old_record, *new_record;
};

struct directory {
	atomic_uint references;
	uint64_t generation;
	uint64_t built_from; /* generation of the picture before; 0: none */
	struct part **parts;
	uint32_t part_count;
	struct conflicts *conflicts; /* NULL: none */
	struct host_record host;     /* the rules of all parts' */
	bool has_host;
	/* Differences from `built_from`, when they are few. */
	struct change *changes;
	uint32_t change_count, change_capacity;
	bool changes_known;
	uint32_t *touched;
	uint32_t touched_count;
	bool touched_known;
};

/* The part of the same source; NULL. */
const struct part *directory_part(const struct directory *d, const char *tenant_id);

/* conflicts.c */
struct conflicts {
	atomic_uint references;
	struct string_pool pool;
	struct directory_conflict *items;
	uint32_t count, capacity;
	struct hash_index index;
};
/* What several parts of `d` claim; *ret NULL: nothing. `before` (may be NULL) spares asking about what stayed. */
int conflicts_find(const struct directory *d, const struct directory *before, struct conflicts **ret);
struct conflicts *conflicts_ref(struct conflicts *conflicts); /* takes NULL */
void conflicts_unref(struct conflicts *conflicts);            /* takes NULL */
DEFINE_CLEANUP(struct conflicts, conflicts_unref)
bool conflicts_equal(const struct conflicts *a, const struct conflicts *b); /* the same claims? */
/* Is the record served, or does it (or what it belongs to) claim what another source claims, too? */
bool conflicts_spare(const struct conflicts *conflicts, const struct part *part, enum record_kind kind,
		     const void *record);

/* diff.c: fills changes and touched. */
int directory_note_changes(struct directory *d, const struct directory *before);

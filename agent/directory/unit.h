/* SPDX-License-Identifier: MIT
 *
 * A unit under construction: the records of one source with everything that they point to. Loaders
 * (YAML, compiled form) append records and finish; afterwards it is immutable. Strings lie in a pool of
 * few large chunks, so a pointer turns into an offset and back cheaply (compiled.c).
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "crypto/digest.h"
#include "directory/directory.h"

/* Where a record stands in its source. */
struct place {
	uint32_t line;
	uint16_t column; /* 0: past what fits */
} __attribute__((packed));

struct pool_chunk {
	char *data;
	size_t used, size;
};
struct string_pool {
	struct pool_chunk *chunks;
	uint32_t count;
	size_t total;     /* bytes in use */
	size_t chunk_min; /* of the first chunks; 0: the usual */
	bool secret;      /* wiped at its end */
};
int pool_reserve(struct string_pool *pool, size_t size,
		 char **ret); /* a chunk of exactly this size, filled by the caller */
const char *pool_add(struct string_pool *pool, const char *text, size_t length); /* "" is shared; NULL: out of memory */
void *pool_room(struct string_pool *pool, size_t size); /* zeroed, aligned to 8; NULL: out of memory */
void pool_finish(struct string_pool *pool);

struct unit {
	atomic_uint references;
	char *name;
	struct record_set records;
	struct place *places[RECORD_KIND_COUNT]; /* of a file's records … */
	uint64_t *versions[RECORD_KIND_COUNT];   /* … or of a feed's */
	uint32_t capacity[RECORD_KIND_COUNT];
	struct string_pool pool;
	struct string_pool *secrets;       /* of providers, apart, since few units have any; NULL: none */
	struct arena arena;                /* lists inside records */
	char *tenant_id;                   /* of the feed that it comes from; NULL: from a file */
	uint8_t source_hash[SHA256_BYTES]; /* of the source's bytes */
	uint64_t source_bytes;
};

int unit_new(const char *name, struct unit **ret);
int unit_new_of_feed(const char *name, const char *tenant_id, struct unit **ret); /* versions and no places */
/* A copy that is wiped with the unit; NULL: out of memory. */
const char *unit_keep_secret(struct unit *unit, const char *text, size_t length);
size_t record_size(enum record_kind kind);
bool record_kind_of_files(enum record_kind kind);    /* the others come by feeds only */
const char *record_kind_name(enum record_kind kind); /* "user" */
uint32_t records_count(const struct record_set *records, enum record_kind kind);
const void *records_at(const struct record_set *records, enum record_kind kind, uint32_t index);
/* Makes room for exactly `count` records in all. */
int unit_reserve(struct unit *unit, enum record_kind kind, uint32_t count);
int unit_append(struct unit *unit, enum record_kind kind, const void *record, struct place place);
void unit_remove(struct unit *unit, enum record_kind kind, uint32_t index);
void unit_finish(struct unit *unit); /* gives back spare room */
struct place unit_place(const struct unit *unit, enum record_kind kind, uint32_t index);

/* Shares equal strings while a unit is being built. */
struct intern {
	struct string_pool *pool;
	const char **items;
	uint32_t count, capacity;
	struct hash_index index;
};
int intern_init(struct intern *intern, struct string_pool *pool);
void intern_finish(struct intern *intern);
const char *intern_text(struct intern *intern, const char *text, size_t length); /* NULL: out of memory */

/* Same record in every field? (record_equal.c) */
bool record_equal(enum record_kind kind, const void *a, const void *b);
/* A copy of the record with all that it points to, in the store. 0 or -ENOMEM. (record_copy.c) */
struct record_store;
int record_copy(enum record_kind kind, const void *record, const struct record_store *store, void *ret);

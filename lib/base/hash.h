/* SPDX-License-Identifier: MIT
 *
 * Keyed hashing for tables whose keys come from outside (SipHash-1-3 with a key from the kernel, so
 * nobody can choose names that collide), and a table from such hashes to record numbers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64-bit keyed hash; the key is drawn once per process. */
uint64_t hash_bytes(const void *data, size_t length);
uint64_t hash_text(const char *text);
uint64_t hash_u32(uint32_t value);
/* The function itself, under a given key: for its test vectors. */
uint64_t hash_sip13(const uint64_t key[2], const void *data, size_t length);

/* Open addressing, from 64-bit hashes to 32-bit values (numbers of records the caller keeps). The
 * caller compares the records. Deleting shifts back, so there are no tombstones. */
struct hash_index {
	uint32_t *slots; /* value + 1; 0: free */
	uint32_t *tags;  /* upper half of the hash */
	uint32_t mask;
	uint32_t used;
};
int hash_index_init(struct hash_index *index, size_t expected); /* 0, -ENOMEM */
void hash_index_finish(struct hash_index *index);
int hash_index_copy(struct hash_index *ret, const struct hash_index *from);
int hash_index_put(struct hash_index *index, uint64_t hash, uint32_t value); /* keeps duplicates; value < 2^32-1 */
/* Walks the values of this hash: start with *cursor = 0; false at the end. */
bool hash_index_next(const struct hash_index *index, uint64_t hash, uint32_t *cursor, uint32_t *ret_value);
bool hash_index_remove(struct hash_index *index, uint64_t hash, uint32_t value);

/* SPDX-License-Identifier: MIT
 *
 * SipHash-1-3: Aumasson and Bernstein, "SipHash: a fast short-input PRF", with one compression and
 * three finalisation rounds. The 64-bit words are read little-endian.
 */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/macros.h"
#include "base/secret.h"

#define SLOTS_MIN 16U
#define SLOTS_MAX (1U << 30)
/* Full at three quarters: linear probing stays short. */
#define SLOTS_FULL(slots) ((slots) / 4 * 3)

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint64_t key[2];

static void draw_key(void)
{
	/* Where a system call filter forbids getrandom, the kernel's own 16 random bytes of this process. */
	if (random_bytes(key, sizeof(key)) < 0) {
		const void *random = (const void *)getauxval(AT_RANDOM); // NOLINT(performance-no-int-to-ptr)

		if (random)
			memcpy(key, random, sizeof(key));
	}
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

uint64_t hash_sip13(const uint64_t k[2], const void *data, size_t length)
{
	struct sip s = {
		.v0 = k[0] ^ 0x736f6d6570736575ULL,
		.v1 = k[1] ^ 0x646f72616e646f6dULL,
		.v2 = k[0] ^ 0x6c7967656e657261ULL,
		.v3 = k[1] ^ 0x7465646279746573ULL,
	};
	const unsigned char *p = data;
	uint64_t word, last = (uint64_t)length << 56;

	for (size_t rest = length; rest >= 8; rest -= 8, p += 8) {
		memcpy(&word, p, 8);
		word = le64toh(word);
		s.v3 ^= word;
		sip_round(&s);
		s.v0 ^= word;
	}
	for (size_t i = 0; i < (length & 7); i++)
		last |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= last;
	sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_bytes(const void *data, size_t length)
{
	(void)pthread_once(&key_once, draw_key);
	return hash_sip13(key, data, length);
}

uint64_t hash_text(const char *text)
{
	return hash_bytes(text, strlen(text));
}

uint64_t hash_u32(uint32_t value)
{
	return hash_bytes(&value, sizeof(value));
}

/* A slot's home comes from the tag, not from the lower half of the hash: the tag is what is kept, so
 * growing and shifting back need no hashes from the caller. */
static inline uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static int allocate(struct hash_index *index, uint32_t slots)
{
	struct hash_index made = {.mask = slots - 1};

	made.slots = calloc(slots, sizeof(*made.slots));
	made.tags = malloc(slots * sizeof(*made.tags));
	if (!made.slots || !made.tags) {
		hash_index_finish(&made);
		return -ENOMEM;
	}
	*index = made;
	return 0;
}

static void place(struct hash_index *index, uint32_t tag, uint32_t slot)
{
	uint32_t at = tag & index->mask;

	while (index->slots[at] != 0)
		at = (at + 1) & index->mask;
	index->slots[at] = slot;
	index->tags[at] = tag;
	index->used++;
}

int hash_index_init(struct hash_index *index, size_t expected)
{
	uint32_t slots = SLOTS_MIN;

	while (slots < SLOTS_MAX && SLOTS_FULL(slots) < expected)
		slots *= 2;
	return allocate(index, slots);
}

void hash_index_finish(struct hash_index *index)
{
	free(index->slots);
	free(index->tags);
	*index = (struct hash_index){0};
}

int hash_index_copy(struct hash_index *ret, const struct hash_index *from)
{
	struct hash_index made;
	int r;

	if (!from->slots) {
		*ret = (struct hash_index){0};
		return 0;
	}
	r = allocate(&made, from->mask + 1);
	if (r < 0)
		return r;
	memcpy(made.slots, from->slots, ((size_t)from->mask + 1) * sizeof(*made.slots));
	memcpy(made.tags, from->tags, ((size_t)from->mask + 1) * sizeof(*made.tags));
	made.used = from->used;
	*ret = made;
	return 0;
}

static int grow(struct hash_index *index)
{
	struct hash_index larger;
	int r;

	if (index->slots && index->mask + 1 >= SLOTS_MAX)
		return -ENOMEM;
	r = allocate(&larger, index->slots ? (index->mask + 1) * 2 : SLOTS_MIN);
	if (r < 0)
		return r;
	for (uint32_t i = 0; index->slots && i <= index->mask; i++)
		if (index->slots[i] != 0)
			place(&larger, index->tags[i], index->slots[i]);
	hash_index_finish(index);
	*index = larger;
	return 0;
}

int hash_index_put(struct hash_index *index, uint64_t hash, uint32_t value)
{
	int r;

	if (value == UINT32_MAX)
		return -EINVAL;
	if (!index->slots || index->used >= SLOTS_FULL(index->mask + 1)) {
		r = grow(index);
		if (r < 0)
			return r;
	}
	place(index, tag_of(hash), value + 1);
	return 0;
}

bool hash_index_next(const struct hash_index *index, uint64_t hash, uint32_t *cursor, uint32_t *ret_value)
{
	uint32_t tag = tag_of(hash);

	if (!index->slots)
		return false;
	for (uint32_t distance = *cursor; distance <= index->mask; distance++) {
		uint32_t at = (tag + distance) & index->mask;

		if (index->slots[at] == 0)
			break;
		if (index->tags[at] == tag) {
			*cursor = distance + 1;
			*ret_value = index->slots[at] - 1;
			return true;
		}
	}
	return false;
}

/* Closes the gap at `hole`: whatever comes after it in the run and may live there moves back. */
static void shift_back(struct hash_index *index, uint32_t hole)
{
	for (uint32_t at = (hole + 1) & index->mask; index->slots[at] != 0; at = (at + 1) & index->mask) {
		uint32_t from_home = (at - index->tags[at]) & index->mask;
		uint32_t from_hole = (at - hole) & index->mask;

		if (from_home >= from_hole) {
			index->slots[hole] = index->slots[at];
			index->tags[hole] = index->tags[at];
			hole = at;
		}
	}
	index->slots[hole] = 0;
}

bool hash_index_remove(struct hash_index *index, uint64_t hash, uint32_t value)
{
	uint32_t cursor = 0, found;

	while (hash_index_next(index, hash, &cursor, &found))
		if (found == value) {
			shift_back(index, (tag_of(hash) + cursor - 1) & index->mask);
			index->used--;
			return true;
		}
	return false;
}

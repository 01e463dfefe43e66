/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#define CHUNK_FIRST ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)
#define ALIGNMENT ((size_t)8)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data */
	size_t used;
	_Alignas(8) unsigned char data[];
};

void arena_init(struct arena *arena)
{
	*arena = (struct arena){0};
}

void arena_finish(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks;

	while (chunk) {
		struct arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	arena_init(arena);
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t least)
{
	/* Chunks grow with the arena: small arenas stay small, large ones need few calls. */
	size_t size = MIN_OF(MAX_OF(arena->total, CHUNK_FIRST), CHUNK_MAX) - sizeof(struct arena_chunk);
	struct arena_chunk *chunk;

	size = MAX_OF(size, least);
	if (size > PTRDIFF_MAX - sizeof(*chunk))
		return NULL;
	/* calloc knows that fresh pages are zero already. */
	chunk = calloc(1, sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->size = size;
	arena->total += sizeof(*chunk) + size;
	if (arena->chunks && least > CHUNK_MAX / 4) {
		/* One large record: the room left in the newest chunk stays in use. */
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	} else {
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunks;
	void *p;

	if (size > PTRDIFF_MAX - ALIGNMENT)
		return NULL;
	size = (MAX_OF(size, (size_t)1) + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (!chunk || chunk->size - chunk->used < size) {
		chunk = add_chunk(arena, size);
		if (!chunk)
			return NULL;
	}
	p = chunk->data + chunk->used;
	chunk->used += size;
	return p;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	char *copy;

	if (length == SIZE_MAX)
		return NULL;
	copy = arena_alloc(arena, length + 1);
	if (copy && length > 0)
		memcpy(copy, text, length);
	return copy; /* terminated: the memory is zero */
}

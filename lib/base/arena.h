/* SPDX-License-Identifier: MIT
 *
 * Memory that lives and dies together: many small records, freed at once.
 * Not thread-safe. Chunks are malloc'd (large ones come from mmap, so they go back to the kernel).
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t total;               /* bytes asked of malloc */
};

void arena_init(struct arena *arena);
void arena_finish(struct arena *arena);

/* Zeroed memory, aligned to 8 bytes; NULL when out of memory. Valid until arena_finish. */
void *arena_alloc(struct arena *arena, size_t size);
/* A terminated copy of `length` bytes; NULL when out of memory. */
char *arena_strndup(struct arena *arena, const char *text, size_t length);

/* SPDX-License-Identifier: MIT
 *
 * Secrets in memory: wiped when done, never swapped or dumped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

/* Overwrites in a way that the compiler keeps. NULL is fine. */
void secret_wipe(void *data, size_t length);
/* Terminated copy in memory that is locked (where RLIMIT_MEMLOCK allows) and left out of core dumps.
 * NULL when out of memory. */
char *secret_dup(const char *text, size_t length);
/* Wipes and frees what secret_dup gave; takes NULL. */
void secret_free(char *secret);
DEFINE_CLEANUP(char, secret_free)
/* Wipes a malloc'd string and frees it; takes NULL. */
void secret_free_heap(char *text);
DEFINE_CLEANUP(char, secret_free_heap)
/* Wipes all of what malloc gave, and frees it; takes NULL. Stands in for free() in libraries that take another one. */
void secret_free_block(void *memory);
/* Same bytes? Takes the same time wherever they differ. */
bool secret_equal(const void *a, const void *b, size_t length);
/* No core dumps, no ptrace by the same uid, from here on: for processes that handle secrets. */
void secret_process_harden(void);
/* Random bytes from the kernel; 0 or -errno. */
int random_bytes(void *out, size_t length);

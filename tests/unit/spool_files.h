/* SPDX-License-Identifier: MIT
 *
 * The spool's files as somebody else works on them, and what can be read afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct buffer spool_file_read(const char *path);
void spool_file_write(const char *path, const void *data, size_t length);
void spool_file_flip(const char *path, size_t at); /* one bit there */
/* Where the blocks of a segment begin, and its end: offsets[1] is the first group. How many blocks. */
unsigned spool_file_blocks(const char *path, uint64_t *offsets, unsigned most);
/* A spool of so many times three events in one segment, ended: its path, and its blocks. */
const char *spool_make_groups(unsigned groups, uint64_t offsets[64]);
/* Which events can be read, as their numbers in base 36 ("123.5"): a dot where some are missing. */
const char *spool_readable(void);
/* Whether the spool goes on with this chain; another one was told of. */
void spool_expect_chain(bool same, const char *before);
const char *spool_first_chain(void); /* of the first segment */

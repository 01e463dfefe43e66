/* SPDX-License-Identifier: MIT
 *
 * Leaves, records, groups and exports to test readers with. What is wrong with one is up to the test.
 */
#pragma once

#include "base/buffer.h"
#include "feed_fixture.h"
#include "tlog/checkpoint.h"
#include "trail/chain.h"
#include "trail/leaf.h"

#define TRAIL_CHAIN "0aA1bB2cC3dD4eE5"
#define TRAIL_TENANT "ten_8fJ2kQpL0aZx4TyB"
#define TRAIL_ORIGIN "control.example.org/audit/" TRAIL_TENANT

/* The chain's key of that number. */
struct signer trail_signer(uint8_t number);

/* Personal data of these persons (names end with NULL; each has {"user":{"name":"<person>"}} and a salt of its place),
 * as a list and as the line. */
void trail_personal(struct personal_list *ret, const char *const *persons);
/* Appends a leaf: of that chain (NULL: an event of the control plane's own, with `sequence` in its id), in this place,
 * about these persons (NULL: nobody). */
void trail_leaf(struct buffer *ret, const char *chain, uint64_t sequence, const struct tlog_hash *prev,
		const struct personal_list *personal);

/* Appends a group of `count` records after `head`, and moves it on. */
void trail_group(struct buffer *ret, const struct signer *signer, struct chain_head *head, uint32_t count);

/* A log of `size` events of the control plane's own, every third about usr_a and usr_b; where bit i of `erased` is set,
 * the personal data of persons in place i are gone. Appends the export, with checkpoint at `at` (0: size), of the
 * entries for which `filter` (NULL: all) says so. */
struct trail_log {
	uint64_t size, at, from, to; /* to 0: at */
	uint64_t changed;            /* this entry is another one; 0: none is */
	unsigned erased;
	bool (*filter)(uint64_t index);
};
void trail_export(const struct trail_log *log, struct buffer *ret);
/* The signed checkpoint of that log at a size. */
void trail_checkpoint(const struct trail_log *log, uint64_t size, struct buffer *ret);
/* The key that signs it. */
struct note_key trail_log_key(void);

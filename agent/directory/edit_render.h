/* SPDX-License-Identifier: MIT
 *
 * Records as the keys and values that stand for them in a directory file. Defaults are left out. Inner
 * mappings have dotted keys ("ids.next"), and those of one mapping stand together.
 */
#pragma once

#include "base/buffer.h"
#include "directory/unit.h"

#define PAIRS_MAX 32U

struct edit_pair {
	const char *key; /* static */
	char *value;     /* YAML, on one line */
};
struct edit_pairs {
	struct edit_pair pairs[PAIRS_MAX];
	uint32_t count;
	bool failed; /* out of memory */
};

void edit_pairs_finish(struct edit_pairs *pairs);
/* Of hosts only the name: their rules are lists of their own. */
void edit_render(enum record_kind kind, const void *record, struct edit_pairs *ret);
void edit_render_rule(const struct host_rule *rule, struct edit_pairs *ret);
/* The pair of this key, or NULL. */
const struct edit_pair *edit_pairs_get(const struct edit_pairs *pairs, const char *key);
/* The i-th pair from byte `skip` of its key on: "key: value", or of a dotted key "outer: {inner: value, …}" with all
 * pairs of that outer one. Gives how many pairs it took. */
uint32_t edit_pairs_member(const struct edit_pairs *pairs, uint32_t i, size_t skip, struct buffer *ret);
/* "{a: 1, ids: {b: 2}}": all pairs as one flow mapping. */
void edit_pairs_flow(const struct edit_pairs *pairs, struct buffer *ret);
/* One "key: value" a line, each but the first behind `indent`; every line ends with `newline`. */
void edit_pairs_block(const struct edit_pairs *pairs, const char *indent, const char *newline, struct buffer *ret);

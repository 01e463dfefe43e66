/* SPDX-License-Identifier: MIT
 *
 * A Merkle tree as RFC 6962, section 2.1, defines it: recursive, slow, and by itself, to hold lib/tlog against.
 */
#pragma once

#include "tlog/tlog.h"

#define TREE_LEAVES_MAX 1100U

/* The leaves "leaf 0", "leaf 1" …: their hashes are made once. */
const struct tlog_hash *tree_leaves(void);
/* MTH(D[begin:end]). */
struct tlog_hash tree_hash(uint64_t begin, uint64_t end);
/* PATH(index, D[size]) and PROOF(from, D[to]). */
struct tlog_proof tree_path(uint64_t index, uint64_t size);
struct tlog_proof tree_proof(uint64_t from, uint64_t to);
/* Hands out whole subtrees. `context`: counts them; it must not be NULL. Fails the test when the subtree is not within
 * `tree_node_size`. */
extern uint64_t tree_node_size;
int tree_node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret);

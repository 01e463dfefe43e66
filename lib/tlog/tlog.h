/* SPDX-License-Identifier: MIT
 *
 * The Merkle tree of RFC 6962, section 2.1: hashes, inclusion and consistency proofs, and the compact form of a tree to
 * which leaves are added. Plain values; no files, no database, no clock.
 *
 * A tree of n leaves has the hash MTH(n); of none it is SHA-256 of nothing. Indices and sizes are below 2^62.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/digest.h"

#define TLOG_PROOF_MAX 63U         /* hashes of one proof: a consistency proof has one more than levels */
#define TLOG_SIZE_MAX (1ULL << 62) /* no tree is larger */

struct tlog_hash {
	uint8_t bytes[SHA256_BYTES];
};
int tlog_leaf_hash(const void *leaf, size_t length, struct tlog_hash *ret);                             /* 0, -EIO */
int tlog_node_hash(const struct tlog_hash *left, const struct tlog_hash *right, struct tlog_hash *ret); /* 0, -EIO */
bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b);

/* A tree as the roots of its whole subtrees, the largest first: as many as `size` has bits set. A plain value; {0} is
 * the empty tree. */
struct tlog_frontier {
	uint64_t size;
	struct tlog_hash hashes[TLOG_PROOF_MAX];
};
unsigned tlog_frontier_count(uint64_t size);
int tlog_frontier_add(struct tlog_frontier *frontier, const struct tlog_hash *leaf); /* 0, -EFBIG, -EIO */
int tlog_frontier_root(const struct tlog_frontier *frontier, struct tlog_hash *ret);

struct tlog_proof {
	unsigned count;
	struct tlog_hash hashes[TLOG_PROOF_MAX];
};
/* The hash of the whole subtree of 2^level leaves whose first leaf is index * 2^level. 0; negative errno ends the proof
 * with it. */
typedef int tlog_node_fn(void *context, unsigned level, uint64_t index, struct tlog_hash *ret);
/* Proofs from whole subtrees: each asks for at most 2 * 62 of them. -EINVAL: index >= size; from > to. A consistency
 * proof from 0, or to itself, is empty. */
int tlog_prove_inclusion(uint64_t index, uint64_t size, tlog_node_fn *node, void *context, struct tlog_proof *ret);
int tlog_prove_consistency(uint64_t from, uint64_t to, tlog_node_fn *node, void *context, struct tlog_proof *ret);
int tlog_root(uint64_t size, tlog_node_fn *node, void *context, struct tlog_hash *ret);
/* 0: it holds; -EBADMSG: it does not, whatever is wrong with it; -EIO. */
int tlog_verify_inclusion(const struct tlog_proof *proof, uint64_t index, const struct tlog_hash *leaf, uint64_t size,
			  const struct tlog_hash *root);
int tlog_verify_consistency(const struct tlog_proof *proof, uint64_t from, const struct tlog_hash *from_root,
			    uint64_t to, const struct tlog_hash *to_root);
/* The tree before that leaf, out of its inclusion proof, which was verified: what stands left of its way. -EINVAL: the
 * proof has not the length that it must have. */
int tlog_frontier_of_proof(const struct tlog_proof *proof, uint64_t index, uint64_t size, struct tlog_frontier *ret);

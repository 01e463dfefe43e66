/* SPDX-License-Identifier: MIT
 *
 * Hashes, proofs and what verifies them.
 *
 * A path climbs from a node to the root, level by level. Beside it stands a whole subtree, or, once, what is left at
 * the tree's right border, or nothing, where the node is the border itself. That is the inclusion proof of the node;
 * with the last whole subtree of the smaller tree as the node it is the consistency proof, too (RFC 9162, 2.1.4).
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "crypto/digest_stream.h"
#include "tlog/tlog.h"

#define LEAF_PREFIX 0x00
#define NODE_PREFIX 0x01
#define COPY_BYTES_MAX 4096U /* of a leaf: up to here a copy costs less than a stream */

static int hash_stream(const void *leaf, size_t length, struct tlog_hash *ret)
{
	static const uint8_t prefix = LEAF_PREFIX;
	_cleanup_(sha256_stream_freep) struct sha256_stream *stream = NULL;

	if (sha256_stream_new(&stream) < 0 || sha256_stream_add(stream, &prefix, 1) < 0 ||
	    sha256_stream_add(stream, leaf, length) < 0 || sha256_stream_end(stream, ret->bytes) < 0)
		return -EIO;
	return 0;
}

int tlog_leaf_hash(const void *leaf, size_t length, struct tlog_hash *ret)
{
	uint8_t text[1 + COPY_BYTES_MAX];

	if (length > COPY_BYTES_MAX)
		return hash_stream(leaf, length, ret);
	text[0] = LEAF_PREFIX;
	if (length > 0)
		memcpy(text + 1, leaf, length);
	return sha256(text, 1 + length, ret->bytes);
}

int tlog_node_hash(const struct tlog_hash *left, const struct tlog_hash *right, struct tlog_hash *ret)
{
	uint8_t text[1 + 2 * SHA256_BYTES];

	text[0] = NODE_PREFIX;
	memcpy(text + 1, left->bytes, SHA256_BYTES);
	memcpy(text + 1 + SHA256_BYTES, right->bytes, SHA256_BYTES);
	return sha256(text, sizeof(text), ret->bytes);
}

bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b)
{
	return memcmp(a->bytes, b->bytes, SHA256_BYTES) == 0;
}

/* The hash of the leaves from `begin` to the end, where `begin` is a multiple of a power of two that is larger than
 * what is left: folded from its whole subtrees, the smallest first. */
static int border_hash(uint64_t begin, uint64_t size, tlog_node_fn *node, void *context, struct tlog_hash *ret)
{
	uint64_t left = size - begin;
	bool first = true;
	int r;

	for (unsigned level = 0; left >> level != 0; level++) {
		struct tlog_hash hash;

		if ((left >> level & 1) == 0)
			continue;
		r = node(context, level, (size >> level) - 1, &hash);
		if (r < 0)
			return r;
		if (first) {
			*ret = hash;
		} else {
			r = tlog_node_hash(&hash, ret, ret);
			if (r < 0)
				return r;
		}
		first = false;
	}
	return 0;
}

int tlog_root(uint64_t size, tlog_node_fn *node, void *context, struct tlog_hash *ret)
{
	struct tlog_hash root;
	int r;

	if (size > TLOG_SIZE_MAX)
		return -EINVAL;
	if (size == 0)
		return sha256(NULL, 0, ret->bytes);
	r = border_hash(0, size, node, context, &root);
	if (r < 0)
		return r;
	*ret = root;
	return 0;
}

/* Adds what stands beside the way from this node, a whole subtree, to the root. */
static int add_path(unsigned level, uint64_t index, uint64_t size, tlog_node_fn *node, void *context,
		    struct tlog_proof *proof)
{
	int r;

	for (; (size - 1) >> level != 0; level++, index >>= 1) {
		uint64_t beside = index ^ 1;

		if (beside < size >> level)
			r = node(context, level, beside, &proof->hashes[proof->count]);
		else if (beside << level < size)
			r = border_hash(beside << level, size, node, context, &proof->hashes[proof->count]);
		else
			continue;
		if (r < 0)
			return r;
		proof->count++;
	}
	return 0;
}

int tlog_prove_inclusion(uint64_t index, uint64_t size, tlog_node_fn *node, void *context, struct tlog_proof *ret)
{
	struct tlog_proof proof = {0};
	int r;

	if (index >= size || size > TLOG_SIZE_MAX)
		return -EINVAL;
	r = add_path(0, index, size, node, context, &proof);
	if (r < 0)
		return r;
	*ret = proof;
	return 0;
}

int tlog_prove_consistency(uint64_t from, uint64_t to, tlog_node_fn *node, void *context, struct tlog_proof *ret)
{
	struct tlog_proof proof = {0};
	unsigned level;
	int r;

	if (from > to || to > TLOG_SIZE_MAX)
		return -EINVAL;
	if (from > 0 && from < to) {
		level = (unsigned)__builtin_ctzll(from);
		/* A tree that is whole by itself: who checks has its root. */
		if (from >> level != 1) {
			r = node(context, level, (from >> level) - 1, &proof.hashes[0]);
			if (r < 0)
				return r;
			proof.count = 1;
		}
		r = add_path(level, (from >> level) - 1, to, node, context, &proof);
		if (r < 0)
			return r;
	}
	*ret = proof;
	return 0;
}

/* One step up, past the levels where the node is the right border and has nothing beside it. */
static void climb(uint64_t *node, uint64_t *last)
{
	while ((*node & 1) == 0 && *node != 0) {
		*node >>= 1;
		*last >>= 1;
	}
	*node >>= 1;
	*last >>= 1;
}

int tlog_verify_inclusion(const struct tlog_proof *proof, uint64_t index, const struct tlog_hash *leaf, uint64_t size,
			  const struct tlog_hash *root)
{
	uint64_t node = index, last = size - 1;
	struct tlog_hash hash = *leaf;
	int r;

	if (index >= size || size > TLOG_SIZE_MAX || proof->count > TLOG_PROOF_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < proof->count; i++) {
		const struct tlog_hash *beside = &proof->hashes[i];

		if (last == 0)
			return -EBADMSG;
		if ((node & 1) == 1 || node == last) {
			r = tlog_node_hash(beside, &hash, &hash);
			climb(&node, &last);
		} else {
			r = tlog_node_hash(&hash, beside, &hash);
			node >>= 1;
			last >>= 1;
		}
		if (r < 0)
			return r;
	}
	return last == 0 && tlog_hash_equal(&hash, root) ? 0 : -EBADMSG;
}

int tlog_frontier_of_proof(const struct tlog_proof *proof, uint64_t index, uint64_t size, struct tlog_frontier *ret)
{
	unsigned count = tlog_frontier_count(index), left = count;
	struct tlog_frontier frontier = {.size = index};
	uint64_t node = index, last = size - 1;

	if (index >= size || size > TLOG_SIZE_MAX || proof->count > TLOG_PROOF_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < proof->count; i++) {
		if (last == 0)
			return -EINVAL;
		if ((node & 1) == 1 || node == last) {
			if (left == 0)
				return -EINVAL;
			frontier.hashes[--left] = proof->hashes[i];
			climb(&node, &last);
		} else {
			node >>= 1;
			last >>= 1;
		}
	}
	if (left != 0 || last != 0)
		return -EINVAL;
	*ret = frontier;
	return 0;
}

/* Both trees' roots are worked out of the one proof: the smaller one's of what stands left of the way alone. */
static int fold_both(const struct tlog_hash *hashes, unsigned count, uint64_t node, uint64_t last,
		     struct tlog_hash *from_root, struct tlog_hash *to_root)
{
	int r;

	for (unsigned i = 0; i < count; i++) {
		if (last == 0)
			return -EBADMSG;
		if ((node & 1) == 1 || node == last) {
			r = tlog_node_hash(&hashes[i], from_root, from_root);
			if (r == 0)
				r = tlog_node_hash(&hashes[i], to_root, to_root);
			climb(&node, &last);
		} else {
			r = tlog_node_hash(to_root, &hashes[i], to_root);
			node >>= 1;
			last >>= 1;
		}
		if (r < 0)
			return r;
	}
	return last == 0 ? 0 : -EBADMSG;
}

int tlog_verify_consistency(const struct tlog_proof *proof, uint64_t from, const struct tlog_hash *from_root,
			    uint64_t to, const struct tlog_hash *to_root)
{
	uint64_t node = from - 1, last = to - 1;
	struct tlog_hash old, new;
	bool whole = (from & (from - 1)) == 0;
	int r;

	if (from > to || to > TLOG_SIZE_MAX || proof->count > TLOG_PROOF_MAX)
		return -EBADMSG;
	if (from == 0) {
		r = sha256(NULL, 0, old.bytes);
		if (r < 0)
			return r;
		if (proof->count != 0 || !tlog_hash_equal(&old, from_root))
			return -EBADMSG;
		return to > 0 || tlog_hash_equal(&old, to_root) ? 0 : -EBADMSG;
	}
	if (from == to)
		return proof->count == 0 && tlog_hash_equal(from_root, to_root) ? 0 : -EBADMSG;
	if (!whole && proof->count == 0)
		return -EBADMSG;
	old = whole ? *from_root : proof->hashes[0];
	new = old;
	/* Up to the last whole subtree of the smaller tree. */
	while (node & 1) {
		node >>= 1;
		last >>= 1;
	}
	r = fold_both(proof->hashes + !whole, proof->count - !whole, node, last, &old, &new);
	if (r < 0)
		return r;
	return tlog_hash_equal(&old, from_root) && tlog_hash_equal(&new, to_root) ? 0 : -EBADMSG;
}

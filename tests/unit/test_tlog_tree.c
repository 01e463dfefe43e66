/* SPDX-License-Identifier: MIT
 *
 * The Merkle tree: known roots, and every proof of every small tree against the definition of RFC 6962. Then all that
 * is not a proof.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "tree_fixture.h"

#define SMALL 70U /* every pair up to here */

static void assert_hash(const struct tlog_hash *hash, const struct tlog_hash *expected)
{
	assert_memory_equal(hash->bytes, expected->bytes, SHA256_BYTES);
}

/* The leaves and roots that Certificate Transparency's own tests have used since 2012. */
static void known_roots(void **state)
{
	static const struct {
		const char *leaf, *root; /* hex; root of the tree up to that leaf */
	} table[] = {
		{"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
		{"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
		{"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
		{"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
		{"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
		{"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
		{"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
		{"606162636465666768696a6b6c6d6e6f",
		 "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
	};
	static const char none[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	struct tlog_frontier frontier = {0};
	char hex[2 * SHA256_BYTES + 1];
	struct tlog_hash hash;
	uint8_t leaf[16];

	assert_result(tlog_frontier_root(&frontier, &hash), 0);
	text_to_hex(hash.bytes, SHA256_BYTES, hex);
	assert_string_equal(hex, none);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_result(text_from_hex(table[i].leaf, leaf, strlen(table[i].leaf) / 2), 0);
		assert_result(tlog_leaf_hash(leaf, strlen(table[i].leaf) / 2, &hash), 0);
		assert_result(tlog_frontier_add(&frontier, &hash), 0);
		assert_int_equal(frontier.size, i + 1);
		assert_result(tlog_frontier_root(&frontier, &hash), 0);
		text_to_hex(hash.bytes, SHA256_BYTES, hex);
		assert_string_equal(hex, table[i].root);
	}
}

/* Leaves that are copied and those that are not. */
static void leaves_of_any_length(void **state)
{
	static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 16384, 100000};
	static char text[100001];
	struct tlog_hash hash, expected;

	memset(text, 'x', sizeof(text));
	text[0] = 0x00;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		assert_result(sha256(text, 1 + lengths[i], expected.bytes), 0);
		assert_result(tlog_leaf_hash(text + 1, lengths[i], &hash), 0);
		assert_hash(&hash, &expected);
	}
}

static void frontiers(void **state)
{
	struct tlog_frontier frontier = {0};
	struct tlog_hash root, expected;
	unsigned asked = 0;

	for (uint64_t size = 0; size < TREE_LEAVES_MAX; size++) {
		expected = tree_hash(0, size);
		assert_result(tlog_frontier_root(&frontier, &root), 0);
		assert_hash(&root, &expected);
		tree_node_size = size;
		assert_result(tlog_root(size, tree_node, &asked, &root), 0);
		assert_hash(&root, &expected);
		assert_int_equal(tlog_frontier_count(size), __builtin_popcountll(size));
		assert_result(tlog_frontier_add(&frontier, &tree_leaves()[size]), 0);
	}
}

static void frontier_is_full(void **state)
{
	struct tlog_frontier frontier = {.size = TLOG_SIZE_MAX}, before = frontier;
	struct tlog_hash root;

	assert_result(tlog_frontier_add(&frontier, tree_leaves()), -EFBIG);
	assert_memory_equal(&frontier, &before, sizeof(before));
	frontier.size = TLOG_SIZE_MAX - 1;
	assert_int_equal(tlog_frontier_count(frontier.size), 62);
	assert_result(tlog_frontier_add(&frontier, tree_leaves()), 0);
	frontier.size = UINT64_MAX;
	assert_result(tlog_frontier_root(&frontier, &root), -EINVAL);
	assert_result(tlog_root(UINT64_MAX, tree_node, NULL, &root), -EINVAL);
}

static void assert_proof(const struct tlog_proof *proof, const struct tlog_proof *expected)
{
	assert_int_equal(proof->count, expected->count);
	assert_memory_equal(proof->hashes, expected->hashes, expected->count * sizeof(proof->hashes[0]));
}

static void every_inclusion_proof(void **state)
{
	const struct tlog_hash *leaves = tree_leaves();

	for (uint64_t size = 1; size <= SMALL; size++) {
		struct tlog_hash root = tree_hash(0, size);

		tree_node_size = size;
		for (uint64_t index = 0; index < size; index++) {
			struct tlog_proof proof, expected = tree_path(index, size);
			unsigned asked = 0;

			assert_result(tlog_prove_inclusion(index, size, tree_node, &asked, &proof), 0);
			assert_proof(&proof, &expected);
			assert_true(asked <= 2 * 62);
			assert_result(tlog_verify_inclusion(&proof, index, &leaves[index], size, &root), 0);
		}
	}
}

/* The tree before a leaf follows from the leaf's proof. */
static void frontiers_of_proofs(void **state)
{
	for (uint64_t size = 1; size <= SMALL; size++)
		for (uint64_t index = 0; index < size; index++) {
			struct tlog_proof proof = tree_path(index, size), bad = proof;
			struct tlog_hash root, expected = tree_hash(0, index);
			struct tlog_frontier frontier;

			assert_result(tlog_frontier_of_proof(&proof, index, size, &frontier), 0);
			assert_int_equal(frontier.size, index);
			assert_result(tlog_frontier_root(&frontier, &root), 0);
			assert_hash(&root, &expected);
			bad.count++;
			assert_result(tlog_frontier_of_proof(&bad, index, size, &frontier), -EINVAL);
			if (proof.count > 0) {
				bad.count -= 2;
				assert_result(tlog_frontier_of_proof(&bad, index, size, &frontier), -EINVAL);
			}
			assert_result(tlog_frontier_of_proof(&proof, size, size, &frontier), -EINVAL);
		}
}

static void every_consistency_proof(void **state)
{
	for (uint64_t to = 0; to <= SMALL; to++) {
		struct tlog_hash root = tree_hash(0, to);

		tree_node_size = to;
		for (uint64_t from = 0; from <= to; from++) {
			struct tlog_proof proof, expected = tree_proof(from, to);
			struct tlog_hash from_root = tree_hash(0, from);
			unsigned asked = 0;

			assert_result(tlog_prove_consistency(from, to, tree_node, &asked, &proof), 0);
			assert_proof(&proof, &expected);
			assert_true(asked <= 2 * 62);
			assert_result(tlog_verify_consistency(&proof, from, &from_root, to, &root), 0);
		}
	}
}

/* Proofs with one thing wrong, from every small tree. */
static void no_inclusion(void **state)
{
	const struct tlog_hash *leaves = tree_leaves();

	for (uint64_t size = 1; size <= 20; size++)
		for (uint64_t index = 0; index < size; index++) {
			const struct tlog_proof proof = tree_path(index, size);
			struct tlog_hash root = tree_hash(0, size), other = root;
			struct tlog_proof bad;

			for (uint64_t i = 0; i <= size + 2; i++)
				if (i != index)
					assert_result(tlog_verify_inclusion(&proof, i, &leaves[index], size, &root),
						      -EBADMSG);
			for (uint64_t i = 0; i < TREE_LEAVES_MAX; i += 7)
				if (i != index)
					assert_result(tlog_verify_inclusion(&proof, index, &leaves[i], size, &root),
						      -EBADMSG);
			other.bytes[31] ^= 1;
			assert_result(tlog_verify_inclusion(&proof, index, &leaves[index], size, &other), -EBADMSG);
			for (unsigned i = 0; i < proof.count; i++) {
				bad = proof;
				bad.hashes[i].bytes[i % SHA256_BYTES] ^= 0x80;
				assert_result(tlog_verify_inclusion(&bad, index, &leaves[index], size, &root),
					      -EBADMSG);
				/* One missing, one twice. */
				bad = proof;
				memmove(&bad.hashes[i], &bad.hashes[i + 1],
					(bad.count - i - 1) * sizeof(bad.hashes[0]));
				bad.count--;
				assert_result(tlog_verify_inclusion(&bad, index, &leaves[index], size, &root),
					      -EBADMSG);
				bad = proof;
				memmove(&bad.hashes[i + 1], &bad.hashes[i], (bad.count - i) * sizeof(bad.hashes[0]));
				bad.count++;
				assert_result(tlog_verify_inclusion(&bad, index, &leaves[index], size, &root),
					      -EBADMSG);
			}
			bad = proof;
			bad.hashes[bad.count++] = root;
			assert_result(tlog_verify_inclusion(&bad, index, &leaves[index], size, &root), -EBADMSG);
			assert_result(tlog_verify_inclusion(&proof, index, &leaves[index], 0, &root), -EBADMSG);
			assert_result(tlog_verify_inclusion(&proof, index, &leaves[index], UINT64_MAX, &root),
				      -EBADMSG);
		}
}

/* A node within the tree passed off as a leaf: the prefixes are what forbids it. */
static void node_is_no_leaf(void **state)
{
	struct tlog_hash root = tree_hash(0, 4), node = tree_hash(0, 2), leaf;
	struct tlog_proof proof = {.count = 1, .hashes = {tree_hash(2, 4)}};
	uint8_t both[2 * SHA256_BYTES];

	memcpy(both, tree_leaves()[0].bytes, SHA256_BYTES);
	memcpy(both + SHA256_BYTES, tree_leaves()[1].bytes, SHA256_BYTES);
	assert_result(tlog_leaf_hash(both, sizeof(both), &leaf), 0);
	assert_result(tlog_verify_inclusion(&proof, 0, &leaf, 2, &root), -EBADMSG);
	/* With the node itself for a leaf it is a tree of two, whose leaf nobody can show. */
	assert_result(tlog_verify_inclusion(&proof, 0, &node, 2, &root), 0);
	assert_result(tlog_verify_inclusion(&proof, 0, &node, 4, &root), -EBADMSG);
}

static void no_consistency(void **state)
{
	for (uint64_t to = 1; to <= 20; to++)
		for (uint64_t from = 0; from <= to; from++) {
			const struct tlog_proof proof = tree_proof(from, to);
			struct tlog_hash old = tree_hash(0, from), new = tree_hash(0, to), other;
			struct tlog_proof bad;

			/* That a root is of this size and no other is what the checkpoint says by having both. */
			for (uint64_t i = 0; i <= to + 2; i++)
				if (i != from)
					assert_result(tlog_verify_consistency(&proof, i, &old, to, &new), -EBADMSG);
			for (uint64_t i = 0; i < from; i++)
				assert_result(tlog_verify_consistency(&proof, from, &old, i, &new), -EBADMSG);
			other = old;
			other.bytes[0] ^= 1;
			assert_result(tlog_verify_consistency(&proof, from, &other, to, &new), -EBADMSG);
			other = new;
			other.bytes[17] ^= 4;
			/* From nothing all follows. */
			assert_result(tlog_verify_consistency(&proof, from, &old, to, &other), from > 0 ? -EBADMSG : 0);
			for (unsigned i = 0; i < proof.count; i++) {
				bad = proof;
				bad.hashes[i].bytes[i % SHA256_BYTES] ^= 0x01;
				assert_result(tlog_verify_consistency(&bad, from, &old, to, &new), -EBADMSG);
				bad = proof;
				memmove(&bad.hashes[i], &bad.hashes[i + 1],
					(bad.count - i - 1) * sizeof(bad.hashes[0]));
				bad.count--;
				assert_result(tlog_verify_consistency(&bad, from, &old, to, &new), -EBADMSG);
			}
			bad = proof;
			bad.hashes[bad.count++] = new;
			assert_result(tlog_verify_consistency(&bad, from, &old, to, &new), -EBADMSG);
			assert_result(tlog_verify_consistency(&proof, from, &old, UINT64_MAX, &new), -EBADMSG);
		}
}

/* The tree that had another leaf once: no proof of any length leads from it to the tree of now. */
static void rewritten_history(void **state)
{
	struct tlog_frontier told = {0};
	struct tlog_hash lie, root, now = tree_hash(0, 33);

	assert_result(tlog_leaf_hash("somebody else", 13, &lie), 0);
	for (uint64_t from = 1; from <= 33; from++) {
		struct tlog_proof proof = tree_proof(from, 33);

		assert_result(tlog_frontier_add(&told, from == 1 ? &lie : &tree_leaves()[from - 1]), 0);
		assert_result(tlog_frontier_root(&told, &root), 0);
		assert_result(tlog_verify_consistency(&proof, from, &root, 33, &now), -EBADMSG);
	}
}

static void counts_that_cannot_be(void **state)
{
	struct tlog_proof proof = {.count = TLOG_PROOF_MAX + 1};
	struct tlog_hash root = tree_hash(0, 2);
	unsigned asked = 0;

	assert_result(tlog_verify_inclusion(&proof, 0, tree_leaves(), 2, &root), -EBADMSG);
	assert_result(tlog_verify_consistency(&proof, 1, tree_leaves(), 2, &root), -EBADMSG);
	proof.count = UINT32_MAX;
	assert_result(tlog_verify_inclusion(&proof, 0, tree_leaves(), TLOG_SIZE_MAX, &root), -EBADMSG);
	assert_result(tlog_verify_consistency(&proof, 1, tree_leaves(), TLOG_SIZE_MAX, &root), -EBADMSG);
	proof = (struct tlog_proof){.count = 42};
	assert_result(tlog_prove_inclusion(2, 2, tree_node, &asked, &proof), -EINVAL);
	assert_result(tlog_prove_inclusion(0, 0, tree_node, &asked, &proof), -EINVAL);
	assert_result(tlog_prove_inclusion(0, TLOG_SIZE_MAX + 1, tree_node, &asked, &proof), -EINVAL);
	assert_result(tlog_prove_consistency(3, 2, tree_node, &asked, &proof), -EINVAL);
	assert_result(tlog_prove_consistency(1, TLOG_SIZE_MAX + 1, tree_node, &asked, &proof), -EINVAL);
	assert_int_equal(proof.count, 42);
	assert_int_equal(asked, 0);
}

/* Of the largest tree, where every whole subtree's hash is a word about its place: the numbers fit. */
static int any_node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	uint64_t size = *(uint64_t *)context;

	assert_true(level <= 62);
	assert_true(index < size >> level);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->bytes, &index, sizeof(index));
	ret->bytes[9] = (uint8_t)level;
	return 0;
}

static void the_largest_trees(void **state)
{
	static const uint64_t sizes[] = {TLOG_SIZE_MAX, TLOG_SIZE_MAX - 1, TLOG_SIZE_MAX / 2 + 1, 10000000};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t size = sizes[i], places[] = {0, 1, size / 2, size / 3, size - 2, size - 1};

		for (size_t j = 0; j < ARRAY_LEN(places); j++) {
			struct tlog_proof proof;

			assert_result(tlog_prove_inclusion(places[j], size, any_node, &size, &proof), 0);
			assert_in_range(proof.count, 1, TLOG_PROOF_MAX);
			if (places[j] == 0)
				continue;
			assert_result(tlog_prove_consistency(places[j], size, any_node, &size, &proof), 0);
			assert_in_range(proof.count, 1, TLOG_PROOF_MAX);
		}
	}
}

static int broken_node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	unsigned *left = context;

	return (*left)-- == 0 ? -EAGAIN : tree_node(&(unsigned){0}, level, index, ret);
}

/* Who cannot be asked for a subtree is not a proof that fails: what went wrong comes back, and nothing else. */
static void node_that_breaks(void **state)
{
	struct tlog_proof proof = {.count = 42};
	struct tlog_hash root = {{42}}, before = root;

	tree_node_size = 13;
	for (unsigned after = 0; after < 3; after++) {
		unsigned left = after;

		assert_result(tlog_prove_inclusion(2, 13, broken_node, &left, &proof), -EAGAIN);
		left = after;
		assert_result(tlog_prove_consistency(6, 13, broken_node, &left, &proof), -EAGAIN);
		left = after;
		assert_result(tlog_root(13, broken_node, &left, &root), -EAGAIN);
	}
	assert_int_equal(proof.count, 42);
	assert_hash(&root, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_roots),
		cmocka_unit_test(leaves_of_any_length),
		cmocka_unit_test(frontiers),
		cmocka_unit_test(frontier_is_full),
		cmocka_unit_test(every_inclusion_proof),
		cmocka_unit_test(frontiers_of_proofs),
		cmocka_unit_test(every_consistency_proof),
		cmocka_unit_test(no_inclusion),
		cmocka_unit_test(node_is_no_leaf),
		cmocka_unit_test(no_consistency),
		cmocka_unit_test(rewritten_history),
		cmocka_unit_test(counts_that_cannot_be),
		cmocka_unit_test(the_largest_trees),
		cmocka_unit_test(node_that_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

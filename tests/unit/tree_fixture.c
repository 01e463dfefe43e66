/* SPDX-License-Identifier: MIT */
#include "tree_fixture.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

uint64_t tree_node_size;

const struct tlog_hash *tree_leaves(void)
{
	static struct tlog_hash leaves[TREE_LEAVES_MAX];
	static bool made;
	char text[32];

	for (unsigned i = 0; !made && i < TREE_LEAVES_MAX; i++) {
		(void)snprintf(text, sizeof(text), "leaf %u", i);
		assert_result(tlog_leaf_hash(text, strlen(text), &leaves[i]), 0);
	}
	made = true;
	return leaves;
}

/* The largest power of two below n. */
static uint64_t split(uint64_t n)
{
	uint64_t k = 1;

	while (2 * k < n)
		k *= 2;
	return k;
}

struct tlog_hash tree_hash(uint64_t begin, uint64_t end)
{
	struct tlog_hash left, right, hash;
	uint64_t k;

	if (begin == end) {
		assert_result(sha256("", 0, hash.bytes), 0);
		return hash;
	}
	if (end - begin == 1)
		return tree_leaves()[begin];
	k = split(end - begin);
	left = tree_hash(begin, begin + k);
	right = tree_hash(begin + k, end);
	assert_result(tlog_node_hash(&left, &right, &hash), 0);
	return hash;
}

static void path(uint64_t index, uint64_t begin, uint64_t end, struct tlog_proof *proof)
{
	uint64_t k;

	if (end - begin == 1)
		return;
	k = split(end - begin);
	if (index < k) {
		path(index, begin, begin + k, proof);
		proof->hashes[proof->count++] = tree_hash(begin + k, end);
	} else {
		path(index - k, begin + k, end, proof);
		proof->hashes[proof->count++] = tree_hash(begin, begin + k);
	}
}

struct tlog_proof tree_path(uint64_t index, uint64_t size)
{
	struct tlog_proof proof = {0};

	path(index, 0, size, &proof);
	return proof;
}

static void subproof(uint64_t from, uint64_t begin, uint64_t end, bool known, struct tlog_proof *proof)
{
	uint64_t k;

	if (from == end - begin) {
		if (!known)
			proof->hashes[proof->count++] = tree_hash(begin, end);
		return;
	}
	k = split(end - begin);
	if (from <= k) {
		subproof(from, begin, begin + k, known, proof);
		proof->hashes[proof->count++] = tree_hash(begin + k, end);
	} else {
		subproof(from - k, begin + k, end, false, proof);
		proof->hashes[proof->count++] = tree_hash(begin, begin + k);
	}
}

struct tlog_proof tree_proof(uint64_t from, uint64_t to)
{
	struct tlog_proof proof = {0};

	if (from > 0 && from < to)
		subproof(from, 0, to, true, &proof);
	return proof;
}

int tree_node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	unsigned *asked = context;

	if ((index + 1) << level > tree_node_size)
		fail_msg("asked for subtree %u/%llu of a tree of %llu", level, (unsigned long long)index,
			 (unsigned long long)tree_node_size);
	++*asked;
	*ret = tree_hash(index << level, (index + 1) << level);
	return 0;
}

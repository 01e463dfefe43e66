/* SPDX-License-Identifier: MIT
 *
 * Proofs: of all that is made out of a proof of a small tree by changing it, only what is that proof verifies.
 *
 * Input: kind (bit 0) and whether size or first tree are said wrong (other bits), index or first size, size, number of
 * hashes; then pairs (place, mask) that change single bytes of the hashes.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "fuzz.h"
#include "tlog/tlog.h"

#define LEAVES 256U

static struct tlog_hash leaves[LEAVES];

static void make_leaves(void)
{
	static bool made;

	for (unsigned i = 0; !made && i < LEAVES; i++)
		FUZZ_CHECK(tlog_leaf_hash(&(uint8_t){(uint8_t)i}, 1, &leaves[i]) == 0);
	made = true;
}

static int node(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	struct tlog_frontier frontier = {0};

	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		FUZZ_CHECK(tlog_frontier_add(&frontier, &leaves[i]) == 0);
	return tlog_frontier_root(&frontier, ret);
}

static struct tlog_hash root_of(uint64_t size)
{
	struct tlog_hash root;

	FUZZ_CHECK(tlog_root(size, node, NULL, &root) == 0);
	return root;
}

/* True: it is still the proof that it was. */
static bool change(struct tlog_proof *proof, unsigned count, const uint8_t *data, size_t size)
{
	const struct tlog_proof before = *proof;

	proof->count = count;
	for (; size >= 2; data += 2, size -= 2)
		proof->hashes[data[0] % TLOG_PROOF_MAX].bytes[data[0] / 8] ^= data[1];
	return before.count == count && memcmp(before.hashes, proof->hashes, count * sizeof(before.hashes[0])) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tlog_proof proof;
	struct tlog_hash from_root = {0}, root;
	uint64_t place, to;
	bool same;
	int r;

	if (size < 4)
		return 0;
	make_leaves();
	place = data[1];
	to = data[2];
	if (data[0] & 1) {
		r = tlog_prove_consistency(place, to, node, NULL, &proof);
		FUZZ_CHECK(r == (place > to ? -EINVAL : 0));
		if (r < 0)
			return 0;
		same = change(&proof, data[3], data + 4, size - 4);
		from_root = root_of(place);
		root = root_of(to);
		r = tlog_verify_consistency(&proof, place, &from_root, to, &root);
		FUZZ_CHECK(r == (same ? 0 : -EBADMSG));
		/* As the proof of another pair it may not crash, and not hold for another first tree of that size. */
		from_root.bytes[data[0] % SHA256_BYTES] ^= 1;
		FUZZ_CHECK(tlog_verify_consistency(&proof, place, &from_root, to, &root) == -EBADMSG);
	} else {
		r = tlog_prove_inclusion(place, to, node, NULL, &proof);
		FUZZ_CHECK(r == (place >= to ? -EINVAL : 0));
		if (r < 0)
			return 0;
		same = change(&proof, data[3], data + 4, size - 4);
		root = root_of(to);
		r = tlog_verify_inclusion(&proof, place, &leaves[place], to, &root);
		FUZZ_CHECK(r == (same ? 0 : -EBADMSG));
		FUZZ_CHECK(tlog_verify_inclusion(&proof, place, &leaves[place ^ 1], to, &root) == -EBADMSG);
		if (same) {
			struct tlog_frontier frontier;

			from_root = root_of(place);
			FUZZ_CHECK(tlog_frontier_of_proof(&proof, place, to, &frontier) == 0);
			FUZZ_CHECK(tlog_frontier_root(&frontier, &root) == 0 && tlog_hash_equal(&root, &from_root));
		}
	}
	(void)tlog_verify_consistency(&proof, place << data[0] % 60, &from_root, to << data[3] % 60, &root);
	(void)tlog_verify_inclusion(&proof, place << data[3] % 60, &root, to << data[0] % 60, &root);
	return 0;
}

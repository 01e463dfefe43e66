/* SPDX-License-Identifier: MIT
 *
 * Tiles: which there are, what lies in which, and that a tree read by its tiles alone gives the same proofs.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "tlog/tile.h"
#include "tree_fixture.h"

static void widths(void **state)
{
	static const struct {
		uint64_t size;
		unsigned level;
		uint64_t n;
		unsigned width;
	} table[] = {
		{0, 0, 0, 0},
		{1, 0, 0, 1},
		{255, 0, 0, 255},
		{256, 0, 0, 256},
		{256, 0, 1, 0},
		{257, 0, 1, 1},
		{255, 1, 0, 0},
		{256, 1, 0, 1},
		{70000, 0, 272, 256},
		{70000, 0, 273, 112},
		{70000, 0, 274, 0},
		{70000, 1, 0, 256},
		{70000, 1, 1, 17},
		{70000, 2, 0, 1},
		{70000, 3, 0, 0},
		{TLOG_SIZE_MAX, 7, 0, 64},
		{TLOG_SIZE_MAX, 7, 1, 0},
		{TLOG_SIZE_MAX, 8, 0, 0},
		{TLOG_SIZE_MAX, 100, 0, 0},
		{TLOG_SIZE_MAX, 0, UINT64_MAX, 0},
		{TLOG_SIZE_MAX, 0, TLOG_SIZE_MAX / 256, 0},
		{TLOG_SIZE_MAX, 0, TLOG_SIZE_MAX / 256 - 1, 256},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (tlog_tile_width(table[i].size, table[i].level, table[i].n) != table[i].width)
			fail_msg("row %zu: %u", i, tlog_tile_width(table[i].size, table[i].level, table[i].n));
}

/* What a log of that size has in a tile, by the definition of tiles. */
static struct tlog_hash hash_in_tile(const struct tlog_tile *tile, unsigned place)
{
	uint64_t leaves = UINT64_C(1) << (8 * tile->level), first = (tile->n * 256 + place) * leaves;

	return tree_hash(first, first + leaves);
}

static void every_subtree(void **state)
{
	for (unsigned level = 0; level <= 10; level++)
		for (uint64_t index = 0; (index + 1) << level <= TREE_LEAVES_MAX; index++) {
			struct tlog_tile tile = tlog_tile_of(level, index);
			struct tlog_hash hashes[TLOG_TILE_WIDTH], root, expected;
			unsigned first, count;

			tlog_tile_range(level, index, &first, &count);
			assert_int_equal(tile.level, level / 8);
			assert_int_equal(tile.width, first + count);
			/* It is there as soon as the subtree is whole, and not before. */
			assert_true(tlog_tile_width((index + 1) << level, tile.level, tile.n) >= tile.width);
			assert_true(tlog_tile_width(((index + 1) << level) - 1, tile.level, tile.n) < tile.width);
			if (index % 17 != 0 && level == 0)
				continue; /* the rest costs time */
			for (unsigned i = 0; i < count; i++)
				hashes[i] = hash_in_tile(&tile, first + i);
			assert_result(tlog_tile_root(hashes, count, &root), 0);
			expected = tree_hash(index << level, (index + 1) << level);
			assert_memory_equal(&root, &expected, sizeof(root));
		}
}

static void roots_refused(void **state)
{
	static struct tlog_hash hashes[512];
	struct tlog_hash root = {{42}}, before = root;

	for (unsigned count = 0; count <= 512; count++)
		if (count == 0 || count > 256 || (count & (count - 1)) != 0)
			assert_result(tlog_tile_root(hashes, count, &root), -EINVAL);
	assert_result(tlog_tile_root(hashes, UINT32_MAX, &root), -EINVAL);
	assert_memory_equal(&root, &before, sizeof(root));
}

static int node_by_tile(void *context, unsigned level, uint64_t index, struct tlog_hash *ret)
{
	uint64_t size = *(uint64_t *)context;
	struct tlog_tile tile = tlog_tile_of(level, index);
	struct tlog_hash hashes[TLOG_TILE_WIDTH];
	unsigned first, count;

	assert_true(tlog_tile_width(size, tile.level, tile.n) >= tile.width);
	tlog_tile_range(level, index, &first, &count);
	for (unsigned i = 0; i < count; i++)
		hashes[i] = hash_in_tile(&tile, first + i);
	return tlog_tile_root(hashes, count, ret);
}

static void proofs_by_tiles(void **state)
{
	static const uint64_t sizes[] = {1, 2, 255, 256, 257, 511, 512, 1000, 1024, 1099};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t size = sizes[i];
		struct tlog_hash root = tree_hash(0, size), by_tiles;

		assert_result(tlog_root(size, node_by_tile, &size, &by_tiles), 0);
		assert_memory_equal(&root, &by_tiles, sizeof(root));
		for (uint64_t index = 0; index < size; index += 61) {
			struct tlog_hash from_root = tree_hash(0, index);
			struct tlog_proof proof;

			assert_result(tlog_prove_inclusion(index, size, node_by_tile, &size, &proof), 0);
			assert_result(tlog_verify_inclusion(&proof, index, &tree_leaves()[index], size, &root), 0);
			assert_result(tlog_prove_consistency(index, size, node_by_tile, &size, &proof), 0);
			assert_result(tlog_verify_consistency(&proof, index, &from_root, size, &root), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(widths),
		cmocka_unit_test(every_subtree),
		cmocka_unit_test(roots_refused),
		cmocka_unit_test(proofs_by_tiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

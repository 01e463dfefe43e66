/* SPDX-License-Identifier: MIT */
#include "directory/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_FILL 24U     /* records on a page when made for so many */
#define PAGE_FIRST 16U    /* that a page is made for */
#define PAGE_CROWDED 128U /* on the average */
#define BITS_MAX 20U

/* Pointers, then as many tags: the low half-words of the hashes. */
struct index_page {
	atomic_uint references;
	uint32_t count, capacity;
	const void *records[];
};

static uint16_t *tags_of(const struct index_page *page)
{
	return (uint16_t *)(uintptr_t)(page->records + page->capacity);
}

static struct index_page *page_new(uint32_t capacity)
{
	struct index_page *page =
		malloc(sizeof(*page) + (size_t)capacity * (sizeof(*page->records) + sizeof(uint16_t)));

	if (!page)
		return NULL;
	atomic_init(&page->references, 1);
	page->count = 0;
	page->capacity = capacity;
	return page;
}

static void page_unref(struct index_page *page)
{
	if (page && atomic_fetch_sub_explicit(&page->references, 1, memory_order_acq_rel) == 1)
		free(page);
}

static void node_unref(struct index_node *node)
{
	if (!node || atomic_fetch_sub_explicit(&node->references, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < INDEX_NODE_PAGES; i++)
		page_unref(node->pages[i]);
	free(node);
}

static uint32_t node_count(const struct index *index)
{
	uint32_t pages = 1U << index->bits;

	return pages <= INDEX_NODE_PAGES ? 1 : pages / INDEX_NODE_PAGES;
}

static uint32_t page_number(const struct index *index, uint64_t hash)
{
	return index->bits ? (uint32_t)(hash >> (64 - index->bits)) : 0;
}

int index_init(struct index *index, uint64_t expected)
{
	*index = (struct index){0};
	while (index->bits < BITS_MAX && expected > (uint64_t)PAGE_FILL << index->bits)
		index->bits++;
	return 0;
}

int index_copy(struct index *ret, const struct index *from)
{
	uint32_t count = node_count(from);

	*ret = *from;
	if (!from->nodes)
		return 0;
	ret->nodes = malloc(count * sizeof(*ret->nodes));
	if (!ret->nodes)
		return -ENOMEM;
	memcpy(ret->nodes, from->nodes, count * sizeof(*ret->nodes));
	for (uint32_t i = 0; i < count; i++)
		if (ret->nodes[i])
			atomic_fetch_add_explicit(&ret->nodes[i]->references, 1, memory_order_relaxed);
	return 0;
}

void index_finish(struct index *index)
{
	for (uint32_t i = 0; index->nodes && i < node_count(index); i++)
		node_unref(index->nodes[i]);
	free(index->nodes);
	*index = (struct index){0};
}

/* A reference that is ours alone cannot become another's meanwhile: only we could give it away. */
static bool is_ours(atomic_uint *references)
{
	return atomic_load_explicit(references, memory_order_acquire) == 1;
}

static struct index_node *own_node(struct index_node **at)
{
	struct index_node *old = *at, *node;

	if (old && is_ours(&old->references))
		return old;
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	atomic_init(&node->references, 1);
	if (old) {
		memcpy(node->pages, old->pages, sizeof(node->pages));
		for (uint32_t i = 0; i < INDEX_NODE_PAGES; i++)
			if (node->pages[i])
				atomic_fetch_add_explicit(&node->pages[i]->references, 1, memory_order_relaxed);
		node_unref(old);
	}
	*at = node;
	return node;
}

/* The page to write to, with room for one more. */
static struct index_page *own_page(struct index_page **at)
{
	struct index_page *old = *at, *page;

	if (old && is_ours(&old->references) && old->count < old->capacity)
		return old;
	page = page_new(old ? old->count + old->count / 2 + 2 : PAGE_FIRST);
	if (!page)
		return NULL;
	if (old) {
		memcpy(page->records, old->records, old->count * sizeof(*old->records));
		memcpy(tags_of(page), tags_of(old), old->count * sizeof(uint16_t));
		page->count = old->count;
		page_unref(old);
	}
	*at = page;
	return page;
}

static struct index_page **page_to_write(struct index *index, uint64_t hash)
{
	uint32_t number = page_number(index, hash);
	struct index_node *node;

	if (!index->nodes) {
		index->nodes = calloc(node_count(index), sizeof(*index->nodes));
		if (!index->nodes)
			return NULL;
	}
	node = own_node(&index->nodes[number / INDEX_NODE_PAGES]);
	return node ? &node->pages[number % INDEX_NODE_PAGES] : NULL;
}

static const struct index_page *page_to_read(const struct index *index, uint64_t hash)
{
	uint32_t number = page_number(index, hash);
	const struct index_node *node = index->nodes ? index->nodes[number / INDEX_NODE_PAGES] : NULL;

	return node ? node->pages[number % INDEX_NODE_PAGES] : NULL;
}

int index_put(struct index *index, uint64_t hash, const void *record)
{
	struct index_page **at = page_to_write(index, hash), *page = at ? own_page(at) : NULL;

	if (!page)
		return -ENOMEM;
	page->records[page->count] = record;
	tags_of(page)[page->count++] = (uint16_t)hash;
	index->count++;
	return 0;
}

int index_remove(struct index *index, uint64_t hash, const void *record)
{
	const struct index_page *old = page_to_read(index, hash);
	struct index_page **at, *page;
	uint32_t i = 0, after;

	while (old && i < old->count && old->records[i] != record)
		i++;
	if (!old || i == old->count)
		return -ENOENT;
	at = page_to_write(index, hash);
	page = at ? own_page(at) : NULL;
	if (!page)
		return -ENOMEM;
	after = page->count - i - 1;
	memmove(&page->records[i], &page->records[i + 1], after * sizeof(*page->records));
	memmove(&tags_of(page)[i], &tags_of(page)[i + 1], after * sizeof(uint16_t));
	page->count--;
	index->count--;
	return 0;
}

const void *index_next(const struct index *index, uint64_t hash, uint32_t *cursor)
{
	const struct index_page *page = page_to_read(index, hash);
	const uint16_t *tags = page ? tags_of(page) : NULL;

	for (uint32_t i = *cursor; page && i < page->count; i++)
		if (tags[i] == (uint16_t)hash) {
			*cursor = i + 1;
			return page->records[i];
		}
	return NULL;
}

bool index_is_crowded(const struct index *index)
{
	return index->bits < BITS_MAX && index->count > (uint64_t)PAGE_CROWDED << index->bits;
}

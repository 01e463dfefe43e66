/* SPDX-License-Identifier: MIT */
#include "map_writer/map_image.h"

#include <errno.h>
#include <string.h>

#include "map_writer/map_hash.h"

#define LINE 64U
#define FILL_PER_BUCKET 6U /* keys to a bucket of NSS_MAP_SLOTS when new */
#define SLACK_SHIFT 4U     /* room for changes: a sixteenth … */
#define SLACK_MIN 8192U    /* … and this */

static uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

uint64_t map_pack_record(uint64_t used, uint64_t size, uint64_t *ret_used)
{
	uint64_t length = round_up(size, NSS_MAP_UNIT);

	if (used % LINE + length > round_up(length, LINE))
		used = round_up(used, LINE);
	if (used % NSS_MAP_BLOCK + length > NSS_MAP_BLOCK)
		used = round_up(used, NSS_MAP_BLOCK);
	*ret_used = used + length;
	return used;
}

uint64_t map_list_capacity(uint64_t bytes, uint64_t count)
{
	bytes += count;
	return round_up(bytes + bytes / 8 + 2 * NSS_MAP_UNIT, NSS_MAP_UNIT);
}

int map_image_layout(const struct map_sizes *sizes, struct nss_map_header *ret)
{
	uint64_t buckets = (sizes->keys + (sizes->keys >> SLACK_SHIFT)) / FILL_PER_BUCKET + 8,
		 index = round_up(buckets * sizeof(struct nss_map_bucket), NSS_MAP_BLOCK),
		 records = round_up(sizes->records + (sizes->records >> SLACK_SHIFT) + SLACK_MIN, NSS_MAP_BLOCK),
		 members = round_up(sizes->members + (sizes->members >> SLACK_SHIFT) + SLACK_MIN, NSS_MAP_BLOCK),
		 body = 2 * index + records + members, sums = NSS_MAP_BLOCK, at = NSS_MAP_BLOCK;
	struct nss_map_header h = {
		.magic = NSS_MAP_MAGIC,
		.version = NSS_MAP_VERSION,
		.block_size = NSS_MAP_BLOCK,
	};

	while (sums / sizeof(uint64_t) < (NSS_MAP_BLOCK + sums + body) / NSS_MAP_BLOCK)
		sums += NSS_MAP_BLOCK;
	h.size = NSS_MAP_BLOCK + sums + body;
	if (h.size > NSS_MAP_SIZE_MAX)
		return -EFBIG;
	h.sections[NSS_MAP_SUMS].size = sums;
	h.sections[NSS_MAP_NAMES].size = index;
	h.sections[NSS_MAP_IDS].size = index;
	h.sections[NSS_MAP_RECORDS].size = records;
	h.sections[NSS_MAP_MEMBERS].size = members;
	for (unsigned i = 0; i < NSS_MAP_SECTIONS; i++) {
		h.sections[i].offset = at;
		at += h.sections[i].size;
	}
	*ret = h;
	return 0;
}

static void attach(struct map_image *image, void *base)
{
	struct nss_map_header *h = base;
	uint8_t *bytes = base;

	*image = (struct map_image){
		.base = bytes,
		.size = h->size,
		.header = h,
		.sums = (uint64_t *)(void *)(bytes + h->sections[NSS_MAP_SUMS].offset),
		.names = (struct nss_map_bucket *)(void *)(bytes + h->sections[NSS_MAP_NAMES].offset),
		.name_buckets = h->sections[NSS_MAP_NAMES].size / sizeof(struct nss_map_bucket),
		.ids = (struct nss_map_bucket *)(void *)(bytes + h->sections[NSS_MAP_IDS].offset),
		.id_buckets = h->sections[NSS_MAP_IDS].size / sizeof(struct nss_map_bucket),
		.records = bytes + h->sections[NSS_MAP_RECORDS].offset,
		.members = bytes + h->sections[NSS_MAP_MEMBERS].offset,
	};
}

void map_image_start(struct map_image *image, void *base, const struct nss_map_header *header)
{
	memcpy(base, header, sizeof(*header));
	attach(image, base);
}

int map_image_resume(struct map_image *image, void *base, uint64_t size)
{
	const struct nss_map_header *h = base;

	/* Our own file, which nobody else can write: enough to know that it is one. */
	if (size < sizeof(*h) || h->magic != NSS_MAP_MAGIC || h->version != NSS_MAP_VERSION || h->size != size)
		return -EINVAL;
	attach(image, base);
	image->dirty = calloc(size / NSS_MAP_BLOCK, 1);
	return image->dirty ? 0 : -ENOMEM;
}

void map_image_finish(struct map_image *image)
{
	free(image->dirty);
	*image = (struct map_image){0};
}

void map_image_touch(struct map_image *image, const void *at, uint64_t size)
{
	uint64_t offset = (uint64_t)((const uint8_t *)at - image->base);

	if (!image->dirty || size == 0)
		return;
	for (uint64_t block = offset / NSS_MAP_BLOCK; block <= (offset + size - 1) / NSS_MAP_BLOCK; block++)
		image->dirty[block] = 1;
}

void map_image_seal(struct map_image *image, uint64_t generation)
{
	struct nss_map_header *h = image->header;
	uint64_t first = h->sections[NSS_MAP_NAMES].offset / NSS_MAP_BLOCK;

	for (uint64_t block = first; block < image->size / NSS_MAP_BLOCK; block++)
		if (!image->dirty || image->dirty[block])
			image->sums[block] = map_writer_sum(image->base + block * NSS_MAP_BLOCK, NSS_MAP_BLOCK, block);
	h->generation = generation;
	h->sums_check = map_writer_sum(image->sums, h->sections[NSS_MAP_SUMS].size, 0);
	h->header_check = 0;
	h->header_check = map_writer_sum(h, NSS_MAP_HEADER_SEALED, 0);
}

struct nss_map_record *map_image_record(const struct map_image *image, uint32_t position)
{
	return (struct nss_map_record *)(void *)(image->records + (uint64_t)position * NSS_MAP_UNIT);
}

const char *map_image_name(const struct nss_map_record *record)
{
	return (const char *)record + NSS_MAP_UNIT; /* after the head of either kind */
}

struct nss_map_group_tail *map_image_tail(struct nss_map_record *record)
{
	return (struct nss_map_group_tail *)(void *)((uint8_t *)record + (size_t)(record->units - 1) * NSS_MAP_UNIT);
}

/* Walkers go from record to record: room that is skipped becomes a hole. */
static void fill_gap(struct map_image *image, uint64_t from, uint64_t to)
{
	struct nss_map_record *hole = map_image_record(image, (uint32_t)(from / NSS_MAP_UNIT));

	if (from == to)
		return;
	*hole = (struct nss_map_record){.kind = NSS_MAP_HOLE, .units = (uint16_t)((to - from) / NSS_MAP_UNIT)};
	map_image_touch(image, hole, sizeof(*hole));
}

int map_image_add_record(struct map_image *image, uint64_t size, uint32_t *ret_position)
{
	uint64_t used = image->header->records_used, at, end, block_end = round_up(used, NSS_MAP_BLOCK);
	struct nss_map_record *record;

	at = map_pack_record(used, size, &end);
	if (end > image->header->sections[NSS_MAP_RECORDS].size)
		return -EXFULL;
	/* Blocks start with a record: a gap over a block's end is a hole up to there. */
	if (at > block_end)
		return -EFBIG;
	fill_gap(image, used, at);
	record = map_image_record(image, (uint32_t)(at / NSS_MAP_UNIT));
	memset(record, 0, end - at);
	record->units = (uint16_t)((end - at) / NSS_MAP_UNIT);
	map_image_touch(image, record, end - at);
	image->header->records_used = end;
	*ret_position = (uint32_t)(at / NSS_MAP_UNIT);
	return 0;
}

void map_image_drop_record(struct map_image *image, uint32_t position)
{
	struct nss_map_record *record = map_image_record(image, position);
	uint16_t units = record->units;

	memset(record, 0, (size_t)units * NSS_MAP_UNIT); /* names that are gone are gone */
	record->units = units;
	map_image_touch(image, record, (uint64_t)units * NSS_MAP_UNIT);
}

static uint64_t first_bucket(uint64_t hash, uint64_t count)
{
	return ((uint32_t)hash * count) >> 32;
}

static uint16_t tag_of(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return tag ? tag : 1;
}

/* What a record is looked up by in one of the two indices. */
struct key {
	uint64_t hash;
	const char *name; /* NULL: the id */
	size_t length;
	uint32_t id;
};

static struct key name_key(const struct map_image *image, const char *name, size_t length)
{
	return (struct key){map_writer_hash_name(image->header->seed, name, length), name, length, 0};
}

static struct key id_key(const struct map_image *image, uint32_t id)
{
	return (struct key){map_writer_hash_id(image->header->seed, id), NULL, 0, id};
}

static bool is_key(const struct map_image *image, const struct key *key, uint32_t position)
{
	const struct nss_map_record *record = map_image_record(image, position);

	if (!key->name)
		return record->id == key->id;
	return record->name_length == key->length && memcmp(map_image_name(record), key->name, key->length) == 0;
}

/* Where the key's record is: bucket and slot. -ENOENT. */
static int find_slot(const struct map_image *image, struct nss_map_bucket *buckets, uint64_t count,
		     const struct key *key, struct nss_map_bucket **ret_bucket, unsigned *ret_slot)
{
	uint64_t at = first_bucket(key->hash, count);
	uint16_t tag = tag_of(key->hash);

	for (unsigned probe = 0; probe < NSS_MAP_PROBES_MAX; probe++, at = at + 1 < count ? at + 1 : 0) {
		struct nss_map_bucket *bucket = &buckets[at];

		for (unsigned i = 0; i < NSS_MAP_SLOTS; i++)
			if (bucket->tags[i] == tag && is_key(image, key, bucket->records[i])) {
				*ret_bucket = bucket;
				*ret_slot = i;
				return 0;
			}
		if (!bucket->overflow)
			return -ENOENT;
	}
	return -ENOENT;
}

/* The buckets from the key's first to `last` have one key more, or one less, that passed by. */
static void count_passing(struct map_image *image, struct nss_map_bucket *buckets, uint64_t count, uint64_t hash,
			  const struct nss_map_bucket *last, int by)
{
	for (uint64_t at = first_bucket(hash, count); &buckets[at] != last; at = at + 1 < count ? at + 1 : 0) {
		buckets[at].overflow = (uint16_t)(buckets[at].overflow + by);
		map_image_touch(image, &buckets[at], sizeof(buckets[at]));
	}
}

static int insert(struct map_image *image, struct nss_map_bucket *buckets, uint64_t count, const struct key *key,
		  uint32_t position)
{
	uint64_t at = first_bucket(key->hash, count);
	struct nss_map_bucket *bucket;
	unsigned slot;

	if (find_slot(image, buckets, count, key, &bucket, &slot) == 0)
		return -EEXIST;
	for (unsigned probe = 0; probe < NSS_MAP_PROBES_MAX; probe++, at = at + 1 < count ? at + 1 : 0) {
		bucket = &buckets[at];
		for (slot = 0; slot < NSS_MAP_SLOTS; slot++)
			if (!bucket->tags[slot]) {
				bucket->tags[slot] = tag_of(key->hash);
				bucket->records[slot] = position;
				map_image_touch(image, bucket, sizeof(*bucket));
				count_passing(image, buckets, count, key->hash, bucket, 1);
				return 0;
			}
		if (bucket->overflow == UINT16_MAX)
			return -EXFULL;
	}
	return -EXFULL;
}

static void take_out(struct map_image *image, struct nss_map_bucket *buckets, uint64_t count, const struct key *key)
{
	struct nss_map_bucket *bucket;
	unsigned slot;

	if (find_slot(image, buckets, count, key, &bucket, &slot) < 0)
		return;
	bucket->tags[slot] = 0;
	bucket->records[slot] = 0;
	map_image_touch(image, bucket, sizeof(*bucket));
	count_passing(image, buckets, count, key->hash, bucket, -1);
}

int map_image_enter(struct map_image *image, uint32_t position)
{
	const struct nss_map_record *record = map_image_record(image, position);
	struct key name = name_key(image, map_image_name(record), record->name_length), id = id_key(image, record->id);
	int r;

	r = insert(image, image->names, image->name_buckets, &name, position);
	if (r < 0)
		return r;
	r = insert(image, image->ids, image->id_buckets, &id, position);
	if (r < 0)
		take_out(image, image->names, image->name_buckets, &name);
	return r;
}

void map_image_leave(struct map_image *image, uint32_t position)
{
	const struct nss_map_record *record = map_image_record(image, position);
	struct key name = name_key(image, map_image_name(record), record->name_length), id = id_key(image, record->id);

	take_out(image, image->names, image->name_buckets, &name);
	take_out(image, image->ids, image->id_buckets, &id);
}

int map_image_find_name(const struct map_image *image, const char *name, uint32_t *ret_position)
{
	size_t length = strnlen(name, NSS_MAP_NAME_MAX + 1);
	struct nss_map_bucket *bucket;
	struct key key;
	unsigned slot;

	if (length == 0 || length > NSS_MAP_NAME_MAX)
		return -ENOENT;
	key = name_key(image, name, length);
	if (find_slot(image, image->names, image->name_buckets, &key, &bucket, &slot) < 0)
		return -ENOENT;
	*ret_position = bucket->records[slot];
	return 0;
}

int map_image_find_id(const struct map_image *image, uint32_t id, uint32_t *ret_position)
{
	struct key key = id_key(image, id);
	struct nss_map_bucket *bucket;
	unsigned slot;

	if (find_slot(image, image->ids, image->id_buckets, &key, &bucket, &slot) < 0)
		return -ENOENT;
	*ret_position = bucket->records[slot];
	return 0;
}

int map_image_add_list(struct map_image *image, uint64_t capacity, uint32_t *ret_position)
{
	uint64_t used = image->header->members_used, length = round_up(capacity, NSS_MAP_UNIT);

	if (length > image->header->sections[NSS_MAP_MEMBERS].size - used)
		return -EXFULL;
	image->header->members_used = used + length;
	*ret_position = (uint32_t)(used / NSS_MAP_UNIT);
	return 0;
}

char *map_image_list(const struct map_image *image, uint32_t position)
{
	return (char *)image->members + (uint64_t)position * NSS_MAP_UNIT;
}

char *map_image_letters(const struct map_image *image, uint32_t position, uint64_t capacity)
{
	return map_image_list(image, position) + capacity - 1;
}

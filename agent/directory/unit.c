/* SPDX-License-Identifier: MIT
 *
 * See unit.h. Record arrays are plain malloc'd blocks (grown by doubling, cut to size at the end), so
 * large ones are mappings of their own that go back to the kernel whole.
 */
#include "directory/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define CHUNK_MIN (4U * 1024)
#define FEED_CHUNK_MIN 1024U /* a feed has thousands of units */
#define SECRET_CHUNK_MIN 256U
#define CHUNK_MAX (4U * 1024 * 1024)
#define CHUNK_SHARE 8 /* a new chunk is this part of what there is already */

int pool_reserve(struct string_pool *pool, size_t size, char **ret)
{
	struct pool_chunk *chunks = reallocarray(pool->chunks, pool->count + 1, sizeof(*chunks));
	char *data;

	if (!chunks)
		return -ENOMEM;
	pool->chunks = chunks;
	data = malloc(size ? size : 1);
	if (!data)
		return -ENOMEM;
	chunks[pool->count++] = (struct pool_chunk){.data = data, .used = size, .size = size};
	pool->total += size;
	*ret = data;
	return 0;
}

static struct pool_chunk *add_chunk(struct string_pool *pool, size_t least)
{
	size_t size = pool->total / CHUNK_SHARE, min = pool->chunk_min ? pool->chunk_min : CHUNK_MIN;
	struct pool_chunk *chunk;
	char *data;

	size = MAX_OF(MIN_OF(MAX_OF(size, min), (size_t)CHUNK_MAX), least);
	if (pool_reserve(pool, size, &data) < 0)
		return NULL;
	pool->total -= size;
	chunk = &pool->chunks[pool->count - 1];
	chunk->used = 0;
	return chunk;
}

const char *pool_add(struct string_pool *pool, const char *text, size_t length)
{
	struct pool_chunk *last = pool->count ? &pool->chunks[pool->count - 1] : NULL;
	char *copy;

	if (length == 0)
		return "";
	if (!last || last->size - last->used <= length) {
		last = add_chunk(pool, length + 1);
		if (!last)
			return NULL;
	}
	copy = last->data + last->used;
	memcpy(copy, text, length);
	copy[length] = '\0';
	last->used += length + 1;
	pool->total += length + 1;
	return copy;
}

void *pool_room(struct string_pool *pool, size_t size)
{
	struct pool_chunk *last = pool->count ? &pool->chunks[pool->count - 1] : NULL;
	size_t at = last ? (last->used + 7) & ~(size_t)7 : 0;

	if (!last || last->size < at || last->size - at < size) {
		last = add_chunk(pool, size);
		at = 0;
		if (!last)
			return NULL;
	}
	memset(last->data + at, 0, size);
	pool->total += at + size - last->used;
	last->used = at + size;
	return last->data + at;
}

void pool_finish(struct string_pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++) {
		if (pool->secret)
			secret_wipe(pool->chunks[i].data, pool->chunks[i].used);
		free(pool->chunks[i].data);
	}
	free(pool->chunks);
	*pool = (struct string_pool){0};
}

int unit_new(const char *name, struct unit **ret)
{
	struct unit *unit = calloc(1, sizeof(*unit));

	if (!unit)
		return -ENOMEM;
	atomic_init(&unit->references, 1);
	arena_init(&unit->arena);
	unit->name = strdup(name);
	if (!unit->name) {
		unit_unref(unit);
		return -ENOMEM;
	}
	*ret = unit;
	return 0;
}

int unit_new_of_feed(const char *name, const char *tenant_id, struct unit **ret)
{
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	int r = unit_new(name, &unit);

	if (r < 0)
		return r;
	unit->pool.chunk_min = FEED_CHUNK_MIN;
	unit->tenant_id = strdup(tenant_id);
	if (!unit->tenant_id)
		return -ENOMEM;
	*ret = TAKE_PTR(unit);
	return 0;
}

struct unit *unit_ref(struct unit *unit)
{
	atomic_fetch_add_explicit(&unit->references, 1, memory_order_relaxed);
	return unit;
}

void unit_unref(struct unit *unit)
{
	if (!unit || atomic_fetch_sub_explicit(&unit->references, 1, memory_order_acq_rel) != 1)
		return;
	free(unit->records.tenants);
	free(unit->records.projects);
	free(unit->records.users);
	free(unit->records.members);
	free(unit->records.keys);
	free(unit->records.hosts);
	free(unit->records.token_keys);
	free(unit->records.revocations);
	free(unit->records.idps);
	free(unit->records.grants);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		free(unit->places[kind]);
		free(unit->versions[kind]);
	}
	pool_finish(&unit->pool);
	if (unit->secrets)
		pool_finish(unit->secrets);
	free(unit->secrets);
	arena_finish(&unit->arena);
	free(unit->name);
	free(unit->tenant_id);
	free(unit);
}

const char *unit_keep_secret(struct unit *unit, const char *text, size_t length)
{
	if (!unit->secrets) {
		unit->secrets = calloc(1, sizeof(*unit->secrets));
		if (!unit->secrets)
			return NULL;
		unit->secrets->chunk_min = SECRET_CHUNK_MIN;
		unit->secrets->secret = true;
	}
	return pool_add(unit->secrets, text, length);
}

const struct record_set *unit_records(const struct unit *unit)
{
	return &unit->records;
}

const char *unit_name(const struct unit *unit)
{
	return unit->name;
}

const char *unit_source(const struct unit *unit)
{
	return unit->tenant_id;
}

#define OF_KIND(text, type, member)                                                                           \
	{                                                                                                     \
		.name = (text), .size = sizeof(struct type), .array = offsetof(struct record_set, member##s), \
		.count = offsetof(struct record_set, member##_count)                                          \
	}
static const struct {
	const char *name;
	size_t size, array, count; /* array, count: where they stand in struct record_set */
} kinds[RECORD_KIND_COUNT] = {
	[RECORD_TENANT] = OF_KIND("tenant", tenant_record, tenant),
	[RECORD_PROJECT] = OF_KIND("project", project_record, project),
	[RECORD_USER] = OF_KIND("user", user_record, user),
	[RECORD_MEMBER] = OF_KIND("membership", member_record, member),
	[RECORD_KEY] = OF_KIND("key", key_record, key),
	[RECORD_HOST] = OF_KIND("host", host_record, host),
	[RECORD_TOKEN_KEY] = OF_KIND("token key", token_key_record, token_key),
	[RECORD_REVOCATION] = OF_KIND("revocation", revocation_record, revocation),
	[RECORD_IDP] = OF_KIND("provider", idp_record, idp),
	[RECORD_GRANT] = OF_KIND("grant", grant_record, grant),
};

bool record_kind_of_files(enum record_kind kind)
{
	return kind != RECORD_TOKEN_KEY && kind != RECORD_REVOCATION;
}

size_t record_size(enum record_kind kind)
{
	return kinds[kind].size;
}

const char *record_kind_name(enum record_kind kind)
{
	return kinds[kind].name;
}

/* The array of a kind and its count, as one generic view on struct record_set. */
static void *get_array(const struct record_set *records, enum record_kind kind, uint32_t *ret_count)
{
	void *array;

	memcpy(&array, (const char *)records + kinds[kind].array, sizeof(array));
	memcpy(ret_count, (const char *)records + kinds[kind].count, sizeof(*ret_count));
	return array;
}

static void set_array(struct record_set *records, enum record_kind kind, void *array, uint32_t count)
{
	memcpy((char *)records + kinds[kind].array, &array, sizeof(array));
	memcpy((char *)records + kinds[kind].count, &count, sizeof(count));
}

uint32_t records_count(const struct record_set *records, enum record_kind kind)
{
	uint32_t count;

	get_array(records, kind, &count);
	return count;
}

const void *records_at(const struct record_set *records, enum record_kind kind, uint32_t index)
{
	uint32_t count;

	return (const char *)get_array(records, kind, &count) + (size_t)index * kinds[kind].size;
}

int unit_reserve(struct unit *unit, enum record_kind kind, uint32_t count)
{
	uint32_t used;
	void *array = get_array(&unit->records, kind, &used), *grown;
	struct place *places;
	uint64_t *versions;

	if (count < used || count == 0)
		return 0;
	grown = reallocarray(array, count, kinds[kind].size);
	if (!grown)
		return -ENOMEM;
	set_array(&unit->records, kind, grown, used);
	if (unit->tenant_id) {
		versions = reallocarray(unit->versions[kind], count, sizeof(*versions));
		if (!versions)
			return -ENOMEM;
		unit->versions[kind] = versions;
	} else {
		places = reallocarray(unit->places[kind], count, sizeof(*places));
		if (!places)
			return -ENOMEM;
		unit->places[kind] = places;
	}
	unit->capacity[kind] = count;
	return 0;
}

int unit_append(struct unit *unit, enum record_kind kind, const void *record, struct place place)
{
	uint32_t used = records_count(&unit->records, kind);
	void *array;

	if (used == unit->capacity[kind]) {
		/* All of a feed's small units grow at once: what they have to spare counts thousands of times. */
		uint32_t more = unit->tenant_id ? used / 8 + 2 : MAX_OF(used, 4U);
		int r = used > UINT32_MAX - more ? -EOVERFLOW : unit_reserve(unit, kind, used + more);

		if (r < 0)
			return r;
	}
	array = get_array(&unit->records, kind, &used);
	memcpy((char *)array + (size_t)used * kinds[kind].size, record, kinds[kind].size);
	if (unit->places[kind])
		unit->places[kind][used] = place;
	set_array(&unit->records, kind, array, used + 1);
	return 0;
}

void unit_remove(struct unit *unit, enum record_kind kind, uint32_t index)
{
	uint32_t used;
	char *array = get_array(&unit->records, kind, &used);
	size_t size = kinds[kind].size, after = used - index - 1;

	memmove(array + index * size, array + (index + 1) * size, after * size);
	if (unit->places[kind])
		memmove(&unit->places[kind][index], &unit->places[kind][index + 1], after * sizeof(struct place));
	if (unit->versions[kind])
		memmove(&unit->versions[kind][index], &unit->versions[kind][index + 1], after * sizeof(uint64_t));
	set_array(&unit->records, kind, array, used - 1);
}

void unit_finish(struct unit *unit)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		uint32_t used = records_count(&unit->records, kind);

		/* Shrinking; should it fail all the same, what there was stays valid. */
		if (used > 0 && used < unit->capacity[kind])
			(void)unit_reserve(unit, kind, used);
	}
}

struct place unit_place(const struct unit *unit, enum record_kind kind, uint32_t index)
{
	return unit->places[kind] ? unit->places[kind][index] : (struct place){0};
}

int intern_init(struct intern *intern, struct string_pool *pool)
{
	*intern = (struct intern){.pool = pool};
	return hash_index_init(&intern->index, 64);
}

void intern_finish(struct intern *intern)
{
	free(intern->items);
	hash_index_finish(&intern->index);
	*intern = (struct intern){0};
}

const char *intern_text(struct intern *intern, const char *text, size_t length)
{
	uint64_t hash = hash_bytes(text, length);
	uint32_t cursor = 0, found;
	const char *copy;

	if (length == 0)
		return "";
	while (hash_index_next(&intern->index, hash, &cursor, &found))
		if (strncmp(intern->items[found], text, length) == 0 && intern->items[found][length] == '\0')
			return intern->items[found];
	if (intern->count == intern->capacity) {
		uint32_t capacity = intern->capacity ? intern->capacity * 2 : 64;
		const char **items = reallocarray(intern->items, capacity, sizeof(*items));

		if (!items)
			return NULL;
		intern->items = items;
		intern->capacity = capacity;
	}
	copy = pool_add(intern->pool, text, length);
	if (!copy || hash_index_put(&intern->index, hash, intern->count) < 0)
		return NULL;
	intern->items[intern->count++] = copy;
	return copy;
}

/* SPDX-License-Identifier: MIT */
#include "map_writer/map_build.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/secret.h"

#define SEED_TRIES 8 /* layouts tried when an index overflows; each needs some luck */

/* What goes into the list of a family. */
struct tally {
	uint32_t gid;
	uint32_t levels;
	uint32_t count[STANDING_COUNT]; /* with exactly this standing */
	uint64_t bytes[STANDING_COUNT];
	uint64_t cursor[STANDING_COUNT]; /* where the next one is written */
	uint32_t number[STANDING_COUNT]; /* … and which one of the list it is */
	uint32_t list;
	uint64_t capacity;
};
struct tallies {
	struct tally *items;
	uint32_t count;
	struct hash_index by_gid;
};

/* What pass 1 found out about the groups of each person, for pass 2: how many, and for each the number of its
 * tally and the standing. */
struct memberships {
	uint32_t *items;
	size_t count, capacity;
};
#define STANDING_BITS 3
static_assert(STANDING_COUNT <= 1U << STANDING_BITS, "standings fit");

static void memberships_finish(struct memberships *memberships)
{
	free(memberships->items);
}

static int memberships_add(struct memberships *memberships, uint32_t value)
{
	if (memberships->count == memberships->capacity) {
		size_t capacity = memberships->capacity + memberships->capacity / 2 + 1024;
		uint32_t *grown = reallocarray(memberships->items, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memberships->items = grown;
		memberships->capacity = capacity;
	}
	memberships->items[memberships->count++] = value;
	return 0;
}

static void tallies_finish(struct tallies *tallies)
{
	free(tallies->items);
	hash_index_finish(&tallies->by_gid);
}

static struct tally *find_tally(const struct tallies *tallies, uint32_t gid)
{
	uint32_t cursor = 0, found;

	while (hash_index_next(&tallies->by_gid, hash_u32(gid), &cursor, &found))
		if (tallies->items[found].gid == gid)
			return &tallies->items[found];
	return NULL;
}

static int tallies_init(struct tallies *ret, const struct directory *d)
{
	struct directory_counts counts = directory_counts(d);
	size_t most = (size_t)counts.tenants + counts.projects + HOST_FAMILIES;
	struct map_family_cursor cursor = {0};
	struct map_family family;
	int r;

	r = hash_index_init(&ret->by_gid, most);
	if (r < 0)
		return r;
	ret->items = calloc(most, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	while (map_next_family(d, &cursor, &family)) {
		if (ret->count == most)
			return -EINVAL;
		ret->items[ret->count] = (struct tally){.gid = family.gid, .levels = family.levels};
		r = hash_index_put(&ret->by_gid, hash_u32(family.gid), ret->count++);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The family of a run, and a standing that it has; NULL: the directory contradicts itself. */
static struct tally *tally_of(const struct tallies *tallies, nss_map_run run, uint32_t *ret_standing)
{
	struct tally *tally = find_tally(tallies, map_run_gid(run));

	*ret_standing = map_run_level(run);
	if (tally)
		return *ret_standing < tally->levels ? tally : NULL;
	tally = find_tally(tallies, map_run_gid(run) - GROUP_LEVEL_VIEWER);
	*ret_standing = STANDING_OPERATOR;
	return tally && tally->levels == GROUP_LEVEL_COUNT && run == map_standing_run(tally->gid, STANDING_OPERATOR)
		       ? tally
		       : NULL;
}

static uint64_t group_size(const struct map_family *family, uint32_t level)
{
	char name[NSS_MAP_NAME_MAX + 1];

	uint64_t head = sizeof(struct nss_map_group) + strlen(map_family_name(family, level, name)) + 1;

	return (head + NSS_MAP_UNIT - 1) / NSS_MAP_UNIT * NSS_MAP_UNIT + sizeof(struct nss_map_group_tail);
}

/* Pass 1. Records are packed in the same order as in pass 2: groups, then people. */
static int count_all(const struct directory *d, const struct map_options *options, struct map_person *person,
		     struct tallies *tallies, struct memberships *memberships, struct map_sizes *ret)
{
	struct map_family_cursor families = {0};
	struct map_sizes sizes = {0};
	const struct user_record *user;
	struct map_family family;
	uint32_t cursor = 0;
	int r;

	while (map_next_family(d, &families, &family))
		for (uint32_t level = 0; level < family.levels; level++, sizes.keys++)
			map_pack_record(sizes.records, group_size(&family, level), &sizes.records);
	while ((user = directory_next_user(d, &cursor))) {
		r = map_person_fill(person, d, options, user);
		if (r < 0)
			return r;
		map_pack_record(sizes.records, map_person_size(person), &sizes.records);
		sizes.keys++;
		r = memberships_add(memberships, person->run_count);
		for (uint32_t i = 0; r == 0 && i < person->run_count; i++) {
			uint32_t standing;
			struct tally *tally = tally_of(tallies, person->runs[i], &standing);

			if (!tally)
				return -EINVAL;
			tally->count[standing]++;
			tally->bytes[standing] += person->login_length + 1U;
			r = memberships_add(memberships,
					    (uint32_t)(tally - tallies->items) << STANDING_BITS | standing);
		}
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < tallies->count; i++) {
		uint64_t bytes = 0, count = 0;

		for (uint32_t standing = 0; standing < STANDING_COUNT; standing++) {
			bytes += tallies->items[i].bytes[standing];
			count += tallies->items[i].count[standing];
		}
		sizes.members += map_list_capacity(bytes, count);
	}
	*ret = sizes;
	return 0;
}

/* The family's list and its groups. */
static int write_family(struct map_image *image, const struct map_family *family, struct tally *tally)
{
	uint64_t bytes = 0;
	uint32_t members = 0;
	int r;

	for (uint32_t standing = STANDING_COUNT; standing-- > 0;) { /* operators, then the highest role */
		tally->cursor[standing] = bytes;
		tally->number[standing] = members;
		bytes += tally->bytes[standing];
		members += tally->count[standing];
	}
	if (bytes > UINT32_MAX || tally->count[STANDING_OPERATOR] > NSS_MAP_SKIP_MAX)
		return -EFBIG;
	tally->capacity = map_list_capacity(bytes, members);
	r = map_image_add_list(image, tally->capacity, &tally->list);
	if (r < 0)
		return r;
	bytes = 0;
	members = 0;
	for (uint32_t level = family->levels; level-- > 0;) {
		bool skips = !map_standing_in(STANDING_OPERATOR, level);
		char name[NSS_MAP_NAME_MAX + 1];
		struct nss_map_group *group;
		uint32_t position;
		size_t length;

		bytes += tally->bytes[level];
		members += tally->count[level];
		r = map_image_add_record(image, group_size(family, level), &position);
		if (r < 0)
			return r;
		length = strlen(map_family_name(family, level, name));
		group = (struct nss_map_group *)(void *)map_image_record(image, position);
		group->record.kind = NSS_MAP_GROUP;
		group->record.name_length = (uint8_t)length;
		group->record.id = family->gid + level;
		group->member_count = members + (skips ? 0 : tally->count[STANDING_OPERATOR]);
		group->member_bytes = (uint32_t)(bytes + (skips ? 0 : tally->bytes[STANDING_OPERATOR]));
		*map_image_tail(&group->record) = (struct nss_map_group_tail){
			.skip_count = htobe32(skips ? tally->count[STANDING_OPERATOR] : 0),
			.skip_bytes = skips ? (uint32_t)tally->bytes[STANDING_OPERATOR] : 0,
			.list = tally->list,
			.list_capacity = (uint32_t)(tally->capacity / NSS_MAP_UNIT),
		};
		memcpy(group + 1, name, length + 1);
		r = map_image_enter(image, position);
		if (r < 0)
			return r;
		image->header->group_count++;
	}
	return 0;
}

/* `groups` are the person's memberships. */
static int write_person(struct map_image *image, struct map_person *person, struct tallies *tallies,
			const uint32_t *groups, uint32_t group_count)
{
	uint32_t position;
	int r;

	for (uint32_t i = 0; i < group_count; i++) {
		struct tally *tally = &tallies->items[groups[i] >> STANDING_BITS];
		uint32_t standing = groups[i] & ((1U << STANDING_BITS) - 1);

		person->runs[person->run_count++] = map_standing_run(tally->gid, standing);
		memcpy(map_image_list(image, tally->list) + tally->cursor[standing], person->user->login,
		       person->login_length + 1U);
		tally->cursor[standing] += person->login_length + 1U;
		*(map_image_letters(image, tally->list, tally->capacity) - tally->number[standing]++) =
			(char)NSS_MAP_LENGTH_LETTER(person->login_length);
	}
	r = map_image_add_record(image, map_person_size(person), &position);
	if (r < 0)
		return r;
	map_person_write(person, map_image_record(image, position));
	image->header->person_count++;
	return map_image_enter(image, position);
}

/* Pass 2. */
static int write_all(struct map_image *image, const struct directory *d, struct map_person *person,
		     struct tallies *tallies, const struct memberships *memberships)
{
	struct map_family_cursor families = {0};
	const struct user_record *user;
	struct map_family family;
	uint32_t cursor = 0;
	size_t at = 0;
	int r;

	while (map_next_family(d, &families, &family)) {
		r = write_family(image, &family, find_tally(tallies, family.gid));
		if (r < 0)
			return r;
	}
	while ((user = directory_next_user(d, &cursor))) {
		uint32_t count = memberships->items[at];

		map_person_fill_texts(person, user);
		r = write_person(image, person, tallies, memberships->items + at + 1, count);
		if (r < 0)
			return r;
		at += 1 + count;
	}
	return 0;
}

static int build_once(const char *path, const struct directory *d, const struct map_options *options,
		      uint64_t generation, struct map_person *person, struct tallies *tallies,
		      const struct memberships *memberships, const struct map_sizes *sizes, struct map_file *ret_file)
{
	struct map_file file = MAP_FILE_INIT;
	struct nss_map_header header;
	struct map_image image;
	int r;

	r = map_image_layout(sizes, &header);
	if (r < 0)
		return r;
	header.flags = (options->enumerate ? NSS_MAP_ENUMERATE : 0) | (options->subids ? NSS_MAP_SUBIDS : 0);
	header.not_after = options->not_after;
	r = random_bytes(&header.seed, sizeof(header.seed));
	if (r < 0)
		return r;
	r = map_file_create(path, header.size, &file);
	if (r < 0)
		return r;
	map_image_start(&image, file.base, &header);
	r = write_all(&image, d, person, tallies, memberships);
	if (r == 0)
		map_image_seal(&image, generation);
	map_image_finish(&image);
	if (r < 0)
		map_file_discard(path, &file);
	else
		*ret_file = file;
	return r;
}

int map_build(const char *path, const struct directory *d, const struct map_options *options, uint64_t generation,
	      struct map_person *person, struct map_file *ret_file)
{
	_cleanup_(tallies_finish) struct tallies tallies = {0};
	_cleanup_(memberships_finish) struct memberships memberships = {0};
	struct map_sizes sizes;
	int r;

	r = tallies_init(&tallies, d);
	if (r < 0)
		return r;
	r = count_all(d, options, person, &tallies, &memberships, &sizes);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < SEED_TRIES; i++) {
		r = build_once(path, d, options, generation, person, &tallies, &memberships, &sizes, ret_file);
		if (r != -EXFULL)
			return r;
		sizes.keys += sizes.keys / 8;
	}
	return r;
}

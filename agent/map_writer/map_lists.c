/* SPDX-License-Identifier: MIT */
#include "map_writer/map_lists.h"

#include <errno.h>
#include <string.h>

#define FAMILY_MAX (NSS_MAP_RUN_LAST + 1)

struct family {
	struct nss_map_group *groups[FAMILY_MAX];
	struct nss_map_group_tail *tails[FAMILY_MAX];
	uint32_t count;
};

static int get_family(const struct map_image *image, uint32_t gid, uint32_t level, struct family *ret)
{
	ret->count = 0;
	while (ret->count < FAMILY_MAX) {
		struct nss_map_record *record;
		struct nss_map_group_tail *tail;
		uint32_t position;

		if (map_image_find_id(image, gid + ret->count, &position) < 0)
			break;
		record = map_image_record(image, position);
		if (record->kind != NSS_MAP_GROUP)
			break;
		tail = map_image_tail(record);
		if (ret->count && tail->list != ret->tails[0]->list)
			break;
		ret->groups[ret->count] = (struct nss_map_group *)(void *)record;
		ret->tails[ret->count++] = tail;
	}
	return ret->count > level ? 0 : -ENOENT;
}

static void count_member(struct map_image *image, const struct family *family, uint32_t level, int32_t members,
			 int64_t bytes)
{
	for (uint32_t i = 0; i <= level; i++) {
		struct nss_map_group *group = family->groups[i];

		group->member_count = (uint32_t)((int64_t)group->member_count + members);
		group->member_bytes = (uint32_t)((int64_t)group->member_bytes + bytes);
		map_image_touch(image, group, sizeof(*group));
	}
}

static uint64_t capacity_of(const struct family *family)
{
	return (uint64_t)family->tails[0]->list_capacity * NSS_MAP_UNIT;
}

/* Where the letter of the list's name number `number` is. */
static char *letter_of(const struct map_image *image, const struct family *family, uint32_t number)
{
	return map_image_letters(image, family->tails[0]->list, capacity_of(family)) - number;
}

/* A larger place for the family's list. The old one stays unused until the map is made anew. */
static int move_list(struct map_image *image, const struct family *family, uint64_t bytes, uint32_t count)
{
	uint64_t capacity = map_list_capacity(bytes, count);
	uint32_t position, members = family->groups[0]->member_count;
	char *list, *letters;
	int r;

	r = map_image_add_list(image, capacity, &position);
	if (r < 0)
		return r;
	list = map_image_list(image, position);
	letters = map_image_letters(image, position, capacity);
	memcpy(list, map_image_list(image, family->tails[0]->list), family->groups[0]->member_bytes);
	if (members)
		memcpy(letters - (members - 1), letter_of(image, family, members - 1), members);
	map_image_touch(image, list, capacity);
	for (uint32_t i = 0; i < family->count; i++) {
		family->tails[i]->list = position;
		family->tails[i]->list_capacity = (uint32_t)(capacity / NSS_MAP_UNIT);
		map_image_touch(image, family->tails[i], sizeof(*family->tails[i]));
	}
	return 0;
}

int map_list_add(struct map_image *image, uint32_t gid, uint32_t level, const char *name)
{
	size_t size = strlen(name) + 1;
	struct family family;
	uint32_t bytes, count, at, number;
	char *list, *last;
	int r;

	r = get_family(image, gid, level, &family);
	if (r < 0)
		return r;
	bytes = family.groups[0]->member_bytes;
	count = family.groups[0]->member_count;
	if (bytes + size + count + 1 > capacity_of(&family)) {
		r = move_list(image, &family, bytes + size, count + 1);
		if (r < 0)
			return r;
	}
	/* Behind the last one of its own role. */
	list = map_image_list(image, family.tails[0]->list);
	at = family.groups[level]->member_bytes;
	number = family.groups[level]->member_count;
	memmove(list + at + size, list + at, bytes - at);
	memcpy(list + at, name, size);
	map_image_touch(image, list + at, bytes - at + size);
	last = letter_of(image, &family, count);
	memmove(last, last + 1, count - number);
	*letter_of(image, &family, number) = (char)NSS_MAP_LENGTH_LETTER(size - 1);
	map_image_touch(image, last, count - number + 1);
	count_member(image, &family, level, 1, (int64_t)size);
	return 0;
}

/* The name with its NUL between from and to; NULL. */
static char *find_member(char *from, char *to, const char *name, size_t size)
{
	char *at = from;

	while ((at = memmem(at, (size_t)(to - at), name, size))) {
		if (at == from || at[-1] == '\0')
			return at;
		at++;
	}
	return NULL;
}

static uint32_t count_names(const char *from, const char *to)
{
	uint32_t count = 0;

	while (from < to) {
		from += strlen(from) + 1;
		count++;
	}
	return count;
}

int map_list_remove(struct map_image *image, uint32_t gid, uint32_t level, const char *name)
{
	size_t size = strlen(name) + 1;
	struct family family;
	uint32_t bytes, count, number = 0;
	char *list, *from, *at, *last;
	int r;

	r = get_family(image, gid, level, &family);
	if (r < 0)
		return r;
	bytes = family.groups[0]->member_bytes;
	count = family.groups[0]->member_count;
	list = from = map_image_list(image, family.tails[0]->list);
	if (level + 1 < family.count) { /* those with a higher role come before */
		from += family.groups[level + 1]->member_bytes;
		number = family.groups[level + 1]->member_count;
	}
	at = find_member(from, list + family.groups[level]->member_bytes, name, size);
	if (!at)
		return -ENOENT;
	number += count_names(from, at);
	memmove(at, at + size, (size_t)(list + bytes - (at + size)));
	memset(list + bytes - size, 0, size);
	map_image_touch(image, at, (uint64_t)(list + bytes - at));
	last = letter_of(image, &family, count - 1);
	memmove(last + 1, last, count - 1 - number);
	*last = '\0';
	map_image_touch(image, last, count - number);
	count_member(image, &family, level, -1, -(int64_t)size);
	return 0;
}

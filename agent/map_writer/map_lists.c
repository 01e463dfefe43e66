/* SPDX-License-Identifier: MIT */
#include "map_writer/map_lists.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define FAMILY_MAX (NSS_MAP_RUN_LAST + 1)

struct family {
	struct nss_map_group *groups[FAMILY_MAX];
	struct nss_map_group_tail *tails[FAMILY_MAX];
	uint32_t count;
};

/* The groups that share a list, from the one with this gid on. */
static void get_family(const struct map_image *image, uint32_t gid, struct family *ret)
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
}

/* The family of a run, and how it stands there. */
static int find_standing(const struct map_image *image, nss_map_run run, struct family *ret, uint32_t *ret_standing)
{
	uint32_t gid = map_run_gid(run), level = map_run_level(run);

	if (level == 0) { /* the second group of a whole family? */
		get_family(image, gid - GROUP_LEVEL_VIEWER, ret);
		*ret_standing = STANDING_OPERATOR;
		if (ret->count == FAMILY_MAX)
			return 0;
	}
	get_family(image, gid, ret);
	*ret_standing = level;
	return ret->count > level ? 0 : -ENOENT;
}

/* A place in a list: so many bytes and names from its start. */
struct place {
	uint32_t bytes, count;
};

/* Behind the last name of this standing. */
static struct place end_of(const struct family *family, uint32_t standing)
{
	const struct nss_map_group_tail *tail = family->tails[standing == STANDING_OPERATOR ? 0 : standing];
	struct place place = {tail->skip_bytes, be32toh(tail->skip_count)};

	if (standing != STANDING_OPERATOR) {
		place.bytes += family->groups[standing]->member_bytes;
		place.count += family->groups[standing]->member_count;
	}
	return place;
}

/* Of the first name of this standing. */
static struct place start_of(const struct family *family, uint32_t standing)
{
	if (standing == STANDING_OPERATOR)
		return (struct place){0, 0};
	return end_of(family, standing + 1 < family->count ? standing + 1 : STANDING_OPERATOR);
}

/* Of the whole list: everybody but operators is in the first group. */
static struct place end_of_list(const struct family *family)
{
	return end_of(family, GROUP_LEVEL_ALL);
}

static void count_member(struct map_image *image, const struct family *family, uint32_t standing, int32_t members,
			 int64_t bytes)
{
	for (uint32_t i = 0; i < family->count; i++) {
		struct nss_map_group *group = family->groups[i];
		struct nss_map_group_tail *tail = family->tails[i];

		if (map_standing_in(standing, i)) {
			group->member_count = (uint32_t)((int64_t)group->member_count + members);
			group->member_bytes = (uint32_t)((int64_t)group->member_bytes + bytes);
			map_image_touch(image, group, sizeof(*group));
		} else if (standing == STANDING_OPERATOR) {
			tail->skip_count = htobe32((uint32_t)((int64_t)be32toh(tail->skip_count) + members));
			tail->skip_bytes = (uint32_t)((int64_t)tail->skip_bytes + bytes);
			map_image_touch(image, tail, sizeof(*tail));
		}
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
	struct place end = end_of_list(family);
	char *list, *letters;
	uint32_t position;
	int r;

	r = map_image_add_list(image, capacity, &position);
	if (r < 0)
		return r;
	list = map_image_list(image, position);
	letters = map_image_letters(image, position, capacity);
	memcpy(list, map_image_list(image, family->tails[0]->list), end.bytes);
	if (end.count)
		memcpy(letters - (end.count - 1), letter_of(image, family, end.count - 1), end.count);
	map_image_touch(image, list, capacity);
	for (uint32_t i = 0; i < family->count; i++) {
		family->tails[i]->list = position;
		family->tails[i]->list_capacity = (uint32_t)(capacity / NSS_MAP_UNIT);
		map_image_touch(image, family->tails[i], sizeof(*family->tails[i]));
	}
	return 0;
}

int map_list_add(struct map_image *image, nss_map_run run, const char *name)
{
	size_t size = strlen(name) + 1;
	struct place end, at;
	struct family family;
	uint32_t standing;
	char *list, *last;
	int r;

	r = find_standing(image, run, &family, &standing);
	if (r < 0)
		return r;
	end = end_of_list(&family);
	if (standing == STANDING_OPERATOR && end_of(&family, standing).count == NSS_MAP_SKIP_MAX)
		return -EXFULL;
	if (end.bytes + size + end.count + 1 > capacity_of(&family)) {
		r = move_list(image, &family, end.bytes + size, end.count + 1);
		if (r < 0)
			return r;
	}
	/* Behind the last one of its own standing. */
	list = map_image_list(image, family.tails[0]->list);
	at = end_of(&family, standing);
	memmove(list + at.bytes + size, list + at.bytes, end.bytes - at.bytes);
	memcpy(list + at.bytes, name, size);
	map_image_touch(image, list + at.bytes, end.bytes - at.bytes + size);
	last = letter_of(image, &family, end.count);
	memmove(last, last + 1, end.count - at.count);
	*letter_of(image, &family, at.count) = (char)NSS_MAP_LENGTH_LETTER(size - 1);
	map_image_touch(image, last, end.count - at.count + 1);
	count_member(image, &family, standing, 1, (int64_t)size);
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

int map_list_remove(struct map_image *image, nss_map_run run, const char *name)
{
	size_t size = strlen(name) + 1;
	struct place end, start;
	struct family family;
	uint32_t standing, number;
	char *list, *at, *last;
	int r;

	r = find_standing(image, run, &family, &standing);
	if (r < 0)
		return r;
	end = end_of_list(&family);
	start = start_of(&family, standing);
	list = map_image_list(image, family.tails[0]->list);
	at = find_member(list + start.bytes, list + end_of(&family, standing).bytes, name, size);
	if (!at)
		return -ENOENT;
	number = start.count + count_names(list + start.bytes, at);
	memmove(at, at + size, (size_t)(list + end.bytes - (at + size)));
	memset(list + end.bytes - size, 0, size);
	map_image_touch(image, at, (uint64_t)(list + end.bytes - at));
	last = letter_of(image, &family, end.count - 1);
	memmove(last + 1, last, end.count - 1 - number);
	*last = '\0';
	map_image_touch(image, last, end.count - number);
	count_member(image, &family, standing, -1, -(int64_t)size);
	return 0;
}

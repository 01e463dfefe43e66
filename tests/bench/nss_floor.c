/* SPDX-License-Identifier: MIT */
#include "nss_floor.h"

#include <stdio.h>
#include <string.h>

#include "../../nss_module/map_hash.h"
#include "nss_world.h"

#define SEED 0x1234567890abcdefULL

struct record {
	uint32_t id;
	uint16_t name_length;
	uint16_t text_size;
	uint16_t names; /* members; of a person gecos, home and shell */
	uint16_t padding;
	char text[]; /* and where each of the names starts: uint16_t, after the text */
};
struct slot {
	uint32_t tag;
	uint32_t at; /* in 4 bytes + 1; 0: free */
};
struct table {
	struct slot *slots;
	uint32_t mask;
};
struct floor {
	char *memory;
	size_t used, size;
	struct table names, uids, groups;
};

static void put(struct table *table, uint64_t hash, size_t at)
{
	uint32_t i = (uint32_t)hash & table->mask;

	while (table->slots[i].at)
		i = (i + 1) & table->mask;
	table->slots[i] = (struct slot){(uint32_t)(hash >> 32), (uint32_t)(at / 4) + 1};
}

static void make_table(struct table *table, uint32_t count)
{
	uint32_t size = 16;

	while (size < count * 2)
		size *= 2;
	table->mask = size - 1;
	table->slots = calloc(size, sizeof(*table->slots));
}

static size_t add(struct floor *floor, uint32_t id, size_t name_length, const char *text, size_t size,
		  const uint16_t *starts, uint16_t names)
{
	size_t at = floor->used, rounded = (size + 1) & ~(size_t)1;
	struct record *record = (struct record *)(void *)(floor->memory + at);

	if (at + sizeof(*record) + rounded + 2U * names + 8 > floor->size)
		abort();
	*record = (struct record){id, (uint16_t)name_length, (uint16_t)size, names, 0};
	memcpy(record->text, text, size);
	memcpy(record->text + rounded, starts, 2U * names);
	floor->used = (at + sizeof(*record) + rounded + 2U * names + 7) & ~(size_t)7;
	return at;
}

/* Members of each project's group of this level, in person order. */
static void add_groups(struct floor *floor, const struct directory *d, uint32_t people, uint32_t projects,
		       unsigned level)
{
	struct members {
		char text[64 * WORLD_NAME_SIZE];
		uint16_t starts[64];
		uint16_t count, used;
	} *all = calloc(projects, sizeof(*all));

	for (uint32_t i = 0; i < people; i++) {
		char login[WORLD_NAME_SIZE];
		const struct user_record *user;
		const struct member_record *member;
		uint32_t cursor = 0;

		world_login(i, login);
		user = directory_user_by_login(d, login);
		while ((member = directory_user_members(d, user->id, &cursor))) {
			struct members *m = &all[strtoul(member->project_id + 4, NULL, 10)];

			if ((level == GROUP_LEVEL_OWNER && strcmp(member->role, "owner") != 0) || m->count == 64)
				continue;
			m->starts[m->count++] = m->used;
			memcpy(m->text + m->used, login, strlen(login) + 1);
			m->used = (uint16_t)(m->used + strlen(login) + 1);
		}
	}
	for (uint32_t p = 0; p < projects; p++) {
		char text[32 + sizeof(all->text)];
		size_t name;

		world_group(p, level, text);
		name = strlen(text);
		memcpy(text + name + 1, all[p].text, all[p].used);
		for (unsigned i = 0; i < all[p].count; i++)
			all[p].starts[i] = (uint16_t)(all[p].starts[i] + name + 1);
		put(&floor->groups, map_hash_name(SEED, text, name),
		    add(floor, world_gid(p, level), name, text, name + 1 + all[p].used, all[p].starts, all[p].count));
	}
	free(all);
}

struct floor *floor_build(const struct directory *d, uint32_t people, uint32_t projects, unsigned group_level)
{
	struct floor *floor = calloc(1, sizeof(*floor));

	floor->size = (size_t)people * 96 + (size_t)projects * 1024 + 4096;
	floor->memory = malloc(floor->size);
	make_table(&floor->names, people);
	make_table(&floor->uids, people);
	make_table(&floor->groups, projects);
	for (uint32_t i = 0; i < people; i++) {
		char text[128];
		const struct user_record *user;
		size_t at, size;
		uint16_t starts[3];

		world_login(i, text);
		user = directory_user_by_login(d, text);
		starts[0] = (uint16_t)(strlen(user->login) + 1);
		starts[1] = (uint16_t)(starts[0] + strlen(user->name) + 1);
		starts[2] = (uint16_t)(starts[1] + strlen(user->home) + 1);
		size = (size_t)snprintf(text, sizeof(text), "%s%c%s%c%s%c%s", user->login, 0, user->name, 0, user->home,
					0, user->shell) +
		       1;
		at = add(floor, user->uid, strlen(user->login), text, size, starts, 3);
		put(&floor->names, map_hash_name(SEED, user->login, strlen(user->login)), at);
		put(&floor->uids, map_hash_id(SEED, user->uid), at);
	}
	add_groups(floor, d, people, projects, group_level);
	return floor;
}

void floor_free(struct floor *floor)
{
	free(floor->names.slots);
	free(floor->uids.slots);
	free(floor->groups.slots);
	free(floor->memory);
	free(floor);
}

static inline const struct record *find_name(const struct floor *floor, const struct table *table, const char *name)
{
	size_t length = strlen(name);
	uint64_t hash = map_hash_name(SEED, name, length);

	for (uint32_t i = (uint32_t)hash & table->mask; table->slots[i].at; i = (i + 1) & table->mask) {
		const struct record *record;

		if (table->slots[i].tag != (uint32_t)(hash >> 32))
			continue;
		record = (const struct record *)(const void *)(floor->memory + (size_t)(table->slots[i].at - 1) * 4);
		if (record->name_length == length && memcmp(record->text, name, length) == 0)
			return record;
	}
	return NULL;
}

static inline const struct record *find_uid(const struct floor *floor, uint32_t uid)
{
	uint64_t hash = map_hash_id(SEED, uid);

	for (uint32_t i = (uint32_t)hash & floor->uids.mask; floor->uids.slots[i].at; i = (i + 1) & floor->uids.mask) {
		const struct record *record;

		if (floor->uids.slots[i].tag != (uint32_t)(hash >> 32))
			continue;
		record = (const struct record *)(const void *)(floor->memory +
							       (size_t)(floor->uids.slots[i].at - 1) * 4);
		if (record->id == uid)
			return record;
	}
	return NULL;
}

static inline const uint16_t *starts_of(const struct record *record)
{
	return (const uint16_t *)(const void *)(record->text + ((record->text_size + 1U) & ~1U));
}

static inline bool copy_person(const struct record *record, char *out)
{
	if (!record)
		return false;
	memcpy(out, record->text, record->text_size);
	return true;
}

static inline bool give_person(const struct record *record, struct passwd *pw, char *out)
{
	const uint16_t *starts;

	if (!copy_person(record, out))
		return false;
	memcpy(out + record->text_size, "x", 2);
	starts = starts_of(record);
	pw->pw_name = out;
	pw->pw_passwd = out + record->text_size;
	pw->pw_uid = record->id;
	pw->pw_gid = record->id;
	pw->pw_gecos = out + starts[0];
	pw->pw_dir = out + starts[1];
	pw->pw_shell = out + starts[2];
	return true;
}

/* The text, and the pointers to the members' names before it; returns the text. */
static inline char *copy_group(const struct record *record, char *out)
{
	char **list = (char **)(void *)out, *text = (char *)(list + record->names + 1);
	const uint16_t *starts = starts_of(record);

	memcpy(text, record->text, record->text_size);
	for (unsigned i = 0; i < record->names; i++)
		list[i] = text + starts[i];
	list[record->names] = NULL;
	return text;
}

bool floor_copy_by_name(const struct floor *floor, const char *name, char *out)
{
	return copy_person(find_name(floor, &floor->names, name), out);
}

bool floor_copy_by_uid(const struct floor *floor, uint32_t uid, char *out)
{
	return copy_person(find_uid(floor, uid), out);
}

bool floor_copy_group(const struct floor *floor, const char *name, char *out)
{
	const struct record *record = find_name(floor, &floor->groups, name);

	return record && copy_group(record, out);
}

bool floor_give_by_name(const struct floor *floor, const char *name, struct passwd *pw, char *out)
{
	return give_person(find_name(floor, &floor->names, name), pw, out);
}

bool floor_give_by_uid(const struct floor *floor, uint32_t uid, struct passwd *pw, char *out)
{
	return give_person(find_uid(floor, uid), pw, out);
}

bool floor_give_group(const struct floor *floor, const char *name, struct group *gr, char *out)
{
	const struct record *record = find_name(floor, &floor->groups, name);
	char *text;

	if (!record)
		return false;
	text = copy_group(record, out);
	memcpy(text + record->text_size, "x", 2);
	gr->gr_name = text;
	gr->gr_passwd = text + record->text_size;
	gr->gr_gid = record->id;
	gr->gr_mem = (char **)(void *)out;
	return true;
}

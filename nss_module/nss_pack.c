/* SPDX-License-Identifier: MIT */
#include "nss_pack.h"

#include <errno.h>
#include <stdlib.h>

#define PASSWORD_LOCKED "!*"
#define GROUPS_START 16

enum pack_result pack_shadow(const struct map_record *record, struct spwd *sp, char *buffer, size_t size)
{
	size_t length = record->at[1];

	if (length >= record->room - NSS_MAP_UNIT)
		return PACK_BROKEN;
	if (size < length + 1 + sizeof(PASSWORD_LOCKED))
		return PACK_TOO_SMALL;
	memcpy(buffer, record->at + NSS_MAP_UNIT, length);
	buffer[length] = '\0';
	memcpy(buffer + length + 1, PASSWORD_LOCKED, sizeof(PASSWORD_LOCKED));
	*sp = (struct spwd){
		.sp_namp = buffer,
		.sp_pwdp = buffer + length + 1,
		.sp_lstchg = -1,
		.sp_min = -1,
		.sp_max = -1,
		.sp_warn = -1,
		.sp_inact = -1,
		.sp_expire = -1,
		.sp_flag = ~0UL,
	};
	return PACK_DONE;
}

/* Points at the names that were copied to `at`, and ends each. False: lengths and bytes do not agree. */
static inline bool split_names(char *at, size_t bytes, const uint8_t *letter, size_t count, char **list)
{
	for (size_t i = 0; i < count; i++, letter--) {
		size_t length = NSS_MAP_LETTER_LENGTH(*letter);

		if (__builtin_expect(length >= bytes, 0)) /* also what is no letter */
			return false;
		list[i] = at;
		at += length;
		*at++ = '\0';
		bytes -= length + 1;
	}
	return bytes == 0;
}

/* The list of a group: its names and the letter of the first. False: the map contradicts itself. */
static inline bool find_list(const struct map_view *view, const struct map_record *record,
			     const struct nss_map_group *g, const uint8_t **ret_names, const uint8_t **ret_letter)
{
	uint64_t tail_at = (uint64_t)(g->record.units - 1U) * NSS_MAP_UNIT, offset, capacity, skip;
	struct nss_map_group_tail tail;

	if (__builtin_expect(tail_at > record->room - sizeof(tail), 0))
		return false;
	memcpy(&tail, record->at + tail_at, sizeof(tail));
	offset = (uint64_t)tail.list * NSS_MAP_UNIT;
	capacity = (uint64_t)tail.list_capacity * NSS_MAP_UNIT;
	skip = be32toh(tail.skip_count);
	if (__builtin_expect(skip + tail.skip_bytes + g->member_bytes + g->member_count > capacity ||
				     !g->member_bytes || !g->member_count || capacity > view->slot->members_size ||
				     offset > view->slot->members_size - capacity,
			     0))
		return false;
	*ret_names = map_long_bytes(view, view->slot->members_offset + offset, capacity);
	if (!*ret_names)
		return false;
	*ret_letter = *ret_names + capacity - 1 - skip;
	*ret_names += tail.skip_bytes;
	return true;
}

enum pack_result pack_group(const struct map_view *view, const struct map_record *record, struct group *gr,
			    char *buffer, size_t size)
{
	size_t pad = -(uintptr_t)buffer % _Alignof(char *), count = 0, bytes = 0, length, needed;
	const uint8_t *names = NULL, *letter = NULL;
	struct nss_map_group g;
	char **list, *text;

	memcpy(&g, record->at, sizeof(g));
	length = g.record.name_length;
	if (__builtin_expect(length >= record->room - sizeof(g) || !nss_id_is_managed(g.record.id), 0))
		return PACK_BROKEN;
	if (g.record.kind == NSS_MAP_GROUP) { /* a private group lists nobody */
		count = g.member_count;
		bytes = g.member_bytes;
	}
	needed = pad + sizeof(char *) + length + 1 + sizeof(PACK_PASSWORD); /* below a kilobyte */
	if (__builtin_expect(size < needed || size - needed < bytes || (size - needed - bytes) / sizeof(char *) < count,
			     0))
		return PACK_TOO_SMALL;
	if (count + bytes && !find_list(view, record, &g, &names, &letter))
		return PACK_BROKEN;
	list = (char **)(void *)(buffer + pad);
	text = (char *)(list + count + 1);
	pack_copy(text, size - pad - (count + 1) * sizeof(char *), record->at + sizeof(g), length);
	memcpy(text + length, "\0" PACK_PASSWORD, sizeof("\0" PACK_PASSWORD));
	if (names) {
		char *at = text + length + 1 + sizeof(PACK_PASSWORD);

		memcpy(at, names, bytes);
		if (!split_names(at, bytes, letter, count, list))
			return PACK_BROKEN;
	}
	list[count] = NULL;
	gr->gr_name = text;
	gr->gr_passwd = text + length + 1;
	gr->gr_gid = g.record.id;
	gr->gr_mem = list;
	return PACK_DONE;
}

static int grow_groups(long *size, gid_t **groups, long limit)
{
	long wanted = *size < GROUPS_START ? GROUPS_START : *size * 2;
	gid_t *grown;

	if (limit > 0 && wanted > limit)
		wanted = limit;
	grown = realloc(*groups, (size_t)wanted * sizeof(gid_t));
	if (!grown)
		return ENOMEM;
	*groups = grown;
	*size = wanted;
	return 0;
}

/* 0; ENOMEM; -1: the caller's bound is reached. */
static int add_group(gid_t gid, long *start, long *size, gid_t **groups, long limit)
{
	if (*start >= *size) {
		if (limit > 0 && *size >= limit)
			return -1;
		if (grow_groups(size, groups, limit))
			return ENOMEM;
	}
	(*groups)[(*start)++] = gid;
	return 0;
}

int pack_groups(const struct map_record *record, gid_t skip, long *start, long *size, gid_t **groups, long limit)
{
	int r;

	struct nss_map_person p;
	const uint8_t *runs;
	size_t offset;

	memcpy(&p, record->at, sizeof(p));
	offset = sizeof(p) + ((p.text_size + 3U) & ~3U);
	if (offset + p.run_count * sizeof(nss_map_run) > record->room)
		return EBADMSG;
	runs = record->at + offset;
	for (size_t i = 0; i < p.run_count; i++) {
		gid_t gid = NSS_MAP_ID_FIRST + map_run_first(runs, i), last = gid + map_run_more(runs, i);

		if (last > NSS_MAP_ID_LAST)
			return EBADMSG;
		for (; gid <= last; gid++) {
			if (gid == skip)
				continue;
			r = add_group(gid, start, size, groups, limit);
			if (r)
				return r < 0 ? 0 : r; /* at the bound: what fits is what the caller gets */
		}
	}
	r = skip == NSS_MAP_USERS_GID ? 0 : add_group(NSS_MAP_USERS_GID, start, size, groups, limit);
	return r < 0 ? 0 : r;
}

enum nss_status nss_failure(enum map_answer found, enum pack_result packed, int *errnop)
{
	if (found == MAP_MISSING) {
		*errnop = ENOENT;
		return NSS_STATUS_NOTFOUND;
	}
	if (found == MAP_FOUND && packed == PACK_TOO_SMALL) {
		*errnop = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	*errnop = EBADMSG;
	return NSS_STATUS_UNAVAIL;
}

enum nss_status nss_no_map(int *errnop)
{
	*errnop = ENOENT;
	return NSS_STATUS_UNAVAIL;
}

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

/* Where the names of a list start: its next entry, and the byte after the last NUL seen. */
struct names {
	char **list;
	size_t count, found;
	char *start;
};

static inline bool end_name(struct names *names, char *end)
{
	if (end == names->start || names->found == names->count)
		return false;
	names->list[names->found++] = names->start;
	names->start = end + 1;
	return true;
}

/* Points the list at `count` names that fill `bytes`; false: they do not. */
static inline bool split_names(char *text, size_t bytes, char **list, size_t count)
{
	struct names names = {list, count, 0, text};
	size_t at = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	for (; at + 8 <= bytes; at += 8) { /* the NULs among eight bytes at once */
		const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
		uint64_t word = map_load64(text + at), ends = ~(((word & low) + low) | word | low);

		for (; ends; ends &= ends - 1)
			if (!end_name(&names, text + at + __builtin_ctzll(ends) / 8))
				return false;
	}
#endif
	for (; at < bytes; at++)
		if (text[at] == '\0' && !end_name(&names, text + at))
			return false;
	return names.found == count && names.start == text + bytes;
}

enum pack_result pack_group(const struct map_view *view, const struct map_record *record, struct group *gr,
			    char *buffer, size_t size)
{
	size_t pad = -(uintptr_t)buffer % _Alignof(char *), count = 0, bytes = 0, length;
	const uint8_t *members = NULL;
	struct nss_map_group g;
	char **list, *text, *at;

	memcpy(&g, record->at, sizeof(g));
	length = g.record.name_length;
	if (length >= record->room - sizeof(g) || !nss_id_is_managed(g.record.id))
		return PACK_BROKEN;
	if (g.record.kind == NSS_MAP_GROUP) { /* a private group lists nobody */
		count = g.member_count;
		bytes = g.member_bytes;
	}
	if (size < pad || (size - pad) / sizeof(char *) < count + 1 ||
	    size - pad - (count + 1) * sizeof(char *) < length + 1 + sizeof(PACK_PASSWORD) + bytes)
		return PACK_TOO_SMALL;
	if (bytes) {
		uint64_t tail = (uint64_t)(g.record.units - 1U) * NSS_MAP_UNIT, offset;

		if (tail > record->room - sizeof(struct nss_map_group_tail))
			return PACK_BROKEN;
		offset = (uint64_t)map_load32(record->at + tail + offsetof(struct nss_map_group_tail, list)) *
			 NSS_MAP_UNIT;
		if (offset > view->slot->members_size || bytes > view->slot->members_size - offset)
			return PACK_BROKEN;
		members = map_long_bytes(view, view->slot->members_offset + offset, bytes);
		if (!members)
			return PACK_BROKEN;
	}
	list = (char **)(void *)(buffer + pad);
	text = (char *)(list + count + 1);
	at = text + length + 1 + sizeof(PACK_PASSWORD);
	memcpy(text, record->at + sizeof(g), length);
	memcpy(text + length, "\0" PACK_PASSWORD, sizeof("\0" PACK_PASSWORD));
	if (bytes)
		memcpy(at, members, bytes);
	if (!split_names(at, bytes, list, count))
		return PACK_BROKEN;
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

int pack_groups(const struct map_record *record, gid_t skip, long *start, long *size, gid_t **groups, long limit)
{
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
			if (*start >= *size) {
				if (limit > 0 && *size >= limit)
					return 0; /* the caller's bound: what fits is what it gets */
				if (grow_groups(size, groups, limit))
					return ENOMEM;
			}
			(*groups)[(*start)++] = gid;
		}
	}
	return 0;
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
